// The button that copies a link to what the page shows.

import { announce } from "./announcer.js";
import { button, byId } from "./elements.js";
import { texts } from "./texts.js";

const SHOWN = 2000; // milliseconds that the outcome is shown

/** @param {() => string} link */
export function connectCopyLink(link) {
  const copy = button("copy-link");
  copy.addEventListener("click", async () => {
    const copied = await write(link());
    byId("copy-link-text").textContent = copied ? texts.copied : texts.noLink;
    announce(copied ? texts.copied : texts.noLink);
    setTimeout(() => (byId("copy-link-text").textContent = texts.copyLink), SHOWN);
  });
}

// Without https, browsers have no clipboard for pages.
/** @param {string} text */
async function write(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}
