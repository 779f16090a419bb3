// The viewer: one photo, large, with what is known of it and what can be done with it.

import { fileUrl, openFolder, photo, thumbnailUrl } from "./api.js";
import { texts } from "./texts.js";

/** @type {(id: string) => any} */
const byId = (id) => document.getElementById(id);

export class Viewer {
  // results.at(index), results.total: what there is. The handlers: onLike(result), onPart(result), onMark(result, right),
  // onFolder(path), onNeed(from, to), onClosed(index); markOf(id).
  constructor(results, handlers) {
    this.dialog = byId("viewer");
    this.image = byId("viewer-image");
    this.results = results;
    this.handlers = handlers;
    this.index = 0;
    this.result = null;
    this.mayOpen = false;
    byId("viewer-close").addEventListener("click", () => this.dialog.close());
    byId("viewer-previous").addEventListener("click", () => this.step(-1));
    byId("viewer-next").addEventListener("click", () => this.step(1));
    byId("viewer-copy").addEventListener("click", () => this.#tell("viewer-copy", this.#copy()));
    byId("viewer-open").addEventListener("click", () => this.#open());
    byId("viewer-like").addEventListener("click", () => this.#leave("onLike"));
    byId("viewer-part").addEventListener("click", () => this.#leave("onPart"));
    byId("viewer-folder").addEventListener("click", () => this.#leave("onFolder", this.folder));
    byId("viewer-right").addEventListener("click", () => this.#mark(true));
    byId("viewer-wrong").addEventListener("click", () => this.#mark(false));
    this.image.addEventListener("error", () => this.#wrong(texts.missing));
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => {
      this.asking?.abort();
      this.image.removeAttribute("src"); // else the next photo begins as this one
      this.handlers.onClosed(this.index);
    });
    this.dialog.addEventListener("keydown", (event) => this.#key(event));
  }

  get open() {
    return this.dialog.open;
  }

  show(index) {
    this.#fill(index);
    if (!this.dialog.open) this.dialog.showModal();
  }

  step(by) {
    if (this.results.at(this.index + by)) this.#fill(this.index + by);
  }

  // Other results are there, after a mark for one: this photo has another place among them, or none, and then the next
  // one is what took its place.
  moved() {
    if (!this.open) return;
    const at = this.results.find(this.result.id);
    this.index = at >= 0 ? at : this.index - 1;
    this.refresh();
  }

  // More results came: what lies before and after this one may be there now.
  refresh() {
    byId("viewer-previous").disabled = !this.results.at(this.index - 1);
    byId("viewer-next").disabled = !this.results.at(this.index + 1);
  }

  async #fill(index) {
    const result = this.results.at(index);
    this.index = index;
    this.result = result;
    this.asking?.abort();
    this.asking = new AbortController();
    byId("viewer-error").hidden = true;
    byId("viewer-rank").textContent = texts.rank(index + 1, this.results.total);
    byId("viewer-name").textContent = result.name;
    byId("viewer-path").textContent = result.path;
    byId("viewer-facts").textContent = texts.score(result.score);
    byId("viewer-file").href = fileUrl(result.id);
    byId("viewer-download").href = fileUrl(result.id, { download: true });
    byId("viewer-download").download = result.name;
    byId("viewer-copy").textContent = texts.copyPath;
    byId("viewer-open").textContent = texts.openFolder;
    byId("viewer-open").hidden = !this.mayOpen;
    byId("viewer-folder").disabled = true;
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
      byId("viewer-folder").disabled = false;
      if (known.missing) this.#wrong(texts.missing);
    } catch (error) {
      if (error.name !== "AbortError") this.#wrong(error.remedy === undefined ? texts.serverGone : error.message);
    }
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const start = getComputedStyle(this.dialog).direction === "rtl" ? -1 : 1;
    if (event.key === "ArrowRight") this.step(start);
    else if (event.key === "ArrowLeft") this.step(-start);
    else if (event.key === "+" || event.key === "-") this.#mark(event.key === "+");
    else return;
    event.preventDefault();
  }

  #leave(handler, value = this.result) {
    this.dialog.close();
    this.handlers[handler](value);
  }

  #mark(right) {
    this.handlers.onMark(this.result, right);
    this.#showMark();
  }

  #showMark() {
    const mark = this.handlers.markOf(this.result.id);
    byId("viewer-right").ariaPressed = String(mark === true);
    byId("viewer-wrong").ariaPressed = String(mark === false);
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.result.path);
      return texts.copied;
    } catch {
      return texts.notCopied;
    }
  }

  #open() {
    const { id } = this.result;
    const opened = openFolder(id).then(
      () => texts.opened,
      (error) => {
        if (this.result.id === id) this.#wrong(error.remedy === undefined ? texts.serverGone : error.message);
        return texts.openFolder;
      },
    );
    this.#tell("viewer-open", opened);
  }

  // Say on a button what came of it, unless another photo is shown by then.
  async #tell(button, outcome) {
    const { result } = this;
    const text = await outcome;
    if (this.result === result) byId(button).textContent = text;
  }

  #wrong(message) {
    const place = byId("viewer-error");
    place.textContent = message;
    place.hidden = false;
  }
}
