// What the pen draws: its color, width and shape. Colors also say how photos should look.

import { byId, input } from "./elements.js";
import { PEN_COLORS } from "./ink-colors.js";
import { texts } from "./texts.js";

/** @import { Paper } from "./paper.js" */
/** @import { Shape } from "./types.d.ts" */

export class PenPanel {
  /** @param {Paper} paper */
  constructor(paper) {
    this.paper = paper;
    const width = input("width");
    width.addEventListener("input", () => (paper.width = Number(width.value)));
    byId("shapes").addEventListener("change", ({ target }) => {
      paper.shape = /** @type {Shape} */ (/** @type {HTMLInputElement} */ (target).value);
    });
    byId("swatches").append(...Object.entries(PEN_COLORS).map(([name, color]) => swatch(name, color)));
    byId("swatches").addEventListener("change", ({ target }) => {
      this.choose(/** @type {HTMLInputElement} */ (target).value);
    });
    input("own-color").addEventListener("input", () => this.choose(input("own-color").value));
  }

  /** @param {string} color "" for the pen's own */
  choose(color) {
    this.paper.color = color;
    byId("pen-swatch").style.background = color;
    for (const radio of /** @type {NodeListOf<HTMLInputElement>} */ (byId("swatches").querySelectorAll("input"))) {
      radio.checked = radio.value === color;
    }
  }
}

/**
 * @param {string} name of its text
 * @param {string} color
 */
function swatch(name, color) {
  const label = document.createElement("label");
  label.className = "swatch";
  label.title = /** @type {Record<string, string>} */ (texts.colors)[name];
  const radio = document.createElement("input");
  radio.type = "radio";
  radio.name = "color";
  radio.value = color;
  radio.checked = color === "";
  radio.ariaLabel = label.title;
  const dot = document.createElement("span");
  dot.style.background = color;
  label.append(radio, dot);
  return label;
}
