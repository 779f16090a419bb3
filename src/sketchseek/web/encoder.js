// Decides where sketches are encoded: in the browser if possible, so that they stay on the device, else on the server. If
// the server runs on the same device, sketches stay there either way, and the faster of the two encodes them.

import { messageOf } from "./elements.js";

/** @import { ApiStrokes, EncodingTimes, Model } from "./types.d.ts" */

const LOADING = 60_000; // timeout for loading in milliseconds; the server encodes meanwhile
const ENCODING = 4_000; // timeout for one sketch
const WARMUP = 4; // sketches before timing: the first ones take several times as long
const TIMED = 5; // sketches by which browser and server are compared
const AGREE = 0.995; // minimum cosine between the browser's and the server's embedding of the test sketch

// Lines, a turn, a curve and a dot.
/** @type {ApiStrokes} */
const TEST = [
  [
    [0, 200, 200, 0, 0],
    [0, 0, 140, 140, 0],
  ],
  [
    [20, 60, 100, 140, 180],
    [120, 60, 100, 30, 110],
  ],
  [[100], [70]],
];

const LOOPBACK = ["127.0.0.1", "localhost", "::1", "[::1]"];

/**
 * What the page's address says: whether the server is on this device, and where to encode (?encode=browser or
 * ?encode=server; "" leaves the choice to the page).
 *
 * @param {{ hostname: string, search: string }} address
 */
export function preferenceOf({ hostname, search }) {
  const asked = new URLSearchParams(search).get("encode") ?? "";
  return { local: LOOPBACK.includes(hostname), preferred: ["browser", "server"].includes(asked) ? asked : "" };
}

/** @typedef {{ answer: any, took: number }} Reply */
/** @typedef {{ resolve: (reply: Reply) => void, reject: (error: Error) => void }} Waiting */

// A worker that answers requests, in any order.
export class EncodeWorker {
  constructor() {
    this.worker = new Worker(new URL("encode-worker.js", import.meta.url), { type: "module" });
    /** @type {Map<number, Waiting>} */
    this.waiting = new Map();
    this.asked = 0;
    this.closed = "";
    this.worker.addEventListener("message", ({ data }) => {
      const waiting = this.waiting.get(data.id);
      this.waiting.delete(data.id);
      if (data.error === undefined) waiting?.resolve(data);
      else waiting?.reject(new Error(data.error));
    });
    this.worker.addEventListener("error", (event) => this.close(event.message || "the worker did not start"));
  }

  /**
   * @param {"load" | "encode"} what
   * @param {unknown} value
   * @param {number} timeout milliseconds
   * @returns {Promise<Reply>}
   */
  ask(what, value, timeout) {
    if (this.closed) return Promise.reject(new Error(this.closed));
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.close(`no ${what} within ${timeout} ms`), timeout);
      this.waiting.set(id, {
        resolve: (reply) => (clearTimeout(timer), resolve(reply)),
        reject: (error) => (clearTimeout(timer), reject(error)),
      });
      this.worker.postMessage({ id, what, value });
    });
  }

  /** @param {string} reason */
  close(reason) {
    this.worker.terminate();
    this.closed = reason;
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
  }
}

/** @typedef {"server" | "browser"} Mode */

// Starts with the server and changes to the browser once that has proved to work, unless the server is on the same device
// and faster.
export class Encoder {
  /**
   * @param {(path: string, value?: object) => Promise<any>} ask gets JSON from a route, or posts a value to it
   * @param {(mode: Mode, reason: string, times: EncodingTimes | null) => void} onMode hears where sketches are encoded from
   *   now on, and the times that decided it, if times did
   * @param {Partial<ReturnType<typeof preferenceOf>>} preference
   * @param {() => Pick<EncodeWorker, "ask" | "close">} start makes a worker
   */
  constructor(ask, onMode = () => {}, { local = false, preferred = "" } = {}, start = () => new EncodeWorker()) {
    this.askServer = ask;
    this.onMode = onMode;
    this.local = local;
    this.preferred = preferred;
    this.start = start;
    /** @type {Mode} */
    this.mode = "server";
    /** @type {ReturnType<typeof start> | null} */
    this.worker = null;
    this.turn = 0;
    this.took = 0; // milliseconds that the last sketch took in the browser
    this.agreement = NaN; // cosine between the browser's and the server's embedding of the test sketch
  }

