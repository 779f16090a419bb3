// Two fingers on the sheet.

import { UNITS } from "./strokes.js";

/**
 * Follows two fingers from where they were to where they are.
 *
 * @type {(view: import("./sheet-view.js").SheetView, box: DOMRect, before: [number, number][], now: [number, number][]) => void}
 */
export function pinch(view, box, before, now) {
  /** @type {(places: [number, number][]) => [number, number, number]} */
  const middleOf = ([[ax, ay], [bx, by]]) => [
    ((ax + bx) / 2 - box.left) / box.width,
    ((ay + by) / 2 - box.top) / box.height,
    Math.max(1, Math.hypot(ax - bx, ay - by)),
  ];
  const [from, to] = [middleOf(before), middleOf(now)];
  const [x, y] = view.placeAt(from[0], from[1]);
  view.put(
    (view.zoom * to[2]) / from[2],
    Math.min(UNITS, Math.max(0, x)),
    Math.min(UNITS, Math.max(0, y)),
    to[0],
    to[1],
  );
}
