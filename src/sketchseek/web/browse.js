// Photos before anything is drawn: the newest first, by folder, date or path.

import { listPhotos, photoFolders } from "./api.js";
import { byId } from "./elements.js";
import { texts } from "./texts.js";

/** @import { Filter, AskPage, PhotoOrder } from "./types.d.ts" */

const ASKED = 1000; // folders
const SHOWN = 8; // of them, those with the most photos

export class Browse extends EventTarget {
  /**
   * Event: "change", when another order was chosen.
   *
   * @param {object} options
   * @param {(path: string) => void} options.onFolder a folder was chosen; "" for all
   */
  constructor({ onFolder }) {
    super();
    this.onFolder = onFolder;
    this.known = ""; // library and number of photos for which folders are shown
    this.order = byId("order", HTMLSelectElement);
    this.order.replaceChildren(...Object.entries(texts.orders).map(([value, text]) => new Option(text, value)));
    this.order.addEventListener("change", () => this.dispatchEvent(new Event("change")));
  }

  /**
   * Makes a function that asks for pages of photos.
   *
   * @param {Filter} filter
   * @returns {AskPage}
   */
  pages(filter) {
    const order = /** @type {PhotoOrder} */ (this.order.value);
    return async (signal, { k, offset }) => {
      const { photos, total } = await listPhotos({ ...filter, order, k, offset }, signal);
      const results = photos.map(({ id, path, name }) => ({ id, path, name, rank: 0, score: NaN }));
      return { results, offset, total };
    };
  }

  /**
   * Shows the folders of a library as buttons.
   *
   * @param {string} library
   * @param {number} photos
   * @param {string} chosen the folder of the filter
   */
  async showFolders(library, photos, chosen) {
    const key = `${library} ${photos}`;
    if (this.known !== key) {
      this.known = key;
      const { folders } = await photoFolders("", ASKED).catch(() => ({ folders: [] }));
      if (this.known !== key) return; // another library was chosen
      const most = folders.sort((one, other) => other.photos - one.photos).slice(0, folders.length > 1 ? SHOWN : 0);
      byId("browse-folders").replaceChildren(...most.map(({ path }) => this.#chip(path)));
    }
    for (const button of byId("browse-folders").querySelectorAll("button")) {
      button.ariaPressed = String(button.title === chosen);
    }
  }

  /** @param {string} path */
  #chip(path) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.title = path;
    button.dir = "auto";
    button.textContent = path.split(/[\\/]/).filter(Boolean).at(-1) ?? path;
    button.addEventListener("click", () => this.onFolder(button.ariaPressed === "true" ? "" : path));
    item.append(button);
    return item;
  }
}