  /**
   * Loads the encoder of the searched library; call it again when that changes. Returns the mode.
   *
   * @param {(sha256: string) => string} modelUrl
   */
  async load(modelUrl) {
    const turn = ++this.turn;
    this.#toServer(this.preferred === "server" ? "preferred" : "loading");
    if (this.preferred === "server") return this.mode;
    let worker = null;
    try {
      if (typeof WebAssembly === "undefined") throw new Error("no WebAssembly");
      /** @type {Model} */
      const model = await this.askServer("model");
      if (model.rasterization.version !== 1) throw new Error(`raster ${model.rasterization.version}`);
      worker = this.start();
      const url = new URL(modelUrl(model.sketch.sha256), import.meta.url).href;
      await worker.ask("load", { url, size: model.sketch.size, raster: model.rasterization }, LOADING);
      const [here, there] = await Promise.all([
        worker.ask("encode", TEST, LOADING),
        this.askServer("model/embedding", { strokes: TEST }),
      ]);
      const agreement = cosine(here.answer, there.embedding);
      if (!(agreement >= AGREE)) throw new Error(`the test sketch agrees by ${agreement} only`);
      this.agreement = agreement;
      for (let i = 0; i < WARMUP; i++) await worker.ask("encode", TEST, LOADING);
      const times = this.local && !this.preferred ? await this.#times(worker) : null;
      if (turn !== this.turn) throw new Error("another library");
      this.worker = worker; // kept even if the server is faster: the server may fail
      if (times && times.server < times.browser) this.onMode("server", "faster", times);
      else this.#toBrowser("", times);
    } catch (error) {
      worker?.close("given up");
      if (turn === this.turn) this.#toServer(messageOf(error));
    }
    return this.mode;
  }

  /**
   * The embedding of a sketch, or null if the server encodes it.
   *
   * @param {ApiStrokes} strokes
   * @returns {Promise<number[] | null>}
   */
  async encode(strokes) {
    const { worker } = this;
    if (this.mode !== "browser" || !worker) return null;
    try {
      const { answer, took } = await worker.ask("encode", strokes, ENCODING);
      this.took = took;
      return answer;
    } catch (error) {
      if (worker === this.worker) this.#toServer(messageOf(error));
      return null;
    }
  }

  /**
   * The server could not encode. Returns whether the browser encodes from now on.
   *
   * @param {string} reason
   */
  serverFailed(reason) {
    if (this.mode === "server" && this.worker) this.#toBrowser(reason);
    return this.mode === "browser";
  }

  /**
   * Times for one sketch, transport included. Measured one after the other, because both may share a processor.
   *
   * @param {Pick<EncodeWorker, "ask">} worker
   * @returns {Promise<EncodingTimes>}
   */
  async #times(worker) {
    return {
      browser: await median(() => worker.ask("encode", TEST, LOADING)),
      server: await median(() => this.askServer("model/embedding", { strokes: TEST })),
    };
  }

  /**
   * @param {string} reason
   * @param {EncodingTimes | null} times
   */
  #toBrowser(reason, times = null) {
    this.mode = "browser";
    this.onMode("browser", reason, times);
  }

  /** @param {string} reason */
  #toServer(reason) {
    this.worker?.close("given up");
    this.worker = null;
    this.mode = "server";
    this.onMode("server", reason, null);
  }
}

/**
 * Median duration in milliseconds.
 *
 * @param {() => Promise<unknown>} work
 */
async function median(work) {
  const times = [];
  for (let i = 0; i < TIMED; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[TIMED >> 1];
}

/**
 * @param {number[]} a
 * @param {number[]} b
 */
function cosine(a, b) {
  if (a.length !== b.length) return NaN;
  let [product, aa, bb] = [0, 0, 0];
  for (let i = 0; i < a.length; i++) {
    product += a[i] * b[i];
    aa += a[i] * a[i];
    bb += b[i] * b[i];
  }
  return product / Math.sqrt(aa * bb);
}
