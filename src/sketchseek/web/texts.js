// Every text that the page shows, in one place: a translation replaces this file. (What <noscript> says is in index.html:
// there are no scripts then.)

const number = new Intl.NumberFormat("en");
const day = new Intl.DateTimeFormat("en", { dateStyle: "medium" });
const milliseconds = (value) => number.format(value < 10 ? Math.round(value * 10) / 10 : Math.round(value));
const count = (value, one, many) => (value === 1 ? `1 ${one}` : `${number.format(value)} ${many}`);

function bytes(size) {
  const units = ["bytes", "kB", "MB", "GB", "TB"];
  let unit = 0;
  for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
  return `${unit && size < 10 ? size.toFixed(1) : number.format(Math.round(size))} ${units[unit]}`;
}

export const texts = {
  language: "en",
  direction: "ltr",

  // Labels and buttons, by the data-text, data-title, data-label and data-placeholder attributes of index.html.
  query: "What to look for",
  paper: "Drawing area",
  paperHelp:
    "Draw with mouse, pen or finger. With the keyboard: arrow keys move the pen, Space puts it down and lifts it, " +
    "Shift makes smaller steps.",
  tools: "Drawing tools",
  results: "Photos found",
  pen: "Pen",
  penTitle: "Pen (P)",
  eraser: "Eraser",
  eraserTitle: "Eraser: takes whole strokes (E)",
  width: "Width of lines",
  undo: "Undo",
  undoTitle: "Take back the last step (Ctrl+Z)",
  redo: "Redo",
  redoTitle: "Bring it back (Ctrl+Shift+Z)",
  fit: "Fit to the sheet",
  fitTitle: "Zoom the drawing to the sheet (F)",
  clear: "Clear",
  clearTitle: "Start with a fresh sheet (Delete)",
  choose: "Use a picture…",
  chooseTitle: "Search with a picture file (U); pasting and dropping one works too",
  photograph: "Photograph paper",
  photographTitle: "Search with a drawing on paper",
  kindLegend: "The picture is",
  kindDrawing: "A drawing",
  kindPhoto: "A photo: find its like",
  crop: "Use a part of it",
  cropArea: "Part of the picture. Drag over it; with the keyboard, arrow keys move the part and Shift resizes it.",
  back: "Back to drawing",
  retry: "Try again",
  drop: "Drop the picture to search with it",
  marks: "Photos that were marked",
  forget: "Forget all",
  filter: "Filter",
  folder: "In the folder",
  anyFolder: "Any folder",
  after: "From",
  before: "To",
  noFilter: "Remove the filter",
  libraryButton: "The library: what is indexed, folders, failures",
  libraryChoice: "Library",

  // The viewer.
  moreLikeThis: "More like this",
  right: "Right",
  rightTitle: "Find more like this photo (+)",
  wrong: "Wrong",
  wrongTitle: "Leave it out and find fewer like it (-)",
  usePart: "Search with a part",
  original: "Open original",
  download: "Download",
  openFolder: "Open folder",
  copyPath: "Copy path",
  onlyFolder: "Only this folder",
  previous: "Previous",
  previousTitle: "Previous photo (←)",
  next: "Next",
  nextTitle: "Next photo (→)",
  close: "Close",
  closeTitle: "Close (Esc)",

  // The library.
  library: "Library",
  syncNow: "Bring up to date",
  stop: "Stop",
  indexing: "Indexing",
  failuresHeading: "Files that could not be read",
  addHeading: "Add a folder",
  up: "Up",
  add: "Add this folder",

  // Texts that the scripts set.
  invite: "Draw here",
  hint: "Draw the shape of what you are looking for. Photos appear with your first line and follow every one after it.",
  nothing: "No photo of the library is left to show for this.",
  nothingFits: "No close match. These come nearest.",
  emptyLibraryAdd: "This library holds no photos yet. Add a folder to it: click “0 photos” above.",
  emptyLibraryIndex: "This library holds no photos yet. Index a folder: sketchseek index FOLDER --library LIBRARY",
  photos: (total) => count(total, "photo", "photos"),
  encodedHere: "Your sketch stays on this device",
  encodedThere: "The server reads your sketch",
  encodedFaster: (host, there, here) =>
    `The server at ${host} reads your sketch (faster here: ${milliseconds(there)} ms against ${milliseconds(here)})`,
  found: (total, first, fits) =>
    total === 0
      ? "No photos found."
      : `${fits === false ? "No close match. " : ""}${count(total, "photo", "photos")}, best first: ${first}.`,
  result: (rank, name, mark) => `${rank}: ${name}${mark === true ? ", marked as right" : ""}`,
  coming: "Coming",
  mark: (name, right) => (right ? `Right: more like ${name}` : `Wrong: fewer like ${name}`),
  unmark: (name, right) => `${name} is ${right ? "right" : "wrong"}: take the mark away`,
  marked: (right, wrong) =>
    `Refined by ${[right && `${right} right`, wrong && `${wrong} wrong`].filter(Boolean).join(", ")}`,
  likeAbout: (name) => `Photos like ${name}`,
  uploadAbout: (name) => name,
  partOf: (name) => `A part of ${name}`,
  pasted: "Pasted picture",
  score: (score) => `Score ${score.toFixed(3)}`,
  pixels: (width, height) => `${number.format(width)} × ${number.format(height)} pixels`,
  bytes,
  date: (iso) => day.format(new Date(iso)),
  rank: (rank, total) => `${number.format(rank)} of ${number.format(total)}`,
  copied: "Copied",
  notCopied: "Could not copy",
  opened: "Opened",
  penDown: "Pen down",
  penUp: "Pen up",
  noPicture: "This file is not a picture.",
  missing: "The file is gone or cannot be read.",
  serverGone: "The server does not answer.",
  serverGoneRemedy: "Start it again with sketchseek serve. This page goes on by itself once it is back.",
  serverFailed: "The server could not answer.",
  holds: (status) =>
    [count(status.photos, "photo", "photos"), bytes(status.bytes), `model ${status.model}`].join(" · "),
  folders: (total) =>
    total === 0 ? "No folder is followed yet." : count(total, "folder is followed:", "folders are followed:"),
  failures: (total) => count(total, "file could not be read", "files could not be read"),
  moreFailures: (left) => `and ${number.format(left)} more: sketchseek failures lists them`,
  roots: "Folders that may be added lie in these:",
  readOnly:
    "This server only searches. Start it with sketchseek serve --root FOLDER to add folders in FOLDER from here.",
  noFolders: "There are no folders in this one.",
  scanning: (done) => `Looking for photos: ${count(done, "file", "files")}`,
  embedding: (done, total) => `${number.format(done)} of ${count(total, "photo", "photos")}`,
  building: "Building the index",
  starting: "Starting",
  progress: (percent) => `Indexing ${percent} %`,
  stopped: "Stopped. What was done stays; the next run goes on from there.",
  report: ({ indexed, failed, removed, moved, unchanged }) =>
    `Done: ${[
      `${number.format(indexed)} new`,
      unchanged && `${number.format(unchanged)} unchanged`,
      moved && `${number.format(moved)} moved`,
      removed && `${number.format(removed)} gone`,
      failed && `${number.format(failed)} not readable`,
    ]
      .filter(Boolean)
      .join(", ")}.`,
};

// Fill in the texts that index.html names.
export function fillTexts(root) {
  root.documentElement.lang = texts.language;
  if (!root.documentElement.dir) root.documentElement.dir = texts.direction;
  const fill = (name, set) => {
    for (const element of root.querySelectorAll(`[data-${name}]`)) set(element, texts[element.dataset[name]]);
  };
  fill("text", (element, text) => (element.textContent = text));
  fill("title", (element, text) => (element.title = text));
  fill("label", (element, text) => element.setAttribute("aria-label", text));
  fill("placeholder", (element, text) => (element.placeholder = text));
}
