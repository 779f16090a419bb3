// Zooming and moving the sheet.

import assert from "node:assert/strict";
import { test } from "node:test";
import { pinch } from "../../src/sketchseek/web/pinch.js";
import { MOST_ZOOM, SheetView } from "../../src/sketchseek/web/sheet-view.js";

const near = (one, other) => assert.ok(Math.abs(one - other) < 1e-9, `${one} is not ${other}`);

test("what is under the pointer stays there while zooming", () => {
  const view = new SheetView();
  const [x, y] = view.placeAt(0.3, 0.8);
  for (const factor of [1.5, 2, 0.7, 1.1]) {
    view.zoomBy(factor, 0.3, 0.8);
    const [u, v] = view.placeAt(0.3, 0.8);
    near(u, x);
    near(v, y);
  }
});

test("the sheet's edges stay outside, and the zoom within its bounds", () => {
  const view = new SheetView();
  view.zoomBy(0.1, 0.5, 0.5);
  assert.ok(view.whole);
  view.zoomBy(1000, 0, 1);
  assert.equal(view.zoom, MOST_ZOOM);
  assert.equal(view.x, 0);
  near(view.y + view.span, 1000);
  view.moveBy(-50, 50);
  near(view.x + view.span, 1000);
  assert.equal(view.y, 0);
  view.reset();
  assert.deepEqual([view.zoom, view.x, view.y], [1, 0, 0]);
});

test("a place is brought into view by the smallest move", () => {
  const view = new SheetView();
  view.put(4, 500, 500, 0.5, 0.5);
  const before = [view.x, view.y];
  view.reveal(500, 500);
  assert.deepEqual([view.x, view.y], before);
  view.reveal(900, 500);
  near(view.x + view.span, 900);
  view.reveal(10, 20);
  assert.deepEqual([view.x, view.y], [10, 20]);
});

test("two fingers take what is below them along", () => {
  const view = new SheetView();
  const box = { left: 100, top: 50, width: 400, height: 400 };
  const [x, y] = view.placeAt(0.5, 0.5);
  pinch(view, box, [[250, 250], [350, 250]], [[180, 260], [480, 260]]); // prettier-ignore
  near(view.zoom, 3);
  const [u, v] = view.placeAt((330 - 100) / 400, (260 - 50) / 400);
  near(u, x);
  near(v, y);
});
