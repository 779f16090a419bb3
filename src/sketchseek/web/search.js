// When to search: at once for a finished query, at intervals while a stroke grows, never twice at the same time.

import { isAbort } from "./elements.js";

/** @import { AskPage, SearchAnswer } from "./types.d.ts" */

const WHILE_SKETCHING = 150; // milliseconds between searches while a stroke grows

/**
 * @typedef {object} Question
 * @property {(signal: AbortSignal) => Promise<SearchAnswer>} ask asks for the first page
 * @property {AskPage} pages asks for any page
 * @property {string} [key] questions with the same key have the same results
 */

export class Search {
  /**
   * The handlers hear of an answer unless a newer question has replaced it.
   *
   * @param {object} handlers
   * @param {(answer: SearchAnswer, question: Question) => void} handlers.onResults
   * @param {(error: unknown) => void} handlers.onError
   * @param {(busy: boolean) => void} handlers.onBusy
   */
  constructor({ onResults, onError, onBusy }) {
    this.handlers = { onResults, onError, onBusy };
    this.latest = 0;
    /** @type {AbortController | null} */
    this.flight = null; // aborts the request in flight
    /** @type {string | undefined} */
    this.key = undefined; // of the question in flight, or of the last one answered
    /** @type {Question | null} */
    this.waiting = null;
    /** @type {number | undefined} */
    this.timer = undefined;
    this.sentAt = -Infinity;
  }

  /**
   * Searches now, for a finished query. Cancels any request in flight, unless it is for the same query.
   *
   * @param {Question} query
   */
  now(query) {
    if (query.key !== undefined && query.key === this.key) {
      this.#stopWaiting();
      return;
    }
    this.cancel();
    return this.#send(query);
  }

  /**
   * Searches soon, for a query that still changes. A request in flight is not cancelled, or nothing would ever appear.
   *
   * @param {Question} query
   */
  soon(query) {
    this.waiting = query;
    if (!this.flight) this.#schedule();
  }

  // Whether a question is in flight.
  get busy() {
    return this.flight !== null;
  }

  cancel() {
    this.#stopWaiting();
    this.key = undefined;
    this.latest++;
    this.flight?.abort();
    this.flight = null;
    this.handlers.onBusy(false);
  }

  #stopWaiting() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.waiting = null;
  }

  #schedule() {
    if (this.timer !== undefined) return;
    const wait = Math.max(0, this.sentAt + WHILE_SKETCHING - performance.now());
    this.timer = setTimeout(() => {
      this.timer = undefined;
      const next = this.waiting;
      this.waiting = null;
      if (next) this.#send(next);
    }, wait);
  }

  /** @param {Question} query */
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
      if (turn === this.latest) this.key = undefined; // allow it again
      if (turn === this.latest && !isAbort(error)) this.handlers.onError(error);
    } finally {
      if (turn === this.latest) {
        this.flight = null;
        this.handlers.onBusy(false);
        if (this.waiting) this.#schedule();
      }
    }
  }
}
