// Deadlines that count down, and numbers to be copied. Everything else works without.
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

const tick = () => {
  for (const time of document.querySelectorAll("time[data-countdown]")) {
    let shown = time.nextElementSibling;
    if (!shown || !shown.matches(".countdown")) {
      shown = document.createElement("b");
      shown.className = "countdown";
      // Told once a second it would never stop talking.
      shown.setAttribute("aria-live", "off");
      time.after(" ", shown);
    }
    const seconds = Math.max(0, (new Date(time.dateTime) - Date.now()) / 1000);
    const words = left(seconds, document.documentElement.lang === "ko");
    shown.textContent = time.dataset.words.replace("{left}", words);
    shown.classList.toggle("is-close", seconds < 60);
  }
};

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
