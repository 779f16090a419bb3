// A drawing as a small picture.

import { boundsOf } from "./strokes.js";

/** @import { Stroke } from "./types.d.ts" */

const SPACE = "http://www.w3.org/2000/svg";
const MARGIN = 0.1; // fraction of the drawing around it

/**
 * An SVG of strokes, without what surrounds them. results.css sets its colors.
 *
 * @param {Stroke[]} strokes
 */
export function sketchPicture(strokes) {
  const svg = document.createElementNS(SPACE, "svg");
  svg.setAttribute("aria-hidden", "true");
  svg.classList.add("sketch-picture");
  const [left, top, right, bottom] = strokes.length ? boundsOf(strokes) : [0, 0, 1000, 1000];
  const side = Math.max(right - left, bottom - top, 1) * (1 + 2 * MARGIN);
  svg.setAttribute("viewBox", [(left + right - side) / 2, (top + bottom - side) / 2, side, side].join(" "));
  for (const { points, color } of strokes) {
    const line = document.createElementNS(SPACE, "polyline");
    if (color) line.setAttribute("stroke", color);
    line.setAttribute("points", points.map(([x, y]) => `${Math.round(x)},${Math.round(y)}`).join(" "));
    svg.append(line);
  }
  return svg;
}
