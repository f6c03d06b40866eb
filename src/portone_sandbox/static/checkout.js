// The window works without this script; with it the opener hears the result.
(() => {
  "use strict";

  const { say, target, style, message } = document.body.dataset;
  const form = document.querySelector("form.window");

  if (form) {
    let sent = false;
    form.addEventListener("submit", (event) => {
      if (sent) event.preventDefault(); // pressed twice
      sent = true;
      form.setAttribute("aria-busy", "true");
    });
    addEventListener("pageshow", () => {
      sent = false; // back from the history
      form.removeAttribute("aria-busy");
    });
    addEventListener("keydown", (event) => {
      if (event.key === "Escape") form.requestSubmit(form.querySelector("button.close"));
    });
    return;
  }

  const opener = window.opener || (window.parent !== window ? window.parent : null);
  const tell = () => {
    if (opener) opener.postMessage(JSON.parse(message), target);
    if (style === "popup") window.close();
  };
  if (style === "redirect") return; // a link leads back
  if (say === "at once") tell();
  const finish = document.getElementById("finish");
  if (finish) finish.addEventListener("click", tell);
})();
