// Where the tiles of the grid lie, and which of them can be seen: arithmetic alone.

const PHONE = 800; // pixels of the window below which tiles are small
const BEYOND = 1.5; // rows above and below the window that are there too, so that scrolling meets them

// A grid of `width` pixels in a window of `viewport` pixels: { columns, tile, gap, row }.
export function layoutOf(width, viewport) {
  const phone = viewport <= PHONE;
  const gap = phone ? 8 : 12;
  const least = phone ? 104 : Math.min(240, Math.max(152, 0.075 * viewport));
  const columns = Math.max(1, Math.floor((width + gap) / (least + gap)));
  const tile = Math.max(1, (width - gap * (columns - 1)) / columns);
  return { columns, tile, gap, row: tile + gap };
}

export const heightOf = ({ columns, row, gap }, total) => Math.max(0, Math.ceil(total / columns) * row - gap);

// The indexes [from, to) of tiles that may be seen; top: the grid's upper edge in the window, negative when scrolled.
export function rangeOf({ columns, row }, total, top, height) {
  const first = Math.max(0, Math.floor(-top / row - BEYOND));
  const last = Math.ceil((height - top) / row + BEYOND);
  return [Math.min(total, first * columns), Math.min(total, Math.max(0, last) * columns)];
}

export const placeOf = ({ columns, row }, index) => [(index % columns) * row, Math.floor(index / columns) * row];

// The smallest thumbnail that is sharp at so many pixels of the screen.
export const sizeFor = (pixels) => [160, 320, 640].find((size) => size >= 0.94 * pixels) ?? 640;
