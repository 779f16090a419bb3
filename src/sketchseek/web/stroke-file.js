// Files of strokes: a line of Quick, Draw! (.ndjson, raw or simplified) or the strokes of the API (.json).

import { ApiError } from "./api.js";
import { fitted } from "./strokes.js";
import { texts } from "./texts.js";

/** @import { Stroke } from "./types.d.ts" */

const MOST_BYTES = 2_000_000; // of the first line: the server's limit

/** @param {File} file */
export const isStrokeFile = ({ name, type }) => /\.(ndjson|json)$/i.test(name) || /json$/.test(type);

/**
 * The first drawing of a file, scaled to the sheet. Throws where the file has none.
 *
 * @param {Blob} file
 * @param {number} width of the lines
 * @returns {Promise<Stroke[]>}
 */
export async function readStrokes(file, width) {
  const text = await file.slice(0, MOST_BYTES).text();
  const strokes = parseStrokes(text, width) ?? parseStrokes(text.trimStart().split("\n", 1)[0], width);
  if (strokes) return strokes;
  throw new ApiError(0, { type: "NoStrokes", message: texts.noStrokes, remedy: texts.noStrokesRemedy });
}

/**
 * The strokes of a text, scaled to the sheet; null where it has none.
 *
 * @param {string} text
 * @param {number} width
 * @returns {Stroke[] | null}
 */
export function parseStrokes(text, width) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    return null;
  }
  const drawing = value?.drawing ?? value?.strokes ?? value;
  if (!Array.isArray(drawing) || drawing.length === 0) return null;
  /** @type {Stroke[]} */
  const strokes = [];
  for (const stroke of drawing) {
    const [xs, ys] = Array.isArray(stroke) ? stroke : [];
    if (!isNumbers(xs) || !isNumbers(ys) || xs.length !== ys.length || xs.length === 0) return null;
    strokes.push({ points: xs.map((x, i) => [x, ys[i], 0.5]), width });
  }
  return fitted(strokes);
}

/**
 * @param {unknown} value
 * @returns {value is number[]}
 */
const isNumbers = (value) => Array.isArray(value) && value.every((one) => Number.isFinite(one));
