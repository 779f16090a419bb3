// Selects a part of a picture, by dragging over it or with the keyboard.

import { context2d } from "./elements.js";

/** @import { Box } from "./types.d.ts" */

const LEAST = 0.03; // fraction of the picture: a smaller drag is a click, which selects all of it
const STEP = 0.02; // fraction of the picture that an arrow key moves or, with Shift, resizes the part

/** @type {Record<string, [number, number]>} */
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Crop extends EventTarget {
  /**
   * Event: "change", when another part has been selected.
   *
   * @param {object} elements
   * @param {HTMLElement} elements.layer lies over the picture and receives the pointer
   * @param {HTMLElement} elements.frame shows the part
   * @param {HTMLCanvasElement} elements.picture fills the layer as `object-fit: contain` does
   */
  constructor({ layer, frame, picture }) {
    super();
    this.layer = layer;
    this.frame = frame;
    this.picture = picture;
    /** @type {Box | null} */
    this.part = null; // fractions of the picture; null for all of it
    /** @type {Box | null} */
    this.before = null; // the part before dragging
    /** @type {[number, number] | null} */
    this.start = null; // of dragging
    /** @type {number | undefined} */
    this.rest = undefined;
    layer.addEventListener("pointerdown", (event) => this.#down(event));
    layer.addEventListener("pointermove", (event) => this.#move(event));
    for (const end of /** @type {const} */ (["pointerup", "pointercancel"]))
      layer.addEventListener(end, () => this.#up());
    layer.addEventListener("keydown", (event) => this.#key(event));
    new ResizeObserver(() => this.#show()).observe(layer);
  }

  get on() {
    return !this.layer.hidden;
  }

  /** @param {boolean} on */
  turn(on) {
    this.layer.hidden = !on;
    this.part = null;
    this.#show();
  }

  /**
   * The part of the picture, as a file.
   *
   * @param {string} name
   */
  async file(name) {
    const { width, height } = this.picture;
    const [left, top, right, bottom] = this.part ?? [0, 0, 1, 1];
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.round((right - left) * width));
    canvas.height = Math.max(1, Math.round((bottom - top) * height));
    const [x, y] = [left * width, top * height];
    context2d(canvas).drawImage(this.picture, x, y, canvas.width, canvas.height, 0, 0, canvas.width, canvas.height);
    /** @type {Blob | null} */
    const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
    if (!blob) throw new Error("the browser cannot write this part as PNG");
    return new File([blob], name, { type: "image/png" });
  }

  // Position and size of the picture in the layer, in pixels.
  #box() {
    const layer = this.layer.getBoundingClientRect();
    return { left: layer.left, top: layer.top, ...contained(this.picture, layer) };
  }

  /**
   * @param {PointerEvent} event
   * @returns {[number, number]}
   */
  #place(event) {
    const { left, top, x, y, width, height } = this.#box();
    /** @param {number} value */
    const within = (value) => Math.min(1, Math.max(0, value));
    return [within((event.clientX - left - x) / width), within((event.clientY - top - y) / height)];
  }

  /** @param {PointerEvent} event */
  #down(event) {
    if (event.button !== 0 || !event.isPrimary) return;
    this.layer.setPointerCapture(event.pointerId);
    this.start = this.#place(event);
    this.before = this.part;
  }

  /** @param {PointerEvent} event */
  #move(event) {
    if (!this.start) return;
    const [[ax, ay], [bx, by]] = [this.start, this.#place(event)];
    this.part = [Math.min(ax, bx), Math.min(ay, by), Math.max(ax, bx), Math.max(ay, by)];
    this.#show();
  }

  #up() {
    if (!this.start) return;
    this.start = null;
    const [left, top, right, bottom] = this.part ?? [0, 0, 0, 0];
    if (right - left < LEAST || bottom - top < LEAST) this.part = null;
    this.#show();
    if (this.part || this.before) this.dispatchEvent(new Event("change"));
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const way = ARROWS[event.key];
    if (!way || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    this.part = moved(this.part ?? [0.25, 0.25, 0.75, 0.75], way, event.shiftKey);
    this.#show();
    clearTimeout(this.rest);
    this.rest = setTimeout(() => this.on && this.dispatchEvent(new Event("change")), 250);
  }

  #show() {
    this.frame.hidden = !this.part;
    if (!this.part || !this.on) return;
    const { x, y, width, height } = this.#box();
    const [left, top, right, bottom] = this.part;
    this.frame.style.left = `${x + left * width}px`;
    this.frame.style.top = `${y + top * height}px`;
    this.frame.style.width = `${(right - left) * width}px`;
    this.frame.style.height = `${(bottom - top) * height}px`;
  }
}

/** @typedef {{ width: number, height: number }} Size */

/**
 * Where `object-fit: contain` puts a picture in a box.
 *
 * @param {Size} picture
 * @param {Size} box
 */
export function contained(picture, box) {
  const scale = Math.min(box.width / picture.width, box.height / picture.height);
  const [width, height] = [picture.width * scale, picture.height * scale];
  return { x: (box.width - width) / 2, y: (box.height - height) / 2, width, height };
}

/**
 * A part moved by a step, or resized at its right and lower edges. It stays within the picture and is never empty.
 *
 * @param {Box} part
 * @param {[number, number]} direction
 * @param {boolean} resize
 * @returns {Box}
 */
export function moved([left, top, right, bottom], [dx, dy], resize) {
  const [x, y] = [dx * STEP, dy * STEP];
  /** @type {(value: number, low: number, high: number) => number} */
  const limit = (value, low, high) => Math.min(high, Math.max(low, value));
  if (resize) return [left, top, limit(right + x, left + LEAST, 1), limit(bottom + y, top + LEAST, 1)];
  const [byX, byY] = [limit(x, -left, 1 - right), limit(y, -top, 1 - bottom)];
  return [left + byX, top + byY, right + byX, bottom + byY];
}
