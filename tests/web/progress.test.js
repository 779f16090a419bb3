import assert from "node:assert/strict";
import { test } from "node:test";

import { describe } from "../../src/sketchseek/web/library.js";
import { texts } from "../../src/sketchseek/web/texts.js";

const progress = (stage, done, total) => ({ running: true, progress: { stage, done, total } });

test("each step of indexing has a text", () => {
  assert.deepEqual(describe({ running: true, progress: null }), { text: texts.starting });
  assert.deepEqual(describe(progress("scan", 1200, 0)), { text: "Looking for photos: 1,200 files" });
  assert.deepEqual(describe(progress("embed", 30, 120)), { text: "30 of 120 photos", fraction: 0.25 });
  assert.equal(describe(progress("embed", 0, 0)).fraction, 0);
  assert.equal(describe(progress("index", 1, 1)).fraction, 1);
  assert.equal(describe({ running: false, stopped: true }).text, texts.stopped);
  assert.deepEqual(describe({ running: false, error: { message: "Full." } }), { text: "Full.", wrong: true });
  assert.equal(describe({ running: false }).text, "");
  const report = { indexed: 3, failed: 1, removed: 0, moved: 0, unchanged: 20 };
  assert.equal(describe({ running: false, report }).text, "Done: 3 new, 20 unchanged, 1 not readable.");
});

test("sizes are readable", () => {
  assert.deepEqual([0, 999, 1000, 4600, 12_345_678].map(texts.bytes), [
    "0 bytes",
    "999 bytes",
    "1.0 kB",
    "4.6 kB",
    "12 MB",
  ]);
});
