// Opens PortOne's checkout window, and tells the market when it has closed.
"use strict";

const form = document.getElementById("checkout");
const button = document.getElementById("open-window");
const waits = document.getElementById("checkout-waits");
const failed = document.getElementById("checkout-failed");

// The market looks at the gateway's own record: what the window answers is only a reason to.
const finish = (token) => {
  form.elements.payment_token.value = token || "";
  form.submit();
};

const openWindow = async () => {
  const { version, init, params, return: path } = form.dataset;
  const asked = JSON.parse(params);
  const back = new URL(path, location.href).href;
  failed.hidden = true;
  waits.hidden = false;
  button.hidden = true;
  try {
    if (version === "V1") {
      IMP.init(init);
      IMP.request_pay({ ...asked, m_redirect_url: back }, () => finish());
    } else {
      const told = await PortOne.requestPayment({ ...asked, redirectUrl: back });
      finish(told && told.paymentToken);
    }
  } catch {
    failed.hidden = false;
    waits.hidden = true;
    button.hidden = false;
  }
};

button.hidden = false;
button.addEventListener("click", openWindow);
openWindow();
