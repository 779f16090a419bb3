// Zooming and moving the sheet: two fingers, the wheel, dragging with Space or the middle button, keys and buttons.

import { byId, button } from "./elements.js";
import { pinch } from "./pinch.js";
import { texts } from "./texts.js";

/** @import { Paper } from "./paper.js" */

const STEP = 1.5; // zoom of a key or a button
const WHEEL = 0.004; // zoom of a pixel of the wheel
const LINE = 16; // pixels of a line, for wheels that count lines

export class SheetGestures {
  /**
   * @param {Paper} paper
   * @param {() => [number, number]} keyPlace where the keyboard's pen is, in units
   */
  constructor(paper, keyPlace) {
    this.paper = paper;
    this.keyPlace = keyPlace;
    /** @type {Map<number, [number, number]>} */
    this.fingers = new Map(); // places in the window by pointer
    /** @type {{ pointer: number, x: number, y: number } | null} */
    this.drag = null;
    this.space = false; // whether Space is held
    const { canvas } = paper;
    const sheet = byId("sheet"); // before the canvas hears of it
    sheet.addEventListener("pointerdown", (event) => event.target === canvas && this.#down(event), true);
    sheet.addEventListener("pointermove", (event) => this.#move(event), true);
    for (const end of /** @type {const} */ (["pointerup", "pointercancel", "lostpointercapture"])) {
      sheet.addEventListener(end, ({ pointerId }) => this.#up(pointerId), true);
    }
    canvas.addEventListener("wheel", (event) => this.#wheel(event), { passive: false });
    canvas.addEventListener("keydown", (event) => this.#key(event));
    addEventListener("keydown", (event) => this.#hold(event));
    addEventListener("keyup", ({ key }) => key === " " && this.#release());
    addEventListener("blur", () => this.#release());
    button("zoom-in").addEventListener("click", () => this.zoom(STEP));
    button("zoom-out").addEventListener("click", () => this.zoom(1 / STEP));
    for (const more of ["more-zoom-in", "more-zoom-out"]) {
      button(more).addEventListener("click", () => this.zoom(more === "more-zoom-in" ? STEP : 1 / STEP));
    }
    button("whole-sheet").addEventListener("click", () => {
      this.paper.view.reset();
      this.paper.viewChanged();
      canvas.focus({ preventScroll: true }); // the button is gone
    });
    paper.addEventListener("view", () => this.#show());
    this.#show();
  }

  /**
   * Zooms about the keyboard's pen, or about the middle where that is not in view.
   *
   * @param {number} factor
   */
  zoom(factor) {
    const { view } = this.paper;
    const [x, y] = this.keyPlace();
    const [across, down] = [(x - view.x) / view.span, (y - view.y) / view.span];
    const seen = document.activeElement === this.paper.canvas && Math.min(across, down, 1 - across, 1 - down) >= 0;
    view.zoomBy(factor, ...(seen ? /** @type {const} */ ([across, down]) : /** @type {const} */ ([0.5, 0.5])));
    this.paper.viewChanged();
  }

  /** @param {PointerEvent} event */
  #down(event) {
    const { pointerId, pointerType, button: pressed, clientX, clientY } = event;
    if (pointerType === "touch") this.fingers.set(pointerId, [clientX, clientY]);
    if (this.fingers.size === 2 && !this.paper.penAtWork(event)) {
      this.paper.abandon(); // the first finger's line was the beginning of this
      event.stopPropagation();
    } else if (pressed === 1 || (pressed === 0 && this.space)) {
      this.drag = { pointer: pointerId, x: clientX, y: clientY };
      this.paper.canvas.setPointerCapture(pointerId);
      this.#show();
      event.stopPropagation();
      event.preventDefault();
    } else if (this.fingers.size > 2) {
      event.stopPropagation();
    }
  }

  /** @param {PointerEvent} event */
  #move(event) {
    const { pointerId, clientX, clientY } = event;
    const box = this.paper.canvas.getBoundingClientRect();
    const { view } = this.paper;
    if (this.drag?.pointer === pointerId) {
      view.moveBy((clientX - this.drag.x) / box.width, (clientY - this.drag.y) / box.height);
      this.drag = { pointer: pointerId, x: clientX, y: clientY };
    } else if (this.fingers.size === 2 && this.fingers.has(pointerId)) {
      const before = [...this.fingers.values()];
      this.fingers.set(pointerId, [clientX, clientY]);
      pinch(view, box, before, [...this.fingers.values()]);
    } else {
      if (this.fingers.has(pointerId)) this.fingers.set(pointerId, [clientX, clientY]);
      return;
    }
    this.paper.viewChanged();
    event.stopPropagation();
  }

  /** @param {number} pointer */
  #up(pointer) {
    this.fingers.delete(pointer);
    if (this.drag?.pointer === pointer) this.drag = null;
    this.#show();
  }

  /** @param {WheelEvent} event */
  #wheel(event) {
    const { view, canvas } = this.paper;
    const box = canvas.getBoundingClientRect();
    const scale = event.deltaMode === WheelEvent.DOM_DELTA_LINE ? LINE : 1;
    if (event.ctrlKey || event.metaKey) {
      const [across, down] = [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height];
      view.zoomBy(Math.exp(-event.deltaY * scale * WHEEL), across, down);
    } else if (!view.whole) {
      view.moveBy((-event.deltaX * scale) / box.width, (-event.deltaY * scale) / box.height);
    } else {
      return; // the page scrolls
    }
    event.preventDefault();
    this.paper.viewChanged();
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.zoom(STEP);
    else if (event.key === "-") this.zoom(1 / STEP);
    else if (event.key === "0") {
      this.paper.view.reset();
      this.paper.viewChanged();
    } else return;
    event.preventDefault();
  }

  // Space moves the sheet while a mouse is over it, unless it is input of something else.
  /** @param {KeyboardEvent} event */
  #hold(event) {
    const { canvas } = this.paper;
    const target = event.target instanceof Element ? event.target : document.body;
    if (event.key !== " " || !(target === canvas || (target === document.body && canvas.matches(":hover")))) return;
    event.preventDefault();
    this.space = true;
    this.#show();
  }

  #release() {
    this.space = false;
    this.#show();
  }

  #show() {
    const { view, canvas } = this.paper;
    byId("zoom").hidden = view.whole;
    byId("zoomed").textContent = texts.zoomed(Math.round(100 * view.zoom));
    button("more-zoom-out").disabled = view.whole;
    canvas.dataset.hand = this.drag ? "moving" : this.space ? "ready" : "";
  }
}
