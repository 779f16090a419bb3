// Positions of the grid's tiles, and which of them are visible. Only arithmetic, no elements.

const PHONE = 800; // width of the window in pixels up to which tiles are small
const BEYOND = 1.5; // rows above and below the window that exist too, so that scrolling meets them

/** @typedef {{ columns: number, tile: number, gap: number, row: number }} Layout lengths in pixels */

/**
 * The layout of a grid of `width` pixels in a window of `viewport` pixels.
 *
 * @param {number} width
 * @param {number} viewport
 * @returns {Layout}
 */
export function layoutOf(width, viewport) {
  const phone = viewport <= PHONE;
  const gap = phone ? 8 : 12;
  const least = phone ? 104 : Math.min(240, Math.max(152, 0.075 * viewport));
  const columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const tile = Math.max(1, (width - gap * (columns - 1)) / columns);
  return { columns, tile, gap, row: tile + gap };
}

/** @type {(layout: Layout, total: number) => number} */
export const heightOf = ({ columns, row, gap }, total) => Math.max(0, Math.ceil(total / columns) * row - gap);

/**
 * The indexes [from, to) of tiles in or near the window. `top` is the grid's upper edge in the window, negative when
 * scrolled.
 *
 * @param {Layout} layout
 * @param {number} total
 * @param {number} top
 * @param {number} height
 * @returns {[number, number]}
 */
export function rangeOf({ columns, row }, total, top, height) {
  const first = Math.max(0, Math.floor(-top / row - BEYOND));
  const last = Math.ceil((height - top) / row + BEYOND);
  return [Math.min(total, first * columns), Math.min(total, Math.max(0, last) * columns)];
}

/** @type {(layout: Layout, index: number) => [number, number]} */
export const placeOf = ({ columns, row }, index) => [(index % columns) * row, Math.floor(index / columns) * row];

/**
 * The smallest thumbnail that is sharp at this many pixels of the screen.
 *
 * @param {number} pixels
 */
export const sizeFor = (pixels) => [160, 320, 640].find((size) => size >= 0.94 * pixels) ?? 640;
