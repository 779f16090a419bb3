// Selecting several photos: to download them as one archive, to copy their paths, or to keep them as favorites.

import { announce } from "./announcer.js";
import { archiveUrl } from "./api.js";
import { button, byId } from "./elements.js";
import { texts } from "./texts.js";

/** @import { Favorites } from "./saved.js" */
/** @import { Result } from "./types.d.ts" */

const MOST = 500; // photos that the server puts into one archive

export class Selection extends EventTarget {
  /**
   * Event: "change".
   *
   * @param {Favorites} favorites
   */
  constructor(favorites) {
    super();
    this.favorites = favorites;
    this.on = false; // whether a click on a photo selects it
    /** @type {Map<number, Result>} */
    this.chosen = new Map(); // by id
    this.last = -1; // index of the one that was chosen last
    byId("select").addEventListener("click", () => this.turn(!this.on));
    byId("select-done").addEventListener("click", () => this.turn(false));
    byId("select-paths").addEventListener("click", () => void this.#copyPaths());
    byId("select-favorite").addEventListener("click", () => {
      favorites.add([...this.chosen.values()]);
      this.#tell("select-favorite", texts.favoriteAdded);
    });
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !this.on || document.querySelector("dialog[open], :popover-open")) return;
      this.turn(false);
      button("select").focus();
    });
    this.#show();
  }

  /** @param {number} id */
  has(id) {
    return this.chosen.has(id);
  }

  /** @param {boolean} on */
  turn(on) {
    this.on = on;
    this.last = -1;
    this.chosen.clear();
    this.#changed();
  }

  // Selects a photo, or no longer; with `all`, the ones between the last one and this one, too.
  /** @type {(index: number, at: (index: number) => Result | undefined, all: boolean) => void} */
  toggle(index, at, all) {
    const [from, to] = all && this.last >= 0 ? [this.last, index].sort((a, b) => a - b) : [index, index];
    const add = all || !this.has(at(index)?.id ?? 0);
    for (let i = from; i <= to; i++) {
      const result = at(i);
      if (result && add && this.chosen.size < MOST) this.chosen.set(result.id, result);
      else if (result && !add) this.chosen.delete(result.id);
    }
    this.last = index;
    this.#changed();
  }

  #changed() {
    this.#show();
    this.dispatchEvent(new Event("change"));
  }

  #show() {
    const { on, chosen } = this;
    byId("select").ariaPressed = String(on);
    byId("selected").hidden = !on;
    byId("selected-text").textContent = chosen.size ? texts.selected(chosen.size) : texts.selectHint;
    const zip = byId("select-zip", HTMLAnchorElement);
    zip.hidden = byId("select-paths").hidden = byId("select-favorite").hidden = chosen.size === 0;
    zip.href = archiveUrl([...chosen.keys()]);
    byId("select-paths").textContent = texts.copyPaths;
    byId("select-favorite").textContent = texts.favorite;
  }

  async #copyPaths() {
    const paths = [...this.chosen.values()].map(({ path }) => path).join("\n");
    const copied = await navigator.clipboard.writeText(paths).then(
      () => true,
      () => false,
    );
    this.#tell("select-paths", copied ? texts.copied : texts.notCopied);
  }

  /** @type {(id: string, text: string) => void} */
  #tell(id, text) {
    byId(id).textContent = text;
    announce(text);
  }
}
