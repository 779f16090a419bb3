// Which part of the sheet is shown: zoomed in, and moved. Only arithmetic; strokes stay in units of the whole sheet.

import { UNITS } from "./strokes.js";

export const MOST_ZOOM = 8;

export class SheetView {
  constructor() {
    this.zoom = 1;
    this.x = 0; // left edge of what is shown, in units
    this.y = 0;
  }

  get whole() {
    return this.zoom === 1;
  }

  // How many units are shown, in width and height.
  get span() {
    return UNITS / this.zoom;
  }

  reset() {
    this.#take(1, 0, 0);
  }

  /**
   * The place on the sheet that is shown at fractions of the width and height.
   *
   * @param {number} across
   * @param {number} down
   * @returns {[number, number]}
   */
  placeAt(across, down) {
    return [this.x + across * this.span, this.y + down * this.span];
  }

  /**
   * Zooms by a factor. What is shown at these fractions of the width and height stays there.
   *
   * @param {number} factor
   * @param {number} across
   * @param {number} down
   */
  zoomBy(factor, across, down) {
    const [x, y] = this.placeAt(across, down);
    this.put(this.zoom * factor, x, y, across, down);
  }

  /**
   * Shows the place x, y at fractions of the width and height.
   *
   * @param {number} zoom
   * @param {number} x
   * @param {number} y
   * @param {number} across
   * @param {number} down
   */
  put(zoom, x, y, across, down) {
    const most = Math.min(MOST_ZOOM, Math.max(1, zoom));
    this.#take(most, x - (across * UNITS) / most, y - (down * UNITS) / most);
  }

  /**
   * Moves what is shown.
   *
   * @param {number} across fraction of the width by which the sheet goes to the right
   * @param {number} down
   */
  moveBy(across, down) {
    this.#take(this.zoom, this.x - across * this.span, this.y - down * this.span);
  }

  /**
   * Moves what is shown as little as needed to have a place in it.
   *
   * @param {number} x
   * @param {number} y
   */
  reveal(x, y) {
    /** @type {(start: number, place: number) => number} */
    const near = (start, place) => Math.min(place, Math.max(start, place - this.span));
    this.#take(this.zoom, near(this.x, x), near(this.y, y));
  }

  // The sheet's edges stay outside.
  /** @type {(zoom: number, x: number, y: number) => void} */
  #take(zoom, x, y) {
    const most = UNITS - UNITS / zoom;
    this.zoom = zoom;
    this.x = Math.min(most, Math.max(0, x));
    this.y = Math.min(most, Math.max(0, y));
  }
}
