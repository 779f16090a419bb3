import assert from "node:assert/strict";
import { test } from "node:test";

import { heightOf, layoutOf, placeOf, rangeOf, sizeFor } from "../../src/sketchseek/web/layout.js";

test("tiles fill any width", () => {
  for (const [width, viewport] of [
    [366, 390],
    [836, 1280],
    [3240, 3840],
    [90, 320],
    [1, 1],
  ]) {
    const { columns, tile, gap } = layoutOf(width, viewport);
    assert.ok(columns >= 1);
    assert.ok(Math.abs(columns * tile + (columns - 1) * gap - Math.max(width, 1)) < 1e-9);
  }
  assert.equal(layoutOf(366, 390).columns, 3);
  assert.ok(layoutOf(3240, 3840).tile >= 240);
});

test("the range holds every visible tile of a hundred thousand, and few others", () => {
  const layout = layoutOf(836, 1280);
  const total = 100_000;
  const height = heightOf(layout, total);
  for (const scrolled of [0, 1, 5000, height / 2, height - 800]) {
    const [from, to] = rangeOf(layout, total, -scrolled, 800);
    for (
      let index = Math.max(0, from - 3 * layout.columns);
      index < Math.min(total, to + 3 * layout.columns);
      index++
    ) {
      const [, y] = placeOf(layout, index);
      const seen = y + layout.tile > scrolled && y < scrolled + 800;
      if (seen) assert.ok(index >= from && index < to, `${index} at ${scrolled}`);
    }
    assert.ok(to - from <= 60);
  }
});

test("an empty or invisible grid has no tiles", () => {
  const layout = layoutOf(836, 1280);
  assert.deepEqual(rangeOf(layout, 0, 0, 800), [0, 0]);
  const [from, to] = rangeOf(layout, 10, 5000, 800);
  assert.equal(from, to);
  assert.equal(heightOf(layout, 0), 0);
});

test("thumbnails are sharp and not larger than needed", () => {
  assert.deepEqual([100, 160, 165, 200, 340, 400, 900].map(sizeFor), [160, 160, 160, 320, 320, 640, 640]);
});
