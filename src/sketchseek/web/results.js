// The results of a query. Further pages load on scroll.

/** @import { AskPage, Result, SearchAnswer } from "./types.d.ts" */

export const FIRST = 48; // minimum number of results on the first page
export const MOST = 300; // maximum number of results on the first page
export const PAGE = 96;
const PAUSE = 2000; // milliseconds after a failure before the next request

export class Results {
  /**
   * @param {object} options
   * @param {() => void} options.onMore further results came
   * @param {(error: unknown) => void} options.onError they did not come
   * @param {() => number} [options.now] milliseconds
   */
  constructor({ onMore, onError, now = () => performance.now() }) {
    this.handlers = { onMore, onError };
    this.clock = now;
    /** @type {AbortController | null} */
    this.paging = null;
    /** @type {AskPage | null} */
    this.ask = null;
    /** @type {Result[]} */
    this.items = []; // with holes where a page was not loaded
    this.total = 0;
    this.failedAt = -Infinity;
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

  /**
   * The index of a photo among the loaded ones, or -1.
   *
   * @param {number} id
   */
  find(id) {
    return this.items.findIndex((item) => item?.id === id);
  }

  /**
   * Takes the first answer to a new query. `ask` gets further pages.
   *
   * @param {SearchAnswer} answer
   * @param {AskPage | null} ask
   */
  reset(answer, ask) {
    this.clear();
    this.ask = ask;
    this.#take(answer);
  }

  /**
   * @param {number} index
   * @returns {Result | undefined}
   */
  at(index) {
    return this.items[index];
  }

  /**
   * Loads what is missing of the results [from, to), a page at a time.
   *
   * @param {number} from
   * @param {number} to
   */
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

  /** @param {SearchAnswer} answer */
  #take({ results, offset, total }) {
    results.forEach((result, place) => (this.items[offset + place] = result));
    this.total = total;
  }
}
