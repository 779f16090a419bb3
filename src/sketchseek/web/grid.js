// The grid of results. Tiles keep their places, and a new photo fades in over the old one when it is decoded. Only tiles near
// the window exist, so that a hundred thousand results scroll as smoothly as a hundred.

import { fileUrl, ServerGone, thumbnailUrl, whyNoPicture } from "./api.js";
import { heightOf, layoutOf, placeOf, rangeOf, sizeFor } from "./layout.js";
import { clockOf } from "./text-formats.js";
import { texts } from "./texts.js";
import { ThumbnailQueue } from "./thumbnails.js";

/** @import { Result } from "./types.d.ts" */

const FADED = 200; // milliseconds after which a covered photo can be removed

/**
 * A tile and its parts.
 *
 * @typedef {object} Tile
 * @property {HTMLLIElement} item
 * @property {HTMLButtonElement} photo
 * @property {HTMLElement} caption
 * @property {HTMLButtonElement[]} marks
 * @property {HTMLButtonElement} copies
 * @property {(() => void) | null} stopLoading
 */

export class Grid {
  /**
   * @param {HTMLElement} list
   * @param {object} options
   * @param {{ at: (index: number) => Result | undefined, total: number }} options.results
   * @param {(index: number, event: MouseEvent) => void} options.onOpen a result was chosen
   * @param {(result: Result, right: boolean) => void} options.onMark a result was marked
   * @param {(result: Result) => void} options.onCopies the copies of a result are asked for
   * @param {(from: number, to: number) => void} options.onNeed these results are visible
   * @param {(id: number) => boolean | undefined} options.markOf
   * @param {(id: number) => boolean | undefined} options.selected whether a photo is selected; undefined where none can be
   * @param {(error: unknown) => void} options.onError
   * @param {() => number} options.coveredHeight how many pixels of the window's top are covered
   */
  constructor(list, { results, onOpen, onMark, onCopies, onNeed, markOf, selected, onError, coveredHeight }) {
    this.list = list;
    this.results = results;
    this.handlers = { onOpen, onMark, onCopies, onNeed, markOf, selected, onError, coveredHeight };
    this.queue = new ThumbnailQueue();
    /** @type {Map<number, Tile>} */
    this.tiles = new Map(); // by index
    this.stop = 0; // the tile that Tab reaches; arrow keys move it
    this.layout = layoutOf(1, 1);
    list.addEventListener("click", (event) => this.#click(event));
    list.addEventListener("keydown", (event) => this.#key(event));
    list.addEventListener("dragstart", (event) => this.#drag(event));
    list.addEventListener("focusin", (event) => this.#moveStop(indexOf(event.target)));
    let asked = false;
    const soon = () => {
      if (asked) return;
      asked = true;
      requestAnimationFrame(() => {
        asked = false;
        this.#render();
      });
    };
    addEventListener("scroll", soon, { passive: true });
    addEventListener("resize", soon);
    new ResizeObserver(() => this.#arrange()).observe(list);
    if (list.parentElement) new ResizeObserver(soon).observe(list.parentElement); // what is above the grid may grow
  }

  // How many tiles fit into the window.
  get room() {
    const [from, to] = rangeOf(this.layout, Infinity, 0, innerHeight);
    return to - from;
  }

  // Shows the results after they changed.
  show() {
    this.stop = Math.max(0, Math.min(this.stop, this.results.total - 1));
    this.list.style.blockSize = `${heightOf(this.layout, this.results.total)}px`;
    this.#render(true);
  }

  /** @param {number} index */
  focus(index) {
    if (index >= this.results.total) return;
    this.#moveStop(index);
    const [, y] = placeOf(this.layout, index);
    const top = this.list.getBoundingClientRect().top + y;
    const start = this.handlers.coveredHeight() + this.layout.gap;
    if (top < start - this.layout.gap) scrollBy(0, top - start);
    else if (top + this.layout.row > innerHeight) scrollBy(0, top + this.layout.row - innerHeight);
    this.#render();
    this.tiles.get(index)?.photo.focus({ preventScroll: true });
  }

  // Moves every tile after the window's size changed.
  #arrange() {
    this.layout = layoutOf(this.list.clientWidth, innerWidth);
    for (const [index, tile] of this.tiles) this.#put(tile, index);
    this.show();
  }

  #render(anew = false) {
    const { results, layout, tiles } = this;
    const top = this.list.getBoundingClientRect().top;
    const [from, to] = rangeOf(layout, results.total, top, innerHeight);
    for (const [index, tile] of tiles) {
      const seen = index >= from && index < to;
      if (seen || (index < results.total && tile.item.contains(document.activeElement))) continue;
      tile.stopLoading?.();
      tile.item.remove();
      tiles.delete(index);
    }
    /** @type {HTMLElement | null} */
    let after = null; // elements are in the order of ranks, for screen readers
    for (let index = to - 1; index >= from; index--) {
      const known = tiles.get(index);
      const tile = known ?? newTile();
      if (!known) {
        tiles.set(index, tile);
        this.#put(tile, index);
        this.list.insertBefore(tile.item, after);
      }
      after = tile.item;
      if (!known || anew || tile.item.dataset.id === "") this.#fill(tile, index);
    }
    if (to > from) this.handlers.onNeed(from, to);
  }

  /** @type {(tile: Tile, index: number) => void} */
  #put({ item }, index) {
    const [x, y] = placeOf(this.layout, index);
    item.dataset.index = String(index);
    item.style.insetInlineStart = `${x}px`;
    item.style.insetBlockStart = `${y}px`;
    item.style.inlineSize = item.style.blockSize = `${this.layout.tile}px`;
  }

  /** @type {(tile: Tile, index: number) => void} */
  #fill(tile, index) {
    const result = this.results.at(index);
    const { item, photo, caption, copies } = tile;
    item.ariaPosInSet = String(index + 1);
    item.ariaSetSize = String(this.results.total);
    photo.tabIndex = index === this.stop ? 0 : -1;
    photo.ariaDisabled = String(!result); // not disabled: the focus may come before the result
    photo.ariaLabel = result ? texts.result(index + 1, result.name, this.handlers.markOf(result.id)) : texts.coming;
    photo.title = result?.path ?? "";
    caption.textContent = result ? captionOf(result) : "";
    const copied = result?.copies?.length ?? 0;
    copies.hidden = copied === 0;
    copies.tabIndex = photo.tabIndex;
    copies.textContent = texts.copies(copied);
    copies.title = copies.ariaLabel = result ? texts.copiesOf(copied, result.name) : "";
    this.#mark(tile, result);
    const selected = result && this.handlers.selected(result.id);
    photo.ariaPressed = selected === undefined ? null : String(selected);
    const id = result ? String(result.id) : "";
    if (item.dataset.id === id) return;
    item.dataset.id = id;
    tile.stopLoading?.();
    tile.stopLoading = null;
    if (!result) {
      for (const old of photo.querySelectorAll("img, .missing")) old.remove();
      return;
    }
    const url = thumbnailUrl(result.id, sizeFor(this.layout.tile * devicePixelRatio));
    tile.stopLoading = this.queue.load(url, (image) => {
      tile.stopLoading = null;
      if (image) fadeIn(photo, image);
      else void this.#explain(tile, url);
    });
  }

  // Says on a tile why it has no photo: the file is gone, or the server is.
  /** @type {(tile: Tile, url: string) => Promise<void>} */
  async #explain(tile, url) {
    const { id } = tile.item.dataset;
    const error = await whyNoPicture(url);
    if (tile.item.dataset.id !== id) return;
    const gone = error instanceof ServerGone;
    fadeIn(tile.photo, missing(gone));
    if (gone) this.handlers.onError(error);
  }

