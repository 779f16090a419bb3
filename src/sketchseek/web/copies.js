// The copies of one photo, which results show as one.

import { thumbnailUrl } from "./api.js";
import { button, byId } from "./elements.js";
import { texts } from "./texts.js";

/** @import { PhotoCopy, Result } from "./types.d.ts" */

export class CopiesPanel {
  /** @param {(id: number) => void} onPhoto a photo was chosen */
  constructor(onPhoto) {
    this.onPhoto = onPhoto;
    this.dialog = byId("copies", HTMLDialogElement);
    button("copies-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
  }

  /**
   * Shows a result with its copies.
   *
   * @param {Result} result
   */
  show(result) {
    const { copies = [] } = result;
    byId("copies-name").textContent = texts.copiesOf(copies.length, result.name);
    byId("copies-list").replaceChildren(...[result, ...copies].map((one) => this.#item(one)));
    this.dialog.showModal();
  }

  /** @param {PhotoCopy} photo */
  #item({ id, path }) {
    const item = document.createElement("li");
    const open = document.createElement("button");
    open.type = "button";
    const image = new Image();
    image.alt = "";
    image.src = thumbnailUrl(id, 160);
    const place = document.createElement("bdi");
    place.textContent = path;
    open.append(image, place);
    open.addEventListener("click", () => {
      this.dialog.close();
      this.onPhoto(id);
    });
    item.append(open);
    return item;
  }
}
