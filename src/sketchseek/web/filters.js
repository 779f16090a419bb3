// The search filter: a folder and a range of days.

/** @import { Filter, Result } from "./types.d.ts" */

/**
 * @typedef {object} FilterElements
 * @property {HTMLDetailsElement} details
 * @property {HTMLInputElement} folder
 * @property {HTMLDataListElement} folders
 * @property {HTMLInputElement} after
 * @property {HTMLInputElement} before
 * @property {HTMLButtonElement} clear
 * @property {HTMLElement} count
 */

export class Filters extends EventTarget {
  /**
   * Event: "change".
   *
   * @param {FilterElements} elements
   */
  constructor(elements) {
    super();
    this.elements = elements;
    const { folder, after, before, clear } = elements;
    for (const input of [folder, after, before]) input.addEventListener("change", () => this.#changed());
    clear.addEventListener("click", () => this.clear());
  }

  // How many of the fields are filled in.
  get active() {
    return Object.keys(this.bounds).length;
  }

  // The filter as the API takes it. The API's `before` is exclusive, so it is the day after the last one.
  get bounds() {
    const { folder, after, before } = this.elements;
    return boundsOf(folder.value, after.value, before.value);
  }

  /** @param {string} path */
  setFolder(path) {
    this.elements.folder.value = path;
    this.elements.details.open = true;
    this.#changed();
  }

  clear() {
    const { folder, after, before } = this.elements;
    for (const input of [folder, after, before]) input.value = "";
    this.#changed();
  }

  /**
   * Offers folders to choose from.
   *
   * @param {string[]} paths
   */
  suggest(paths) {
    const options = paths.map((path) => Object.assign(document.createElement("option"), { value: path }));
    this.elements.folders.replaceChildren(...options);
  }

  #changed() {
    const { count, clear } = this.elements;
    count.textContent = this.active ? String(this.active) : "";
    count.hidden = clear.hidden = this.active === 0;
    this.dispatchEvent(new Event("change"));
  }
}

/**
 * The filter for a folder and days as YYYY-MM-DD in the browser's time zone; "" means no bound.
 *
 * @param {string} folder
 * @param {string} after
 * @param {string} before
 */
export function boundsOf(folder, after, before) {
  /** @type {Filter} */
  const bounds = {};
  if (folder.trim()) bounds.folder = folder.trim();
  if (after) bounds.after = midnight(after, 0);
  if (before) bounds.before = midnight(before, 1);
  return bounds;
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

/**
 * Folders to offer: those of the library and those of results.
 *
 * @param {Result[]} found
 * @param {string[]} [indexed]
 */
export function foldersOf(found, indexed = []) {
  const separator = found[0]?.path.includes("\\") ? "\\" : "/";
  const parents = found.map(({ path }) => path.slice(0, path.lastIndexOf(separator)));
  return [...new Set([...indexed, ...parents])].sort().slice(0, 50);
}
