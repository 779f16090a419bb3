// Starts the page and connects its modules.

import { announce } from "./announcer.js";
import * as api from "./api.js";
import { Browse } from "./browse.js";
import { examplesOf } from "./combined-query.js";
import { CopiesPanel } from "./copies.js";
import { connectCopyLink } from "./copy-link.js";
import { button, byId, canvas, input, messageOf } from "./elements.js";
import { Encoder, preferenceOf } from "./encoder.js";
import { showEncodingMode } from "./encoding-status.js";
import { showExamples } from "./examples.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { colorsOf } from "./ink-colors.js";
import { offerInstallation } from "./install.js";
import { KeyPen } from "./key-pen.js";
import { connectLanguage } from "./language.js";
import { LibraryChoice } from "./library-choice.js";
import { LibraryPanel } from "./library.js";
import { Marks } from "./marks.js";
import { MatchOverlay } from "./match-overlay.js";
import { Notice } from "./notice.js";
import { PageHistory } from "./page-history.js";
import { PageState } from "./page-state.js";
import { Palette } from "./palette.js";
import { Paper } from "./paper.js";
import { PenPanel } from "./pen-panel.js";
import { placePopovers } from "./popovers.js";
import { asker } from "./query.js";
import { QueryPanel } from "./query-panel.js";
import { showBrowse, showBusy, showEmpty, showFound, showRefining } from "./results-panel.js";
import { FIRST, MOST, Results } from "./results.js";
import { Favorites, SavedPanel } from "./saved.js";
import { Search } from "./search.js";
import { Selection } from "./selection.js";
import { SheetGestures } from "./sheet-gestures.js";
import { Sheets } from "./sheets.js";
import { connectShortcuts } from "./shortcuts.js";
import { isStrokeFile, readStrokes } from "./stroke-file.js";
import { fillTexts, texts } from "./texts.js";
import { connectToSheet, coveredHeight, showFirstResults } from "./to-sheet.js";
import { listenForShortcuts, Toolbar } from "./toolbar.js";
import { watchForPictures } from "./upload.js";
import { Viewer } from "./viewer.js";
import { WordsBox } from "./words.js";

/** @import { Emptiness } from "./results-panel.js" */
/** @import { Question } from "./search.js" */
/** @import { AskPage, Result, SearchAnswer, Status } from "./types.d.ts" */

fillTexts(document);
const paper = new Paper(canvas("paper"));
const toolbar = new Toolbar(paper);
new PenPanel(paper);
const palette = new Palette();
placePopovers();
const sheets = new Sheets(paper, { tabs: byId("sheets"), again: button("draw-again") });
const words = new WordsBox({ text: input("words"), required: input("words-required"), option: byId("words-option") });
const marks = new Marks();
const favorites = new Favorites();
const selection = new Selection(favorites);
const notice = new Notice(serverBack);
const queryPanel = new QueryPanel(showError);
const results = new Results({ onMore: showMore, onError: showError });
const search = new Search({ onResults: showResults, onError: showError, onBusy: showBusy });
const encoder = new Encoder(api.ask, showEncodingMode, preferenceOf(location));
/** @param {number} id */
const markOf = (id) => marks.of(id);
/** @type {(from: number, to: number) => void} */
const onNeed = (from, to) => void results.need(from, to);
/** @type {(result: Result, right: boolean) => void} */
const onMark = (result, right) => {
  if (!fresh()) marks.toggle(result, right); // without a query there is nothing to refine
};
const grid = new Grid(byId("grid"), {
  results,
  onNeed,
  onMark,
  markOf,
  selected: (id) => (selection.on ? selection.has(id) : undefined),
  onOpen: (index, { shiftKey }) => {
    if (selection.on) selection.toggle(index, (at) => results.at(at), shiftKey);
    else viewer.show(index);
  },
  onCopies: (result) => copies.show(result),
  onError: showError,
  coveredHeight,
});
const viewer = new Viewer(results, {
  onNeed,
  onMark,
  markOf,
  onLike: (result) => queryPanel.search({ like: result }),
  onPart: (result) => queryPanel.usePartOf(result),
  onFolder: (path) => filters.setFolder(path),
  onShown: () => pageHistory.showPhoto(),
  onPhoto: (id) => matched.show(id, !queryPanel.query.paper || !sheets.empty),
  onClosed: (index, byUser) => {
    grid.focus(Math.max(0, index));
    if (byUser) pageHistory.leavePhoto();
  },
  onError: showError,
  isFavorite: (id) => favorites.has(id),
  onFavorite: (result) => favorites.toggle(result),
});
const copies = new CopiesPanel((id) => void viewer.showPhoto(id));
const matched = new MatchOverlay({
  canvas: canvas("matched"),
  image: byId("viewer-image", HTMLImageElement),
  toggle: button("viewer-matched"),
  legend: byId("matched-legend"),
  strokesLegend: byId("matched-strokes"),
  explain: async (id) =>
    api.explain(id, await examplesOf(queryPanel.query, sheets.drawings, encoder, { positive: [], negative: [] })),
  drawings: () => (queryPanel.query.paper ? sheets.strokes.filter((strokes) => strokes.length > 0) : []),
  onError: (error) => viewer.showError(error instanceof api.ServerGone ? texts.serverGone : messageOf(error)),
});
const filters = new Filters(
  {
    details: byId("filters", HTMLDetailsElement),
    folder: input("folder"),
    folders: byId("folders", HTMLDataListElement),
    after: input("after"),
    before: input("before"),
    grouped: input("group-copies"),
    clear: button("no-filter"),
    count: byId("filter-count"),
  },
  api.photoFolders,
);
const browse = new Browse({ onFolder: (path) => filters.setFolder(path) });
const panel = new LibraryPanel({ onStatus: showStatus, onChanged: libraryChanged });
const choice = new LibraryChoice(byId("choice", HTMLSelectElement), () => {
  changeLibrary();
  pageHistory.push();
});
const pageState = new PageState({
  sheets,
  words,
  palette,
  queryPanel,
  filters,
  marks,
  viewer,
  choice,
  run,
  onLibrary: changeLibrary,
});
const pageHistory = new PageHistory(
  () => pageState.read(),
  (entry) => void pageState.restore(entry),
);
connectCopyLink(() => pageHistory.link);
new SavedPanel(favorites, {
  fragment: () => new URL(pageHistory.link).hash,
  onPhoto: (id) => void viewer.showPhoto(id),
});
connectToSheet(() => sheets.inked);
const keyPen = new KeyPen(paper, byId("cursor"), (down) => announce(down ? texts.penDown : texts.penUp));
new SheetGestures(paper, () => [keyPen.x, keyPen.y]);

