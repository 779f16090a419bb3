// Tells screen readers what happened.

import { byId } from "./elements.js";

const QUIET = 700; // milliseconds without a newer announcement before results are read out

/** @type {number | undefined} */
let waiting;

/** @param {string} text */
export function announce(text) {
  byId("live").textContent = text;
}

/**
 * Announces a text unless another one replaces it soon.
 *
 * @param {string} text
 */
export function announceSoon(text) {
  cancelAnnouncement();
  waiting = setTimeout(() => announce(text), QUIET);
}

export const cancelAnnouncement = () => clearTimeout(waiting);
