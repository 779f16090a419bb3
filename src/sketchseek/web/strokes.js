// A sketch: its strokes, with undo and redo. It knows no canvas and no pointer; those belong to paper.js.

/** @import { ApiStrokes, Box, Point, Stroke } from "./types.d.ts" */

export const UNITS = 1000; // width and height of the sheet, whatever its size on the screen
const DOT = 1; // units: a dot is moved, not enlarged
const FITTED = 0.84; // fraction of the sheet that a fitted sketch fills

// Strokes are never changed, only replaced.
export class Sketch {
  /** @param {Stroke[]} strokes */
  constructor(strokes = []) {
    this.strokes = strokes;
    /** @type {Stroke[][]} */
    this.past = []; // for undo
    /** @type {Stroke[][]} */
    this.future = []; // for redo
    /** @type {Stroke[] | null} */
    this.erasing = null; // the strokes before the eraser came down
  }

  get empty() {
    return this.strokes.length === 0;
  }

  /** @param {Stroke} stroke */
  add(stroke) {
    this.#become([...this.strokes, stroke]);
  }

  clear() {
    return !this.empty && this.#become([]);
  }

  undo() {
    const before = this.past.pop();
    if (!before) return false;
    this.future.push(this.strokes);
    this.strokes = before;
    return true;
  }

  redo() {
    const after = this.future.pop();
    if (!after) return false;
    this.past.push(this.strokes);
    this.strokes = after;
    return true;
  }

  // The eraser removes whole strokes. One undo brings back all that it removed between coming down and going up.
  beginErasing() {
    this.erasing = this.strokes;
  }

  /**
   * Removes the strokes within `radius` of the line between two points. Returns whether there were any.
   *
   * @param {ArrayLike<number>} from
   * @param {ArrayLike<number>} to
   * @param {number} radius
   */
  erase(from, to, radius) {
    const left = this.strokes.filter((stroke) => !touches(stroke, from, to, radius));
    const some = left.length < this.strokes.length;
    this.strokes = left;
    return some;
  }

  endErasing() {
    const before = this.erasing;
    this.erasing = null;
    if (!before || before.length === this.strokes.length) return false;
    const now = this.strokes;
    this.strokes = before;
    return this.#become(now);
  }

  // Brings back what the eraser removed since it came down.
  undoErasing() {
    this.strokes = this.erasing ?? this.strokes;
    this.erasing = null;
  }

  // Centers the sketch and scales it to the sheet. Returns whether that changed anything.
  fit() {
    const placed = placing(this.strokes, DOT);
    if (!placed) return false;
    const { scale, x, y } = placed;
    if (Math.abs(scale - 1) < 0.01 && Math.hypot(x - UNITS / 2, y - UNITS / 2) < 5) return false;
    return this.#become(fitted(this.strokes, DOT));
  }

  /**
   * Takes other strokes, as one step that undo takes back.
   *
   * @param {Stroke[]} strokes
   */
  replace(strokes) {
    return this.#become(strokes);
  }

  /** @param {Stroke[]} strokes */
  #become(strokes) {
    this.past.push(this.strokes);
    this.future = [];
    this.strokes = strokes;
    return true;
  }
}

/**
 * Strokes as the API takes them, rounded to a tenth of a unit.
 *
 * @param {Stroke[]} strokes
 * @returns {ApiStrokes}
 */
export function toApi(strokes) {
  /** @param {number} value */
  const round = (value) => Math.round(value * 10) / 10;
  return strokes.map(({ points }) => [points.map((p) => round(p[0])), points.map((p) => round(p[1]))]);
}

/**
 * The bounding box of strokes.
 *
 * @param {Stroke[]} strokes
 * @returns {Box}
 */
export function boundsOf(strokes) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { points } of strokes) {
    for (const [x, y] of points) {
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  return [left, top, right, bottom];
}

// Where strokes are, and the scale at which they fill the sheet; what is at most `least` wide and high keeps its size.
/** @type {(strokes: Stroke[], least: number) => { scale: number, x: number, y: number } | null} */
function placing(strokes, least) {
  const [left, top, right, bottom] = boundsOf(strokes);
  if (!(right >= left)) return null;
  const extent = Math.max(right - left, bottom - top);
  return { scale: extent > least ? (FITTED * UNITS) / extent : 1, x: (left + right) / 2, y: (top + bottom) / 2 };
}

/**
 * Strokes centered on the sheet and scaled to it.
 *
 * @param {Stroke[]} strokes
 * @param {number} least what is at most this wide and high is only moved
 * @returns {Stroke[]}
 */
export function fitted(strokes, least = 0) {
  const placed = placing(strokes, least);
  if (!placed) return strokes;
  const { scale, x, y } = placed;
  /** @type {(point: Point) => Point} */
  const move = (point) => [(point[0] - x) * scale + UNITS / 2, (point[1] - y) * scale + UNITS / 2, point[2]];
  return strokes.map((stroke) => ({ ...stroke, points: stroke.points.map(move) }));
}

/** @typedef {ArrayLike<number>} Place x, y and perhaps more */

/** @type {(stroke: Stroke, from: Place, to: Place, radius: number) => boolean} */
function touches({ points, width }, from, to, radius) {
  const near = radius + width / 2;
  if (points.length === 1) return distanceToLine(points[0], from, to) <= near;
  for (let i = 1; i < points.length; i++) {
    if (distanceOfLines(points[i - 1], points[i], from, to) <= near) return true;
  }
  return false;
}

/** @type {(point: Place, a: Place, b: Place) => number} */
function distanceToLine(point, a, b) {
  const [x, y, ax, ay] = [point[0], point[1], a[0], a[1]];
  const [dx, dy] = [b[0] - ax, b[1] - ay];
  const squared = dx * dx + dy * dy;
  const t = squared ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / squared)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

// 0 where the lines cross, else the smallest distance from an end of one to the other.
/** @type {(a: Place, b: Place, c: Place, d: Place) => number} */
function distanceOfLines(a, b, c, d) {
  /** @type {(p: Place, q: Place, r: Place) => number} */
  const side = (p, q, r) => Math.sign((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]));
  if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return 0;
  return Math.min(distanceToLine(a, c, d), distanceToLine(b, c, d), distanceToLine(c, a, b), distanceToLine(d, a, b));
}
