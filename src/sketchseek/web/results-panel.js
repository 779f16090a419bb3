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
 * Shows that photos were found.
 *
 * @param {number} total
 * @param {string | undefined} first name of the best one
 */
export function showFound(total, first) {
  byId("hint").hidden = true;
  announceSoon(texts.found(total, first));
}

/**
 * Says why there are no results.
 *
 * @param {boolean} fresh there is no query yet
 * @param {Status | null} status of the library, if known
 */
export function showEmpty(fresh, status) {
  const adding = status?.may.write ? texts.emptyLibraryAdd : texts.emptyLibraryIndex;
  byId("hint").textContent = status?.library.photos === 0 ? adding : fresh ? texts.hint : texts.nothing;
  byId("hint").hidden = false;
  cancelAnnouncement();
  announce(fresh ? "" : texts.found(0));
}

/**
 * Shows the filter and the marks.
 *
 * @param {Marks} marks
 * @param {boolean} visible whether there is anything to filter
 */
export function showRefining(marks, visible) {
  const { positive, negative } = marks.ids();
  byId("marked").hidden = marks.size === 0;
  byId("marked-text").textContent = texts.marked(positive.length, negative.length);
  byId("refining").hidden = !visible;
  showMarks(byId("marks"), marks);
}

// On a phone the results are below the sheet: scrolls back to their start if they were scrolled.
export function scrollToResults() {
  const { top } = byId("found").getBoundingClientRect();
  if (top < 0) scrollBy({ top: top - 60, behavior: "instant" });
}
