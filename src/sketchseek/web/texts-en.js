// The texts of the page in English. Other languages have the same ones; only the text of <noscript> is in index.html.

import { formatsOf } from "./text-formats.js";

/** @import { IndexingReport, LibraryStatus } from "./types.d.ts" */

const { number, count, bytes, date, list } = formatsOf("en");

export const texts = {
  language: "en",
  direction: "ltr",

  // Labels and buttons, used by the data-text, data-title, data-label and data-placeholder attributes of index.html.
  query: "Query",
  paper: "Sketch area",
  paperHelp:
    "Draw with a mouse, pen or finger. With the keyboard, arrow keys move the pen, Space puts it down or lifts it, " +
    "and Shift makes smaller steps.",
  tools: "Drawing tools",
  results: "Results",
  pen: "Pen",
  penTitle: "Pen (P)",
  eraser: "Eraser",
  eraserTitle: "Eraser: removes whole strokes (E)",
  penOptions: "Color and shape",
  penOptionsTitle: "Color, width, shape",
  color: "Color",
  colors: {
    noColor: "No color",
    red: "Red",
    orange: "Orange",
    yellow: "Yellow",
    green: "Green",
    turquoise: "Turquoise",
    blue: "Blue",
    purple: "Purple",
    pink: "Pink",
    brown: "Brown",
    gray: "Gray",
    black: "Black",
  },
  colorHint: "Photos with the colors that you draw with move up.",
  ownColor: "Another color",
  colorWeight: "Colors count",
  shape: "Shape",
  free: "Free line",
  line: "Straight line",
  rectangle: "Rectangle",
  ellipse: "Ellipse",
  shapeHint: "Shift: as wide as high",
  width: "Line width",
  undo: "Undo",
  undoTitle: "Undo (Ctrl+Z)",
  redo: "Redo",
  redoTitle: "Redo (Ctrl+Shift+Z)",
  fit: "Fit to sheet",
  fitTitle: "Scale the drawing to fill the sheet (F)",
  clear: "Clear",
  clearTitle: "Clear the sheet (Delete)",
  choose: "Upload picture",
  chooseTitle: "Search with a picture file (U). You can also paste or drop one",
  photograph: "Take a photo",
  photographTitle: "Search with a photo of a drawing on paper",
  kindLegend: "The picture shows",
  kindSketch: "A drawing",
  kindPhoto: "A photo",
  crop: "Select a part",
  cropArea: "Part of the picture. Drag to select it. With the keyboard, arrow keys move the part and Shift resizes it.",
  back: "Back to drawing",
  retry: "Try again",
  drop: "Drop a picture to search with it",
  marks: "Marked photos",
  forget: "Clear marks",
  filter: "Filter",
  folder: "Folder",
  anyFolder: "Any folder: type a part of its path",
  after: "From",
  before: "To",
  noFilter: "Clear filter",
  libraryButton: "Library: photos, folders and failures",
  libraryChoice: "Library",

  // The viewer.
  moreLikeThis: "More like this",
  right: "Right",
  rightTitle: "Find more photos like this one (+)",
  wrong: "Wrong",
  wrongTitle: "Hide this photo and find fewer like it (-)",
  whatMatched: "What matched",
  whatMatchedLegend: "Bright parts of the photo matched most.",
  strokesLegend: "Bright lines of your drawing counted most.",
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
  syncNow: "Update now",
  stop: "Stop",
  indexing: "Indexing",
  failuresHeading: "Files that could not be read",
  addHeading: "Add a folder",
  up: "Up",
  add: "Add this folder",

  // Texts that the scripts set.
  invite: "Draw here",
  hint: "Draw what you are looking for. Photos appear with your first line and update with each one after it.",
  hintFilling: "Photos are being indexed. You can draw already: results update as photos arrive.",
  /** @param {number} rank */
  sheet: (rank) => `Drawing ${rank}`,
  /** @param {number} rank */
  removeSheet: (rank) => `Remove drawing ${rank}`,
  exampleNames: { cat: "Cat", bicycle: "Bicycle", flower: "Flower" },
  examples: "Or try a drawing",
  nothing: "No photos are left to show. Clear the filter or the marks to see more.",
  nothingWithWords: "No photo has these words. Try fewer or other words, or clear the filter.",
  nothingYet: "No photos to show yet. Results update as photos are indexed.",
  firstPhotos: "The first photos are being indexed. Draw what you are looking for: results appear as photos arrive.",
  emptyLibraryAdd: "This library has no photos yet. Click “0 photos” above to add a folder.",
  emptyLibraryIndex:
    "This library has no photos yet. To index a folder, run: sketchseek index FOLDER --library LIBRARY",
  /** @param {number} total */
  photos: (total) => count(total, "photo", "photos"),
  encodedHere: "Your drawing stays on this device",
  encodedThere: "The server reads your drawing",
  /** @type {(total: number, first?: string) => string} */
  found: (total, first) =>
    total === 0 ? "No photos found." : `${count(total, "photo", "photos")}, best first: ${first}.`,
  /** @type {(rank: number, name: string, mark: boolean | undefined) => string} */
  result: (rank, name, mark) => `${rank}: ${name}${mark === true ? ", marked as right" : ""}`,
  coming: "Loading",
  /** @type {(name: string, right: boolean) => string} */
  mark: (name, right) => (right ? `Right: more like ${name}` : `Wrong: fewer like ${name}`),
  /** @type {(name: string, right: boolean) => string} */
  unmark: (name, right) => `${name} is marked as ${right ? "right" : "wrong"}: remove the mark`,
  /** @type {(right: number, wrong: number) => string} */
  marked: (right, wrong) => `Refined by ${list(right && `${right} right`, wrong && `${wrong} wrong`)}`,
  /** @param {string} name */
  likeAbout: (name) => `Photos like ${name}`,
  /** @param {string} name */
  uploadAbout: (name) => name,
  /** @param {string} name */
  partOf: (name) => `A part of ${name}`,
  pasted: "Pasted picture",
  /** @param {number} score */
  score: (score) => `Score ${score.toFixed(3)}`,
  /** @type {(width: number, height: number) => string} */
  pixels: (width, height) => `${number.format(width)} × ${number.format(height)} pixels`,
  bytes,
  date,
  /** @type {(rank: number, total: number) => string} */
  rank: (rank, total) => `${number.format(rank)} of ${number.format(total)}`,
  copied: "Copied",
  notCopied: "Could not copy",
  opened: "Opened",
  penDown: "Pen down",
  penUp: "Pen up",
  noPicture: "This file is not a picture.",
  noStrokes: "This file has no drawing.",
  noStrokesRemedy: "Choose a picture, or strokes as JSON or as a line of Quick, Draw! (.ndjson).",
  drawAgain: "Draw it again",
  drawAgainTitle: "Draw it again: two drawings of one thing find more than one",
  sheets: "Drawings",
  words: "Words in names, captions, dates and places",
  wordsHint: "Add words: beach 2019",
  wordsRequired: "Only photos with these words",
  logOut: "Log out",
  /** @param {string} user */
  loggedIn: (user) => `You are logged in as ${user}.`,
  palette: "Colors",
  paletteTitle: "Search by color, also without a drawing",
  paletteHint: "Photos with these colors move up, beside a drawing or words, or alone.",
  noPalette: "No colors",
  groupCopies: "Group copies of one photo",
  /** @param {number} total */
  copies: (total) => `+${number.format(total)}`,
  /** @type {(total: number, name: string) => string} */
  copiesOf: (total, name) => `${count(total, "copy", "copies")} of ${name}`,
  sheetView: "Zoom",
  zoomIn: "Zoom in",
  zoomInTitle: "Zoom in (+)",
  zoomOut: "Zoom out",
  zoomOutTitle: "Zoom out (−)",
  wholeSheet: "Whole sheet",
  wholeSheetTitle: "Show the whole sheet (0)",
  /** @param {number} percent */
  zoomed: (percent) => `${number.format(percent)} %`,
  toSheet: "Back to the drawing",
  more: "More",
  pageLanguage: "Language",
  install: "Install as an app",
  allPhotos: "All photos",
  order: "Order",
  orders: { newest: "Newest first", oldest: "Oldest first", path: "By name" },
  select: "Select",
  selectTitle: "Select several photos to download or to copy their paths",
  selectHint: "Click photos to select them. Shift selects all between two.",
  /** @param {number} total */
  selected: (total) => `${number.format(total)} selected`,
  downloadZip: "Download as ZIP",
  copyPaths: "Copy paths",
  done: "Done",
  favorite: "Favorite",
  favoriteAdded: "Added",
  saveSearch: "Save this search",
  savedHeading: "Saved",
  savedWhere: "Kept in this browser, for this library.",
  searchesHeading: "Searches",
  noSearches: "None yet. Draw or type something, then choose “Save this search”.",
  favoritesHeading: "Favorites",
  noFavorites: "None yet. Open a photo and choose “Favorite”.",
  savedDrawing: "Drawing",
  likeThat: "Photos like one",
  remove: "Remove",
  shortcutsHeading: "Keyboard shortcuts",
  shortcuts: {
    pen: "Pen",
    eraser: "Eraser",
    fit: "Fit to sheet",
    undo: "Undo",
    redo: "Redo",
    clear: "Clear the sheet",
    upload: "Search with a picture",
    words: "Type words",
    movePen: "On the sheet: move the pen. Shift: smaller steps",
    penDown: "On the sheet: put the pen down or lift it",
    zoom: "On the sheet: zoom in, zoom out, whole sheet. Ctrl and the wheel zoom, too",
    moveSheet: "Drag with the mouse: move the zoomed sheet",
    nextPhoto: "In the viewer: previous or next photo",
    mark: "On a result: right or wrong",
    close: "Close",
    list: "This list",
  },
  copyLink: "Copy link",
  copyLinkTitle: "Copy a link to this search",
  noLink: "Could not copy. The address of this page is the link.",
  missing: "The file is missing or cannot be read.",
  serverGone: "The server does not answer.",
  serverGoneRemedy: "Start it with sketchseek serve. This page continues by itself when the server is back.",
  serverFailed: "The server failed. Its terminal shows the reason.",
  /** @param {LibraryStatus} status */
  holds: (status) =>
    [count(status.photos, "photo", "photos"), bytes(status.bytes), `model ${status.model}`].join(" · "),
  /** @param {number} total */
  folders: (total) => (total === 0 ? "No folders yet." : count(total, "folder:", "folders:")),
  /** @param {number} total */
  failures: (total) => count(total, "file could not be read", "files could not be read"),
  /** @param {number} total @param {string} suffixes such as "heic 3, mp4 1" */
  unread: (total, suffixes) =>
    `${count(total, "file in a format that is", "files in formats that are")} not read: ${suffixes}`,
  /** @param {number} left */
  moreFailures: (left) => `and ${number.format(left)} more. To list them, run: sketchseek failures`,
  roots: "You can add folders in these:",
  readOnly: "This server is read-only. To add folders here, start it with sketchseek serve --root FOLDER.",
  noFolders: "This folder has no subfolders.",
  /** @param {number} done */
  scanning: (done) => `Looking for photos: ${count(done, "file", "files")}`,
  /** @type {(done: number, total: number) => string} */
  embedding: (done, total) => `${number.format(done)} of ${count(total, "photo", "photos")}`,
  building: "Building the index",
  starting: "Starting",
  /** @param {number} percent */
  progress: (percent) => `Indexing ${percent}%`,
  stopped: "Stopped. Photos indexed so far stay in the library, and the next run continues from there.",
  /** @param {IndexingReport} report */
  report: ({ indexed, failed, removed, moved, unchanged }) =>
    `Done: ${list(
      `${number.format(indexed)} new`,
      unchanged && `${number.format(unchanged)} unchanged`,
      moved && `${number.format(moved)} moved`,
      removed && `${number.format(removed)} removed`,
      failed && `${number.format(failed)} not readable`,
    )}.`,
};
