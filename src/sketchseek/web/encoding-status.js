// The line below the sheet that says where sketches are encoded.

import { byId } from "./elements.js";
import { texts } from "./texts.js";

/** @import { EncodingTimes } from "./types.d.ts" */

/** @type {(mode: string, reason: string, times: EncodingTimes | null) => void} */
export function showEncodingMode(mode, reason, times) {
  const there = times ? texts.encodedFaster(location.hostname, times.server, times.browser) : texts.encodedThere;
  const line = byId("where");
  line.dataset.mode = mode;
  line.dataset.reason = reason;
  line.textContent = mode === "browser" ? texts.encodedHere : there;
}
