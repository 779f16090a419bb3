// Results that were marked as right or wrong, and the strip that shows them.

import { thumbnailUrl } from "./api.js";
import { texts } from "./texts.js";

export class Marks extends EventTarget {
  // Event: "change".
  constructor() {
    super();
    this.marked = new Map(); // id to { result, right }
  }

  get size() {
    return this.marked.size;
  }

  // For the API.
  ids() {
    const of = (right) => [...this.marked].filter(([, one]) => one.right === right).map(([id]) => id);
    return { positive: of(true), negative: of(false) };
  }

  // true: right, false: wrong, undefined: not marked.
  of(id) {
    return this.marked.get(id)?.right;
  }

  // Marking again as it is marked takes the mark away.
  toggle(result, right) {
    if (this.of(result.id) === right) this.marked.delete(result.id);
    else this.marked.set(result.id, { result, right });
    this.dispatchEvent(new Event("change"));
  }

  // Forget them; a new query begins with none.
  clear({ quietly = false } = {}) {
    if (this.size === 0) return;
    this.marked.clear();
    if (!quietly) this.dispatchEvent(new Event("change"));
  }
}

// The marked photos as buttons that take their marks away.
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
