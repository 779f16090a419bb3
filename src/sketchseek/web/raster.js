// Strokes to the raster that sketch encoders take: sketchseek/sketches/strokes.py in JavaScript. It uses the same integer
// scan lines as Pillow, so that browser and server get the same picture. A canvas would not do: its antialiasing differs
// between machines.

/** @import { ApiStrokes, RasterSettings } from "./types.d.ts" */
/** @typedef {[number, number]} XY */

const SCALE = 4; // drawn this much larger, then averaged
const DENSE = 10_000; // points; see strokes.py

export class EmptySketch extends Error {}

/**
 * Draws strokes. Returns size × size bytes: 255 is paper, 0 is ink.
 *
 * @param {ApiStrokes} strokes
 * @param {number} size
 * @param {RasterSettings} settings from /api/v1/model
 */
export function rasterStrokes(strokes, size, { fill, line_width: line }) {
  const lines = strokes.filter(([x]) => x.length > 0);
  if (lines.length === 0) throw new EmptySketch("the sketch has no ink");
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  let count = 0;
  for (const [xs, ys] of lines) {
    count += xs.length;
    for (let i = 0; i < xs.length; i++) {
      left = Math.min(left, xs[i]);
      right = Math.max(right, xs[i]);
      top = Math.min(top, ys[i]);
      bottom = Math.max(bottom, ys[i]);
    }
  }
  const side = size * SCALE;
  const extent = Math.max(right - left, bottom - top);
  const factor = extent > 1e-200 ? (fill * side) / extent : 0; // else a dot
  const width = Math.max(1, roundHalfEven(line * side));
  const sheet = new Sheet(side);
  for (const [xs, ys] of lines) {
    /** @type {XY[]} */
    const points = [];
    for (let i = 0; i < xs.length; i++) {
      const x = (xs[i] - (left + right) / 2) * factor + side / 2;
      const y = (ys[i] - (top + bottom) / 2) * factor + side / 2;
      const last = points.at(-1);
      const same = last && Math.floor(last[0]) === Math.floor(x) && Math.floor(last[1]) === Math.floor(y);
      if (count <= DENSE || !same) points.push([x, y]);
    }
    for (let i = 1; i < points.length; i++) sheet.line(points[i - 1], points[i], width);
    if (count <= DENSE && width > 4) {
      for (let i = 1; i < points.length - 1; i++) sheet.joint(points[i - 1], points[i], points[i + 1], width);
    }
    for (const [x, y] of [points[0], points[points.length - 1]]) sheet.disc(x, y, width / 2); // round ends
  }
  return sheet.reduced();
}

