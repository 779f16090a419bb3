// The viewer: one photo, large, with what is known of it.

import { fileUrl, photo, thumbnailUrl } from "./api.js";
import { texts } from "./texts.js";

const byId = (id) => document.getElementById(id);

export class Viewer {
  // onLike(result) is called for "more like this", onClosed(index) when the viewer closes.
  constructor({ onLike, onClosed }) {
    this.dialog = byId("viewer");
    this.image = byId("viewer-image");
    this.results = [];
    this.index = 0;
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.step(-1));
    byId("viewer-next").addEventListener("click", () => this.step(1));
    byId("viewer-copy").addEventListener("click", () => this.#copy());
    byId("viewer-like").addEventListener("click", () => {
      const result = this.results[this.index];
      this.dialog.close();
      onLike(result);
    });
    this.image.addEventListener("error", () => this.#wrong(texts.missing));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => onClosed(this.index));
    this.dialog.addEventListener("keydown", (event) => {
      const start = getComputedStyle(this.dialog).direction === "rtl" ? -1 : 1;
      if (event.key === "ArrowRight") this.step(start);
      if (event.key === "ArrowLeft") this.step(-start);
    });
  }

  get open() {
    return this.dialog.open;
  }

  show(results, index) {
    this.results = results;
    this.#fill(index);
    if (!this.dialog.open) this.dialog.showModal();
  }

  step(by) {
    if (this.results[this.index + by]) this.#fill(this.index + by);
  }

  async #fill(index) {
    const result = this.results[index];
    this.index = index;
    this.asking?.abort();
    this.asking = new AbortController();
    byId("viewer-error").hidden = true;
    byId("viewer-name").textContent = result.name;
    byId("viewer-path").textContent = result.path;
    byId("viewer-facts").textContent = texts.score(result.score);
    byId("viewer-file").href = fileUrl(result.id);
    byId("viewer-copy").textContent = texts.copyPath;
    byId("viewer-previous").disabled = index === 0;
    byId("viewer-next").disabled = index === this.results.length - 1;
    this.image.alt = result.name;
    this.image.src = thumbnailUrl(result.id, 1280);
    try {
      const known = await photo(result.id, this.asking.signal);
      if (known.width && known.height) {
        byId("viewer-facts").textContent = `${texts.score(result.score)} · ${texts.pixels(known.width, known.height)}`;
      }
      if (known.missing) this.#wrong(texts.missing);
    } catch (error) {
      if (error.name !== "AbortError") this.#wrong(error.remedy === undefined ? texts.serverGone : error.message);
    }
  }

  async #copy() {
    const button = byId("viewer-copy");
    try {
      await navigator.clipboard.writeText(this.results[this.index].path);
      button.textContent = texts.copied;
    } catch {
      button.textContent = texts.notCopied;
    }
  }

  #wrong(message) {
    const place = byId("viewer-error");
    place.textContent = message;
    place.hidden = false;
  }
}
