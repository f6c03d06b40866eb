// window.IMP as the V1 browser SDK gives it.
(() => {
  "use strict";

  const sandbox = portoneSandboxWindow;
  let code = null;

  const init = (userCode) => {
    code = userCode;
  };

  const request_pay = (params, callback) => {
    const tell = typeof callback === "function" ? callback : () => {};
    const asked = params || {};
    sandbox.pay("v1", { code, params: asked }, asked.popup === true).then((ended) => {
      tell(
        ended.result || {
          success: false,
          imp_uid: null,
          merchant_uid: asked.merchant_uid ?? null,
          error_code: ended.code,
          error_msg: ended.message,
        },
      );
    });
  };

  const certification = (params, callback) => {
    if (typeof callback !== "function") return;
    callback({
      success: false,
      imp_uid: null,
      merchant_uid: (params && params.merchant_uid) ?? null,
      error_code: "InvalidEntityState",
      error_msg: "샌드박스는 본인인증을 제공하지 않습니다.",
    });
  };

  window.IMP = { init, request_pay, certification };
})();
