// Whether a sheet shows two separate objects: then each of them is searched for, too. The server divides the sheet by the
// same rule (sketches/parts.py).

/** @import { ApiStrokes, Box } from "./types.d.ts" */

const GAP = 1 / 10; // smallest distance of two objects, as a part of the longer side of the drawing
const LEAST = 1 / 6; // smallest part of the ink that an object has
const MOST = 400; // strokes

/** @param {ApiStrokes} strokes */
export function showsTwo(strokes) {
  if (strokes.length < 2 || strokes.length > MOST) return false;
  const boxes = strokes.map(boxOf);
  const whole = boxes.reduce(around);
  const side = Math.max(whole[2] - whole[0], whole[3] - whole[1]);
  const groups = boxes.map((_, i) => i);
  for (const [i, a] of boxes.entries()) {
    for (const [j, b] of boxes.slice(0, i).entries()) {
      if (gap(a, b) >= side * GAP || groups[i] === groups[j]) continue;
      const old = groups[j];
      for (const k of groups.keys()) if (groups[k] === old) groups[k] = groups[i];
    }
  }
  /** @type {Map<number, number>} */
  const ink = new Map();
  for (const [i, group] of groups.entries()) ink.set(group, (ink.get(group) ?? 0) + lengthOf(strokes[i], side));
  const amounts = [...ink.values()];
  return amounts.length === 2 && Math.min(...amounts) >= LEAST * (amounts[0] + amounts[1]);
}

/**
 * @param {ApiStrokes[number]} stroke
 * @returns {Box}
 */
const boxOf = ([x, y]) => [Math.min(...x), Math.min(...y), Math.max(...x), Math.max(...y)];

/** @type {(a: Box, b: Box) => Box} */
const around = (a, b) => [Math.min(a[0], b[0]), Math.min(a[1], b[1]), Math.max(a[2], b[2]), Math.max(a[3], b[3])];

/** @type {(a: Box, b: Box) => number} */
const gap = (a, b) => Math.max(a[0] - b[2], b[0] - a[2], a[1] - b[3], b[1] - a[3]);

/** @type {(stroke: ApiStrokes[number], side: number) => number} */
function lengthOf([x, y], side) {
  let length = side / 1000; // a dot
  for (let i = 1; i < x.length; i++) length += Math.hypot(x[i] - x[i - 1], y[i] - y[i - 1]);
  return length;
}
