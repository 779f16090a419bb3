// Beside the page's own thread: strokes to the raster to the embedding, by the library's own sketch encoder.

import * as ort from "./vendor/ort.wasm.min.mjs";
import { rasterStrokes } from "./raster.js";

// One thread: more would need every answer to carry headers that isolate the page, and they did not pay where
// they were tried: on two cores that other work was using too, two threads took 66 ms for a drawing at best, one 32 ms. On
// an idle machine, or one of more cores, this was not measured.
ort.env.wasm.numThreads = 1;
ort.env.wasm.wasmPaths = new URL("vendor/", import.meta.url).href;

let session = null;
let model = null; // { url, size, raster }

async function load(wanted) {
  const response = await fetch(wanted.url);
  if (!response.ok) throw new Error(`the sketch encoder: HTTP ${response.status}`);
  session = await ort.InferenceSession.create(await response.arrayBuffer(), {
    executionProviders: ["wasm"],
    logSeverityLevel: 3, // as on the server
  });
  model = wanted;
}

async function encode(strokes) {
  const { size, raster } = model;
  const pixels = new ort.Tensor("uint8", rasterStrokes(strokes, size, raster), [1, size, size]);
  const { embedding } = await session.run({ pixels });
  return Array.from(embedding.data);
}

addEventListener("message", async ({ data: { id, what, value } }) => {
  try {
    const start = performance.now();
    const answer = await (what === "load" ? load(value) : encode(value));
    postMessage({ id, answer, took: performance.now() - start });
  } catch (error) {
    postMessage({ id, error: String(error?.message ?? error) });
  }
});
