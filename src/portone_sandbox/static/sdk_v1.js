// window.IMP as the V1 browser SDK gives it.
(() => {
  "use strict";

  const sandbox = portoneSandboxWindow;
  let code = null;
  let tier = null;

  const init = (userCode) => {
    code = userCode;
    tier = null;
  };

  const agency = (userCode, tierCode) => {
    code = userCode;
    tier = tierCode ?? null;
  };

  const failure = (params, ended) => ({
    success: false,
    imp_uid: null,
    merchant_uid: (params && params.merchant_uid) ?? null,
    error_code: ended.code,
    error_msg: ended.message,
  });

  const request_pay = (params, callback) => {
    const tell = typeof callback === "function" ? callback : () => {};
    const asked = params || {};
    sandbox.pay("v1", { code, tier, params: asked }, asked.popup === true).then((ended) => {
      tell(ended.result || failure(asked, ended));
    });
  };

  // What PortOne's SDK has, and the sandbox does not play, says so: in the console, in the
  // sandbox's journal, and to the callback.
  const missing = (name) => (...given) => {
    const params = given.find((one) => one && typeof one === "object");
    sandbox.refuse("v1", `IMP.${name}`, { code, method: name, params }).then((ended) => {
      const tell = given.find((one) => typeof one === "function");
      if (tell) tell(ended.result || failure(params, ended));
    });
  };

  const others = [
    "certification",
    "loadUI",
    "updateLoadUIRequest",
    "naver_zzim",
    "naver_cart",
    "communicate",
    "close",
  ];
  window.IMP = {
    init,
    agency,
    request_pay,
    ...Object.fromEntries(others.map((name) => [name, missing(name)])),
  };
})();
