// When to ask: at once for what is final, now and then while a line grows, never two questions at a time.

const WHILE_DRAWING = 150; // milliseconds between questions while a line grows

export class Search {
  // A query is { ask(signal), key }: ask gives its results; queries of one key, where there is one, have the same
  // results. The handlers hear of an answer unless a newer query overtook it.
  constructor({ onResults, onError, onBusy }) {
    this.handlers = { onResults, onError, onBusy };
    this.latest = 0;
    this.flight = null; // what ends the question that is on its way
    this.key = undefined; // of the query that is on its way or was answered last
    this.waiting = null;
    this.timer = null;
    this.sentAt = -Infinity;
  }

  // The query is as it shall be: drop what is on its way and ask now, unless just this was asked.
  now(query) {
    if (query.key !== undefined && query.key === this.key) {
      clearTimeout(this.timer);
      this.timer = this.waiting = null;
      return;
    }
    this.cancel();
    return this.#send(query);
  }

  // The query is growing: ask soon, but let a question on its way be answered, or nothing would ever appear.
  soon(query) {
    this.waiting = query;
    if (!this.flight) this.#schedule();
  }

  cancel() {
    clearTimeout(this.timer);
    this.timer = this.waiting = null;
    this.key = undefined;
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
      if (next) this.#send(next);
    }, wait);
  }

  async #send(query) {
    const turn = ++this.latest;
    this.flight = new AbortController();
    this.key = query.key;
    this.sentAt = performance.now();
    this.handlers.onBusy(true);
    try {
      const answer = await query.ask(this.flight.signal);
      if (turn === this.latest) this.handlers.onResults(answer, query);
    } catch (error) {
      if (turn === this.latest) this.key = undefined; // it may be asked again
      if (turn === this.latest && error.name !== "AbortError") this.handlers.onError(error, query);
    } finally {
      if (turn === this.latest) {
        this.flight = null;
        this.handlers.onBusy(false);
        if (this.waiting) this.#schedule();
      }
    }
  }
}
