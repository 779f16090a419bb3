// On a phone the sheet stays above the results while they scroll, until the user has scrolled on for a whole window. Then it
// makes room, and a small picture of the drawing brings it back.

import { button, byId } from "./elements.js";
import { sketchPicture } from "./sketch-picture.js";

/** @import { Stroke } from "./types.d.ts" */

const BAR = 50; // pixels above the sheet

/** @param {() => Stroke[]} strokes of the drawing */
export function connectToSheet(strokes) {
  const back = button("to-sheet");
  const query = document.querySelector(".query");
  let shown = 0; // scroll position from which the sheet was last in use
  const follow = () => {
    shown = Math.min(shown, Math.max(0, scrollY));
    document.body.toggleAttribute("data-scrolled", scrollY > BAR);
    document.body.toggleAttribute("data-away", scrollY - shown > innerHeight);
  };
  const use = () => {
    shown = scrollY;
    follow();
  };
  addEventListener("scroll", follow, { passive: true });
  query?.addEventListener("focusin", use); // the keyboard reaches it also where it made room
  new IntersectionObserver(([{ isIntersecting, boundingClientRect }]) => {
    back.hidden = isIntersecting || boundingClientRect.bottom > 0;
    if (!back.hidden) back.replaceChildren(sketchPicture(strokes()));
  }).observe(byId("sheet"));
  back.addEventListener("click", () => {
    use();
    if (coveredHeight() === 0) scrollTo({ top: 0 });
    byId("paper").focus({ preventScroll: true });
  });
}

/** How many pixels of the window's top the sheet covers, while results scroll below it. */
export function coveredHeight() {
  const [query, found] = [document.querySelector(".query"), byId("found")];
  if (!query || getComputedStyle(query).position !== "sticky" || document.body.hasAttribute("data-away")) return 0;
  const [above, below] = [query.getBoundingClientRect(), found.getBoundingClientRect()];
  const beside = above.right <= below.left || below.right <= above.left;
  return beside ? 0 : Math.max(0, above.height);
}

/** Scrolls back to the best results, if they were scrolled. The sheet stays where it is: a stroke may be growing on it. */
export function showFirstResults() {
  const covered = coveredHeight();
  const sheet = document.querySelector(".query")?.getBoundingClientRect();
  const { top } = byId("found").getBoundingClientRect();
  const start = covered || Math.max(0, sheet?.top ?? 0);
  if (top < start) scrollBy({ top: top - start, behavior: "instant" });
}
