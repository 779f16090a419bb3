import assert from "node:assert/strict";
import { test } from "node:test";

import { showsTwo } from "../../src/sketchseek/web/parts.js";

/** @type {(x: number, y: number, side: number) => [number[], number[]]} */
const box = (x, y, side) => [
  [x, x + side, x + side, x, x],
  [y, y, y + side, y + side, y],
];

test("two groups of strokes that lie apart are two objects", () => {
  assert.ok(showsTwo([box(0, 0, 80), box(150, 20, 90)]));
  assert.ok(showsTwo([box(0, 0, 80), box(150, 20, 90), box(160, 30, 10), box(20, 20, 9)]));
  assert.ok(showsTwo([box(0, 0, 80), box(0, 150, 90)]));
});

test("everything else is one", () => {
  assert.ok(!showsTwo([]));
  assert.ok(!showsTwo([box(0, 0, 80)]));
  assert.ok(!showsTwo([box(0, 0, 80), box(85, 20, 90)])); // too near
  assert.ok(!showsTwo([box(0, 0, 80), box(150, 20, 5)])); // a dot
  assert.ok(!showsTwo([box(0, 0, 200), box(50, 50, 30)])); // inside
  assert.ok(!showsTwo([box(0, 0, 50), box(100, 0, 50), box(200, 0, 50)])); // three
  assert.ok(!showsTwo(Array.from({ length: 401 }, (_, i) => box(i * 10, 0, 1))));
});
