// Colors and shapes of the pen.

import assert from "node:assert/strict";
import { test } from "node:test";
import { colorsOf } from "../../src/sketchseek/web/ink-colors.js";
import { shapePoints } from "../../src/sketchseek/web/shapes.js";
import { decodeSketch, encodeSketch } from "../../src/sketchseek/web/sketch-code.js";

const stroke = (color, ...points) => ({
  points: points.map(([x, y]) => [x, y, 0.5]),
  width: 7,
  ...(color && { color }),
});

test("colors weigh as much as their ink, and the pen's own has none", () => {
  const strokes = [
    stroke("#ff0000", [0, 0], [293, 0]),
    stroke("", [0, 0], [900, 0]),
    stroke("#0000ff", [0, 0], [93, 0]),
    stroke("#ff0000", [0, 0], [0, 293]),
  ];
  assert.deepEqual(colorsOf(strokes), [
    { color: "#ff0000", weight: 0.86 },
    { color: "#0000ff", weight: 0.14 },
  ]);
  assert.deepEqual(colorsOf([stroke("", [0, 0], [9, 9])]), []);
  assert.deepEqual(colorsOf([stroke("#00ff00", [5, 5])]), [{ color: "#00ff00", weight: 1 }]);
});

test("no more colors are named than the server takes", () => {
  const many = Array.from({ length: 20 }, (_, i) => stroke(`#0000${String(10 + i)}`, [0, 0], [100 + i, 0]));
  const colors = colorsOf(many);
  assert.equal(colors.length, 8);
  assert.equal(colors[0].color, "#000029");
  assert.ok(colors.every(({ weight }) => weight > 0));
});

test("a link keeps colors", () => {
  const strokes = [stroke("#12ab0f", [1, 2], [300, 4]), stroke("", [5, 6]), stroke("#ffffff", [7, 8])];
  assert.deepEqual(decodeSketch(encodeSketch(strokes)), strokes);
});

test("a straight line may be snapped to an eighth of a turn", () => {
  const line = shapePoints("line", [100, 100, 0.5], [300, 110, 0.5]);
  assert.deepEqual(line[0], [100, 100, 0.5]);
  assert.deepEqual(line.at(-1), [300, 110, 0.5]);
  const even = shapePoints("line", [100, 100, 0.5], [300, 110, 0.5], true);
  assert.ok(Math.abs(even.at(-1)[1] - 100) < 1e-9);
});

test("rectangles and ellipses span their corners and are closed", () => {
  for (const shape of ["rectangle", "ellipse"]) {
    const points = shapePoints(shape, [500, 600, 0.5], [100, 200, 0.5]);
    const [xs, ys] = [points.map(([x]) => x), points.map(([, y]) => y)];
    assert.deepEqual([Math.min(...xs), Math.max(...xs)].map(Math.round), [100, 500]);
    assert.deepEqual([Math.min(...ys), Math.max(...ys)].map(Math.round), [200, 600]);
    assert.ok(Math.hypot(points[0][0] - points.at(-1)[0], points[0][1] - points.at(-1)[1]) < 1e-9);
  }
  const square = shapePoints("rectangle", [500, 500, 0.5], [100, 450, 0.5], true);
  assert.equal(Math.min(...square.map(([, y]) => y)), 100);
});
