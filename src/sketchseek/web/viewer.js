// The viewer: one large photo, with its details and actions.

import { ApiError, fileUrl, openFolder, photo, thumbnailUrl } from "./api.js";
import { button, byId, isAbort } from "./elements.js";
import { texts } from "./texts.js";

/** @import { Results } from "./results.js" */
/** @import { Result } from "./types.d.ts" */

export class Viewer {
  /**
   * @param {Pick<Results, "at" | "find" | "total">} results
   * @param {object} handlers
   * @param {(result: Result) => void} handlers.onLike search for similar photos
   * @param {(result: Result) => void} handlers.onPart search with a part of the photo
   * @param {(result: Result, right: boolean) => void} handlers.onMark
   * @param {(path: string) => void} handlers.onFolder search only in this folder
   * @param {(from: number, to: number) => void} handlers.onNeed these results are needed
   * @param {(index: number) => void} handlers.onClosed
   * @param {(id: number) => boolean | undefined} handlers.markOf
   */
  constructor(results, handlers) {
    this.dialog = byId("viewer", HTMLDialogElement);
    this.image = byId("viewer-image", HTMLImageElement);
    this.results = results;
    this.handlers = handlers;
    this.index = 0;
    /** @type {Result | undefined} */
    this.result = undefined;
    this.folder = "";
    this.mayOpen = false; // whether the server can open folders for this browser
    /** @type {AbortController | undefined} */
    this.asking = undefined;
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.step(-1));
    byId("viewer-next").addEventListener("click", () => this.step(1));
    byId("viewer-copy").addEventListener("click", () => this.#tell("viewer-copy", this.#copy()));
    byId("viewer-open").addEventListener("click", () => this.#open());
    byId("viewer-like").addEventListener("click", () => this.#leave(handlers.onLike));
    byId("viewer-part").addEventListener("click", () => this.#leave(handlers.onPart));
    byId("viewer-folder").addEventListener("click", () => this.#leave(() => handlers.onFolder(this.folder)));
    byId("viewer-right").addEventListener("click", () => this.#mark(true));
    byId("viewer-wrong").addEventListener("click", () => this.#mark(false));
    this.image.addEventListener("error", () => this.#showError(texts.missing));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.asking?.abort();
      this.image.removeAttribute("src"); // else the next photo starts as this one
      this.handlers.onClosed(this.index);
    });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  get open() {
    return this.dialog.open;
  }

  /** @param {number} index */
  show(index) {
    this.#fill(index);
    if (!this.dialog.open) this.dialog.showModal();
  }

  /** @param {number} by */
  step(by) {
    if (this.results.at(this.index + by)) this.#fill(this.index + by);
  }

  // Follows the photo to its new index after the results changed. If it is gone, the next photo is the one that took its
  // place.
  moved() {
    if (!this.open || !this.result) return;
    const at = this.results.find(this.result.id);
    this.index = at >= 0 ? at : this.index - 1;
    this.refresh();
  }

  // Updates the step buttons; further results may have come.
  refresh() {
    button("viewer-previous").disabled = !this.results.at(this.index - 1);
    button("viewer-next").disabled = !this.results.at(this.index + 1);
  }

  /** @param {number} index */
  async #fill(index) {
    const result = this.results.at(index);
    if (!result) return;
    this.index = index;
    this.result = result;
    this.asking?.abort();
    this.asking = new AbortController();
    byId("viewer-error").hidden = true;
    byId("viewer-rank").textContent = texts.rank(index + 1, this.results.total);
    byId("viewer-name").textContent = result.name;
    byId("viewer-path").textContent = result.path;
    byId("viewer-facts").textContent = texts.score(result.score);
    byId("viewer-file", HTMLAnchorElement).href = fileUrl(result.id);
    byId("viewer-download", HTMLAnchorElement).href = fileUrl(result.id, { download: true });
    byId("viewer-download", HTMLAnchorElement).download = result.name;
    byId("viewer-copy").textContent = texts.copyPath;
    byId("viewer-open").textContent = texts.openFolder;
    byId("viewer-open").hidden = !this.mayOpen;
    button("viewer-folder").disabled = true;
    this.#showMark();
    this.refresh();
    this.handlers.onNeed(index, index + 2);
    this.image.alt = result.name;
    this.image.src = thumbnailUrl(result.id, 1280);
    try {
      const known = await photo(result.id, this.asking.signal);
      const facts = [texts.score(result.score)];
      if (known.width && known.height) facts.push(texts.pixels(known.width, known.height));
      facts.push(texts.bytes(known.size));
      if (known.date) facts.push(texts.date(known.date));
      byId("viewer-facts").textContent = facts.join(" · ");
      this.folder = known.folder;
      button("viewer-folder").disabled = false;
      if (known.missing) this.#showError(texts.missing);
    } catch (error) {
      if (!isAbort(error)) this.#showError(error instanceof ApiError ? error.message : texts.serverGone);
    }
  }

  /** @param {KeyboardEvent} event */
  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const start = getComputedStyle(this.dialog).direction === "rtl" ? -1 : 1;
    if (event.key === "ArrowRight") this.step(start);
    else if (event.key === "ArrowLeft") this.step(-start);
    else if (event.key === "+" || event.key === "-") this.#mark(event.key === "+");
    else return;
    event.preventDefault();
  }

  // Closes the viewer and hands its photo on.
  /** @param {(result: Result) => void} handler */
  #leave(handler) {
    this.dialog.close();
    if (this.result) handler(this.result);
  }

  /** @param {boolean} right */
  #mark(right) {
    if (!this.result) return;
    this.handlers.onMark(this.result, right);
    this.#showMark();
  }

  #showMark() {
    const mark = this.result && this.handlers.markOf(this.result.id);
    byId("viewer-right").ariaPressed = String(mark === true);
    byId("viewer-wrong").ariaPressed = String(mark === false);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.result?.path ?? "");
      return texts.copied;
    } catch {
      return texts.notCopied;
    }
  }

  #open() {
    if (!this.result) return;
    const { id } = this.result;
    const opened = openFolder(id).then(
      () => texts.opened,
      (error) => {
        if (this.result?.id === id) this.#showError(error instanceof ApiError ? error.message : texts.serverGone);
        return texts.openFolder;
      },
    );
    this.#tell("viewer-open", opened);
  }

  /**
   * Shows the outcome of an action on its button, unless another photo is shown by then.
   *
   * @param {string} id
   * @param {Promise<string>} outcome
   */
  async #tell(id, outcome) {
    const { result } = this;
    const text = await outcome;
    if (this.result === result) byId(id).textContent = text;
  }

  /** @param {string} message */
  #showError(message) {
    const place = byId("viewer-error");
    place.textContent = message;
    place.hidden = false;
  }
}
