// The lines around the results: hints, marks, and whether a search runs.

import { announce, announceSoon, cancelAnnouncement } from "./announcer.js";
import { byId } from "./elements.js";
import { showMarks } from "./marks.js";
import { texts } from "./texts.js";

/** @import { Marks } from "./marks.js" */
/** @import { Status } from "./types.d.ts" */

/** @param {boolean} busy */
export function showBusy(busy) {
  byId("found").setAttribute("aria-busy", String(busy));
}

/**
 * What the page shows: "browse" before a query, "results" of one, or "nothing".
 *
 * @param {"browse" | "results" | "nothing"} view
 */
export function showView(view) {
  document.body.dataset.view = view;
  byId("browse").hidden = view !== "browse";
}

/**
 * Shows the library's photos below the invitation to draw.
 *
 * @param {Emptiness} state
 */
export function showBrowse(state) {
  showView("browse");
  byId("hint").textContent = reasonOf(state);
  byId("hint").hidden = byId("examples").hidden = false;
  cancelAnnouncement();
  announce("");
}

/**
 * Shows that photos were found.
 *
 * @param {number} total
 * @param {string | undefined} first name of the best one
 */
export function showFound(total, first) {
  showView("results");
  byId("hint").hidden = byId("examples").hidden = true;
  announceSoon(texts.found(total, first));
}

/**
 * What the page knows where there are no results.
 *
 * @typedef {object} Emptiness
 * @property {boolean} fresh there is no query yet
 * @property {string} words those searched for
 * @property {Status | null} status of the library, if known
 * @property {boolean} filling the library is being indexed
 * @property {boolean} gone the server does not answer
 */

/**
 * Why there are no results.
 *
 * @param {Emptiness} state
 */
export function reasonOf({ fresh, words, status, filling, gone }) {
  if (gone) return texts.serverGone;
  if (status?.library.photos === 0) {
    if (filling) return texts.firstPhotos;
    return status.may.write ? texts.emptyLibraryAdd : texts.emptyLibraryIndex;
  }
  if (!fresh && filling) return texts.nothingYet;
  if (!fresh) return words ? texts.nothingWithWords : texts.nothing;
  return filling ? texts.hintFilling : texts.hint;
}

/** @param {Emptiness} state */
export function showEmpty(state) {
  const { fresh, status, gone } = state;
  const empty = status?.library.photos === 0;
  showView(fresh && !gone && !empty ? "browse" : "nothing");
  byId("hint").textContent = reasonOf(state);
  byId("hint").hidden = false;
  byId("examples").hidden = !fresh || gone || empty;
  cancelAnnouncement();
  announce(fresh ? "" : reasonOf(state));
}

/**
 * Shows the filter and the marks.
 *
 * @param {Marks} marks
 * @param {boolean} visible whether there may be anything to filter
 */
export function showRefining(marks, visible) {
  const { positive, negative } = marks.ids();
  byId("marked").hidden = marks.size === 0;
  byId("marked-text").textContent = texts.marked(positive.length, negative.length);
  byId("refining").hidden = !visible;
  showMarks(byId("marks"), marks);
}
