// Which of the server's libraries is searched.

import * as api from "./api.js";

/** @import { Status } from "./types.d.ts" */

export class LibraryChoice {
  /**
   * @param {HTMLSelectElement} select hidden where there is only one library
   * @param {() => void} onChoose the user chose another one
   */
  constructor(select, onChoose) {
    this.select = select;
    this.first = ""; // the server's default
    select.addEventListener("change", () => {
      this.use(select.value);
      onChoose();
    });
  }

  // The searched library; "" for the server's default.
  get name() {
    return api.usedLibrary();
  }

  /** @param {string} name "" for the server's default */
  use(name) {
    api.useLibrary(name === this.first ? "" : name);
    this.select.value = name || this.first;
  }

  /**
   * Lists the libraries. Where the server does not have the one that a link names, `onUnknown` hears of it and the default is
   * searched.
   *
   * @param {(error: unknown) => void} onUnknown
   * @returns {Promise<Status>} of the searched library
   */
  async load(onUnknown) {
    try {
      const [{ libraries, default: first }, status] = await Promise.all([api.libraries(), api.status()]);
      this.first = first;
      this.select.replaceChildren(...libraries.map(({ name }) => new Option(name, name)));
      this.select.hidden = libraries.length < 2;
      this.use(this.name);
      return status;
    } catch (error) {
      if (!(error instanceof api.ApiError && error.type === "LibraryNotServed") || !this.name) throw error;
      this.use("");
      onUnknown(error);
      return this.load(onUnknown);
    }
  }
}
