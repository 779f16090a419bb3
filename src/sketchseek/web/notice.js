// The notice that shows errors. While the server does not answer, it asks again until the server is back.

import * as api from "./api.js";
import { byId, messageOf } from "./elements.js";
import { texts } from "./texts.js";

/** @import { Status } from "./types.d.ts" */

const RETRY = 2000; // milliseconds between attempts to reach the server

export class Notice {
  /** @param {(status: Status) => void} onBack the server answers again */
  constructor(onBack) {
    this.onBack = onBack;
    this.asking = false;
    /** @type {number | undefined} */
    this.retrying = undefined;
    byId("retry").addEventListener("click", () => this.#retry());
  }

  // Whether the server does not answer.
  get gone() {
    return this.retrying !== undefined;
  }

  /** @param {unknown} error */
  show(error) {
    const gone = error instanceof api.ServerGone;
    const remedy = error instanceof api.ApiError ? error.remedy : "";
    byId("notice-text").textContent = gone ? texts.serverGone : messageOf(error) || texts.serverFailed;
    byId("notice-remedy").textContent = gone ? texts.serverGoneRemedy : remedy;
    byId("retry").hidden = !gone;
    if (gone) byId("running").hidden = true; // the progress of indexing is no longer known
    byId("notice").hidden = false;
    if (gone) this.retrying ??= setInterval(() => this.#retry(), RETRY);
  }

  clear() {
    byId("notice").hidden = true;
    clearInterval(this.retrying);
    this.retrying = undefined;
  }

  async #retry() {
    if (this.asking) return; // a server that hangs is not asked twice
    this.asking = true;
    let status;
    try {
      status = await api.status();
    } catch {
      return;
    } finally {
      this.asking = false;
    }
    this.clear();
    this.onBack(status);
  }
}
