// Loads a few thumbnails at a time: browsers open six connections to a server, and a search needs a free one.

const AT_ONCE = 4;

/** @typedef {{ element: HTMLElement, ready: Promise<void>, stop: () => void }} Loading */
/** @typedef {(element: HTMLElement | null) => void} Done */
/** @typedef {{ url: string, done: Done, running: Loading | null, over: boolean }} Job */

export class ThumbnailQueue {
  /**
   * @param {(url: string) => Loading} start
   * @param {number} atOnce
   */
  constructor(start = startImage, atOnce = AT_ONCE) {
    this.start = start;
    this.free = atOnce;
    /** @type {Job[]} */
    this.waiting = [];
  }

  /**
   * Loads a picture and calls `done` with it, or with null where it cannot be loaded. Returns a function that cancels it.
   *
   * @param {string} url
   * @param {Done} done
   */
  load(url, done) {
    /** @type {Job} */
    const job = { url, done, running: null, over: false };
    this.waiting.push(job);
    this.#next();
    return () => {
      if (job.over) return;
      job.over = true;
      if (!job.running) {
        this.waiting.splice(this.waiting.indexOf(job), 1);
        return;
      }
      job.running.stop();
      this.#finished();
    };
  }

  #next() {
    while (this.free > 0) {
      const job = this.waiting.shift();
      if (!job) return;
      this.free--;
      const running = (job.running = this.start(job.url));
      /** @type {Done} */
      const settle = (element) => {
        if (job.over) return;
        job.over = true;
        job.done(element);
        this.#finished();
      };
      running.ready.then(
        () => settle(running.element),
        () => settle(null),
      );
    }
  }

  #finished() {
    this.free++;
    this.#next();
  }
}

/**
 * @param {string} url
 * @returns {Loading}
 */
function startImage(url) {
  const element = new Image();
  element.alt = "";
  element.decoding = "async";
  element.src = url;
  return { element, ready: element.decode(), stop: () => void (element.src = "") };
}
