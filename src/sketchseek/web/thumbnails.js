// Thumbnails on their way, few at a time: browsers keep six connections to a server, and one must be free for a search.

const AT_ONCE = 4;

export class ThumbnailQueue {
  // start(url) gives { element, ready, stop() }, ready being a promise.
  constructor(start = startImage, atOnce = AT_ONCE) {
    this.start = start;
    this.free = atOnce;
    this.waiting = [];
  }

  // Load a picture; done(element) is called with it, or with null where it cannot be had. Gives what gives it up.
  load(url, done) {
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
    while (this.free > 0 && this.waiting.length > 0) {
      const job = this.waiting.shift();
      this.free--;
      job.running = this.start(job.url);
      const settle = (element) => {
        if (job.over) return;
        job.over = true;
        job.done(element);
        this.#finished();
      };
      job.running.ready.then(
        () => settle(job.running.element),
        () => settle(null),
      );
    }
  }

  #finished() {
    this.free++;
    this.#next();
  }
}

function startImage(url) {
  const element = new Image();
  element.alt = "";
  element.decoding = "async";
  element.src = url;
  return { element, ready: element.decode(), stop: () => (element.src = "") };
}
