// Queries of several drawings and of words.

import assert from "node:assert/strict";
import { test } from "node:test";
import { asker } from "../../src/sketchseek/web/query.js";

const NONE = { positive: [], negative: [] };
const ONE = [
  [
    [1, 2],
    [3, 4],
  ],
];
const TWO = [
  [
    [5, 6],
    [7, 8],
  ],
];
const PAGE = { k: 48, offset: 0 };
const signal = new AbortController().signal;
const no = { text: "", required: false };
const words = { text: "beach 2019", required: false };

function setUp(...embeddings) {
  const calls = [];
  const encoder = {
    encode: async () => embeddings.shift() ?? null,
    serverFailed: () => false,
  };
  return { calls, encoder, api: { searchQuery: async (body) => calls.push(body) } };
}

const ask = (options) => asker({ query: { paper: true }, sheets: [], words: no, filter: {}, marks: NONE, ...options });

test("several drawings are examples, each encoded once for all pages", async () => {
  const { calls, encoder, api } = setUp([1, 0], [0, 1]);
  const pages = ask({ sheets: [ONE, TWO], encoder, api, filter: { folder: "/a" } });
  await pages(signal, PAGE);
  await pages(signal, { k: 96, offset: 48 });
  const examples = [{ embedding: [1, 0] }, { embedding: [0, 1] }];
  assert.deepEqual(calls, [
    { examples, folder: "/a", ...PAGE },
    { examples, folder: "/a", k: 96, offset: 48 },
  ]);
});

test("words go beside drawings, photos and marks, and alone", async () => {
  const { calls, encoder, api } = setUp();
  await ask({ words, encoder, api, marks: { positive: [], negative: [3] } })(signal, PAGE);
  await ask({ words: { ...words, required: true }, sheets: [ONE], encoder, api })(signal, PAGE);
  await ask({ words, query: { like: { id: 5 } }, encoder, api, marks: { positive: [1, 2], negative: [3] } })(
    signal,
    PAGE,
  );
  const text = { text: "beach 2019", text_mode: "rank" };
  assert.deepEqual(calls, [
    { examples: [], ...text, ...PAGE },
    { examples: [{ strokes: ONE }], ...text, text_mode: "require", ...PAGE },
    {
      examples: [
        { photo_id: 5 },
        { photo_id: 1, weight: 0.375 },
        { photo_id: 2, weight: 0.375 },
        { photo_id: 3, negative: true },
      ],
      ...text,
      ...PAGE,
    },
  ]);
});

test("the search continues in the browser if the server cannot encode", async () => {
  const { calls, encoder, api } = setUp(null, null, [1], [2]);
  const failure = Object.assign(new Error("full"), { status: 500 });
  const told = [];
  encoder.serverFailed = (reason) => told.push(reason) > 0;
  api.searchQuery = async (body) => {
    calls.push(body.examples);
    if (body.examples[0].strokes) throw failure;
  };
  await ask({ sheets: [ONE, TWO], encoder, api })(signal, PAGE);
  assert.deepEqual(told, ["full"]);
  assert.deepEqual(calls, [
    [{ strokes: ONE }, { strokes: TWO }],
    [{ embedding: [1] }, { embedding: [2] }],
  ]);
});

test("a query that was replaced while it was encoded is not sent", async () => {
  const { calls, encoder, api } = setUp([1], [2]);
  const controller = new AbortController();
  const asked = ask({ sheets: [ONE, TWO], encoder, api })(controller.signal, PAGE);
  controller.abort();
  await assert.rejects(asked, { name: "AbortError" });
  assert.deepEqual(calls, []);
});
