// How both SDKs of the sandbox open a checkout window, and hear how it ended.
const portoneSandboxWindow = ((script) => {
  "use strict";

  const source = script ? script.src : document.querySelector('script[src*="/sdk/v"]').src;
  const home = new URL("..", source); // this file is at /sdk/v1.js or /sdk/v2.js
  const SHUT_CHECK_MS = 300;
  let busy = false;

  const onPhone = () =>
    (navigator.userAgentData ? navigator.userAgentData.mobile : false) ||
    /Android|iPhone|iPad|iPod|Mobile/i.test(navigator.userAgent) ||
    matchMedia("(max-width: 480px)").matches;

  // Plain text needs no preflight, so the sandbox need not take part in one.
  const call = async (path, body) => {
    const answer = await fetch(new URL(path, home), {
      method: "POST",
      headers: { "Content-Type": "text/plain" },
      body: JSON.stringify(body),
      credentials: "omit",
    });
    if (!answer.ok) throw new Error(`the sandbox answered ${answer.status}`);
    return answer.json();
  };

  // Only through the style object: style attributes and <style> are what a shop's CSP forbids.
  const dress = (element, rules) => Object.assign(element.style, rules);

  const showFrame = (url) => {
    const phone = onPhone();
    const cover = document.createElement("div");
    cover.setAttribute("role", "dialog");
    cover.setAttribute("aria-modal", "true");
    cover.setAttribute("aria-label", "결제창 (PortOne sandbox)");
    cover.dataset.portoneSandbox = "checkout";
    dress(cover, {
      position: "fixed",
      inset: "0",
      zIndex: "2147483647",
      display: "flex",
      alignItems: "center",
      justifyContent: "center",
      background: "rgba(16, 24, 40, 0.6)",
    });
    const frame = document.createElement("iframe");
    frame.title = "결제창 (PortOne sandbox)";
    frame.src = url;
    dress(frame, {
      border: "0",
      background: "#fff",
      width: phone ? "100%" : "min(440px, 100%)",
      height: phone ? "100%" : "min(720px, 94vh)",
      borderRadius: phone ? "0" : "16px",
      boxShadow: "0 24px 64px rgba(0, 0, 0, 0.35)",
      colorScheme: "light",
    });
    cover.append(frame);
    document.body.append(cover);
    const page = document.documentElement;
    const scrolled = page.style.overflow;
    const before = document.activeElement;
    page.style.overflow = "hidden";
    frame.focus();
    return {
      view: () => frame.contentWindow,
      shut: () => false,
      remove: () => {
        cover.remove();
        page.style.overflow = scrolled;
        if (before instanceof HTMLElement) before.focus();
      },
    };
  };

  const showPopup = (popup, url) => {
    popup.location.replace(url);
    return { view: () => popup, shut: () => popup.closed, remove: () => popup.close() };
  };

  const hear = (shown, opened) =>
    new Promise((resolve, reject) => {
      const end = (message) => {
        removeEventListener("message", listen);
        clearInterval(watch);
        shown.remove();
        resolve(message);
      };
      const listen = (event) => {
        const message = event.data;
        const ours = event.origin === home.origin && event.source === shown.view();
        if (ours && message && message.from === "portone-sandbox" && message.txId === opened.txId)
          end(message);
      };
      addEventListener("message", listen);
      // Who shuts a popup's window says nothing: ask what became of the payment.
      const watch = setInterval(() => {
        if (!shown.shut()) return;
        clearInterval(watch);
        call(`checkout/${opened.txId}/leave`, { token: opened.token }).then(end, reject);
      }, SHUT_CHECK_MS);
    });

  /**
   * Opens the window of one payment. Gives { result } or { code, message } of what went wrong
   * before the sandbox could answer; never ends when the whole page goes to the window.
   */
  const pay = async (version, body, wantsPopup) => {
    if (busy) return { code: "InvalidEntityState", message: "이미 열려 있는 결제창이 있습니다." };
    busy = true;
    // A popup must be opened while the browser still remembers the buyer's click.
    const popup = wantsPopup && !onPhone() ? open("", "_blank", "popup,width=440,height=720") : null;
    try {
      const opened = await call(`checkout/${version}`, { ...body, phone: onPhone() });
      if (opened.result) {
        if (popup) popup.close();
        return opened;
      }
      const url = new URL(opened.window, home).href;
      if (opened.style === "redirect") {
        location.assign(url);
        return await new Promise(() => {});
      }
      const message = await hear(popup ? showPopup(popup, url) : showFrame(url), opened);
      if (message.redirect) {
        location.assign(message.redirect);
        return await new Promise(() => {});
      }
      return message;
    } catch (error) {
      if (popup) popup.close();
      return { code: "UnknownError", message: `샌드박스에 연결할 수 없습니다: ${error.message}` };
    } finally {
      busy = false;
    }
  };

  /** Reports a function that is not played; gives { result } or { code, message }. */
  const refuse = async (version, name, body) => {
    const message = `${name} is not played by the sandbox`;
    console.error(`[PortOne sandbox] ${message}`);
    try {
      return await call(`checkout/${version}`, body);
    } catch {
      return { code: "NotPlayed", message };
    }
  };

  return { pay, refuse };
})(document.currentScript);
