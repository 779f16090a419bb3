// A drawing as a short text, for links: simplified points on the sheet's units, as differences, in base64url.

/** @import { Point, Stroke } from "./types.d.ts" */

const VERSION = 2;
const TOLERANCE = 1.5; // units by which a simplified line may differ from the drawn one
const PRESSURES = 15; // steps of pressure
const MOST_POINTS = 20_000;
const [LEAST, MOST] = [-2000, 3000]; // a line may leave the sheet by this much

/**
 * @param {Stroke[]} strokes
 */
export function encodeSketch(strokes) {
  /** @type {number[]} */
  const bytes = [VERSION];
  for (const { points, width, color } of strokes) {
    const kept = simplify(points, TOLERANCE);
    const pressed = kept.some(([, , pressure]) => pressure !== 0.5);
    writeUnsigned(bytes, kept.length);
    writeUnsigned(bytes, 4 * Math.max(1, Math.round(width)) + 2 * Number(Boolean(color)) + Number(pressed));
    if (color) bytes.push(...[1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16)));
    let before = [0, 0, 0];
    for (const [x, y, pressure] of kept) {
      const now = [x, y, PRESSURES * pressure].map(Math.round);
      for (let i = 0; i < (pressed ? 3 : 2); i++) writeSigned(bytes, now[i] - before[i]);
      before = now;
    }
  }
  return toBase64(bytes);
}

/**
 * The strokes of a text that `encodeSketch` made; null for any other text.
 *
 * @param {string} text
 * @returns {Stroke[] | null}
 */
export function decodeSketch(text) {
  const bytes = fromBase64(text);
  if (!bytes || bytes[0] !== VERSION) return null;
  const reader = { bytes, at: 1 };
  /** @type {Stroke[]} */
  const strokes = [];
  let left = MOST_POINTS;
  try {
    while (reader.at < bytes.length) {
      const count = readUnsigned(reader);
      const packed = readUnsigned(reader);
      left -= count;
      if (count < 1 || left < 0 || packed < 4 || packed > 800) return null;
      const pressed = packed % 2 === 1;
      const color = packed & 2 ? { color: readColor(reader) } : {};
      /** @type {Point[]} */
      const points = [];
      let [x, y, pressure] = [0, 0, 0];
      for (let i = 0; i < count; i++) {
        x += readSigned(reader);
        y += readSigned(reader);
        if (pressed) pressure += readSigned(reader);
        if (Math.min(x, y) < LEAST || Math.max(x, y) > MOST) return null;
        points.push([x, y, pressed ? Math.min(1, Math.max(0, pressure / PRESSURES)) : 0.5]);
      }
      strokes.push({ points, width: packed >> 2, ...color });
    }
  } catch {
    return null; // it ends within a number
  }
  return strokes;
}

/**
 * Leaves out points that lie on the line between others (Ramer, Douglas and Peucker).
 *
 * @param {Point[]} points
 * @param {number} tolerance
 * @returns {Point[]}
 */
export function simplify(points, tolerance) {
  if (points.length < 3) return points;
  const keep = new Uint8Array(points.length);
  keep[0] = keep[points.length - 1] = 1;
  const open = [[0, points.length - 1]];
  for (let part = open.pop(); part; part = open.pop()) {
    const [first, last] = part;
    let [farthest, distance] = [-1, tolerance];
    for (let i = first + 1; i < last; i++) {
      const away = distanceToSegment(points[i], points[first], points[last]);
      if (away > distance) [farthest, distance] = [i, away];
    }
    if (farthest < 0) continue;
    keep[farthest] = 1;
    open.push([first, farthest], [farthest, last]);
  }
  return points.filter((_, i) => keep[i]);
}

/** @type {(point: Point, a: Point, b: Point) => number} */
function distanceToSegment([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const squared = dx * dx + dy * dy;
  const t = squared ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / squared)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

/** @typedef {{ bytes: Uint8Array, at: number }} Reader */

// Seven bits a byte, the lowest first.
/** @type {(bytes: number[], value: number) => void} */
function writeUnsigned(bytes, value) {
  for (; value > 127; value = Math.floor(value / 128)) bytes.push((value % 128) | 128);
  bytes.push(value);
}

/** @type {(bytes: number[], value: number) => void} */
const writeSigned = (bytes, value) => writeUnsigned(bytes, value < 0 ? -2 * value - 1 : 2 * value);

/** @param {Reader} reader */
function readUnsigned(reader) {
  let value = 0;
  for (let scale = 1; scale < 2 ** 28; scale *= 128) {
    if (reader.at >= reader.bytes.length) break;
    const byte = reader.bytes[reader.at++];
    value += (byte & 127) * scale;
    if (byte < 128) return value;
  }
  throw new RangeError("not a number");
}

/** @param {Reader} reader */
function readColor(reader) {
  const bytes = [...reader.bytes.slice(reader.at, (reader.at += 3))];
  if (bytes.length < 3) throw new RangeError("not a color");
  return `#${bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("")}`;
}

/** @param {Reader} reader */
function readSigned(reader) {
  const value = readUnsigned(reader);
  return value % 2 ? -(value + 1) / 2 : value / 2;
}

/** @param {number[]} bytes */
function toBase64(bytes) {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

/** @param {string} text */
function fromBase64(text) {
  try {
    return Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
  } catch {
    return null;
  }
}