/** @type {Status | null} */
let library = null; // its status, once known
/** @type {number | undefined} */
let searched = undefined; // number of photos in the library at the last search, if known

// --- the query ----------

const fresh = () => Boolean(queryPanel.query.paper) && sheets.empty && !words.value.text && !colors().length;
const colors = () => palette.together(queryPanel.query.paper ? colorsOf(sheets.inked) : []);
let left = false; // whether another query gave way to the stroke that is being drawn

function usePaper() {
  if (queryPanel.query.paper) return;
  queryPanel.show({ paper: true });
  left = true;
}

paper.addEventListener("progress", () => {
  usePaper();
  showTools();
  showFirstResults();
  if (!sheets.empty) search.soon(question());
});

paper.addEventListener("change", () => {
  usePaper();
  if (sheets.empty) {
    marks.clear({ quietly: true });
    if (!notice.gone) notice.clear();
  }
  run();
  const cleared = sheets.empty && history.state?.entry?.sheets.length > 0;
  if (left || cleared) pageHistory.push();
  else pageHistory.replace();
  left = false;
});

queryPanel.addEventListener("change", () => {
  marks.clear({ quietly: true });
  showFirstResults();
  run();
  pageHistory.push();
});

sheets.addEventListener("change", () => {
  run();
  pageHistory.replace();
});

words.addEventListener("typing", () => pageHistory.replaceSoon());
words.addEventListener("change", () => {
  showFirstResults();
  run();
});

palette.addEventListener("change", () => {
  showFirstResults();
  run();
  pageHistory.replaceSoon();
});

for (const part of [marks, browse]) part.addEventListener("change", run);
filters.addEventListener("change", () => {
  run();
  pageHistory.push();
});
selection.addEventListener("change", () => grid.show());
byId("forget").addEventListener("click", () => marks.clear());

/** @returns {Question} */
function question() {
  const { filter } = filters;
  if (filters.values.grouped && !fresh()) filter.group_copies = true;
  if (fresh()) return paged(browse.pages(filter), JSON.stringify(["browse", browse.order.value, filter]));
  const [{ query }, { parts }] = [queryPanel, sheets];
  const ids = marks.ids();
  const drawings = query.paper ? sheets.drawings : [];
  const wanted = { palette: colors(), weight: palette.weight };
  const asked = { query, sheets: drawings, parts, words: words.value, colors: wanted, encoder, filter, marks: ids };
  const key = [paper.revision, parts, words.value, wanted, filter, ids];
  return paged(asker(asked), query.paper ? JSON.stringify(key) : undefined);
}