  // Loads the photos again that did not come because the server was gone.
  reload() {
    for (const { item } of this.tiles.values()) if (item.querySelector(".gone")) item.dataset.id = "";
    this.#render(true);
  }

  /** @type {(tile: Tile, result: Result | undefined) => void} */
  #mark(tile, result) {
    const mark = result && this.handlers.markOf(result.id);
    tile.item.classList.toggle("right", mark === true);
    for (const button of tile.marks) {
      const right = button.dataset.right === "true";
      button.hidden = !result;
      button.tabIndex = tile.photo.tabIndex;
      button.ariaPressed = String(mark === right);
      button.ariaLabel = button.title = result ? texts.mark(result.name, right) : "";
    }
  }

  /** @param {number} index */
  #moveStop(index) {
    if (Number.isNaN(index) || index === this.stop) return;
    for (const [at, tile] of this.tiles) {
      for (const button of [tile.photo, ...tile.marks, tile.copies]) button.tabIndex = at === index ? 0 : -1;
    }
    this.stop = index;
  }

  /** @param {MouseEvent} event */
  #click(event) {
    const button = event.target instanceof Element ? event.target.closest("button") : null;
    const index = indexOf(event.target);
    const result = this.results.at(index);
    if (!button || !result) return;
    if (button.classList.contains("copies")) this.handlers.onCopies(result);
    else if (button.classList.contains("mark")) this.handlers.onMark(result, button.dataset.right === "true");
    else this.handlers.onOpen(index, event);
  }

  // A photo can be dragged into another program, as a file where the browser can do that.
  /** @param {DragEvent} event */
  #drag({ target, dataTransfer }) {
    const result = this.results.at(indexOf(target));
    if (!result || !dataTransfer) return;
    const url = new URL(fileUrl(result.id), location.href).href;
    dataTransfer.effectAllowed = "copy";
    dataTransfer.setData("DownloadURL", `application/octet-stream:${result.name.replaceAll(":", "_")}:${url}`);
    dataTransfer.setData("text/uri-list", url);
    dataTransfer.setData("text/plain", result.path);
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    const at = indexOf(event.target);
    const result = this.results.at(at);
    if (Number.isNaN(at) || event.ctrlKey || event.metaKey || event.altKey) return;
    const { columns, row } = this.layout;
    const start = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
    const page = columns * Math.max(1, Math.floor(innerHeight / row) - 1);
    /** @type {Record<string, number>} */
    const steps = {
      ArrowRight: start,
      ArrowLeft: -start,
      ArrowDown: columns,
      ArrowUp: -columns,
      PageDown: page,
      PageUp: -page,
    };
    const last = this.results.total - 1;
    if (event.key === "+" || event.key === "-") {
      if (result) this.handlers.onMark(result, event.key === "+");
    } else if (event.key === "Home" || event.key === "End") {
      this.focus(event.key === "Home" ? 0 : last);
    } else if (event.key in steps) {
      const target = at + steps[event.key];
      const paged = event.key.startsWith("Page");
      if (paged) this.focus(Math.max(0, Math.min(last, target)));
      else if (target >= 0 && target <= last) this.focus(target);
      else return;
    } else {
      return;
    }
    event.preventDefault();
  }
}

