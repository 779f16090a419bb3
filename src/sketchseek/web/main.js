// Starts the page and connects its modules.

import { announce } from "./announcer.js";
import * as api from "./api.js";
import { button, byId, canvas, input } from "./elements.js";
import { Encoder, preferenceOf } from "./encoder.js";
import { showEncodingMode } from "./encoding-status.js";
import { Filters, foldersOf } from "./filters.js";
import { Grid } from "./grid.js";
import { KeyPen } from "./key-pen.js";
import { LibraryPanel } from "./library.js";
import { Marks } from "./marks.js";
import { Notice } from "./notice.js";
import { Paper } from "./paper.js";
import { asker } from "./query.js";
import { QueryPanel } from "./query-panel.js";
import { scrollToResults, showBusy, showEmpty, showFound, showRefining } from "./results-panel.js";
import { FIRST, MOST, Results } from "./results.js";
import { Search } from "./search.js";
import { fillTexts, texts } from "./texts.js";
import { listenForShortcuts, Toolbar } from "./toolbar.js";
import { watchForPictures } from "./upload.js";
import { Viewer } from "./viewer.js";

/** @import { Question } from "./search.js" */
/** @import { Result, SearchAnswer, Status } from "./types.d.ts" */

fillTexts(document);
const paper = new Paper(canvas("paper"));
const toolbar = new Toolbar(paper);
const marks = new Marks();
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
const onMark = (result, right) => marks.toggle(result, right);
const grid = new Grid(byId("grid"), { results, onNeed, onMark, markOf, onOpen: (index) => viewer.show(index) });
const viewer = new Viewer(results, {
  onNeed,
  onMark,
  markOf,
  onLike: (result) => queryPanel.search({ like: result }),
  onPart: (result) => queryPanel.usePartOf(result),
  onFolder: (path) => filters.setFolder(path),
  onClosed: (index) => grid.focus(Math.max(0, index)),
});
const filters = new Filters({
  details: byId("filters", HTMLDetailsElement),
  folder: input("folder"),
  folders: byId("folders", HTMLDataListElement),
  after: input("after"),
  before: input("before"),
  clear: button("no-filter"),
  count: byId("filter-count"),
});
const panel = new LibraryPanel({ onStatus: showStatus, onChanged: libraryChanged });
new KeyPen(paper, byId("cursor"), (down) => announce(down ? texts.penDown : texts.penUp));

/** @type {Status | null} */
let library = null; // its status, once known

// --- the query ----------

const fresh = () => Boolean(queryPanel.query.paper) && paper.empty;

paper.addEventListener("progress", () => {
  if (!queryPanel.query.paper) queryPanel.show({ paper: true });
  showTools();
  if (!paper.empty) search.soon(question());
});

paper.addEventListener("change", () => {
  if (!queryPanel.query.paper) queryPanel.show({ paper: true });
  if (paper.empty) marks.clear({ quietly: true });
  run();
});

queryPanel.addEventListener("change", () => {
  marks.clear({ quietly: true });
  scrollToResults();
  run();
});

marks.addEventListener("change", run);
filters.addEventListener("change", run);
byId("forget").addEventListener("click", () => marks.clear());

/** @returns {Question} */
function question() {
  const { bounds } = filters;
  const { query } = queryPanel;
  const ids = marks.ids();
  const strokes = query.paper ? paper.toStrokes() : null;
  const pages = asker({ query, strokes, encoder, bounds, marks: ids });
  return {
    pages,
    ask: (signal) => pages(signal, { k: Math.min(MOST, Math.max(FIRST, grid.room)), offset: 0 }),
    key: query.paper ? JSON.stringify([paper.revision, bounds, ids]) : undefined,
  };
}

function run() {
  showTools();
  showRefining(marks, !fresh() || filters.active > 0);
  if (!fresh()) {
    search.now(question());
    return;
  }
  search.cancel();
  notice.clear();
  results.clear();
  grid.show();
  showEmpty(true, library);
}

function showTools() {
  toolbar.update();
  byId("invite").hidden = !fresh();
}

// --- results ----------

/** @type {(answer: SearchAnswer, question: Question) => void} */
function showResults(answer, { pages }) {
  notice.clear();
  results.reset(answer, pages);
  grid.show();
  viewer.moved();
  filters.suggest(foldersOf(answer.results, library?.library.folders));
  if (results.total === 0) showEmpty(false, library);
  else showFound(results.total, results.at(0)?.name);
}

function showMore() {
  grid.show();
  viewer.refresh();
}

/** @param {unknown} error */
function showError(error) {
  // The next line brings ink.
  if (error instanceof api.ApiError && error.type === "EmptySketchError" && queryPanel.query.paper) return;
  notice.show(error);
}

// --- the library ----------

/** @param {Status} status */
function showStatus(status) {
  library = status;
  viewer.mayOpen = status.may.open;
  byId("library-text").textContent = texts.photos(status.library.photos);
  if (results.total === 0) filters.suggest(foldersOf([], status.library.folders));
  if (fresh()) showEmpty(true, status);
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
  libraryChanged(status);
}

const choice = byId("choice", HTMLSelectElement);

async function start() {
  try {
    const [{ libraries, default: first }, status] = await Promise.all([api.libraries(), api.status()]);
    choice.replaceChildren(...libraries.map(({ name }) => new Option(name, name, name === first)));
    choice.hidden = libraries.length < 2;
    showStatus(status);
    encoder.load(api.encoderUrl);
    panel.progress.look().catch(() => {});
  } catch (error) {
    showError(error);
  }
}

choice.addEventListener("change", async () => {
  api.useLibrary(choice.value);
  encoder.load(api.encoderUrl); // first: embeddings of another model mean nothing in this library
  search.cancel();
  results.clear(); // their ids belong to the other library
  grid.show();
  marks.clear({ quietly: true });
  filters.clear(); // the other library has other folders; this searches again
  if (queryPanel.query.like || queryPanel.partial) queryPanel.search({ paper: true }); // that photo is not in this one
  try {
    showStatus(await api.status());
  } catch (error) {
    showError(error);
  }
});

// --- pictures and shortcuts ----------

watchForPictures({
  button: button("choose"),
  input: input("file"),
  paperButton: button("photograph"),
  camera: input("camera"),
  drop: byId("drop"),
  onFile: (file, kind) => {
    if (viewer.open) viewer.dialog.close();
    queryPanel.useFile(file, kind);
  },
});

listenForShortcuts(toolbar, () => viewer.open || panel.open);
byId("invite").textContent = texts.invite;
showTools();
showEmpty(true, null);
start();
