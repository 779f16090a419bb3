// The page as an app of its own: its service worker, and the button that installs it.

import { button } from "./elements.js";

/**
 * What browsers that can install a page offer.
 *
 * @typedef {Event & { prompt: () => Promise<unknown> }} InstallEvent
 */

export function offerInstallation() {
  const install = button("install");
  /** @type {InstallEvent | null} */
  let offer = null;
  addEventListener("beforeinstallprompt", (event) => {
    event.preventDefault(); // the button offers it instead
    offer = /** @type {InstallEvent} */ (event);
    install.hidden = false;
  });
  addEventListener("appinstalled", () => (install.hidden = true));
  install.addEventListener("click", () => void offer?.prompt());
  if (!("serviceWorker" in navigator)) return; // without https
  const register = () => void navigator.serviceWorker.register("service-worker.js").catch(() => {});
  if (document.readyState === "complete") register();
  else addEventListener("load", register);
}
