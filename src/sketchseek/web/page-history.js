// The browser's history: reload and Back return to what the page showed, and the address is a link to it.

import { entryOf, fragmentOf } from "./page-entry.js";

/** @import { PageEntry } from "./types.d.ts" */

const FREE = 40; // changes of the address that are written at once within SPAN; later ones rest first
const SPAN = 20_000; // milliseconds. Browsers allow about 100 changes in 30 seconds
const REST = 500; // milliseconds

export class PageHistory {
  /**
   * @param {() => PageEntry} read what the page shows now
   * @param {(entry: PageEntry) => void} onRestore the user went back or forward, or changed the address
   */
  constructor(read, onRestore) {
    this.read = read;
    /** @type {number | undefined} */
    this.waiting = undefined;
    /** @type {number[]} */
    this.written = []; // times of the last changes
    this.leaving = false; // the page goes back by itself, and is not there yet
    /** @type {(() => void) | null} */
    this.afterwards = null; // what the user did meanwhile
    addEventListener("popstate", ({ state }) => this.#arrived(state?.entry ?? this.#adopt(), onRestore));
    addEventListener("pagehide", () => this.#flush());
  }

  // What the page starts with: the state before a reload, or what the address names.
  first() {
    return /** @type {PageEntry} */ (history.state?.entry ?? this.#adopt());
  }

  // The page shows something else now: Back returns to what it showed before.
  push() {
    this.#once(() => {
      this.#flush();
      this.#write("pushState");
    });
  }

  // What the page shows has changed a little.
  replace() {
    this.#once(() => {
      this.#forget();
      this.#write("replaceState");
    }, false);
  }

  // As `replace`, for changes that may follow each other quickly: they are written at once while there are few.
  replaceSoon() {
    const from = performance.now() - SPAN;
    this.written = this.written.filter((time) => time > from);
    if (this.leaving || this.written.length < FREE) {
      this.replace();
      return;
    }
    this.#forget();
    this.waiting = setTimeout(() => this.replace(), REST);
  }

  // The viewer shows a photo: Back closes it, however many photos the user looks at.
  showPhoto() {
    if (!this.leaving && history.state?.entry?.photo) this.replaceSoon();
    else this.push();
  }

  // Goes back where a photo was opened in the viewer, so that closing it leaves no entry of its own.
  leavePhoto() {
    if (this.leaving || !history.state?.entry?.photo) return;
    this.#forget();
    this.leaving = true;
    history.back();
  }

  // The current link, also of what was not written yet.
  get link() {
    return new URL(fragmentOf(this.read()) || "#", location.href).href.replace(/#$/, "");
  }

  /**
   * Going back takes a moment. What the user does meanwhile is written once the page is there, and stays.
   *
   * @param {() => void} work
   * @param {boolean} first whether this replaces work that waits already
   */
  #once(work, first = true) {
    if (!this.leaving) work();
    else if (first || !this.afterwards) this.afterwards = work;
  }

  /**
   * @param {PageEntry} entry
   * @param {(entry: PageEntry) => void} onRestore
   */
  #arrived(entry, onRestore) {
    const { afterwards } = this;
    this.#forget();
    this.leaving = false;
    this.afterwards = null;
    if (afterwards) afterwards();
    else onRestore(entry);
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
    this.written.push(performance.now());
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
