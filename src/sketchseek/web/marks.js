// Feedback on results, positive (right) or negative (wrong), and the strip of photos that shows it.

import { thumbnailUrl } from "./api.js";
import { texts } from "./texts.js";

/** @import { Feedback, Result } from "./types.d.ts" */

export class Marks extends EventTarget {
  // Event: "change".
  constructor() {
    super();
    /** @type {Map<number, { result: Result, right: boolean }>} */
    this.marked = new Map(); // by id
  }

  get size() {
    return this.marked.size;
  }

  /**
   * The feedback as the API takes it.
   *
   * @returns {Feedback}
   */
  ids() {
    /** @param {boolean} right */
    const of = (right) => [...this.marked].filter(([, one]) => one.right === right).map(([id]) => id);
    return { positive: of(true), negative: of(false) };
  }

  /**
   * true for right, false for wrong, undefined without a mark.
   *
   * @param {number} id
   */
  of(id) {
    return this.marked.get(id)?.right;
  }

  /**
   * Marks a result; the same mark again removes it.
   *
   * @param {Result} result
   * @param {boolean} right
   */
  toggle(result, right) {
    if (this.of(result.id) === right) this.marked.delete(result.id);
    else this.marked.set(result.id, { result, right });
    this.dispatchEvent(new Event("change"));
  }

  // Removes all marks; a new query starts without any.
  clear({ quietly = false } = {}) {
    if (this.size === 0) return;
    this.marked.clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}

/**
 * Shows the marked photos as buttons that remove their marks.
 *
 * @param {HTMLElement} list
 * @param {Marks} marks
 */
export function showMarks(list, marks) {
  const items = [...marks.marked.values()].map(({ result, right }) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.className = right ? "right" : "wrong";
    button.title = button.ariaLabel = texts.unmark(result.name, right);
    const image = new Image();
    image.alt = "";
    image.src = thumbnailUrl(result.id, 160);
    button.append(image);
    button.addEventListener("click", () => marks.toggle(result, right));
    item.append(button);
    return item;
  });
  list.replaceChildren(...items);
}
