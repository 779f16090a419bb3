// Where drawings become vectors: in this browser where it can, so that they stay on the device, else on the server. Where
// the server is at an address of this very device, drawings stay on it either way, and the faster of the two does it.

const LOADING = 60_000; // milliseconds that loading may take; the server encodes meanwhile
const ENCODING = 4_000; // and one drawing
const WARM = 4; // drawings after which the browser has compiled the encoder well: the first take several times as long
const TIMED = 5; // drawings by which the two ways are compared
const AGREE = 0.995; // cosine from which on the browser's vector of the test drawing is the server's

// Lines, a turn, a curve and a dot.
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

// What a page's address says: whether its server is on this device, and which way is wanted (?encode=browser or =server),
// "" being the choice of the page.
export function wishOf({ hostname, search }) {
  const asked = new URLSearchParams(search).get("encode");
  return { local: LOOPBACK.includes(hostname), wanted: ["browser", "server"].includes(asked) ? asked : "" };
}

// A worker that is asked and answers, in order or not.
export class EncodeWorker {
  constructor() {
    this.worker = new Worker(new URL("encode-worker.js", import.meta.url), { type: "module" });
    this.waiting = new Map();
    this.asked = 0;
    this.closed = "";
    this.worker.addEventListener("message", ({ data }) => {
      const { resolve, reject } = this.waiting.get(data.id) ?? {};
      this.waiting.delete(data.id);
      if (data.error === undefined) resolve?.(data);
      else reject?.(new Error(data.error));
    });
    this.worker.addEventListener("error", (event) => this.close(event.message || "the worker did not start"));
  }

  ask(what, value, timeout) {
    if (this.closed) return Promise.reject(new Error(this.closed));
    const id = ++this.asked;
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => this.close(`no ${what} within ${timeout} ms`), timeout);
      const done = (settle) => (result) => (clearTimeout(timer), settle(result));
      this.waiting.set(id, { resolve: done(resolve), reject: done(reject) });
      this.worker.postMessage({ id, what, value });
    });
  }

  close(reason) {
    this.worker.terminate();
    this.closed = reason;
    for (const { reject } of this.waiting.values()) reject(new Error(reason));
    this.waiting.clear();
  }
}

// Starts on the server and changes to the browser once that has shown that it can, unless the server is as near and faster.
// ask(path, value) fetches JSON from below /api, or posts a value there; onMode(mode, reason, times) hears "server" or
// "browser", and by which times in ms it was chosen, if by times; wish: see wishOf; start makes an EncodeWorker.
export class Encoder {
  /** @param {(mode: string, reason: string, times: object | null) => void} onMode */
  constructor(ask, onMode = () => {}, { local = false, wanted = "" } = {}, start = () => new EncodeWorker()) {
    this.askServer = ask;
    this.onMode = onMode;
    this.local = local;
    this.wanted = wanted;
    this.start = start;
    this.mode = "server";
    this.worker = null;
    this.turn = 0;
    this.took = 0; // milliseconds that the last drawing took here
  }

  // Loads the encoder of the library that is searched now; call it again when that changes. Gives the mode.
  async load(modelUrl) {
    const turn = ++this.turn;
    this.#toServer(this.wanted === "server" ? "wanted" : "loading");
    if (this.wanted === "server") return this.mode;
    let worker = null;
    try {
      if (typeof WebAssembly === "undefined") throw new Error("no WebAssembly");
      const model = await this.askServer("model");
      if (model.rasterization.version !== 1) throw new Error(`raster ${model.rasterization.version}`);
      worker = this.start();
      const url = new URL(modelUrl(model.sketch.sha256), import.meta.url).href;
      await worker.ask("load", { url, size: model.sketch.size, raster: model.rasterization }, LOADING);
      const [here, there] = await Promise.all([
        worker.ask("encode", TEST, LOADING),
        this.askServer("model/embedding", { strokes: TEST }),
      ]);
      const agreement = cosine(here.answer, there.vector);
      if (!(agreement >= AGREE)) throw new Error(`the test drawing agrees by ${agreement} only`);
      this.agreement = agreement;
      for (let i = 0; i < WARM; i++) await worker.ask("encode", TEST, LOADING);
      const times = this.local && !this.wanted ? await this.#times(worker) : null;
      if (turn !== this.turn) throw new Error("another library");
      this.worker = worker; // also where the server is faster: it may fail
      if (times && times.server < times.browser) this.onMode("server", "faster", times);
      else this.#toBrowser("", times);
    } catch (error) {
      worker?.close("given up");
      if (turn === this.turn) this.#toServer(error.message);
    }
    return this.mode;
  }

  // The vector of a drawing, or null where the server is to make it.
  async encode(strokes) {
    if (this.mode !== "browser") return null;
    const { worker } = this;
    try {
      const { answer, took } = await worker.ask("encode", strokes, ENCODING);
      this.took = took;
      return answer;
    } catch (error) {
      if (worker === this.worker) this.#toServer(error.message);
      return null;
    }
  }

  // The server could not encode: whether this browser does it from now on.
  serverFailed(reason) {
    if (this.mode === "server" && this.worker) this.#toBrowser(reason);
    return this.mode === "browser";
  }

  // How long a drawing takes here and there, in ms, the way included. One after the other: they share this processor.
  async #times(worker) {
    return {
      browser: await median(() => worker.ask("encode", TEST, LOADING)),
      server: await median(() => this.askServer("model/embedding", { strokes: TEST })),
    };
  }

  #toBrowser(reason, times = null) {
    this.mode = "browser";
    this.onMode("browser", reason, times);
  }

  #toServer(reason) {
    this.worker?.close("given up");
    this.worker = null;
    this.mode = "server";
    this.onMode("server", reason, null);
  }
}

async function median(work) {
  const times = [];
  for (let i = 0; i < TIMED; i++) {
    const start = performance.now();
    await work();
    times.push(performance.now() - start);
  }
  return times.sort((a, b) => a - b)[TIMED >> 1];
}

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
