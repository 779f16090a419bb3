// Several drawings of one thing, each on a sheet of its own: together they find more than one alone.

import { byId, input } from "./elements.js";
import { showsTwo } from "./parts.js";
import { sketchPicture } from "./sketch-picture.js";
import { Sketch, toApi } from "./strokes.js";
import { texts } from "./texts.js";

/** @import { Paper } from "./paper.js" */
/** @import { Stroke } from "./types.d.ts" */

export const MOST_SHEETS = 6;

export class Sheets extends EventTarget {
  /**
   * Event: "change", when a sheet was added, chosen or removed, or its objects are to be searched for or not.
   *
   * @param {Paper} paper shows the chosen sheet
   * @param {object} elements
   * @param {HTMLElement} elements.tabs
   * @param {HTMLButtonElement} elements.again adds a sheet
   */
  constructor(paper, { tabs, again }) {
    super();
    this.paper = paper;
    this.tabs = tabs;
    this.again = again;
    this.partsBox = input("parts"); // search for each of two objects, too
    /** @type {Sketch[]} */
    this.sketches = [paper.sketch];
    this.at = 0;
    again.addEventListener("click", () => this.#add());
    this.partsBox.addEventListener("change", () => this.dispatchEvent(new Event("change")));
    paper.addEventListener("change", () => this.show());
    this.show();
  }

  // Whether no sheet has a stroke.
  get empty() {
    return this.paper.empty && this.sketches.every((sketch) => sketch.empty);
  }

  // The strokes of each sheet.
  get strokes() {
    return this.sketches.map((sketch) => sketch.strokes);
  }

  // All strokes, with the unfinished one.
  get inked() {
    return this.sketches.flatMap((sketch, i) => (i === this.at ? this.paper.strokes : sketch.strokes));
  }

  // The drawings as the API takes them, without blank sheets.
  get drawings() {
    const all = this.sketches.map((sketch, i) => (i === this.at ? this.paper.toStrokes() : toApi(sketch.strokes)));
    return all.filter((strokes) => strokes.length > 0);
  }

  // Whether the only drawing shows two objects, each of which is searched for, too.
  get parts() {
    const { drawings } = this;
    return this.partsBox.checked && drawings.length === 1 && showsTwo(drawings[0]);
  }

  // Whether a drawing of two objects is searched as a whole only.
  get whole() {
    return !this.partsBox.checked;
  }

  /**
   * Starts with these sheets, without an event.
   *
   * @param {Stroke[][]} sheets
   * @param {number} at the chosen one
   * @param {boolean} [whole] whether two objects are searched as a whole only
   */
  restore(sheets, at, whole = false) {
    this.partsBox.checked = !whole;
    this.sketches = (sheets.length ? sheets : [[]]).map((strokes) => new Sketch(strokes));
    this.#choose(Math.min(Math.max(0, at), this.sketches.length - 1));
  }

  show() {
    this.again.disabled = this.paper.empty || this.sketches.length >= MOST_SHEETS;
    this.tabs.hidden = this.sketches.length < 2;
    const { drawings } = this;
    byId("parts-option").hidden = drawings.length !== 1 || !showsTwo(drawings[0]);
    const items = this.tabs.hidden ? [] : this.sketches.map((sketch, i) => this.#tab(sketch, i));
    this.tabs.replaceChildren(...items);
  }

  #add() {
    this.sketches.push(new Sketch());
    this.#choose(this.sketches.length - 1);
    this.dispatchEvent(new Event("change"));
    this.paper.canvas.focus({ preventScroll: true });
  }

  /** @param {number} index */
  #remove(index) {
    this.sketches.splice(index, 1);
    this.#choose(Math.min(this.at > index ? this.at - 1 : this.at, this.sketches.length - 1));
    this.dispatchEvent(new Event("change"));
    (this.tabs.querySelector("button") ?? this.again).focus();
  }

  /** @param {number} index */
  #choose(index) {
    this.at = index;
    this.paper.use(this.sketches[index]);
    this.show();
  }

  /**
   * @param {Sketch} sketch
   * @param {number} index
   */
  #tab(sketch, index) {
    const item = document.createElement("li");
    const tab = document.createElement("button");
    tab.type = "button";
    tab.className = "tab";
    tab.ariaLabel = tab.title = texts.sheet(index + 1);
    tab.ariaPressed = String(index === this.at);
    tab.append(sketchPicture(sketch.strokes));
    tab.addEventListener("click", () => {
      this.#choose(index);
      this.dispatchEvent(new Event("change"));
      /** @type {HTMLElement | null} */ (this.tabs.children[index]?.querySelector(".tab"))?.focus();
    });
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "remove";
    remove.ariaLabel = remove.title = texts.removeSheet(index + 1);
    remove.textContent = "✕";
    remove.addEventListener("click", () => this.#remove(index));
    item.append(tab, remove);
    return item;
  }
}
