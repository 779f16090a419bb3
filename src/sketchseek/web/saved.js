// Favorites and saved searches. They stay in this browser; the library knows nothing of them.

import { thumbnailUrl, usedLibrary } from "./api.js";
import { byId } from "./elements.js";
import { entryOf } from "./page-entry.js";
import { sketchPicture } from "./sketch-picture.js";
import { texts } from "./texts.js";

/** @import { PhotoName, SavedSearch } from "./types.d.ts" */

const MOST = 500; // of each

/**
 * A list that the browser keeps for the searched library.
 *
 * @template T
 */
class Kept {
  /** @param {string} name */
  constructor(name) {
    this.name = name;
  }

  /** @returns {T[]} */
  get all() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#key) ?? "[]");
      return Array.isArray(kept) ? kept : [];
    } catch {
      return []; // the browser stores nothing, or somebody else wrote there
    }
  }

  set all(items) {
    try {
      localStorage.setItem(this.#key, JSON.stringify(items.slice(0, MOST)));
    } catch {
      // The browser stores nothing.
    }
  }

  get #key() {
    return `sketchseek ${this.name} ${usedLibrary()}`;
  }
}

export class Favorites {
  constructor() {
    /** @type {Kept<PhotoName>} */
    this.kept = new Kept("favorites");
  }

  /** @param {number} id */
  has(id) {
    return this.kept.all.some((one) => one.id === id);
  }

  /** @param {PhotoName[]} photos */
  add(photos) {
    const added = photos.map(({ id, name }) => ({ id, name }));
    this.kept.all = [...added, ...this.kept.all.filter((one) => !added.some(({ id }) => id === one.id))];
  }

  /** @param {PhotoName} photo */
  toggle(photo) {
    if (this.has(photo.id)) this.remove(photo.id);
    else this.add([photo]);
  }

  /** @param {number} id */
  remove(id) {
    this.kept.all = this.kept.all.filter((one) => one.id !== id);
  }
}

export class SavedPanel {
  /**
   * @param {Favorites} favorites
   * @param {object} handlers
   * @param {() => string} handlers.fragment of the current search, with "#"
   * @param {(id: number) => void} handlers.onPhoto a favorite was chosen
   */
  constructor(favorites, handlers) {
    this.favorites = favorites;
    this.handlers = handlers;
    /** @type {Kept<SavedSearch>} */
    this.searches = new Kept("searches");
    this.dialog = byId("saved", HTMLDialogElement);
    byId("open-saved").addEventListener("click", () => this.#open());
    byId("save-search").addEventListener("click", () => {
      const fragment = handlers.fragment();
      const others = this.searches.all.filter((one) => one.fragment !== fragment);
      this.searches.all = [{ fragment, time: Date.now() }, ...others];
      this.#open();
    });
    byId("saved-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  #open() {
    this.#show();
    if (!this.dialog.open) this.dialog.showModal();
  }

  #show() {
    const searches = this.searches.all;
    const photos = this.favorites.kept.all;
    byId("saved-searches").replaceChildren(...searches.map((one) => this.#search(one)));
    byId("saved-photos").replaceChildren(...photos.map((one) => this.#photo(one)));
    byId("no-searches").hidden = searches.length > 0;
    byId("no-favorites").hidden = photos.length > 0;
  }

  /** @param {SavedSearch} saved */
  #search({ fragment, time }) {
    const { sheets, words, like } = entryOf(fragment);
    const open = document.createElement("a");
    open.className = "button saved-search";
    open.href = fragment;
    open.addEventListener("click", () => this.dialog.close());
    if (sheets.length) open.append(sketchPicture(sheets.flat()));
    const text = document.createElement("span");
    text.textContent = [
      words.text || (like ? texts.likeThat : texts.savedDrawing),
      texts.date(new Date(time).toISOString()),
    ].join(" · ");
    open.append(text);
    return this.#item(open, () => {
      this.searches.all = this.searches.all.filter((one) => one.fragment !== fragment);
    });
  }

  /** @param {PhotoName} photo */
  #photo({ id, name }) {
    const open = document.createElement("button");
    open.type = "button";
    open.className = "saved-photo";
    open.title = open.ariaLabel = name;
    const image = new Image();
    image.alt = "";
    image.src = thumbnailUrl(id, 160);
    open.append(image);
    open.addEventListener("click", () => {
      this.dialog.close();
      this.handlers.onPhoto(id);
    });
    return this.#item(open, () => this.favorites.remove(id));
  }

  /** @type {(content: HTMLElement, onRemove: () => void) => HTMLElement} */
  #item(content, onRemove) {
    const item = document.createElement("li");
    const remove = document.createElement("button");
    remove.type = "button";
    remove.className = "remove";
    remove.ariaLabel = remove.title = texts.remove;
    remove.textContent = "✕";
    remove.addEventListener("click", () => {
      onRemove();
      this.#show();
    });
    item.append(content, remove);
    return item;
  }
}
