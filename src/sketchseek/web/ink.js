// Strokes on a canvas. The pressure of a pen gives a line its width; a search gets the points as they were drawn.

import { getStroke } from "./vendor/perfect-freehand.mjs";

/** @import { Point, Stroke } from "./types.d.ts" */

const EVEN = 0.5; // pressure of what has none: mouse, finger and keyboard
const PRESSED = { thinning: 0.7, smoothing: 0.5, streamline: 0.25, simulatePressure: false, last: true };

/** @type {WeakMap<Point[], { count: number, path: Path2D }>} */
const outlines = new WeakMap(); // of pressed strokes, with the number of points that they were made of

/**
 * Draws a stroke from its point `from` on. The context's units are those of the sheet, and its styles have the color.
 *
 * @param {CanvasRenderingContext2D} context
 * @param {Stroke} stroke
 * @param {number} from ignored where pressure shapes the line: its outline changes as a whole
 */
export function drawStroke(context, { points, width }, from) {
  if (points.length === 1) {
    context.beginPath();
    context.arc(points[0][0], points[0][1], width / 2, 0, 2 * Math.PI);
    context.fill();
  } else if (isPressed(points)) {
    context.fill(outlineOf(points, width));
  } else {
    drawLine(context, points, width, from);
  }
}

/**
 * Whether pressure shapes a line.
 *
 * @param {Point[]} points
 */
export const isPressed = (points) => points.some(([, , pressure]) => pressure !== EVEN);

/**
 * The outline of a pen's line, as points around it.
 *
 * @param {Point[]} points
 * @param {number} width
 */
export const outlinePoints = (points, width) => getStroke(points, { ...PRESSED, size: width });

// A line of one width, as a smooth curve through the midpoints between its points.
/** @type {(context: CanvasRenderingContext2D, points: Point[], width: number, from: number) => void} */
function drawLine(context, points, width, from) {
  context.lineCap = context.lineJoin = "round";
  context.lineWidth = width;
  for (let i = Math.max(1, from); i < points.length; i++) {
    const [before, a, b] = [points[Math.max(0, i - 2)], points[i - 1], points[i]];
    context.beginPath();
    context.moveTo((before[0] + a[0]) / 2, (before[1] + a[1]) / 2);
    context.quadraticCurveTo(a[0], a[1], (a[0] + b[0]) / 2, (a[1] + b[1]) / 2);
    if (i === points.length - 1) context.lineTo(b[0], b[1]);
    context.stroke();
  }
}

/** @type {(points: Point[], width: number) => Path2D} */
function outlineOf(points, width) {
  const known = outlines.get(points);
  if (known?.count === points.length) return known.path;
  const outline = outlinePoints(points, width);
  const path = new Path2D();
  outline.forEach(([x, y], i) => {
    const [u, v] = outline[(i + 1) % outline.length];
    if (i === 0) path.moveTo((x + u) / 2, (y + v) / 2);
    else path.quadraticCurveTo(x, y, (x + u) / 2, (y + v) / 2);
  });
  path.closePath();
  outlines.set(points, { count: points.length, path });
  return path;
}
