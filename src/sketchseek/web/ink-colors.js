// Colors of the pen, and what a drawing's colors mean for the search.

/** @import { QueryColor, Stroke } from "./types.d.ts" */

// By the names of their texts. The first is the pen's own: it says nothing about photos.
export const PEN_COLORS = {
  noColor: "",
  red: "#d62f2f",
  orange: "#f07f13",
  yellow: "#f2c318",
  green: "#2e8b3d",
  turquoise: "#12a5a5",
  blue: "#2a6fdb",
  purple: "#8038b0",
  pink: "#e8679f",
  brown: "#7d5138",
  gray: "#8c8c8c",
  black: "#101010",
};

export const COLOR_WEIGHT = 0.5; // beside 1 for each drawing, as the API's default
export const MOST_COLORS = 8; // that the API takes

/**
 * The colors of drawings, each with the length of its ink; without the pen's own color.
 *
 * @param {Stroke[]} strokes
 * @returns {QueryColor[]}
 */
export function colorsOf(strokes) {
  /** @type {Map<string, number>} */
  const inked = new Map();
  for (const { color, points, width } of strokes) {
    if (!color) continue;
    let length = width; // a dot has no length
    for (let i = 1; i < points.length; i++) {
      length += Math.hypot(points[i][0] - points[i - 1][0], points[i][1] - points[i - 1][1]);
    }
    inked.set(color, (inked.get(color) ?? 0) + length * width);
  }
  const most = [...inked].sort((one, other) => other[1] - one[1]).slice(0, MOST_COLORS);
  const all = most.reduce((sum, [, amount]) => sum + amount, 0);
  return most.map(([color, amount]) => ({ color, weight: Math.max(0.01, Math.round((100 * amount) / all) / 100) }));
}
