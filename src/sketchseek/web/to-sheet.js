// On a phone results scroll over the sheet's place: a small picture of the drawing leads back to it.

import { button, byId } from "./elements.js";
import { sketchPicture } from "./sketch-picture.js";

/** @import { Stroke } from "./types.d.ts" */

/** @param {() => Stroke[]} strokes of the drawing */
export function connectToSheet(strokes) {
  const back = button("to-sheet");
  new IntersectionObserver(([{ isIntersecting, boundingClientRect }]) => {
    back.hidden = isIntersecting || boundingClientRect.bottom > 0;
    if (!back.hidden) back.replaceChildren(sketchPicture(strokes()));
  }).observe(byId("sheet"));
  back.addEventListener("click", () => {
    scrollTo({ top: 0 });
    byId("paper").focus({ preventScroll: true });
  });
}