// Python's round.
/** @param {number} value */
function roundHalfEven(value) {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

// Pillow's ROUND_UP and ROUND_DOWN: to the nearest, halves away from zero and towards it.
/** @param {number} f */
const roundUp = (f) => (f >= 0 ? Math.floor(f + 0.5) : -Math.floor(Math.abs(f) + 0.5));
/** @param {number} f */
const roundDown = (f) => (f >= 0 ? Math.ceil(f - 0.5) : -Math.ceil(Math.abs(f) - 0.5));

class Sheet {
  /** @param {number} side */
  constructor(side) {
    this.side = side;
    this.ink = new Uint8Array(side * side);
  }

  // Inks a row's pixels from x0 to x1, both included.
  /** @type {(x0: number, y: number, x1: number) => void} */
  row(x0, y, x1) {
    if (y < 0 || y >= this.side) return;
    const from = Math.max(0, x0);
    const to = Math.min(this.side - 1, x1);
    if (from <= to) this.ink.fill(1, y * this.side + from, y * this.side + to + 1);
  }

  // Pillow's ImagingDrawWideLine: a parallelogram with integer corners.
  /** @type {(a: XY, b: XY, width: number) => void} */
  line([ax, ay], [bx, by], width) {
    const [x0, y0, x1, y1] = [Math.trunc(ax), Math.trunc(ay), Math.trunc(bx), Math.trunc(by)];
    const [dx, dy] = [x1 - x0, y1 - y0];
    if (dx === 0 && dy === 0) {
      this.row(x0, y0, x0);
      return;
    }
    const long = Math.hypot(dx, dy);
    const half = (width - 1) / 2;
    const most = roundUp(half) / long;
    const least = roundDown(half) / long;
    const [dxMin, dxMax] = [roundDown(least * dy), roundDown(most * dy)];
    const [dyMin, dyMax] = [roundUp(least * dx), roundUp(most * dx)];
    this.polygon([
      [x0 - dxMin, y0 + dyMax],
      [x1 - dxMin, y1 + dyMax],
      [x1 + dxMax, y1 - dyMin],
      [x0 + dxMax, y0 - dyMin],
    ]);
  }

  // Fills a convex polygon with integer corners, edges included.
  /** @param {XY[]} corners */
  polygon(corners) {
    const ys = corners.map(([, y]) => y);
    for (let y = Math.max(0, Math.min(...ys)); y <= Math.min(this.side - 1, Math.max(...ys)); y++) {
      let [from, to] = [Infinity, -Infinity];
      for (let i = 0; i < corners.length; i++) {
        const [xa, ya] = corners[i];
        const [xb, yb] = corners[(i + 1) % corners.length];
        if (ya === yb) {
          if (ya === y) [from, to] = [Math.min(from, xa, xb), Math.max(to, xa, xb)];
        } else if (y >= Math.min(ya, yb) && y <= Math.max(ya, yb)) {
          const x = xa + ((y - ya) * (xb - xa)) / (yb - ya);
          [from, to] = [Math.min(from, x), Math.max(to, x)];
        }
      }
      if (from <= to) this.row(roundUp(from), y, roundDown(to));
    }
  }

  // Rounds the outer side of a turn: Pillow's slice of a disc, between the normals of the two lines.
  /** @type {(a: XY, at: XY, b: XY, width: number) => void} */
  joint([ax, ay], [x, y], [bx, by], width) {
    const turn = (x - ax) * (by - y) - (y - ay) * (bx - x);
    if (Math.atan2(x - ax, ay - y) === Math.atan2(bx - x, y - by)) return;
    const side = turn > 0 || (turn === 0 && bx - x > x - ax) ? 1 : -1; // the outer side: left of a turn to the right
    const [p, q] = [
      [side * (y - ay), side * (ax - x)],
      [side * (by - y), side * (x - bx)],
    ];
    const [start, end] = side > 0 ? [p, q] : [q, p];
    const r = width / 2 - 1;
    const [x0, y0] = [Math.trunc(x - r), Math.trunc(y - r)];
    const [w, h] = [Math.trunc(x + r) - x0, Math.trunc(y + r) - y0];
    for (const [v, u] of quarter(w, h)) {
      for (const dy of v === 0 ? [0] : [v, -v]) {
        for (let dx = -u; dx <= u; dx += 2) {
          if (start[0] * dy - start[1] * dx < 0 || dx * end[1] - dy * end[0] < 0) continue;
          this.row(x0 + (w + dx) / 2, y0 + (h + dy) / 2, x0 + (w + dx) / 2);
        }
      }
    }
  }

  // Pillow's ellipse in the box of center ± r, with corners truncated to integers.
  /** @type {(x: number, y: number, r: number) => void} */
  disc(x, y, r) {
    const [x0, y0] = [Math.trunc(x - r), Math.trunc(y - r)];
    const [x1, y1] = [Math.trunc(x + r), Math.trunc(y + r)];
    const [w, h] = [x1 - x0, y1 - y0]; // a pixel more is covered each way
    for (const [v, u] of quarter(w, h)) {
      this.row(x0 + (w - u) / 2, y0 + (h + v) / 2, x0 + (w + u) / 2);
      this.row(x0 + (w - u) / 2, y0 + (h - v) / 2, x0 + (w + u) / 2);
    }
  }

  // Averages of SCALE × SCALE blocks.
  reduced() {
    const size = this.side / SCALE;
    const bytes = new Uint8Array(size * size);
    const cells = SCALE * SCALE;
    for (let y = 0; y < size; y++) {
      for (let x = 0; x < size; x++) {
        let ink = 0;
        for (let j = 0; j < SCALE; j++) {
          const at = (y * SCALE + j) * this.side + x * SCALE;
          for (let i = 0; i < SCALE; i++) ink += this.ink[at + i];
        }
        bytes[y * size + x] = Math.floor((255 * (cells - ink) + cells / 2) / cells);
      }
    }
    return bytes;
  }
}

/** @type {Map<number, Map<number, number>>} */
const quarters = new Map();

/**
 * Half widths of an ellipse's rows by their distance from its center, both doubled. As Pillow does, it walks along a
 * quarter and takes the nearest to the curve of three next pixels.
 *
 * @param {number} w
 * @param {number} h
 */
function quarter(w, h) {
  const key = w * 65536 + h;
  const known = quarters.get(key);
  if (known) return known;
  /** @type {Map<number, number>} */
  const reach = new Map();
  /** @type {(x: number, y: number) => number} */
  const off = (x, y) => Math.abs(w * w * y * y + h * h * x * x - w * w * h * h);
  let [x, y] = [w, h % 2];
  for (;;) {
    if (!reach.has(y)) reach.set(y, x);
    if (x === w % 2 && y === h) break;
    /** @type {XY} */
    let next = [x, y + 2];
    if (x > 1) {
      if (off(...next) > off(x - 2, y + 2)) next = [x - 2, y + 2];
      if (off(...next) > off(x - 2, y)) next = [x - 2, y];
    }
    [x, y] = next;
  }
  if (quarters.size > 64) quarters.clear();
  quarters.set(key, reach);
  return reach;
}
