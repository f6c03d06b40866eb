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

  const missing = (name) => async () => {
    throw new Error(`[PortOne sandbox] ${name} is not played by the sandbox`);
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
