// "What matched" in the viewer.

import assert from "node:assert/strict";
import { test } from "node:test";
import { brightness, placement, strokeLevels } from "../../src/sketchseek/web/match-overlay.js";

test("cells are as bright as their shares among the largest", () => {
  assert.deepEqual(
    brightness([
      [0.4, 0.1],
      [-0.2, 0],
    ]),
    [
      [1, 0.25],
      [0, 0],
    ],
  );
  assert.deepEqual(brightness([[-1, 0]]), [[0, 0]]); // nothing speaks for the photo
});

test("a sketch lies over the photo as it is encoded: centered, at 88 % of the square", () => {
  const strokes = [
    {
      points: [
        [100, 300, 0.5],
        [500, 400, 0.5],
      ],
      width: 7,
    },
  ];
  const at = placement(strokes);
  const near = ([x, y], u, v) => assert.ok(Math.abs(x - u) < 1e-9 && Math.abs(y - v) < 1e-9, `${x} ${y}`);
  near(at([100, 300]), 0.06, 0.5 - 0.11);
  near(at([500, 400]), 0.94, 0.5 + 0.11);
});

test("strokes are as bright as their shares, and all bright where shares are not known", () => {
  assert.deepEqual(strokeLevels(3, [0.1, 0.4, -0.2]), [0.25, 1, 0]);
  assert.deepEqual(strokeLevels(2), [1, 1]);
  assert.deepEqual(strokeLevels(2, [0.5]), [1, 1]);
  assert.deepEqual(strokeLevels(0, []), []);
});
