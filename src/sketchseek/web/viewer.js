// The viewer: one large photo, with its details and actions.

import { ApiError, fileUrl, openFolder, photo, ServerGone, thumbnailUrl, whyNoPicture } from "./api.js";
import { button, byId, isAbort } from "./elements.js";
import { clockOf } from "./text-formats.js";
import { texts } from "./texts.js";

/** @import { Results } from "./results.js" */
/** @import { Result } from "./types.d.ts" */

const LEFT = "left"; // the dialog's value where the page closed it

export class Viewer {
  /**
   * @param {Pick<Results, "at" | "find" | "total">} results
   * @param {object} handlers
   * @param {(result: Result) => void} handlers.onLike search for similar photos
   * @param {(result: Result) => void} handlers.onPart search with a part of the photo
   * @param {(result: Result, right: boolean) => void} handlers.onMark
   * @param {(path: string) => void} handlers.onFolder search only in this folder
   * @param {(from: number, to: number) => void} handlers.onNeed these results are needed
   * @param {() => void} handlers.onShown another photo is shown
   * @param {(id: number | null) => void} handlers.onPhoto its id; null once none is shown
   * @param {(index: number, byUser: boolean) => void} handlers.onClosed byUser is false where the page closed the viewer
   * @param {(error: unknown) => void} handlers.onError
   * @param {(id: number) => boolean | undefined} handlers.markOf
   * @param {(id: number) => boolean} handlers.isFavorite
   * @param {(result: Result) => void} handlers.onFavorite keep it as a favorite, or no longer
   */
  constructor(results, handlers) {
    this.dialog = byId("viewer", HTMLDialogElement);
    this.image = byId("viewer-image", HTMLImageElement);
    this.results = results;
    this.handlers = handlers;
    this.index = 0;
    this.turn = 0; // grows with each photo that is shown or left
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
    byId("viewer-open").addEventListener("click", () => this.#openFolder());
    byId("viewer-favorite").addEventListener("click", () => this.#keep());
    byId("viewer-like").addEventListener("click", () => this.#leave(handlers.onLike));
    byId("viewer-part").addEventListener("click", () => this.#leave(handlers.onPart));
    byId("viewer-folder").addEventListener("click", () => this.#leave(() => handlers.onFolder(this.folder)));
    byId("viewer-right").addEventListener("click", () => this.#mark(true));
    byId("viewer-wrong").addEventListener("click", () => this.#mark(false));
    this.image.addEventListener("error", () => void this.#explain());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.asking?.abort();
      this.handlers.onPhoto(null);
      this.image.removeAttribute("src"); // else the next photo starts as this one
      this.handlers.onClosed(this.index, this.dialog.returnValue !== LEFT);
    });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  get open() {
    return this.dialog.open;
  }

  // The id of the photo that is shown, if any.
  get shown() {
    return this.open ? this.result?.id : undefined;
  }

  /** @param {number} index */
  show(index) {
    const result = this.results.at(index);
    if (!result) return;
    this.#open();
    this.#fill(result, index);
  }

  /**
   * Shows a photo by its id, also where it is not among the results.
   *
   * @param {number} id
   */
  async showPhoto(id) {
    if (this.shown === id) return;
    const turn = ++this.turn;
    const index = this.results.find(id);
    if (index >= 0) {
      this.show(index);
      return;
    }
    try {
      const { path, name } = await photo(id, new AbortController().signal);
      if (turn !== this.turn) return; // the user went on
      this.#open();
      this.#fill({ id, path, name, rank: 0, score: NaN }, -1);
      this.moved(); // results may have come
    } catch (error) {
      this.handlers.onError(error);
    }
  }

  // Closes the viewer on behalf of the page.
  close() {
    this.turn++;
    this.dialog.close(LEFT);
  }

  #open() {
    if (this.open) return;
    this.dialog.returnValue = "";
    this.dialog.showModal();
  }

  /** @param {number} by */
  step(by) {
    const result = this.results.at(this.index + by);
    if (result) this.#fill(result, this.index + by);
  }

  // Follows the photo to its new index after the results changed. If it is gone, the next photo is the one that took its
  // place.
  moved() {
    if (!this.open || !this.result) return;
    const at = this.results.find(this.result.id);
    this.index = at >= 0 ? at : Math.max(-1, this.index - 1);
    if (at >= 0) this.#showRank();
    this.refresh();
  }

  // Updates the step buttons; further results may have come.
  refresh() {
    button("viewer-previous").disabled = !this.results.at(this.index - 1);
    button("viewer-next").disabled = !this.results.at(this.index + 1);
  }

  #showRank() {
    byId("viewer-rank").textContent = this.index < 0 ? "" : texts.rank(this.index + 1, this.results.total);
  }

  /**
   * @param {Result} result
   * @param {number} index -1 where it is not among the results
   */
  async #fill(result, index) {
    this.turn++;
    this.index = index;
    this.result = result;
    this.asking?.abort();
    this.asking = new AbortController();
    byId("viewer-error").hidden = true;
    this.#showRank();
    byId("viewer-name").textContent = result.name;
    byId("viewer-path").textContent = result.path;
    const facts = Number.isNaN(result.score) ? [] : [texts.score(result.score)];
    if (typeof result.time === "number") facts.push(clockOf(result.time));
    byId("viewer-facts").textContent = facts.join(" · ");
    byId("viewer-file", HTMLAnchorElement).href = fileUrl(result.id);
    byId("viewer-download", HTMLAnchorElement).href = fileUrl(result.id, { download: true });
    byId("viewer-download", HTMLAnchorElement).download = result.name;
    byId("viewer-copy").textContent = texts.copyPath;
    byId("viewer-open").textContent = texts.openFolder;
    byId("viewer-open").hidden = !this.mayOpen;
    button("viewer-folder").disabled = true;
    this.#showMark();
    byId("viewer-favorite").ariaPressed = String(this.handlers.isFavorite(result.id));
    this.refresh();
    if (index >= 0) this.handlers.onNeed(index, index + 2);
    this.handlers.onShown();
    this.handlers.onPhoto(result.id);
    this.image.alt = result.name;
    this.image.src = thumbnailUrl(result.id, 1280);
    try {
      const known = await photo(result.id, this.asking.signal);
      if (known.width && known.height) facts.push(texts.pixels(known.width, known.height));
      facts.push(texts.bytes(known.size));
      if (known.date) facts.push(texts.date(known.date));
      byId("viewer-facts").textContent = facts.join(" · ");
      this.folder = known.folder;
      button("viewer-folder").disabled = false;
      if (known.missing) this.showError(texts.missing);
    } catch (error) {
      if (!isAbort(error)) this.showError(error instanceof ApiError ? error.message : texts.serverGone);
      if (error instanceof ServerGone) this.handlers.onError(error);
    }
  }

  // Says why the picture did not load: the file is gone, or the server is.
  async #explain() {
    const { result } = this;
    const src = this.image.getAttribute("src");
    if (!result || !src) return;
    const error = await whyNoPicture(src);
    if (result !== this.result) return;
    this.showError(error instanceof ServerGone ? texts.serverGone : texts.missing);
    if (error instanceof ServerGone) this.handlers.onError(error);
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

  // Closes the viewer and hands its photo on; Back returns to it.
  /** @param {(result: Result) => void} handler */
  #leave(handler) {
    this.close();
    if (this.result) handler(this.result);
  }

  /** @param {boolean} right */
  #mark(right) {
    if (!this.result) return;
    this.handlers.onMark(this.result, right);
    this.#showMark();
  }

  #keep() {
    if (!this.result) return;
    this.handlers.onFavorite(this.result);
    byId("viewer-favorite").ariaPressed = String(this.handlers.isFavorite(this.result.id));
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

  #openFolder() {
    if (!this.result) return;
    const { id } = this.result;
    const opened = openFolder(id).then(
      () => texts.opened,
      (error) => {
        if (this.result?.id === id) this.showError(error instanceof ApiError ? error.message : texts.serverGone);
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
  showError(message) {
    const place = byId("viewer-error");
    place.textContent = message;
    place.hidden = false;
  }
}
