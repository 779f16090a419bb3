// Colors that photos should have, chosen beside the sheet; and how much they and the colors of strokes count.

import { byId, button, input } from "./elements.js";
import { COLOR_WEIGHT, MOST_COLORS, PEN_COLORS } from "./ink-colors.js";
import { texts } from "./texts.js";

/** @import { QueryColor } from "./types.d.ts" */

const NAMED = Object.entries(PEN_COLORS).filter(([, color]) => color);

export class Palette extends EventTarget {
  // Event: "change", when other colors were chosen, or colors count more or less.
  constructor() {
    super();
    /** @type {string[]} */
    this.colors = []; // as #rrggbb
    /** @type {QueryColor[]} */
    this.inked = [];
    byId("palette").addEventListener("change", ({ target }) => {
      const { value, checked } = /** @type {HTMLInputElement} */ (target);
      this.#choose(checked ? [...this.colors, value] : this.colors.filter((color) => color !== value));
    });
    input("palette-own").addEventListener("change", () => this.#choose([...this.colors, input("palette-own").value]));
    button("no-palette").addEventListener("click", () => this.#choose([]));
    input("color-weight").addEventListener("change", () => this.dispatchEvent(new Event("change")));
    this.update([]);
  }

  // How much colors count beside the drawing; 0 where they do not.
  get weight() {
    return Number(input("color-weight").value);
  }

  /**
   * Takes other colors without an event.
   *
   * @param {string[]} colors
   * @param {number} [weight]
   */
  restore(colors, weight = COLOR_WEIGHT) {
    this.colors = colors;
    input("color-weight").value = String(weight);
    this.update(this.inked);
  }

  /**
   * The colors to search for: those chosen here, and those of strokes. None where colors do not count.
   *
   * @param {QueryColor[]} inked
   * @returns {QueryColor[]}
   */
  together(inked) {
    if (this.weight === 0) return [];
    const rest = inked.filter(({ color }) => !this.colors.includes(color));
    return [...this.colors.map((color) => ({ color, weight: 1 })), ...rest].slice(0, MOST_COLORS);
  }

  /**
   * Shows which colors are searched for.
   *
   * @param {QueryColor[]} inked those of strokes
   */
  update(inked) {
    this.inked = inked;
    const own = this.colors.filter((color) => !NAMED.some(([, named]) => named === color));
    const known = [...NAMED, ...own.map((color) => [color, color])];
    if (byId("palette").children.length !== known.length || own.length) {
      byId("palette").replaceChildren(...known.map(([name, color]) => swatch(name, color)));
    }
    for (const box of /** @type {NodeListOf<HTMLInputElement>} */ (byId("palette").querySelectorAll("input"))) {
      box.checked = this.colors.includes(box.value);
      box.disabled = !box.checked && this.colors.length >= MOST_COLORS;
    }
    const used = [...this.colors, ...inked.map(({ color }) => color).filter((color) => !this.colors.includes(color))];
    button("no-palette").disabled = this.colors.length === 0;
    byId("color-weight-option").hidden = used.length === 0;
    byId("palette-dots").replaceChildren(...(this.weight ? used : []).slice(0, 4).map(dot));
  }

  /** @param {string[]} colors */
  #choose(colors) {
    this.colors = [...new Set(colors)].slice(0, MOST_COLORS);
    this.update(this.inked);
    this.dispatchEvent(new Event("change"));
  }
}

/** @param {string} color */
function dot(color) {
  const one = document.createElement("span");
  one.className = "dot";
  one.style.background = color;
  return one;
}

/** @type {(name: string, color: string) => HTMLElement} */
function swatch(name, color) {
  const label = document.createElement("label");
  label.className = "swatch";
  label.title = /** @type {Record<string, string>} */ (texts.colors)[name] ?? color;
  const box = document.createElement("input");
  box.type = "checkbox";
  box.value = color;
  box.ariaLabel = label.title;
  const shown = document.createElement("span");
  shown.style.background = color;
  label.append(box, shown);
  return label;
}
