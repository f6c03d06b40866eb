// window.PortOne as the V2 browser SDK gives it.
(() => {
  "use strict";

  const sandbox = portoneSandboxWindow;

  const requestPayment = async (request) => {
    const params = request || {};
    const wanted = params.windowType ? params.windowType.pc : undefined;
    const ended = await sandbox.pay("v2", { params }, wanted === "POPUP");
    return ended.result || {
      transactionType: "PAYMENT",
      txId: "",
      paymentId: params.paymentId ?? "",
      code: ended.code,
      message: ended.message,
    };
  };

  // Says so in the console, in the sandbox's journal, and to the caller.
  const missing = (name) => async (params) => {
    await sandbox.refuse("v2", `PortOne.${name}`, { method: name, params });
    throw new Error(`[PortOne sandbox] PortOne.${name} is not played by the sandbox`);
  };

  const others = [
    "requestIdentityVerification",
    "requestIssueBillingKey",
    "requestIssueBillingKeyAndPay",
    "loadPaymentUI",
    "loadIssueBillingKeyUI",
    "updateLoadPaymentUIRequest",
    "updateLoadIssueBillingKeyUIRequest",
  ];
  window.PortOne = {
    requestPayment,
    ...Object.fromEntries(others.map((name) => [name, missing(name)])),
  };
})();
