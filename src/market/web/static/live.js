// A page that updates itself takes nothing away from its reader: no press, no word, no place.
"use strict";

// Typed, ticked or chosen since the page showed it: that is the reader's now.
const isChanged = (field) => {
  if (field instanceof HTMLOptionElement) return isChanged(field.closest("select"));
  if (field instanceof HTMLSelectElement) {
    return [...field.options].some((option) => option.selected !== option.defaultSelected);
  }
  return field.value !== field.defaultValue || field.checked !== field.defaultChecked;
};
const FIELD = "input:not([type=hidden]), textarea, select, option";

Object.assign(Idiomorph.defaults.callbacks, {
  beforeNodeMorphed: (old, next) => {
    // One form gives way to another: what was typed for the first is not the second's.
    if (old instanceof HTMLFormElement && old.getAttribute("action") !== next.getAttribute("action")) old.reset();
  },
  beforeAttributeUpdated: (name, node) => {
    if (name === "open" && node instanceof HTMLDetailsElement) return false;
    return !(["value", "checked", "selected"].includes(name) && node.matches(FIELD) && isChanged(node));
  },
  // The countdown stands there by script alone, beside its deadline.
  beforeNodeRemoved: (node) =>
    !(node instanceof Element && node.matches("time[data-countdown] + .countdown")),
});

// A press that has begun ends on the page that it began on. What arrives meanwhile is looked up again
// afterwards, but no later than this, for a page may miss the end.
const PRESS_LASTS_MS = 1000;
let pressed = null;
let missed = null;

const press = (event) => {
  if (event instanceof KeyboardEvent && (event.repeat || ![" ", "Enter"].includes(event.key))) return;
  clearTimeout(pressed);
  pressed = setTimeout(release, PRESS_LASTS_MS);
};
const release = () => {
  clearTimeout(pressed);
  pressed = null;
  // After the click that a release makes.
  setTimeout(() => { if (missed && !pressed) look(missed); });
};
const look = (live) => {
  missed = null;
  htmx.trigger(live, "sse:changed");
};

for (const type of ["pointerdown", "keydown"]) addEventListener(type, press, true);
for (const type of ["pointerup", "pointercancel", "keyup"]) addEventListener(type, release, true);
document.addEventListener("htmx:beforeSwap", (event) => {
  const live = event.detail.requestConfig.elt;
  if (!pressed || live.id !== "live" || !event.detail.shouldSwap) return;
  event.detail.shouldSwap = false;
  missed = live;
});

// As it was when it was left: much may have happened since.
addEventListener("pageshow", (event) => {
  const live = document.getElementById("live");
  if (event.persisted && live) look(live);
});
