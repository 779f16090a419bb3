// The buttons below the sheet, and keyboard shortcuts.

import { button, byId } from "./elements.js";

/** @import { Paper, Tool } from "./paper.js" */

export class Toolbar {
  /** @param {Paper} paper */
  constructor(paper) {
    this.paper = paper;
    /** @type {Record<string, () => void>} */
    this.actions = {
      undo: () => paper.undo(),
      redo: () => paper.redo(),
      clear: () => paper.clear(),
      fit: () => paper.fit(),
      pen: () => this.choose("pen"),
      eraser: () => this.choose("eraser"),
    };
    for (const [id, action] of Object.entries(this.actions)) byId(id).addEventListener("click", action);
    this.choose("pen");
  }

  /** @param {Tool} tool */
  choose(tool) {
    this.paper.tool = tool;
    byId("paper").dataset.tool = tool;
    for (const one of ["pen", "eraser"]) byId(one).ariaPressed = String(one === tool);
  }

  // Enables the buttons that can do something.
  update() {
    const { past, future, empty } = this.paper.sketch;
    button("undo").disabled = past.length === 0;
    button("redo").disabled = future.length === 0;
    button("clear").disabled = button("fit").disabled = empty;
  }
}

/**
 * Listens for keyboard shortcuts.
 *
 * @param {Toolbar} toolbar
 * @param {() => boolean} blocked whether a dialog is open
 * @param {() => void} onHelp shows the list of shortcuts
 */
export function listenForShortcuts({ actions }, blocked, onHelp) {
  /** @type {Record<string, () => void>} */
  const letters = {
    p: actions.pen,
    e: actions.eraser,
    f: actions.fit,
    delete: actions.clear,
    u: () => byId("file").click(),
    "/": () => byId("words").focus(),
    "?": onHelp,
  };
  addEventListener("keydown", (event) => {
    const target = event.target instanceof Element ? event.target : document.body;
    if (blocked() || target.matches("input:not([type=radio], [type=range]), select")) return;
    const command = event.ctrlKey || event.metaKey;
    const key = event.key.toLowerCase();
    // Letters work only near the sheet: elsewhere they may be input of speech recognition.
    const near = target === document.body || target.closest(".query") !== null;
    if (command && key === "z") (event.shiftKey ? actions.redo : actions.undo)();
    else if (command && key === "y") actions.redo();
    else if (!command && !event.altKey && letters[key] && (key === "delete" || near)) letters[key]();
    else return;
    event.preventDefault();
  });
}
