// Sketching with the keyboard: arrow keys move a pen over the sheet, Space puts it down and lifts it.

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
    paper.canvas.addEventListener("keydown", (event) => this.#key(event));
    paper.canvas.addEventListener("blur", () => this.#lift());
    paper.canvas.addEventListener("pointerdown", () => this.#lift());
    this.#show();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = ARROWS[event.key];
    if (way) {
      const step = event.shiftKey ? SMALL : STEP;
      this.x = Math.min(UNITS, Math.max(0, this.x + way[0] * step));
      this.y = Math.min(UNITS, Math.max(0, this.y + way[1] * step));
      if (this.down) this.paper.extend([this.x, this.y, 0.5]);
    } else if (event.key === " " || event.key === "Enter") {
      if (this.down) this.#lift();
      else if (!this.paper.busy) {
        this.down = true;
        this.paper.begin([this.x, this.y, 0.5]);
        this.onLift(true);
      }
    } else if (event.key === "Escape" && this.down) {
      this.#lift();
    } else {
      return;
    }
    event.preventDefault();
    this.#show();
  }

  #lift() {
    if (!this.down) return;
    this.down = false;
    this.paper.end();
    this.onLift(false);
    this.#show();
  }

  #show() {
    this.cursor.style.left = `${(100 * this.x) / UNITS}%`;
    this.cursor.style.top = `${(100 * this.y) / UNITS}%`;
    this.cursor.classList.toggle("down", this.down);
  }
}
