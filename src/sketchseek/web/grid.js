// The grid of results: places stay where they are, and a new photo fades in over the old one once it is decoded. Only
// the tiles near the window exist, so that a hundred thousand results scroll like a hundred.

import { thumbnailUrl } from "./api.js";
import { heightOf, layoutOf, placeOf, rangeOf, sizeFor } from "./layout.js";
import { texts } from "./texts.js";
import { ThumbnailQueue } from "./thumbnails.js";

const FADED = 200; // milliseconds after which a photo that was faded over can go

export class Grid {
  // results.at(index), results.total: what there is; onOpen(index): one is chosen; onMark(result, right): one is marked;
  // onNeed(from, to): these can be seen; markOf(id): true, false or undefined.
  constructor(list, { results, onOpen, onMark, onNeed, markOf }) {
    this.list = list;
    this.results = results;
    this.handlers = { onOpen, onMark, onNeed, markOf };
    this.queue = new ThumbnailQueue();
    this.tiles = new Map(); // index to its element
    this.stop = 0; // the tile that Tab reaches; arrows move it
    this.layout = layoutOf(1, 1);
    list.addEventListener("click", (event) => this.#click(event));
    list.addEventListener("keydown", (event) => this.#key(event));
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
  }

  // How many tiles the window has room for.
  get room() {
    const [from, to] = rangeOf(this.layout, Infinity, 0, innerHeight);
    return to - from;
  }

  // There are other results, or more: show them where they belong.
  show() {
    this.stop = Math.max(0, Math.min(this.stop, this.results.total - 1));
    this.list.style.blockSize = `${heightOf(this.layout, this.results.total)}px`;
    this.#render(true);
  }

  focus(index) {
    if (index >= this.results.total) return;
    this.#moveStop(index);
    const [, y] = placeOf(this.layout, index);
    const top = this.list.getBoundingClientRect().top + y;
    if (top < 0) scrollBy(0, top - this.layout.gap);
    else if (top + this.layout.row > innerHeight) scrollBy(0, top + this.layout.row - innerHeight);
    this.#render();
    this.tiles.get(index)?.firstElementChild.focus({ preventScroll: true });
  }

  // The size of the window changed: every tile has another place.
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
      if (seen || (index < results.total && tile.contains(document.activeElement))) continue;
      tile.stopLoading?.();
      tile.remove();
      tiles.delete(index);
    }
    let after = null; // reading goes by rank, so elements are in that order
    for (let index = to - 1; index >= from; index--) {
      let tile = tiles.get(index);
      const made = !tile;
      if (made) {
        tile = newTile();
        tiles.set(index, tile);
        this.#put(tile, index);
        this.list.insertBefore(tile, after);
      }
      after = tile;
      if (made || anew || tile.dataset.id === "") this.#fill(tile, index);
    }
    if (to > from) this.handlers.onNeed(from, to);
  }

  #put(tile, index) {
    const [x, y] = placeOf(this.layout, index);
    tile.dataset.index = index;
    tile.style.insetInlineStart = `${x}px`;
    tile.style.insetBlockStart = `${y}px`;
    tile.style.inlineSize = tile.style.blockSize = `${this.layout.tile}px`;
  }

  #fill(tile, index) {
    const result = this.results.at(index);
    const [photo, caption] = [tile.firstElementChild, tile.querySelector(".caption")];
    tile.ariaPosInSet = String(index + 1);
    tile.ariaSetSize = String(this.results.total);
    photo.tabIndex = index === this.stop ? 0 : -1;
    photo.ariaDisabled = String(!result); // not disabled: the arrows may come before the result does
    photo.ariaLabel = result ? texts.result(index + 1, result.name, this.handlers.markOf(result.id)) : texts.coming;
    photo.title = result?.path ?? "";
    caption.textContent = result?.name ?? "";
    this.#mark(tile, result);
    const id = result ? String(result.id) : "";
    if (tile.dataset.id === id) return;
    tile.dataset.id = id;
    tile.stopLoading?.(); // what was overtaken
    tile.stopLoading = null;
    if (!result) {
      for (const old of photo.querySelectorAll("img, .missing")) old.remove();
      return;
    }
    const url = thumbnailUrl(result.id, sizeFor(this.layout.tile * devicePixelRatio));
    tile.stopLoading = this.queue.load(url, (image) => {
      tile.stopLoading = null;
      fadeIn(photo, image ?? missing());
    });
  }

  #mark(tile, result) {
    const mark = result && this.handlers.markOf(result.id);
    tile.classList.toggle("right", mark === true);
    for (const button of tile.querySelectorAll(".mark")) {
      const right = button.dataset.right === "true";
      button.hidden = !result;
      button.tabIndex = tile.firstElementChild.tabIndex;
      button.ariaPressed = String(mark === right);
      button.ariaLabel = button.title = result ? texts.mark(result.name, right) : "";
    }
  }

  #moveStop(index) {
    if (Number.isNaN(index) || index === this.stop) return;
    for (const [at, tile] of this.tiles) {
      for (const button of tile.querySelectorAll("button")) button.tabIndex = at === index ? 0 : -1;
    }
    this.stop = index;
  }

  #click(event) {
    const button = event.target.closest("button");
    const index = indexOf(event.target);
    const result = this.results.at(index);
    if (!button || !result) return;
    if (button.classList.contains("mark")) this.handlers.onMark(result, button.dataset.right === "true");
    else this.handlers.onOpen(index);
  }

  #key(event) {
    const at = indexOf(event.target);
    const result = this.results.at(at);
    if (Number.isNaN(at) || event.ctrlKey || event.metaKey || event.altKey) return;
    const { columns, row } = this.layout;
    const start = getComputedStyle(this.list).direction === "rtl" ? -1 : 1;
    const page = columns * Math.max(1, Math.floor(innerHeight / row) - 1);
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

const indexOf = (element) => Number(element.closest("li")?.dataset.index ?? NaN);

function newTile() {
  const tile = document.createElement("li");
  const photo = document.createElement("button");
  photo.type = "button";
  photo.className = "photo";
  const caption = document.createElement("span");
  caption.className = "caption";
  caption.setAttribute("aria-hidden", "true");
  photo.append(caption);
  tile.append(photo, markButton(true), markButton(false));
  return tile;
}

function markButton(right) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "mark";
  button.dataset.right = String(right);
  button.textContent = right ? "✓" : "✕";
  return button;
}

function fadeIn(photo, shown) {
  const old = [...photo.querySelectorAll("img, .missing")];
  shown.classList.add("coming");
  photo.insertBefore(shown, photo.lastElementChild);
  requestAnimationFrame(() => requestAnimationFrame(() => shown.classList.remove("coming")));
  setTimeout(() => old.forEach((one) => one.remove()), FADED);
}

function missing() {
  const element = document.createElement("span");
  element.className = "missing";
  element.textContent = texts.missing;
  return element;
}
