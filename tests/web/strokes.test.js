import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf, Sketch, toApi, UNITS } from "../../src/sketchseek/web/strokes.js";

const line = (...points) => ({ points: points.map(([x, y]) => [x, y, 0.5]), width: 7 });
const ACROSS = line([100, 500], [900, 500]);
const DOWN = line([300, 100], [300, 200]);

const drawn = (...strokes) => {
  const sketch = new Sketch();
  for (const stroke of strokes) sketch.add(stroke);
  return sketch;
};

test("undo and redo cover every step, and a new step clears redo", () => {
  const sketch = drawn(ACROSS, DOWN);
  sketch.clear();
  assert.equal(sketch.empty, true);
  assert.equal(sketch.undo(), true);
  assert.deepEqual(sketch.strokes, [ACROSS, DOWN]);
  sketch.undo();
  assert.deepEqual(sketch.strokes, [ACROSS]);
  sketch.redo();
  assert.deepEqual(sketch.strokes, [ACROSS, DOWN]);
  sketch.undo();
  sketch.add(DOWN);
  assert.equal(sketch.redo(), false);
  while (sketch.undo());
  assert.equal(sketch.empty, true);
});

test("clearing an empty sheet is not a step", () => {
  const sketch = new Sketch();
  assert.equal(sketch.clear(), false);
  assert.equal(sketch.past.length, 0);
});

test("the eraser removes strokes on its path, also between distant points, and is one step", () => {
  const sketch = drawn(ACROSS, DOWN, line([600, 520]));
  sketch.beginErasing();
  assert.equal(sketch.erase([500, 300], [500, 400], 12), false);
  assert.equal(sketch.erase([500, 400], [500, 900], 12), true); // crosses in one leap
  assert.equal(sketch.erase([590, 515], [590, 515], 12), true); // a dot
  assert.equal(sketch.endErasing(), true);
  assert.deepEqual(sketch.strokes, [DOWN]);
  sketch.undo();
  assert.equal(sketch.strokes.length, 3);
});

test("an eraser that removed nothing is not a step", () => {
  const sketch = drawn(ACROSS);
  sketch.beginErasing();
  sketch.erase([0, 0], [10, 10], 12);
  assert.equal(sketch.endErasing(), false);
  assert.equal(sketch.past.length, 1);
});

test("the eraser's reach is its radius plus half the line width", () => {
  for (const [y, hit] of [
    [486, true],
    [484.6, true],
    [484.4, false],
  ]) {
    const sketch = drawn(ACROSS);
    sketch.beginErasing();
    assert.equal(sketch.erase([500, y], [500, y], 12), hit, String(y));
  }
});

test("fitting keeps the shape, fills the sheet and is a step", () => {
  const sketch = drawn(line([-200, 40], [0, 140]), line([-100, 90]));
  assert.equal(sketch.fit(), true);
  const [left, top, right, bottom] = boundsOf(sketch.strokes);
  assert.ok(Math.abs(right - left - 0.84 * UNITS) < 1e-6);
  assert.ok(Math.abs((right - left) / (bottom - top) - 2) < 1e-9);
  assert.ok(Math.abs(left + right - UNITS) < 1e-6 && Math.abs(top + bottom - UNITS) < 1e-6);
  assert.equal(sketch.fit(), false); // it fits
  sketch.undo();
  assert.equal(sketch.strokes[0].points[0][0], -200);
  assert.equal(new Sketch().fit(), false);
});

test("a dot is centered, not enlarged", () => {
  const sketch = drawn(line([10, 20]));
  sketch.fit();
  assert.deepEqual(sketch.strokes[0].points, [[500, 500, 0.5]]);
});

test("strokes for the API are rounded to tenths", () => {
  assert.deepEqual(toApi([line([1.26, 2.04], [3, 4])]), [
    [
      [1.3, 3],
      [2, 4],
    ],
  ]);
});
