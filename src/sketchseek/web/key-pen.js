// Sketching with the keyboard: arrow keys move a pen over the sheet, Space puts it down and lifts it.

import { byId } from "./elements.js";
import { UNITS } from "./strokes.js";

/** @import { Paper } from "./paper.js" */

const STEP = 25; // units that an arrow key moves the pen
const SMALL = 5; // with Shift

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class KeyPen {
  /**
   * @param {Paper} paper
   * @param {HTMLElement} cursor over the sheet, shows where the pen is
   * @param {(down: boolean) => void} onLift the pen was put down or lifted
   */
  constructor(paper, cursor, onLift) {
    this.paper = paper;
    this.cursor = cursor;
    this.onLift = onLift;
    this.x = UNITS / 2;
    this.y = UNITS / 2;
    this.down = false;
    this.space = false; // whether Space is held, and not to move the sheet
    paper.canvas.addEventListener("keydown", (event) => this.#key(event));
    paper.canvas.addEventListener("keyup", ({ key }) => {
      if (key !== " " || !this.space) return;
      this.space = false;
      this.#press();
    });
    byId("sheet").addEventListener("pointerdown", () => (this.space = false), true);
    paper.addEventListener("view", () => this.#show());
    paper.canvas.addEventListener("blur", () => this.#lift());
    paper.canvas.addEventListener("pointerdown", () => this.#lift());
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = ARROWS[event.key];
    if (way) {
      const { view } = this.paper;
      const step = (event.shiftKey ? SMALL : STEP) / view.zoom;
      this.x = Math.min(UNITS, Math.max(0, this.x + way[0] * step));
      this.y = Math.min(UNITS, Math.max(0, this.y + way[1] * step));
      if (!view.whole) {
        view.reveal(this.x, this.y);
        this.paper.viewChanged();
      }
      if (this.down) this.paper.extend([this.x, this.y, 0.5]);
    } else if (event.key === " ") {
      if (!event.repeat) this.space = true; // the pen follows when it comes up: until then it may move the sheet
    } else if (event.key === "Enter") {
      this.#press();
    } else if (event.key === "Escape" && this.down) {
      this.#lift();
    } else {
      return;
    }
    event.preventDefault();
    this.#show();
  }

  #press() {
    if (this.down) this.#lift();
    else if (!this.paper.busy) {
      this.down = true;
      this.paper.begin([this.x, this.y, 0.5]);
      this.onLift(true);
      this.#show();
    }
  }

  #lift() {
    if (!this.down) return;
    this.down = false;
    this.paper.end();
    this.onLift(false);
    this.#show();
  }

  #show() {
    const { x, y, span } = this.paper.view;
    this.cursor.style.left = `${(100 * (this.x - x)) / span}%`;
    this.cursor.style.top = `${(100 * (this.y - y)) / span}%`;
    this.cursor.classList.toggle("down", this.down);
  }
}
