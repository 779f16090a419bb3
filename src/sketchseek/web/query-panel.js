// The current query and how it is shown on the sheet: the paper, a picture file or a photo of the library.

import * as api from "./api.js";
import { Crop } from "./crop.js";
import { byId, canvas, input } from "./elements.js";
import { keepPicture } from "./picture-store.js";
import { texts } from "./texts.js";
import { preview } from "./upload.js";

/** @import { Kind, PhotoName, Query } from "./types.d.ts" */

export class QueryPanel extends EventTarget {
  /**
   * Event: "change", when another query was chosen.
   *
   * @param {(error: unknown) => void} onError
   */
  constructor(onError) {
    super();
    this.onError = onError;
    /** @type {Query} */
    this.query = { paper: true };
    this.uploads = 0;
    this.crop = new Crop({ layer: byId("crop-area"), frame: byId("crop-frame"), picture: canvas("preview") });
    this.crop.addEventListener("change", () => this.#searchPart());
    byId("back").addEventListener("click", () => this.search({ paper: true }));
    byId("crop").addEventListener("click", () => this.#turnCrop(!this.crop.on));
    byId("kind").addEventListener("change", ({ target }) => {
      const kind = /** @type {Kind} */ (/** @type {HTMLInputElement} */ (target).value);
      this.search({ ...this.query, kind });
    });
  }

  // Whether the query is a part of a picture.
  get partial() {
    return this.query.file !== this.query.whole;
  }

  /**
   * Changes the query.
   *
   * @param {Query} query
   */
  search(query) {
    if (query.file && query.file !== this.query.file) query = { ...query, key: keepPicture(query.file) };
    this.show(query);
    this.dispatchEvent(new Event("change"));
  }

  /**
   * Changes the query without an event.
   *
   * @param {Query} query
   */
  show(query) {
    this.query = query;
    const { paper, file, like, name = "" } = query;
    byId("picture").hidden = byId("about").hidden = Boolean(paper);
    byId("where").hidden = !paper; // pictures always go to the server
    byId("kind").hidden = !file;
    byId("crop").hidden = byId("preview").hidden = !query.shown;
    byId("like").hidden = !like;
    if (!file) this.crop.turn(false);
    byId("crop").ariaPressed = String(this.crop.on);
    if (like) byId("like", HTMLImageElement).src = api.thumbnailUrl(like.id, 640);
    if (query.kind) input(`kind-${query.kind}`).checked = true;
    const about = this.partial ? texts.partOf(name) : texts.uploadAbout(name);
    byId("about-text").textContent = like ? texts.likeAbout(like.name) : file ? about : "";
  }

  /**
   * Searches with a picture file.
   *
   * @param {File} file
   * @param {Kind} [kind]
   */
  async useFile(file, kind) {
    const turn = ++this.uploads;
    const guess = await preview(file, canvas("preview"), () => turn === this.uploads);
    if (turn !== this.uploads) return; // a newer one came
    if (!guess && !/^image\/|^$/.test(file.type)) {
      this.onError(new api.ApiError(0, { type: "NotAPicture", message: texts.noPicture, remedy: "" }));
      return;
    }
    this.crop.turn(false);
    kind ??= file.type === "image/svg+xml" ? "sketch" : (guess ?? "sketch");
    this.search({ file, whole: file, kind, shown: Boolean(guess), name: file.name || texts.pasted });
  }

  /**
   * Shows the picture file of an earlier query, without an event.
   *
   * @param {File} file
   * @param {{ key: string, kind: Kind, name: string }} kept
   */
  async restoreFile(file, { key, kind, name }) {
    const turn = ++this.uploads;
    const guess = await preview(file, canvas("preview"), () => turn === this.uploads);
    if (turn === this.uploads) this.show({ file, whole: file, kind, shown: Boolean(guess), name, key });
  }

  /**
   * Loads a photo of the library, so that the user can select a part of it.
   *
   * @param {PhotoName} result
   */
  async usePartOf(result) {
    const turn = ++this.uploads;
    try {
      const answer = await fetch(api.thumbnailUrl(result.id, 1280));
      if (!answer.ok) throw new api.ApiError(answer.status, { type: "Missing", message: texts.missing, remedy: "" });
      const file = new File([await answer.blob()], result.name, { type: "image/webp" });
      await preview(file, canvas("preview"), () => turn === this.uploads);
      if (turn !== this.uploads) return;
      this.search({ file, whole: file, kind: "photo", shown: true, name: result.name });
      this.#turnCrop(true);
      byId("crop-area").focus();
    } catch (error) {
      this.onError(error instanceof api.ApiError ? error : new api.ServerGone(String(error)));
    }
  }

  /** @param {boolean} on */
  #turnCrop(on) {
    const { partial } = this;
    this.crop.turn(on);
    byId("crop").ariaPressed = String(on);
    if (!on && partial) this.search({ ...this.query, file: this.query.whole });
  }

  async #searchPart() {
    const before = this.query;
    const file = this.crop.part ? await this.crop.file(before.name ?? "") : before.whole;
    if (this.query === before) this.search({ ...before, file });
  }
}