/** @param {EventTarget | null} target */
const indexOf = (target) => Number((target instanceof Element && target.closest("li")?.dataset.index) || NaN);

/** @returns {Tile} */
function newTile() {
  const item = document.createElement("li");
  const photo = document.createElement("button");
  photo.type = "button";
  photo.className = "photo";
  photo.draggable = true;
  const caption = document.createElement("span");
  caption.className = "caption";
  caption.setAttribute("aria-hidden", "true");
  photo.append(caption);
  const marks = [markButton(true), markButton(false)];
  const copies = document.createElement("button");
  copies.type = "button";
  copies.className = "copies";
  item.append(photo, ...marks, copies);
  return { item, photo, caption, marks, copies, stopLoading: null };
}

/** @param {boolean} right */
function markButton(right) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "mark";
  button.dataset.right = String(right);
  button.textContent = right ? "✓" : "✕";
  return button;
}

/** @type {(photo: HTMLElement, shown: HTMLElement) => void} */
function fadeIn(photo, shown) {
  const old = [...photo.querySelectorAll("img, .missing")];
  shown.classList.add("coming");
  photo.insertBefore(shown, photo.lastElementChild);
  requestAnimationFrame(() => requestAnimationFrame(() => shown.classList.remove("coming")));
  setTimeout(() => old.forEach((one) => one.remove()), FADED);
}

/** @param {boolean} gone whether the server is gone, and not the file */
function missing(gone) {
  const element = document.createElement("span");
  element.className = "missing";
  element.classList.toggle("gone", gone);
  element.textContent = gone ? texts.serverGone : texts.missing;
  return element;
}

/**
 * A result's name, and of a video the time of the frame that matched.
 *
 * @param {Result} result
 */
const captionOf = ({ name, time }) => (typeof time === "number" ? `${name} · ${clockOf(time)}` : name);
