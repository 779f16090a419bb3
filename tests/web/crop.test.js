import assert from "node:assert/strict";
import { test } from "node:test";

import { contained, moved } from "../../src/sketchseek/web/crop.js";
import { isMostlyPaper } from "../../src/sketchseek/web/upload.js";

test("contained() places a picture as object-fit: contain does", () => {
  const box = { width: 400, height: 400 };
  assert.deepEqual(contained({ width: 200, height: 100 }, box), { x: 0, y: 100, width: 400, height: 200 });
  assert.deepEqual(contained({ width: 50, height: 100 }, box), { x: 100, y: 0, width: 200, height: 400 });
});

test("the keyboard moves and resizes a part within the picture", () => {
  let part = [0.25, 0.25, 0.75, 0.75];
  for (let i = 0; i < 40; i++) part = moved(part, [1, 0], false);
  assert.ok(Math.abs(part[0] - 0.5) < 1e-9 && Math.abs(part[2] - 1) < 1e-9);
  for (let i = 0; i < 60; i++) part = moved(part, [-1, -1], true);
  assert.ok(part[2] > part[0] && part[3] > part[1]);
});

test("paper is distinguished from a photo", () => {
  const pixels = (color) => new Uint8ClampedArray(4 * 64 * 64).map((_, i) => color(Math.floor(i / 4))[i % 4]);
  assert.equal(isMostlyPaper(pixels((i) => (i % 12 ? [250, 248, 240, 255] : [20, 20, 30, 255]))), true);
  assert.equal(isMostlyPaper(pixels((i) => [i % 256, (i * 7) % 256, (i * 13) % 256, 255])), false);
  assert.equal(isMostlyPaper(pixels(() => [240, 60, 60, 255])), false);
});
