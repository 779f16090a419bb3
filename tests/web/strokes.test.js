import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf, Drawing, toApi, UNITS } from "../../src/sketchseek/web/strokes.js";

const line = (...points) => ({ points: points.map(([x, y]) => [x, y, 0.5]), width: 7 });
const ACROSS = line([100, 500], [900, 500]);
const DOWN = line([300, 100], [300, 200]);

const drawn = (...strokes) => {
  const drawing = new Drawing();
  for (const stroke of strokes) drawing.add(stroke);
  return drawing;
};

test("undo and redo go through every step, and a new step forgets what was undone", () => {
  const drawing = drawn(ACROSS, DOWN);
  drawing.clear();
  assert.equal(drawing.empty, true);
  assert.equal(drawing.undo(), true);
  assert.deepEqual(drawing.strokes, [ACROSS, DOWN]);
  drawing.undo();
  assert.deepEqual(drawing.strokes, [ACROSS]);
  drawing.redo();
  assert.deepEqual(drawing.strokes, [ACROSS, DOWN]);
  drawing.undo();
  drawing.add(DOWN);
  assert.equal(drawing.redo(), false);
  while (drawing.undo());
  assert.equal(drawing.empty, true);
});

test("clearing an empty sheet is no step", () => {
  const drawing = new Drawing();
  assert.equal(drawing.clear(), false);
  assert.equal(drawing.past.length, 0);
});

test("the eraser takes strokes that its way crosses, also between two far places, and is undone at once", () => {
  const drawing = drawn(ACROSS, DOWN, line([600, 520]));
  drawing.beginErasing();
  assert.equal(drawing.erase([500, 300], [500, 400], 12), false);
  assert.equal(drawing.erase([500, 400], [500, 900], 12), true); // crosses in one leap
  assert.equal(drawing.erase([590, 515], [590, 515], 12), true); // a dot
  assert.equal(drawing.endErasing(), true);
  assert.deepEqual(drawing.strokes, [DOWN]);
  drawing.undo();
  assert.equal(drawing.strokes.length, 3);
});

test("an eraser that took nothing is no step", () => {
  const drawing = drawn(ACROSS);
  drawing.beginErasing();
  drawing.erase([0, 0], [10, 10], 12);
  assert.equal(drawing.endErasing(), false);
  assert.equal(drawing.past.length, 1);
});

test("the eraser reaches as far as its radius and half of the line", () => {
  for (const [y, hit] of [
    [486, true],
    [484.6, true],
    [484.4, false],
  ]) {
    const drawing = drawn(ACROSS);
    drawing.beginErasing();
    assert.equal(drawing.erase([500, y], [500, y], 12), hit, String(y));
  }
});

test("fitting keeps the form, fills the sheet, and is a step", () => {
  const drawing = drawn(line([-200, 40], [0, 140]), line([-100, 90]));
  assert.equal(drawing.fit(), true);
  const [left, top, right, bottom] = boundsOf(drawing.strokes);
  assert.ok(Math.abs(right - left - 0.84 * UNITS) < 1e-6);
  assert.ok(Math.abs((right - left) / (bottom - top) - 2) < 1e-9);
  assert.ok(Math.abs(left + right - UNITS) < 1e-6 && Math.abs(top + bottom - UNITS) < 1e-6);
  assert.equal(drawing.fit(), false); // it fits
  drawing.undo();
  assert.equal(drawing.strokes[0].points[0][0], -200);
  assert.equal(new Drawing().fit(), false);
});

test("a dot is moved to the middle, not blown up", () => {
  const drawing = drawn(line([10, 20]));
  drawing.fit();
  assert.deepEqual(drawing.strokes[0].points, [[500, 500, 0.5]]);
});

test("the API's form is rounded to tenths", () => {
  assert.deepEqual(toApi([line([1.26, 2.04], [3, 4])]), [
    [
      [1.3, 3],
      [2, 4],
    ],
  ]);
});
