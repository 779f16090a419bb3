// Pictures as queries: chosen, pasted or dropped.

import { context2d } from "./elements.js";

/** @import { Kind } from "./types.d.ts" */
/** @typedef {(file: File, kind?: Kind) => void} OnFile */

/**
 * Calls `onFile` for each picture that the user gives the page. The kind is known only for photographed paper.
 *
 * @param {object} options
 * @param {HTMLButtonElement} options.button opens the file chooser
 * @param {HTMLInputElement} options.input
 * @param {HTMLButtonElement} options.paperButton opens the camera
 * @param {HTMLInputElement} options.camera
 * @param {HTMLElement} options.drop shown while a file is dragged over the page
 * @param {OnFile} options.onFile
 */
export function watchForPictures({ button, input, paperButton, camera, drop, onFile }) {
  /** @type {(opener: HTMLButtonElement, chooser: HTMLInputElement, kind?: Kind) => void} */
  const connect = (opener, chooser, kind) => {
    opener.addEventListener("click", () => chooser.click());
    chooser.addEventListener("change", () => {
      const file = chooser.files?.[0];
      if (file) onFile(file, kind);
      chooser.value = "";
    });
  };
  connect(button, input);
  connect(paperButton, camera, "sketch");
  addEventListener("paste", (event) => {
    const file = [...(event.clipboardData?.files ?? [])][0];
    if (file) {
      event.preventDefault();
      onFile(file);
    }
  });
  let depth = 0;
  /** @param {DragEvent} event */
  const hasFiles = (event) => event.dataTransfer?.types.includes("Files");
  addEventListener("dragenter", (event) => {
    if (!hasFiles(event)) return;
    depth++;
    drop.hidden = false;
  });
  addEventListener("dragleave", (event) => {
    if (hasFiles(event) && --depth <= 0) drop.hidden = true;
  });
  addEventListener("dragover", (event) => hasFiles(event) && event.preventDefault());
  addEventListener("drop", (event) => {
    if (!hasFiles(event)) return;
    event.preventDefault();
    depth = 0;
    drop.hidden = true;
    const file = event.dataTransfer?.files[0];
    if (file) onFile(file);
  });
}

/**
 * Draws a picture file into a canvas and guesses whether it shows a sketch or a photo. Returns null for a file that the
 * browser cannot read, such as TIFF, which is left to the server, and where `current` says that a newer picture came.
 *
 * @param {File} file
 * @param {HTMLCanvasElement} canvas
 * @param {() => boolean} current
 * @returns {Promise<Kind | null>}
 */
export async function preview(file, canvas, current = () => true) {
  let image;
  try {
    image = await decode(file);
  } catch {
    return null;
  }
  if (!current()) return null;
  const scale = Math.min(1, 800 / Math.max(image.width, image.height));
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const context = context2d(canvas);
  context.fillStyle = "white";
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.drawImage(image, 0, 0, canvas.width, canvas.height);
  return looksLikeSketch(canvas) ? "sketch" : "photo";
}

/** @param {HTMLCanvasElement} canvas */
function looksLikeSketch(canvas) {
  const small = document.createElement("canvas");
  small.width = small.height = 64;
  const context = context2d(small, { willReadFrequently: true });
  context.drawImage(canvas, 0, 0, 64, 64);
  return isMostlyPaper(context.getImageData(0, 0, 64, 64).data);
}

/**
 * Whether a picture is mostly paper, as sketches are: one shade, and few colorful pixels.
 *
 * @param {Uint8ClampedArray} data RGBA bytes
 */
export function isMostlyPaper(data) {
  const pixels = data.length / 4;
  /** @type {number[]} */
  const counts = new Array(10).fill(0);
  let colorful = 0;
  for (let i = 0; i < data.length; i += 4) {
    const [r, g, b] = [data[i], data[i + 1], data[i + 2]];
    counts[Math.round((r + g + b) / 96)]++;
    if (Math.max(r, g, b) - Math.min(r, g, b) > 60) colorful++;
  }
  const paper = Math.max(...counts.map((count, shade) => count + (counts[shade + 1] ?? 0)));
  return paper > 0.55 * pixels && colorful < 0.1 * pixels;
}

/** @param {File} file */
async function decode(file) {
  if (file.type !== "image/svg+xml") return createImageBitmap(file);
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode();
    return image.width ? image : Promise.reject(new Error("no size"));
  } finally {
    URL.revokeObjectURL(url);
  }
}
