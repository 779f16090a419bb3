// The search filter: a folder, or a part of its path, and a range of days; and whether copies of a photo are one result.

import { texts } from "./texts.js";

/** @import { Filter, PhotoFolders } from "./types.d.ts" */

const REST = 150; // milliseconds without a key before folders are suggested
const ABSOLUTE = /^(\/|\\|[a-z]:[\\/])/i;

/**
 * @typedef {object} FilterElements
 * @property {HTMLDetailsElement} details
 * @property {HTMLInputElement} folder
 * @property {HTMLDataListElement} folders
 * @property {HTMLInputElement} after
 * @property {HTMLInputElement} before
 * @property {HTMLInputElement} grouped a checkbox
 * @property {HTMLButtonElement} clear
 * @property {HTMLElement} count
 */

export class Filters extends EventTarget {
  /**
   * Event: "change".
   *
   * @param {FilterElements} elements
   * @param {(contains: string) => Promise<PhotoFolders>} askFolders folders to suggest for a text
   */
  constructor(elements, askFolders) {
    super();
    this.elements = elements;
    this.askFolders = askFolders;
    /** @type {number | undefined} */
    this.typing = undefined;
    const { folder, after, before, clear } = elements;
    for (const input of [folder, after, before]) input.addEventListener("change", () => this.#changed());
    elements.grouped.addEventListener("change", () => this.#changed());
    clear.addEventListener("click", () => this.clear());
    folder.addEventListener("focus", () => void this.#suggest());
    folder.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => void this.#suggest(), REST);
    });
  }

  // How many of the fields are filled in.
  get active() {
    return Object.keys(this.filter).length;
  }

  // The filter as the API takes it. The API's `before` is exclusive, so it is the day after the last one.
  get filter() {
    const { folder, after, before } = this.elements;
    return boundsOf(folder.value, after.value, before.value);
  }

  // What the fields say.
  get values() {
    const { folder, after, before, grouped } = this.elements;
    return {
      folder: folder.value.trim(),
      after: after.value,
      before: before.value,
      ...(grouped.checked && { grouped: true }),
    };
  }

  /**
   * Fills in the fields without an event.
   *
   * @param {{ folder: string, after: string, before: string, grouped?: boolean }} values
   */
  restore(values) {
    const { folder, after, before, grouped } = this.elements;
    grouped.checked = Boolean(values.grouped);
    [folder.value, after.value, before.value] = [values.folder, values.after, values.before];
    this.#showCount();
  }

  /** @param {string} path */
  setFolder(path) {
    this.elements.folder.value = path;
    this.elements.details.open ||= path !== "";
    this.#changed();
  }

  clear() {
    const { folder, after, before } = this.elements;
    for (const input of [folder, after, before]) input.value = "";
    this.#changed();
  }

  // Offers the folders that the text names to choose from.
  async #suggest() {
    const text = this.elements.folder.value.trim();
    try {
      const { folders } = await this.askFolders(text);
      if (text !== this.elements.folder.value.trim()) return; // a newer text was typed
      this.elements.folders.replaceChildren(
        ...folders.map(({ path, photos }) => new Option(texts.photos(photos), path)),
      );
    } catch {
      // The search shows the error; the filter works without suggestions.
    }
  }

  #changed() {
    this.#showCount();
    this.dispatchEvent(new Event("change"));
  }

  #showCount() {
    const { count, clear } = this.elements;
    count.textContent = this.active ? String(this.active) : "";
    count.hidden = clear.hidden = this.active === 0;
  }
}

/**
 * The filter for a folder and days as YYYY-MM-DD in the browser's time zone; "" means no bound. A folder that is no absolute
 * path is a part of one.
 *
 * @param {string} folder
 * @param {string} after
 * @param {string} before
 */
export function boundsOf(folder, after, before) {
  /** @type {Filter} */
  const filter = {};
  const name = folder.trim();
  if (name) filter[ABSOLUTE.test(name) ? "folder" : "folder_contains"] = name;
  if (after) filter.after = midnight(after, 0);
  if (before) filter.before = midnight(before, 1);
  return filter;
}

/**
 * @param {string} day
 * @param {number} later days
 */
function midnight(day, later) {
  const [year, month, date] = day.split("-").map(Number);
  const when = new Date(2000, 0, 1);
  when.setFullYear(year, month - 1, date + later); // the constructor reads years below 100 as 19xx
  return when.toISOString();
}
