// The page's texts, in the language of the user: texts-en.js and its siblings, of which only one is loaded.

import { currentLanguage } from "./language.js";

/** @typedef {typeof import("./texts-en.js").texts} Texts */

const { texts: chosen } = await import(`./texts-${currentLanguage()}.js`);

/** @type {Texts} */
export const texts = chosen;

/**
 * Fills in the texts that index.html names.
 *
 * @param {Document} root
 */
export function fillTexts(root) {
  root.documentElement.lang = texts.language;
  if (!root.documentElement.dir) root.documentElement.dir = texts.direction;
  /** @type {(name: string, set: (element: HTMLElement, text: string) => void) => void} */
  const fill = (name, set) => {
    for (const element of /** @type {NodeListOf<HTMLElement>} */ (root.querySelectorAll(`[data-${name}]`))) {
      const text = Reflect.get(texts, element.dataset[name] ?? "");
      if (typeof text !== "string") throw new TypeError(`the page has no text ${element.dataset[name]}`);
      set(element, text);
    }
  };
  fill("text", (element, text) => (element.textContent = text));
  fill("title", (element, text) => {
    if (element.classList.contains("icon"))
      element.dataset.tip = text; // controls.css shows it, also for the keyboard
    else element.title = text;
  });
  fill("label", (element, text) => element.setAttribute("aria-label", text));
  fill("placeholder", (element, text) => element.setAttribute("placeholder", text));
}
