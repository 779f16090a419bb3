// Every text that the page shows, in one place: a translation replaces this file.

const number = new Intl.NumberFormat("en");

export const texts = {
  // Labels and buttons, by the data-text, data-title and data-label attributes of index.html.
  query: "What to look for",
  paper: "Drawing area. Draw with mouse, pen or finger.",
  tools: "Drawing tools",
  results: "Photos found",
  undo: "Undo",
  undoTitle: "Take back the last stroke (Ctrl+Z)",
  redo: "Redo",
  redoTitle: "Bring it back (Ctrl+Shift+Z)",
  clear: "Clear",
  clearTitle: "Start with a fresh sheet (Delete)",
  choose: "Use a picture…",
  chooseTitle: "Search with a picture file (U); pasting and dropping one works too",
  kindLegend: "The picture is",
  kindDrawing: "A drawing",
  kindPhoto: "A photo: find its like",
  back: "Back to drawing",
  retry: "Try again",
  more: "Show more",
  drop: "Drop the picture to search with it",
  moreLikeThis: "More like this",
  original: "Open original",
  copyPath: "Copy path",
  previous: "Previous",
  previousTitle: "Previous photo (←)",
  next: "Next",
  nextTitle: "Next photo (→)",
  close: "Close",
  closeTitle: "Close (Esc)",

  // Texts that the scripts set.
  invite: "Draw here",
  hint: "Draw the shape of what you are looking for. Photos appear with your first line and follow every one after it.",
  nothing: "The library holds no photo to show for this.",
  emptyLibrary: "This library holds no photos yet. Index a folder: sketchseek index FOLDER --library LIBRARY",
  photos: (count) => (count === 1 ? "1 photo" : `${number.format(count)} photos`),
  encodedHere: "Your drawing stays on this device",
  encodedThere: "The server reads your drawing",
  found: (count, first) => (count === 0 ? "No photos found." : `${count} photos found. The first: ${first}.`),
  result: (rank, name) => `${rank}: ${name}`,
  likeAbout: (name) => `Photos like ${name}`,
  uploadAbout: (name) => name,
  pasted: "Pasted picture",
  score: (score) => `Score ${score.toFixed(3)}`,
  pixels: (width, height) => `${number.format(width)} × ${number.format(height)} pixels`,
  copied: "Copied",
  notCopied: "Could not copy",
  noPicture: "This file is not a picture.",
  missing: "The file is gone or cannot be read.",
  serverGone: "The server does not answer.",
  serverGoneRemedy: "Start it again with sketchseek serve. This page goes on by itself once it is back.",
  serverFailed: "The server could not answer.",
};

// Fill in the texts that index.html names.
export function fillTexts(root) {
  for (const element of root.querySelectorAll("[data-text]")) element.textContent = texts[element.dataset.text];
  for (const element of root.querySelectorAll("[data-title]")) element.title = texts[element.dataset.title];
  for (const element of root.querySelectorAll("[data-label]")) {
    element.setAttribute("aria-label", texts[element.dataset.label]);
  }
}
