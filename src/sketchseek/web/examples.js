// Example drawings to try the search with.

import { sketchPicture } from "./sketch-picture.js";
import { texts } from "./texts.js";

/** @import { Point, Stroke } from "./types.d.ts" */

const WIDTH = 7;

/** @type {(x: number, y: number, rx: number, ry: number, from?: number, to?: number) => [number, number][]} */
function arc(x, y, rx, ry, from = 0, to = 360) {
  const count = Math.max(6, Math.round(Math.abs(to - from) / 15));
  return Array.from({ length: count + 1 }, (_, i) => {
    const angle = ((from + ((to - from) * i) / count) * Math.PI) / 180;
    return [x + rx * Math.cos(angle), y + ry * Math.sin(angle)];
  });
}

// Lines in units of the sheet.
/** @type {Record<"cat" | "bicycle" | "flower", [number, number][][]>} */
const LINES = {
  cat: [
    [
      [290, 330],
      [270, 130],
      [420, 240],
      [580, 240],
      [730, 130],
      [710, 330],
      [755, 480],
      [720, 640],
      [620, 740],
      [500, 775],
      [380, 740],
      [280, 640],
      [245, 480],
      [290, 330],
    ],
    arc(395, 440, 28, 38),
    arc(605, 440, 28, 38),
    [
      [462, 552],
      [538, 552],
      [500, 594],
      [462, 552],
    ],
    [
      [500, 594],
      [500, 640],
      [450, 676],
      [405, 656],
    ],
    [
      [500, 640],
      [550, 676],
      [595, 656],
    ],
    [
      [360, 580],
      [150, 530],
    ],
    [
      [360, 610],
      [140, 630],
    ],
    [
      [640, 580],
      [850, 530],
    ],
    [
      [640, 610],
      [860, 630],
    ],
  ],
  bicycle: [
    arc(265, 610, 175, 175),
    arc(735, 610, 175, 175),
    [
      [265, 610],
      [385, 360],
      [640, 360],
      [470, 620],
      [265, 610],
    ],
    [
      [470, 620],
      [365, 310],
      [310, 310],
      [430, 305],
    ],
    [
      [735, 610],
      [620, 270],
      [690, 240],
      [735, 265],
    ],
  ],
  flower: [
    arc(500, 330, 75, 75),
    arc(500, 185, 80, 88, 70, 470),
    arc(640, 285, 80, 80, 140, 540),
    arc(590, 450, 80, 80, -130, 230),
    arc(410, 450, 80, 80, -60, 300),
    arc(360, 285, 80, 80, 0, 380),
    [
      [500, 520],
      [512, 650],
      [498, 790],
      [500, 910],
    ],
    [
      [505, 740],
      [580, 640],
      [700, 620],
      [640, 730],
      [505, 760],
    ],
    [
      [500, 820],
      [420, 720],
      [310, 700],
      [370, 810],
      [500, 835],
    ],
  ],
};

/** @param {[number, number][][]} lines */
const strokesOf = (lines) =>
  lines.map((line) => ({ points: line.map(([x, y]) => /** @type {Point} */ ([x, y, 0.5])), width: WIDTH }));

/**
 * Fills a list with buttons, one for each example.
 *
 * @param {HTMLElement} list
 * @param {(strokes: Stroke[]) => void} onChoose
 */
export function showExamples(list, onChoose) {
  const items = /** @type {(keyof typeof LINES)[]} */ (Object.keys(LINES)).map((name) => {
    const item = document.createElement("li");
    const button = document.createElement("button");
    button.type = "button";
    button.dataset.example = name;
    const label = document.createElement("span");
    label.textContent = texts.exampleNames[name];
    button.append(sketchPicture(strokesOf(LINES[name])), label);
    button.addEventListener("click", () => onChoose(strokesOf(LINES[name])));
    item.append(button);
    return item;
  });
  list.replaceChildren(...items);
}
