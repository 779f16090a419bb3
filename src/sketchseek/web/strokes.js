// A drawing: its strokes, with undo and redo. No canvas and no pointer: those are the paper's.

export const UNITS = 1000; // the sheet is this wide and high, whatever its size on the screen
const FITTED = 0.84; // of the sheet that a fitted drawing fills

// A stroke is { points: [[x, y, pressure], …], width }, in units of the sheet. Strokes are never changed, only replaced.
export class Drawing {
  constructor() {
    this.strokes = [];
    this.past = []; // lists of strokes to which undo goes back
    this.future = [];
    this.erasing = null; // the strokes from before the eraser came down
  }

  get empty() {
    return this.strokes.length === 0;
  }

  add(stroke) {
    this.#become([...this.strokes, stroke]);
  }

  clear() {
    return !this.empty && this.#become([]);
  }

  undo() {
    if (this.past.length === 0) return false;
    this.future.push(this.strokes);
    this.strokes = this.past.pop();
    return true;
  }

  redo() {
    if (this.future.length === 0) return false;
    this.past.push(this.strokes);
    this.strokes = this.future.pop();
    return true;
  }

  // The eraser takes whole strokes; what it takes between coming down and going up is taken back at once.
  beginErasing() {
    this.erasing = this.strokes;
  }

  // Take the strokes that come within `radius` of the way from one place to another; whether there were any.
  erase(from, to, radius) {
    const left = this.strokes.filter((stroke) => !touches(stroke, from, to, radius));
    const some = left.length < this.strokes.length;
    this.strokes = left;
    return some;
  }

  endErasing() {
    const before = this.erasing;
    this.erasing = null;
    if (!before || before.length === this.strokes.length) return false;
    const now = this.strokes;
    this.strokes = before;
    return this.#become(now);
  }

  // Bring the drawing to the middle of the sheet, as large as fits; whether that changed anything.
  fit() {
    const [left, top, right, bottom] = boundsOf(this.strokes);
    if (!(right >= left)) return false;
    const extent = Math.max(right - left, bottom - top);
    const scale = extent > 1 ? (FITTED * UNITS) / extent : 1; // a dot is only moved
    const [x0, y0] = [(left + right) / 2, (top + bottom) / 2];
    if (Math.abs(scale - 1) < 0.01 && Math.hypot(x0 - UNITS / 2, y0 - UNITS / 2) < 5) return false;
    const move = ([x, y, pressure]) => [(x - x0) * scale + UNITS / 2, (y - y0) * scale + UNITS / 2, pressure];
    return this.#become(this.strokes.map((stroke) => ({ ...stroke, points: stroke.points.map(move) })));
  }

  #become(strokes) {
    this.past.push(this.strokes);
    this.future = [];
    this.strokes = strokes;
    return true;
  }
}

// Strokes as the API takes them: [[[x…], [y…]], …], to a tenth of a unit.
export function toApi(strokes) {
  const round = (value) => Math.round(value * 10) / 10;
  return strokes.map(({ points }) => [points.map((p) => round(p[0])), points.map((p) => round(p[1]))]);
}

// [left, top, right, bottom] of the ink.
export function boundsOf(strokes) {
  let [left, top, right, bottom] = [Infinity, Infinity, -Infinity, -Infinity];
  for (const { points } of strokes) {
    for (const [x, y] of points) {
      [left, right] = [Math.min(left, x), Math.max(right, x)];
      [top, bottom] = [Math.min(top, y), Math.max(bottom, y)];
    }
  }
  return [left, top, right, bottom];
}

function touches({ points, width }, from, to, radius) {
  const near = radius + width / 2;
  if (points.length === 1) return distance(points[0], from, to) <= near;
  for (let i = 1; i < points.length; i++) {
    if (apart(points[i - 1], points[i], from, to) <= near) return true;
  }
  return false;
}

// From a point to a line from a to b.
function distance([x, y], [ax, ay], [bx, by]) {
  const [dx, dy] = [bx - ax, by - ay];
  const long = dx * dx + dy * dy;
  const t = long ? Math.min(1, Math.max(0, ((x - ax) * dx + (y - ay) * dy) / long)) : 0;
  return Math.hypot(x - ax - t * dx, y - ay - t * dy);
}

// Between two lines: none where they cross, else from an end of one to the other.
function apart(a, b, c, d) {
  const side = ([px, py], [qx, qy], [x, y]) => Math.sign((qx - px) * (y - py) - (qy - py) * (x - px));
  if (side(a, b, c) * side(a, b, d) < 0 && side(c, d, a) * side(c, d, b) < 0) return 0;
  return Math.min(distance(a, c, d), distance(b, c, d), distance(c, a, b), distance(d, a, b));
}
