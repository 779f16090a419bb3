// The line below the sheet that says where sketches are encoded.

import { byId } from "./elements.js";
import { texts } from "./texts.js";

/** @import { EncodingTimes } from "./types.d.ts" */

/** @type {(mode: string, reason: string, times: EncodingTimes | null) => void} */
export function showEncodingMode(mode, reason, times) {
  const line = byId("where");
  line.dataset.mode = mode;
  line.dataset.reason = reason;
  line.dataset.times = times ? `${times.browser.toFixed(1)} ${times.server.toFixed(1)}` : ""; // for whoever looks into it
  line.textContent = mode === "browser" ? texts.encodedHere : texts.encodedThere;
}
