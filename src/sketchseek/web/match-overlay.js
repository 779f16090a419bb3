// "What matched": the photo in the viewer with the parts bright that made it match, and the drawing over it.

import { contained } from "./crop.js";
import { context2d } from "./elements.js";
import { boundsOf } from "./strokes.js";

/** @import { Explanation, Stroke } from "./types.d.ts" */

const VEIL = 0.72; // how dark the parts are that do not match
const FILLED = 0.88; // fraction of the square that a sketch fills when it is encoded, as a photo fills it all
const LINE = 5; // pixels
const FAINT = 0.25; // how opaque strokes are that do not count

export class MatchOverlay {
  /**
   * @param {object} options
   * @param {HTMLCanvasElement} options.canvas covers the stage
   * @param {HTMLImageElement} options.image the photo, fitted into the stage
   * @param {HTMLButtonElement} options.toggle
   * @param {HTMLElement} options.legend says what is bright
   * @param {(id: number) => Promise<Explanation>} options.explain
   * @param {() => Stroke[][]} options.drawings those that were searched for, in the order of the examples
   * @param {HTMLElement} options.strokesLegend says which strokes are bright
   * @param {(error: unknown) => void} options.onError
   */
  constructor(options) {
    this.options = options;
    this.on = false;
    /** @type {number | null} */
    this.id = null;
    /** @type {Explanation | null} */
    this.explanation = null;
    options.toggle.addEventListener("click", () => {
      this.on = !this.on;
      void this.#update();
    });
    options.image.addEventListener("load", () => this.#draw());
    new ResizeObserver(() => this.#draw()).observe(options.canvas);
  }

  /**
   * Another photo is shown.
   *
   * @param {number | null} id
   * @param {boolean} possible whether the query has a drawing or a picture
   */
  show(id, possible) {
    this.id = id;
    this.explanation = null;
    if (!possible) this.on = false;
    this.options.toggle.disabled = !possible;
    void this.#update();
  }

  async #update() {
    const { toggle, explain, onError } = this.options;
    const { id } = this;
    toggle.ariaPressed = String(this.on);
    this.#draw();
    if (!this.on || id === null || this.explanation) return;
    try {
      const explanation = await explain(id);
      if (id !== this.id) return; // another photo is shown by now
      this.explanation = explanation;
    } catch (error) {
      if (id !== this.id) return;
      this.on = false;
      toggle.ariaPressed = "false";
      onError(error);
    }
    this.#draw();
  }

  #draw() {
    const { canvas, image, legend, strokesLegend } = this.options;
    const visible = this.on && this.explanation !== null && image.naturalWidth > 0;
    canvas.hidden = legend.hidden = !visible;
    strokesLegend.hidden = true;
    if (!visible || !this.explanation) return;
    const box = canvas.getBoundingClientRect();
    canvas.width = Math.max(1, Math.round(box.width * devicePixelRatio));
    canvas.height = Math.max(1, Math.round(box.height * devicePixelRatio));
    const place = contained({ width: image.naturalWidth, height: image.naturalHeight }, canvas);
    const context = context2d(canvas);
    context.imageSmoothingQuality = "high";
    context.save();
    context.beginPath();
    context.rect(place.x, place.y, place.width, place.height);
    context.clip();
    drawVeil(context, this.explanation.photo_split.shares, place);
    this.options.drawings().forEach((strokes, i) => {
      const levels = strokeLevels(strokes.length, this.explanation?.sketches[i]?.strokes);
      drawSketch(context, strokes, place, levels);
      if (levels.some((level) => level < 1)) strokesLegend.hidden = false;
    });
    context.restore();
  }
}

/** @typedef {{ x: number, y: number, width: number, height: number }} Place */

/** @type {(context: CanvasRenderingContext2D, shares: number[][], place: Place) => void} */
function drawVeil(context, shares, { x, y, width, height }) {
  const levels = brightness(shares);
  const small = document.createElement("canvas");
  small.height = levels.length;
  small.width = levels[0].length;
  const cells = context2d(small);
  levels.forEach((row, i) =>
    row.forEach((level, j) => {
      cells.fillStyle = `rgb(0 0 0 / ${VEIL * (1 - level)})`;
      cells.fillRect(j, i, 1, 1);
    }),
  );
  context.drawImage(small, x, y, width, height);
}

/**
 * How bright each cell is, from 0 to 1: its share among the largest. A share below 0 speaks against the photo.
 *
 * @param {number[][]} shares
 */
export function brightness(shares) {
  const most = Math.max(...shares.flat(), 1e-9);
  return shares.map((row) => row.map((share) => Math.max(0, share) / most));
}

/**
 * Where a sketch lies in a unit square when it is encoded: centered, and filling most of it.
 *
 * @param {Stroke[]} strokes
 * @returns {(point: ArrayLike<number>) => [number, number]}
 */
export function placement(strokes) {
  const [left, top, right, bottom] = boundsOf(strokes);
  const extent = Math.max(right - left, bottom - top, 1e-9);
  const scale = FILLED / extent;
  return (point) => [0.5 + (point[0] - (left + right) / 2) * scale, 0.5 + (point[1] - (top + bottom) / 2) * scale];
}

/**
 * How bright each stroke is, from 0 to 1: its share among the largest, or 1 where shares are not known.
 *
 * @param {number} count of strokes
 * @param {number[]} [shares]
 */
export function strokeLevels(count, shares) {
  if (shares?.length !== count) return new Array(count).fill(1);
  const most = Math.max(...shares, 1e-9);
  return shares.map((share) => Math.max(0, share) / most);
}

/** @type {(context: CanvasRenderingContext2D, strokes: Stroke[], place: Place, levels: number[]) => void} */
function drawSketch(context, strokes, { x, y, width, height }, levels) {
  if (strokes.length === 0) return;
  const at = placement(strokes);
  context.lineCap = context.lineJoin = "round";
  for (const [color, wide] of /** @type {const} */ ([
    ["rgb(0 0 0 / 55%)", 2],
    ["#fff", 1],
  ])) {
    context.strokeStyle = color;
    context.lineWidth = LINE * wide * devicePixelRatio * 0.6;
    strokes.forEach(({ points }, index) => {
      context.globalAlpha = FAINT + (1 - FAINT) * levels[index];
      context.beginPath();
      points.forEach((point, i) => {
        const [u, v] = at(point);
        if (i === 0) context.moveTo(x + u * width, y + v * height);
        context.lineTo(x + u * width, y + v * height);
      });
      context.stroke();
    });
  }
  context.globalAlpha = 1;
}
