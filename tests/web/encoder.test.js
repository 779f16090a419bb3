import assert from "node:assert/strict";
import { test } from "node:test";

import { Encoder, preferenceOf } from "../../src/sketchseek/web/encoder.js";

const NEAR = { local: true, preferred: "" };
const FAR = { local: false, preferred: "" };
const after = (ms, value) => new Promise((resolve) => setTimeout(resolve, ms, value));

// A worker and a server that take so many ms for a sketch; told is what the page hears, asked what the server is asked.
function pair({ here = 0, there = 0, preference = NEAR }) {
  const told = [];
  const asked = [];
  const worker = {
    broken: false,
    ask: async (what) => {
      await after(what === "encode" ? here : 0);
      if (worker.broken) throw new Error("out of memory");
      return what === "encode" ? { answer: [0.6, 0.8], took: here } : {};
    },
    close: (reason) => (worker.closed = reason),
  };
  const ask = async (path, value) => {
    asked.push(path);
    if (value) return after(there, { embedding: [0.6, 0.8] });
    return { rasterization: { version: 1 }, sketch: { sha256: "ab", size: 64 } };
  };
  const encoder = new Encoder(
    ask,
    (...mode) => told.push(mode),
    preference,
    () => worker,
  );
  return { encoder, worker, told, asked, load: () => encoder.load((sha256) => `sketch.onnx?sha256=${sha256}`) };
}

test("the address says whether the server is local and where to encode", () => {
  for (const hostname of ["127.0.0.1", "localhost", "[::1]"]) assert.ok(preferenceOf({ hostname, search: "" }).local);
  for (const hostname of ["192.168.1.9", "photos.example", "localhost.example"]) {
    assert.ok(!preferenceOf({ hostname, search: "" }).local);
  }
  const preferred = (search) => preferenceOf({ hostname: "localhost", search }).preferred;
  assert.deepEqual(["", "?encode=browser", "?a=1&encode=server", "?encode=x"].map(preferred), [
    "",
    "browser",
    "server",
    "",
  ]);
});

test("a local, faster server encodes, and the page gets both times", async () => {
  const { encoder, told, load } = pair({ here: 20 });
  assert.equal(await load(), "server");
  const [mode, reason, times] = told.at(-1);
  assert.deepEqual([mode, reason], ["server", "faster"]);
  assert.ok(times.browser >= 19 && times.server < times.browser);
  assert.equal(await encoder.encode([]), null);
});

test("the browser encodes if the local server is slower", async () => {
  const { encoder, told, load } = pair({ there: 20 });
  assert.equal(await load(), "browser");
  assert.ok(told.at(-1)[2].server > told.at(-1)[2].browser);
  assert.deepEqual(await encoder.encode([]), [0.6, 0.8]);
});

test("sketches are not sent to another device for speed", async () => {
  const { told, asked, load } = pair({ here: 20, preference: FAR });
  assert.equal(await load(), "browser");
  assert.deepEqual(told.at(-1), ["browser", "", null]);
  assert.deepEqual(asked, ["model", "model/embedding"]); // the test sketch alone
});

test("the address overrides the times", async () => {
  const browser = pair({ here: 20, preference: { local: true, preferred: "browser" } });
  assert.equal(await browser.load(), "browser");
  const server = pair({ there: 20, preference: { local: true, preferred: "server" } });
  assert.equal(await server.load(), "server");
  assert.deepEqual(server.told, [["server", "preferred", null]]);
  assert.deepEqual(server.asked, []);
  assert.equal(server.encoder.serverFailed("full"), false);
});

test("the browser takes over when the faster server fails, and the server when the browser fails", async () => {
  const { encoder, worker, told, load } = pair({ here: 20 });
  await load();
  assert.equal(encoder.serverFailed("full"), true);
  assert.deepEqual(told.at(-1), ["browser", "full", null]);
  assert.deepEqual(await encoder.encode([]), [0.6, 0.8]);
  worker.broken = true;
  assert.equal(await encoder.encode([]), null);
  assert.deepEqual(told.at(-1), ["server", "out of memory", null]);
  assert.ok(worker.closed);
  assert.equal(encoder.serverFailed("full"), false); // nothing is left to take over
});

test("timing for a library that is no longer searched changes nothing", async () => {
  const { encoder, load, told } = pair({ there: 20 });
  const first = load();
  await after(30);
  encoder.preferred = "server";
  await load();
  await first;
  assert.deepEqual([encoder.mode, told.at(-1)], ["server", ["server", "preferred", null]]);
});
