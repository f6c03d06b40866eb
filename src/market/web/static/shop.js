// Deadlines that count down, numbers to be copied, and fields that a sign-in does not empty.
// Everything else works without.
"use strict";

// What stands in for scripts goes away when they really run, not when they merely may.
document.documentElement.classList.add("js");

const left = (seconds, korean) => {
  const d = Math.floor(seconds / 86400);
  const h = Math.floor((seconds % 86400) / 3600);
  const m = Math.floor((seconds % 3600) / 60);
  const s = Math.floor(seconds % 60);
  const parts = korean
    ? [[d, "일"], [h, "시간"], [m, "분"], [s, "초"]]
    : [[d, "d"], [h, "h"], [m, "min"], [s, "s"]];
  const first = parts.findIndex(([n]) => n > 0);
  return parts
    .slice(first < 0 ? 3 : first, (first < 0 ? 3 : first) + 2)
    .map(([n, unit]) => `${n}${unit}`)
    .join(" ");
};

// The market's clock, whatever the browser's own says.
const ahead = Date.parse(document.documentElement.dataset.now) - Date.now() || 0;
const until = (time) => (new Date(time) - Date.now() - ahead) / 1000;

const tick = () => {
  // What ends with a deadline, and what stands there from then on.
  for (const part of document.querySelectorAll("[data-until]")) part.hidden = until(part.dataset.until) <= 0;
  for (const part of document.querySelectorAll("[data-from]")) part.hidden = until(part.dataset.from) > 0;
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    let shown = time.nextElementSibling;
    if (!shown || !shown.matches(".countdown")) {
      shown = document.createElement("b");
      shown.className = "countdown";
      // Told once a second it would never stop talking.
      shown.setAttribute("aria-live", "off");
      time.after(" ", shown);
    }
    const seconds = Math.max(0, until(time.dateTime));
    const words = left(seconds, document.documentElement.lang === "ko");
    shown.textContent = time.dataset.words.replace("{left}", words);
    shown.classList.toggle("is-close", seconds < 60);
  }
};

// Tabs that do not fit scroll: the one that is shown must be among those seen.
document.querySelector(".tabs [aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });

tick();
setInterval(tick, 1000);
document.addEventListener("htmx:afterSwap", tick);

// One listener for all: the button may come with a later update of the page.
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  try {
    await navigator.clipboard.writeText(button.dataset.copy);
  } catch {  // forbidden here: then it stands there selected, to be copied by hand
    getSelection().selectAllChildren(button.previousElementSibling);
    return;
  }
  const words = button.textContent;
  if (words === button.dataset.copied) return;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = words; }, 2000);
});
// Browsers offer it on encrypted pages and on one's own machine alone.
if (navigator.clipboard) document.documentElement.classList.add("copies");

// A form that was sent after its member was signed out leads to the sign-in and back, and a window
// that was closed unpaid to the checkout: this tab keeps what was typed until the next page of the
// shop, no longer. Passwords, account numbers and files are never kept.
const TYPED = "typed";
const typedFields = (form) => [...form.elements].filter((field) => field.matches(
  "textarea, select, input:not([type=hidden], [type=password], [type=file], [autocomplete=off])"));

document.addEventListener("submit", ({ target: form }) => {
  // Forms with files are kept by the market, photos and all. (A field may be called "method".)
  if (!form.matches("[method=post]:not([enctype])") || form.closest(".door")) return;
  const values = typedFields(form).map((field) => [field.name, field.type, field.value,
    field.checked]);
  sessionStorage.setItem(TYPED, JSON.stringify({ action: form.getAttribute("action"), values }));
}, true);

const fillTyped = () => {
  if (document.querySelector(".door, #checkout")) return; // still on the way to the form
  const { action, values = [] } = JSON.parse(sessionStorage.getItem(TYPED) || "{}");
  sessionStorage.removeItem(TYPED);
  const form = [...document.querySelectorAll("main form")].find((one) =>
    one.getAttribute("action") === action);
  if (!form) return;
  for (const [name, type, value, checked] of values) {
    const choice = type === "radio" || type === "checkbox";
    const field = typedFields(form).find((one) =>
      one.name === name && (!choice || one.value === value));
    if (choice && field) field.checked = checked;
    else if (field && !field.value) field.value = value;
  }
};
fillTyped();
