// Shapes that the pen draws between two points instead of a free line.

/** @import { Point, Shape } from "./types.d.ts" */

const STEP = 20; // units between points of a side: lines are drawn as curves, and few points would round off corners
const ARC = 48; // points of an ellipse

/**
 * The points of a shape from one corner, or end, to the other.
 *
 * @param {Exclude<Shape, "free">} shape
 * @param {Point} from
 * @param {Point} to
 * @param {boolean} [even] as wide as high; a line at a multiple of 45°
 * @returns {Point[]}
 */
export function shapePoints(shape, from, to, even = false) {
  const [x, y, pressure] = from;
  const [u, v] = even ? evened(shape, from, to) : to;
  if (shape === "line")
    return side([x, y], [u, v])
      .concat([[u, v]])
      .map(([a, b]) => [a, b, pressure]);
  if (shape === "rectangle") {
    const corners = [x, y, u, y, u, v, x, v, x, y];
    /** @type {[number, number][]} */
    const points = [];
    for (let i = 0; i < 8; i += 2) points.push(...side([corners[i], corners[i + 1]], [corners[i + 2], corners[i + 3]]));
    return [...points, [x, y]].map(([a, b]) => [a, b, pressure]);
  }
  return Array.from({ length: ARC + 1 }, (_, i) => {
    const angle = (2 * Math.PI * i) / ARC;
    return [(x + u) / 2 + (Math.cos(angle) * (u - x)) / 2, (y + v) / 2 + (Math.sin(angle) * (v - y)) / 2, pressure];
  });
}

/** @type {(shape: Shape, from: Point, to: Point) => [number, number]} */
function evened(shape, [x, y], [u, v]) {
  if (shape === "line") {
    const eighth = Math.PI / 4;
    const angle = Math.round(Math.atan2(v - y, u - x) / eighth) * eighth;
    const length = Math.hypot(u - x, v - y);
    return [x + Math.cos(angle) * length, y + Math.sin(angle) * length];
  }
  const extent = Math.max(Math.abs(u - x), Math.abs(v - y));
  return [x + extent * (u < x ? -1 : 1), y + extent * (v < y ? -1 : 1)];
}

// From one corner on, without the other.
/** @type {(from: [number, number], to: [number, number]) => [number, number][]} */
function side([x, y], [u, v]) {
  const count = Math.max(1, Math.round(Math.hypot(u - x, v - y) / STEP));
  return Array.from({ length: count }, (_, i) => [x + ((u - x) * i) / count, y + ((v - y) * i) / count]);
}
