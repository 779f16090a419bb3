// Menus and panels that open from a button: the browser opens and closes them, this puts them beside the button.

const SPACE = 8; // pixels from the button and from the window's edges

/** Places each popover of the page when it opens. */
export function placePopovers() {
  for (const popover of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll("[popover]"))) {
    const button = document.querySelector(`[popovertarget="${popover.id}"]`);
    // What a menu's button opens takes the menu's place; what it says stays readable.
    popover.addEventListener("click", ({ target }) => {
      const chosen = target instanceof Element ? target.closest("button, a") : null;
      if (chosen && popover.classList.contains("menu") && !chosen.hasAttribute("data-stays")) popover.hidePopover();
    });
    popover.addEventListener("toggle", (event) => {
      if (button && /** @type {ToggleEvent} */ (event).newState === "open") place(popover, button);
    });
  }
  addEventListener("resize", closePopovers);
}

export function closePopovers() {
  for (const open of /** @type {NodeListOf<HTMLElement>} */ (document.querySelectorAll(":popover-open"))) {
    open.hidePopover();
  }
}

/**
 * Below the button where there is room, else above it, and within the window.
 *
 * @param {HTMLElement} popover
 * @param {Element} button
 */
function place(popover, button) {
  const at = button.getBoundingClientRect();
  const { offsetWidth: width, offsetHeight: height } = popover;
  const right = getComputedStyle(popover).direction === "rtl" ? at.left + width : at.right;
  const left = Math.min(Math.max(SPACE, right - width), innerWidth - width - SPACE);
  const below = at.bottom + SPACE;
  const above = at.top - SPACE - height;
  const top = below + height <= innerHeight - SPACE ? below : above;
  popover.style.left = `${Math.max(SPACE, left)}px`;
  popover.style.top = `${Math.min(Math.max(SPACE, top), Math.max(SPACE, innerHeight - height - SPACE))}px`;
}
