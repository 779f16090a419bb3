// The browser's history: reload and Back return to what the page showed, and the address is a link to it.

import { entryOf, fragmentOf } from "./page-entry.js";

/** @import { PageEntry } from "./types.d.ts" */

const REST = 200; // milliseconds: browsers allow few changes of the address in a short time

export class PageHistory {
  /**
   * @param {() => PageEntry} read what the page shows now
   * @param {(entry: PageEntry) => void} onRestore the user went back or forward, or changed the address
   */
  constructor(read, onRestore) {
    this.read = read;
    /** @type {number | undefined} */
    this.waiting = undefined;
    addEventListener("popstate", ({ state }) => {
      this.#forget();
      onRestore(state?.entry ?? this.#adopt());
    });
    addEventListener("pagehide", () => this.#flush());
  }

  // What the page starts with: the state before a reload, or what the address names.
  first() {
    return /** @type {PageEntry} */ (history.state?.entry ?? this.#adopt());
  }

  // The page shows something else now: Back returns to what it showed before.
  push() {
    this.#flush();
    this.#write("pushState");
  }

  // What the page shows has changed a little.
  replace() {
    this.#forget();
    this.#write("replaceState");
  }

  // As `replace`, for changes that may follow each other quickly.
  replaceSoon() {
    this.#forget();
    this.waiting = setTimeout(() => this.replace(), REST);
  }

  // Goes back where a photo was opened in the viewer, so that closing it leaves no entry of its own.
  leavePhoto() {
    if (!history.state?.entry?.photo) return;
    this.#forget();
    history.back();
  }

  // The current link, also of what was not written yet.
  get link() {
    return new URL(fragmentOf(this.read()) || "#", location.href).href.replace(/#$/, "");
  }

  // An address that was typed, or came from someone else. Below a photo, its results become an entry of their own, so that
  // Back closes the viewer.
  #adopt() {
    const entry = entryOf(location.hash);
    if (entry.photo) {
      const below = { ...entry, photo: undefined };
      history.replaceState({ entry: below }, "", fragmentOf(below) || location.pathname + location.search);
      history.pushState({ entry }, "", fragmentOf(entry));
    } else {
      history.replaceState({ entry }, "");
    }
    return entry;
  }

  /** @param {"pushState" | "replaceState"} how */
  #write(how) {
    const entry = this.read();
    history[how]({ entry }, "", fragmentOf(entry) || location.pathname + location.search);
  }

  #flush() {
    if (this.waiting !== undefined) this.replace();
  }

  #forget() {
    clearTimeout(this.waiting);
    this.waiting = undefined;
  }
}
