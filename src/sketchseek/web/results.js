// The results of a query: the first at once, more as they are looked at, as far as there are any.

export const FIRST = 48; // at least as many at first
export const MOST = 300; // and at most
export const PAGE = 96;
const PAUSE = 2000; // milliseconds after a failure before the same is asked for again

export class Results {
  // onMore(): further results came; onError(error): they did not.
  constructor({ onMore, onError, now = () => performance.now() }) {
    this.handlers = { onMore, onError };
    this.clock = now;
    this.paging = null;
    this.clear();
  }

  clear() {
    this.paging?.abort();
    this.paging = null;
    this.ask = null;
    this.items = [];
    this.total = 0;
    this.failedAt = -Infinity;
  }

  // The index of a photo among those that were fetched, or -1.
  find(id) {
    return this.items.findIndex((item) => item?.id === id);
  }

  // The first answer to a new query; `ask(signal, { k, offset })` gives the others.
  reset(answer, ask) {
    this.clear();
    this.ask = ask;
    this.#take(answer);
  }

  at(index) {
    return this.items[index];
  }

  // Results from one index to before another are looked at: fetch what is missing, a page at a time.
  async need(from, to) {
    if (this.paging || !this.ask || this.clock() < this.failedAt + PAUSE) return;
    let start = from;
    while (start < to && (this.items[start] || start >= this.total)) start++;
    if (start >= to || start >= this.total) return;
    const controller = new AbortController();
    this.paging = controller;
    const k = PAGE - (start % PAGE); // pages begin at whole multiples, so that scrolling up meets their ends
    try {
      const answer = await this.ask(controller.signal, { k, offset: start });
      if (this.paging !== controller) return; // of another query
      this.paging = null;
      this.#take(answer);
      this.handlers.onMore();
    } catch (error) {
      if (this.paging !== controller) return;
      this.paging = null;
      this.failedAt = this.clock();
      this.handlers.onError(error);
    }
  }

  #take({ results, offset, total }) {
    results.forEach((result, place) => (this.items[offset + place] = result));
    this.total = total;
  }
}
