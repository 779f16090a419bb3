// When to ask the server: at once for what is final, now and then while a line grows, never two questions at a time.

const WHILE_DRAWING = 150; // milliseconds between questions while a line grows

export class Search {
  // ask(signal) gives the results of a query; the handlers hear of them unless a newer query overtook it.
  constructor({ onResults, onError, onBusy }) {
    this.handlers = { onResults, onError, onBusy };
    this.latest = 0;
    this.flight = null; // { abort, final }
    this.waiting = null;
    this.timer = null;
    this.sentAt = 0;
  }

  // The query is as it shall be: drop what is in flight and ask now.
  now(ask, context) {
    this.cancel();
    return this.#send(ask, context);
  }

  // The query is growing: ask soon, but let a question in flight be answered, or nothing would ever appear.
  soon(ask, context) {
    this.waiting = { ask, context };
    if (!this.flight) this.#schedule();
  }

  cancel() {
    clearTimeout(this.timer);
    this.timer = this.waiting = null;
    this.latest++;
    this.flight?.abort();
    this.flight = null;
    this.handlers.onBusy(false);
  }

  #schedule() {
    if (this.timer !== null) return;
    const wait = Math.max(0, this.sentAt + WHILE_DRAWING - performance.now());
    this.timer = setTimeout(() => {
      this.timer = null;
      const next = this.waiting;
      this.waiting = null;
      if (next) this.#send(next.ask, next.context);
    }, wait);
  }

  async #send(ask, context) {
    const turn = ++this.latest;
    const controller = new AbortController();
    this.flight = controller;
    this.sentAt = performance.now();
    this.handlers.onBusy(true);
    try {
      const answer = await ask(controller.signal);
      if (turn === this.latest) this.handlers.onResults(answer, context);
    } catch (error) {
      if (turn === this.latest && error.name !== "AbortError") this.handlers.onError(error, context);
    } finally {
      if (turn === this.latest) {
        this.flight = null;
        this.handlers.onBusy(false);
        if (this.waiting) this.#schedule();
      }
    }
  }
}
