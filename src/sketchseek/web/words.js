// Words beside the drawing: in names of files and folders, captions, keywords, dates and places.

/** @import { Words } from "./types.d.ts" */

const REST = 250; // milliseconds without a key before the search

export class WordsBox extends EventTarget {
  /**
   * Events: "typing" at once, "change" when it is time to search.
   *
   * @param {object} elements
   * @param {HTMLInputElement} elements.text
   * @param {HTMLInputElement} elements.required a checkbox: only photos with these words
   * @param {HTMLElement} elements.option holds the checkbox, and is hidden without words
   */
  constructor(elements) {
    super();
    this.elements = elements;
    this.value = this.#read();
    this.searched = this.value;
    /** @type {number | undefined} */
    this.typing = undefined;
    const { text, required } = elements;
    text.addEventListener("input", () => {
      clearTimeout(this.typing);
      this.typing = setTimeout(() => this.#changed(), REST);
      this.#take();
    });
    text.addEventListener("change", () => this.#changed());
    text.addEventListener("keydown", ({ key }) => key === "Enter" && this.#changed());
    required.addEventListener("change", () => this.#changed());
  }

  /** @param {Words} words */
  restore({ text, required }) {
    clearTimeout(this.typing);
    this.elements.text.value = text;
    this.elements.required.checked = required;
    this.value = this.searched = this.#read();
  }

  #take() {
    this.value = this.#read();
    this.dispatchEvent(new Event("typing"));
  }

  /** @returns {Words} */
  #read() {
    const { text, required, option } = this.elements;
    const value = { text: text.value.trim(), required: required.checked };
    option.hidden = !value.text;
    return value;
  }

  #changed() {
    clearTimeout(this.typing);
    const { text, required } = this.searched;
    this.#take();
    this.searched = this.value;
    if (text === this.value.text && (required === this.value.required || !text)) return;
    this.dispatchEvent(new Event("change"));
  }
}
