// Encodes sketches in a thread of its own: strokes to raster to embedding, with the library's sketch encoder.

import * as ort from "./vendor/ort.wasm.min.mjs";
import { rasterStrokes } from "./raster.js";

// One thread. More would need cross-origin isolation headers on every answer, and on two busy cores they were slower: 66 ms
// a sketch with two threads, 32 ms with one. Not measured on an idle machine or with more cores.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("vendor/", import.meta.url).href;

/** @import { ApiStrokes, RasterSettings } from "./types.d.ts" */
/** @typedef {{ url: string, size: number, raster: RasterSettings }} Encoder */

/** @type {ort.InferenceSession | null} */
let session = null;
/** @type {Encoder | null} */
let encoder = null;

/** @param {Encoder} next */
async function load(next) {
  const response = await fetch(next.url);
  if (!response.ok) throw new Error(`the sketch encoder: HTTP ${response.status}`);
  session = await ort.InferenceSession.create(await response.arrayBuffer(), {
    executionProviders: ["wasm"],
    logSeverityLevel: 3, // as on the server
  });
  encoder = next;
}

/** @param {ApiStrokes} strokes */
async function encode(strokes) {
  if (!session || !encoder) throw new Error("the sketch encoder is not loaded");
  const { size, raster } = encoder;
  const pixels = new ort.Tensor("uint8", rasterStrokes(strokes, size, raster), [1, size, size]);
  const { embedding } = await session.run({ pixels });
  return Array.from(/** @type {Float32Array} */ (embedding.data));
}

addEventListener("message", async ({ data: { id, what, value } }) => {
  try {
    const start = performance.now();
    const answer = await (what === "load" ? load(value) : encode(value));
    postMessage({ id, answer, took: performance.now() - start });
  } catch (error) {
    postMessage({ id, error: error instanceof Error ? error.message : String(error) });
  }
});
