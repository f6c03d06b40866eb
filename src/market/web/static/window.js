// Opens PortOne's checkout window, and tells the market when it has closed.
//
// It opens inside the buyer's own press, for browsers block windows that come by themselves: at the
// press that begins to pay, as long as the browser remembers it, or at the button of the window's page.
"use strict";

// The market looks at the gateway's own record: what the window answers is only a reason to.
const finish = (form, token) => {
  form.elements.payment_token.value = token || "";
  form.submit();
};

const waitFor = (form, waits) => {
  form.querySelector("#checkout-waits").hidden = !waits;
  form.querySelector("#open-window").hidden = waits;
};

const failed = (form, reason) => {
  waitFor(form, false);
  form.querySelector("#checkout-reason").textContent = reason || "";
  form.querySelector("#checkout-failed").hidden = false;
};

// Without an attempt nothing was begun at the gateway: a window that was blocked, or refused before.
const ended = (form, attempt, reason, token) => {
  if (reason && !attempt) failed(form, reason);
  else finish(form, token);
};

const openers = {
  V1: (form, params, back) => {
    IMP.init(form.dataset.init);
    IMP.request_pay({ ...params, m_redirect_url: back }, (told) =>
      ended(form, told && told.imp_uid, told && told.error_msg));
  },
  V2: (form, params, back) => {
    PortOne.requestPayment({ ...params, redirectUrl: back }).then(
      (told) => ended(form, told && told.txId, told && told.code && (told.message || told.code), told && told.paymentToken),
      (error) => failed(form, error && error.message),
    );
  },
};

const openWindow = (form) => {
  form.querySelector("#checkout-failed").hidden = true;
  waitFor(form, true);
  try {
    const back = new URL(form.dataset.return, location.href).href;
    openers[form.dataset.version](form, JSON.parse(form.dataset.params), back);
  } catch {
    failed(form);
  }
};

// The window's page: from its address alone, a press opens the window and nothing else does.
const showButton = () => {
  const form = document.getElementById("checkout");
  if (form) waitFor(form, false);
  return form;
};

const replaceMain = (page) => {
  document.title = page.title;
  document.getElementById("main").replaceWith(page.getElementById("main"));
  const first = document.querySelector("#main .is-wrong input, #main .wrong, #main h1");
  if (first) { first.tabIndex = first.tabIndex < 0 ? -1 : first.tabIndex; first.focus(); }
  scrollTo(0, 0);
};

// Begins to pay without leaving this page, so that the press still counts when the answer is there.
const begin = async (form) => {
  const body = new FormData(form);
  const answer = await fetch(form.action, { method: "POST", body, headers: { Accept: "text/html" } });
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const next = page.getElementById("checkout");
  if (!next) {
    if (answer.redirected) location.assign(answer.url);
    else replaceMain(page);
    return;
  }
  if (next.dataset.sdk !== form.dataset.sdk) { location.assign(answer.url); return; }
  history.pushState(null, "", answer.url);
  replaceMain(page);
  const shown = showButton();
  if (navigator.userActivation && navigator.userActivation.isActive) openWindow(shown);
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("#open-window");
  if (button) openWindow(button.form);
});
document.addEventListener("submit", (event) => {
  const form = event.target;
  if (form.id !== "begin" || new FormData(form).get("method") !== "CARD") return;
  event.preventDefault();
  if (form.ariaBusy === "true") return;
  form.ariaBusy = "true";
  // As it would go without this script: the market answers the same.
  begin(form).catch(() => form.submit());
});

// What the browser kept of a page is over: its window is gone, and the payment may be paid.
addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
addEventListener("popstate", () => location.reload());

showButton();
