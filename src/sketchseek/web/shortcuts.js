// The list of keyboard shortcuts.

import { byId } from "./elements.js";
import { texts } from "./texts.js";

// Keys by the names of their texts, in the order of the list.
/** @type {[keyof typeof texts.shortcuts, string[]][]} */
const KEYS = [
  ["pen", ["P"]],
  ["eraser", ["E"]],
  ["fit", ["F"]],
  ["undo", ["Ctrl", "Z"]],
  ["redo", ["Ctrl", "Shift", "Z"]],
  ["clear", ["Delete"]],
  ["upload", ["U"]],
  ["words", ["/"]],
  ["movePen", ["← ↑ → ↓"]],
  ["penDown", ["Space"]],
  ["zoom", ["+", "−", "0"]],
  ["moveSheet", ["Space"]],
  ["nextPhoto", ["← →"]],
  ["mark", ["+", "−"]],
  ["close", ["Esc"]],
  ["list", ["?"]],
];

/** Connects the dialog; returns a function that opens it. */
export function connectShortcuts() {
  const dialog = byId("shortcuts", HTMLDialogElement);
  const open = () => {
    if (document.querySelector("dialog[open]")) return;
    byId("shortcut-list").replaceChildren(...KEYS.flatMap(([name, keys]) => entry(texts.shortcuts[name], keys)));
    dialog.showModal();
  };
  byId("open-shortcuts").addEventListener("click", open);
  byId("shortcuts-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  return open;
}

/**
 * @param {string} text
 * @param {string[]} keys
 */
function entry(text, keys) {
  const term = document.createElement("dt");
  for (const key of keys) {
    const element = document.createElement("kbd");
    element.textContent = key;
    term.append(element);
  }
  const what = document.createElement("dd");
  what.textContent = text;
  return [term, what];
}
