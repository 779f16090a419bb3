// Drawing with the keyboard: arrows move a pen over the sheet, Space puts it down and lifts it.

import { UNITS } from "./strokes.js";

const STEP = 25; // units that an arrow moves the pen
const SMALL = 5; // and with Shift
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class KeyPen {
  // cursor: an element over the sheet that shows where the pen is; onLift(down) hears whether the pen is on the paper.
  constructor(paper, cursor, onLift) {
    this.paper = paper;
    this.cursor = cursor;
    this.onLift = onLift;
    this.place = [UNITS / 2, UNITS / 2];
    this.down = false;
    paper.canvas.addEventListener("keydown", (event) => this.#key(event));
    paper.canvas.addEventListener("blur", () => this.#lift());
    paper.canvas.addEventListener("pointerdown", () => this.#lift());
    this.#show();
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const way = ARROWS[event.key];
    if (way) {
      const step = event.shiftKey ? SMALL : STEP;
      this.place = this.place.map((value, axis) => Math.min(UNITS, Math.max(0, value + way[axis] * step)));
      if (this.down) this.paper.extend([...this.place, 0.5]);
    } else if (event.key === " " || event.key === "Enter") {
      if (this.down) this.#lift();
      else if (!this.paper.busy) {
        this.down = true;
        this.paper.begin([...this.place, 0.5]);
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
    this.cursor.style.left = `${(100 * this.place[0]) / UNITS}%`;
    this.cursor.style.top = `${(100 * this.place[1]) / UNITS}%`;
    this.cursor.classList.toggle("down", this.down);
  }
}
