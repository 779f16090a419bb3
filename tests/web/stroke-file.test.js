// Files of strokes, and what the page says where there are no results.

import assert from "node:assert/strict";
import { test } from "node:test";
import { reasonOf } from "../../src/sketchseek/web/results-panel.js";
import { isStrokeFile, parseStrokes, readStrokes } from "../../src/sketchseek/web/stroke-file.js";
import { texts } from "../../src/sketchseek/web/texts.js";

test("strokes are centered on the sheet and scaled to it", () => {
  const strokes = parseStrokes('{"drawing": [[[0, 100], [0, 50], [3, 9]]]}', 5);
  assert.deepEqual(strokes, [
    {
      points: [
        [80, 290, 0.5],
        [920, 710, 0.5],
      ],
      width: 5,
    },
  ]);
  assert.deepEqual(parseStrokes('{"strokes": [[[4], [4]]]}', 5)[0].points, [[500, 500, 0.5]]);
});

test("what has no strokes is null", () => {
  for (const text of ["", "x", "null", "[]", "{}", "[[]]", "[[[1], [1, 2]]]", '[[["1"], [2]]]', "[[[], []]]", "7"]) {
    assert.equal(parseStrokes(text, 5), null, text);
  }
});

test("of many drawings the first is read, and of a file without any it is said", async () => {
  const lines = new Blob(['{"drawing": [[[0, 1], [0, 1]]]}\n', "{broken"]);
  assert.equal((await readStrokes(lines, 5)).length, 1);
  await assert.rejects(readStrokes(new Blob(["a,b"]), 5), { message: texts.noStrokes });
  assert.ok(isStrokeFile(new File([], "cat.NDJSON")));
  assert.ok(!isStrokeFile(new File([], "cat.png", { type: "image/png" })));
});

test("each empty state says its own truth", () => {
  const status = (photos, write = true) => ({ name: "one", library: { photos }, may: { open: false, write } });
  const say = (state) => reasonOf({ fresh: true, words: "", status: status(5), filling: false, gone: false, ...state });
  assert.equal(say({}), texts.hint);
  assert.equal(say({ status: null }), texts.hint);
  assert.equal(say({ fresh: false }), texts.nothing);
  assert.equal(say({ fresh: false, words: "beach" }), texts.nothingWithWords);
  assert.equal(say({ filling: true }), texts.hintFilling);
  assert.equal(say({ filling: true, fresh: false }), texts.nothingYet);
  assert.equal(say({ filling: true, status: status(0) }), texts.firstPhotos);
  assert.equal(say({ status: status(0) }), texts.emptyLibraryAdd);
  assert.equal(say({ status: status(0, false) }), texts.emptyLibraryIndex);
  assert.equal(say({ gone: true, filling: true }), texts.serverGone);
});
