import assert from "node:assert/strict";
import { test } from "node:test";

import { boundsOf } from "../../src/sketchseek/web/filters.js";
import { asker } from "../../src/sketchseek/web/query.js";

const NONE = { positive: [], negative: [] };
const STROKES = [
  [
    [1, 2],
    [3, 4],
  ],
];
const PAGE = { k: 48, offset: 0 };
const signal = new AbortController().signal;

function recording() {
  const calls = [];
  const names = ["refine", "searchPhoto", "searchImage", "searchEmbedding", "searchSketch"];
  const api = Object.fromEntries(names.map((name) => [name, async (...values) => calls.push([name, ...values])]));
  return { api, calls };
}

const encoder = (embedding) => ({
  made: 0,
  encode: async function () {
    this.made++;
    return embedding;
  },
});

test("only the embedding is sent if the browser encodes, and it is made once for all pages", async () => {
  const { api, calls } = recording();
  const here = encoder([1, 0]);
  const ask = asker({
    query: { paper: true },
    sheets: [STROKES],
    encoder: here,
    filter: { folder: "/a" },
    marks: NONE,
    api,
  });
  await ask(signal, PAGE);
  await ask(signal, { k: 96, offset: 48 });
  assert.equal(here.made, 1);
  assert.deepEqual(calls, [
    ["searchEmbedding", { embedding: [1, 0], folder: "/a", k: 48, offset: 0 }, signal],
    ["searchEmbedding", { embedding: [1, 0], folder: "/a", k: 96, offset: 48 }, signal],
  ]);
  assert.ok(!JSON.stringify(calls).includes("strokes"));
});

test("the strokes are sent if the server encodes", async () => {
  const { api, calls } = recording();
  await asker({ query: { paper: true }, sheets: [STROKES], encoder: encoder(null), filter: {}, marks: NONE, api })(
    signal,
    PAGE,
  );
  assert.deepEqual(calls, [["searchSketch", { strokes: STROKES, ...PAGE }, signal]]);
});

test("the search continues in the browser if the server cannot encode", async () => {
  const { api, calls } = recording();
  const failure = Object.assign(new Error("full"), { status: 500 });
  api.searchSketch = async () => Promise.reject(failure);
  const made = [null, [1, 0]];
  const told = [];
  const takesOver = { encode: async () => made.shift(), serverFailed: (reason) => told.push(reason) > 0 };
  const ask = asker({ query: { paper: true }, sheets: [STROKES], encoder: takesOver, filter: {}, marks: NONE, api });
  await ask(signal, PAGE);
  await ask(signal, { k: 96, offset: 48 });
  assert.deepEqual(told, ["full"]);
  assert.deepEqual(
    calls.map(([name, body]) => [name, body.embedding]),
    [
      ["searchEmbedding", [1, 0]],
      ["searchEmbedding", [1, 0]],
    ],
  );
});

test("other errors reach the page: of the library, of the sketch, of a server that is gone", async () => {
  const { api } = recording();
  const never = { encode: async () => null, serverFailed: () => assert.fail("it was not the encoder") };
  for (const status of [422, 503, undefined]) {
    const failure = Object.assign(new Error("no"), { status });
    api.searchSketch = async () => Promise.reject(failure);
    const ask = asker({ query: { paper: true }, sheets: [STROKES], encoder: never, filter: {}, marks: NONE, api });
    await assert.rejects(ask(signal, PAGE), failure);
  }
  const failure = Object.assign(new Error("no"), { status: 500 });
  api.searchEmbedding = async () => Promise.reject(failure);
  const here = { ...never, encode: async () => [1, 0] };
  const ask = asker({ query: { paper: true }, sheets: [STROKES], encoder: here, filter: {}, marks: NONE, api });
  await assert.rejects(ask(signal, PAGE), failure);
});

test("a sketch that was replaced while it was encoded is not sent", async () => {
  const { api, calls } = recording();
  const controller = new AbortController();
  const ask = asker({ query: { paper: true }, sheets: [STROKES], encoder: encoder([1]), filter: {}, marks: NONE, api });
  const asked = ask(controller.signal, PAGE);
  controller.abort();
  await assert.rejects(asked, { name: "AbortError" });
  assert.deepEqual(calls, []);
});

test("marks refine every kind of query", async () => {
  const marks = { positive: [1], negative: [2, 3] };
  const { api, calls } = recording();
  const file = {};
  await asker({ query: { paper: true }, sheets: [STROKES], encoder: encoder([1]), filter: {}, marks, api })(
    signal,
    PAGE,
  );
  await asker({ query: { like: { id: 9 } }, filter: {}, marks, api })(signal, PAGE);
  await asker({ query: { like: { id: 9 } }, filter: {}, marks: NONE, api })(signal, PAGE);
  await asker({ query: { file, kind: "photo" }, filter: {}, marks, api })(signal, PAGE);
  assert.deepEqual(calls, [
    ["refine", { embedding: [1], ...PAGE, ...marks }, signal],
    ["refine", { photo_id: 9, ...marks, ...PAGE }, signal],
    ["searchPhoto", 9, PAGE, signal],
    ["searchImage", file, { kind: "photo", ...marks, ...PAGE }, signal],
  ]);
});

test("a filter includes its whole last day, in the browser's time zone", () => {
  const { after, before } = boundsOf("", "2024-02-28", "2024-02-29");
  assert.equal(new Date(after).getDate(), 28);
  assert.equal(new Date(before).getTime(), new Date(2024, 2, 1).getTime());
  assert.deepEqual(boundsOf("  ", "", ""), {});
  assert.deepEqual(boundsOf(" /a b ", "", ""), { folder: "/a b" });
});