/** @type {(pages: AskPage, key: string | undefined) => Question} */
function paged(pages, key) {
  searched = library?.library.photos;
  const ask = (/** @type {AbortSignal} */ signal) =>
    pages(signal, { k: Math.min(MOST, Math.max(FIRST, grid.room)), offset: 0 });
  return { pages, ask, key };
}

function run() {
  showTools();
  const any = (library?.library.photos ?? 0) > 0;
  showRefining(marks, !fresh() || any);
  if (!fresh() || any) {
    search.now(question());
    return;
  }
  search.cancel();
  if (!notice.gone) notice.clear();
  results.clear();
  grid.show();
  showNothing();
}

function showTools() {
  toolbar.update();
  palette.update(queryPanel.query.paper ? colorsOf(sheets.inked) : []);
  byId("invite").hidden = !fresh();
  button("copy-link").disabled = button("save-search").disabled = fresh() || Boolean(queryPanel.query.file); // a picture file has no link
}

// --- results ----------

/** @type {(answer: SearchAnswer, question: Question) => void} */
function showResults(answer, { pages }) {
  if (!fresh() || notice.gone) notice.clear(); // what a link could not show stays said
  results.reset(answer, pages);
  if (results.total === 0) showNothing();
  else if (fresh()) showLibrary();
  else showFound(results.total, results.at(0)?.name);
  grid.show(); // after what is above it has changed: only tiles near the window exist
  viewer.moved();
}

function showLibrary() {
  showBrowse(emptiness());
  if (library) void browse.showFolders(library.name, library.library.photos, filters.values.folder);
}

/** @returns {Emptiness} */
function emptiness() {
  const filling = library !== null && panel.fills(library.name);
  return { fresh: fresh(), words: words.value.text, status: library, filling, gone: notice.gone };
}

const showNothing = () => showEmpty(emptiness());

function showMore() {
  grid.show();
  viewer.refresh();
}

/** @param {unknown} error */
function showError(error) {
  // The next line brings ink.
  if (error instanceof api.ApiError && error.type === "EmptySketchError" && queryPanel.query.paper) return;
  notice.show(error);
  if (notice.gone && fresh() && document.body.dataset.view !== "browse") {
    results.clear(); // they belong to a query that is gone
    grid.show();
  }
  if (notice.gone && results.total === 0) showNothing();
}

// --- the library ----------

/** @param {Status} status */
function showStatus(status) {
  library = status;
  searched ??= status.library.photos;
  viewer.mayOpen = status.may.open;
  byId("library-text").textContent = texts.photos(status.library.photos);
  if (status.library.photos !== searched && !viewer.open && scrollY < innerHeight) search.soon(question());
  else if (results.total === 0 && !search.busy) showNothing();
}

// Photos were added or removed: searches again.
/** @param {Status} status */
function libraryChanged(status) {
  showStatus(status);
  search.cancel();
  run();
}

/** @param {Status} status */
function serverBack(status) {
  encoder.load(api.encoderUrl); // it may be another server, with another model
  grid.reload();
  libraryChanged(status);
}

async function changeLibrary() {
  library = null;
  encoder.load(api.encoderUrl); // first: embeddings of another model mean nothing in this library
  search.cancel();
  results.clear(); // their ids belong to the other library
  grid.show();
  marks.clear({ quietly: true });
  filters.restore({ ...filters.values, folder: "", after: "", before: "" }); // the other library has other folders
  if (queryPanel.query.like || queryPanel.partial) queryPanel.show({ paper: true }); // that photo is not in this one
  run();
  try {
    showStatus(await api.status());
    run();
  } catch (error) {
    showError(error);
  }
}

async function start() {
  try {
    showStatus(await choice.load(showError));
    run();
    encoder.load(api.encoderUrl);
    panel.progress.look().catch(() => {});
  } catch (error) {
    showError(error);
  }
}

// --- pictures and shortcuts ----------

watchForPictures({
  button: button("choose"),
  input: input("file"),
  paperButton: button("photograph"),
  camera: input("camera"),
  drop: byId("drop"),
  onFile: (file, kind) => {
    if (viewer.open) viewer.close();
    if (isStrokeFile(file)) readStrokes(file, paper.width).then((strokes) => paper.load(strokes), showError);
    else void queryPanel.useFile(file, kind);
  },
});

showExamples(byId("examples-list"), (strokes) => paper.load(strokes));
listenForShortcuts(toolbar, () => document.querySelector("dialog[open]") !== null, connectShortcuts());
connectLanguage(byId("language", HTMLSelectElement));
offerInstallation();
byId("invite").textContent = texts.invite;
const first = pageHistory.first();
choice.use(first.library);
showTools();
showNothing();
void pageState.restore({ ...first, library: choice.name });
void start();
