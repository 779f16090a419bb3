import assert from "node:assert/strict";
import { test } from "node:test";

import { ThumbnailQueue } from "../../src/sketchseek/web/thumbnails.js";

function queue(atOnce) {
  const running = new Map();
  const start = (url) => {
    const one = { element: url, stopped: false, stop: () => (one.stopped = true) };
    one.ready = new Promise((resolve, reject) => Object.assign(one, { resolve, reject }));
    running.set(url, one);
    return one;
  };
  return { queue: new ThumbnailQueue(start, atOnce), running };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("only a few thumbnails load at a time", async () => {
  const { queue: thumbnails, running } = queue(2);
  const done = [];
  for (const url of ["a", "b", "c"]) thumbnails.load(url, (element) => done.push(element));
  assert.deepEqual([...running.keys()], ["a", "b"]);
  running.get("b").resolve();
  await settled();
  assert.deepEqual(done, ["b"]);
  assert.ok(running.has("c"));
  running.get("a").reject(new Error("404"));
  await settled();
  assert.deepEqual(done, ["b", null]);
});

test("a cancelled thumbnail frees its slot and reports nothing", async () => {
  const { queue: thumbnails, running } = queue(1);
  const done = [];
  const giveUp = thumbnails.load("a", () => done.push("a"));
  const giveUpWaiting = thumbnails.load("b", () => done.push("b"));
  thumbnails.load("c", () => done.push("c"));
  giveUpWaiting();
  giveUp();
  giveUp(); // once is enough
  assert.equal(running.get("a").stopped, true);
  assert.deepEqual([...running.keys()], ["a", "c"]);
  running.get("a").resolve();
  running.get("c").resolve();
  await settled();
  assert.deepEqual(done, ["c"]);
});
