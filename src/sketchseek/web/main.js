// The page: what is looked for (a drawing, a picture or a photo of the library), and what was found.

import * as api from "./api.js";
import { Crop } from "./crop.js";
import { Encoder, wishOf } from "./encoder.js";
import { Filters } from "./filters.js";
import { Grid } from "./grid.js";
import { KeyPen } from "./key-pen.js";
import { LibraryPanel } from "./library.js";
import { Marks, showMarks } from "./marks.js";
import { Paper } from "./paper.js";
import { asker } from "./query.js";
import { FIRST, MOST, Results } from "./results.js";
import { Search } from "./search.js";
import { fillTexts, texts } from "./texts.js";
import { preview, watchForPictures } from "./upload.js";
import { Viewer } from "./viewer.js";

/** @type {(id: string) => any} */
const byId = (id) => document.getElementById(id);
const RETRY = 2000; // milliseconds between looks whether the server is back
const QUIET = 700; // milliseconds of rest before results are read out

fillTexts(document);
const paper = new Paper(byId("paper"));
const marks = new Marks();
const markOf = (id) => marks.of(id);
const results = new Results({ onMore: showMore, onError: showError });
const search = new Search({ onResults: showResults, onError: showError, onBusy: showBusy });
const encoder = new Encoder(api.ask, showWhere, wishOf(location));
const onNeed = (from, to) => results.need(from, to);
const onMark = (result, right) => marks.toggle(result, right);
const grid = new Grid(byId("grid"), { results, onNeed, onMark, markOf, onOpen: (index) => viewer.show(index) });
const viewer = new Viewer(results, {
  onNeed,
  onMark,
  markOf,
  onLike: (result) => lookFor({ like: result }),
  onPart: usePartOf,
  onFolder: (path) => filters.setFolder(path),
  onClosed: (index) => grid.focus(Math.max(0, index)),
});
const filters = new Filters({
  details: byId("filters"),
  folder: byId("folder"),
  folders: byId("folders"),
  after: byId("after"),
  before: byId("before"),
  clear: byId("no-filter"),
  count: byId("filter-count"),
});
const crop = new Crop({ layer: byId("crop-area"), frame: byId("crop-frame"), picture: byId("preview") });
const panel = new LibraryPanel({ onStatus: showStatus, onChanged: libraryChanged });
new KeyPen(paper, byId("cursor"), (down) => say(down ? texts.penDown : texts.penUp));

let query = { paper: true }; // or { file, whole, kind, name, shown } or { like: result }
let holding = null; // the library's status, once known
let announcing = null;
let retrying = null;
let asking = false; // whether the server is back
let uploads = 0;

// --- what is looked for ----------

paper.addEventListener("progress", () => {
  if (!query.paper) setQuery({ paper: true });
  showTools();
  if (!paper.empty) search.soon(question());
});

paper.addEventListener("change", () => {
  if (!query.paper) setQuery({ paper: true });
  if (paper.empty) marks.clear({ quietly: true });
  showTools();
  run();
});

marks.addEventListener("change", () => run());
filters.addEventListener("change", () => run());

function lookFor(next) {
  marks.clear({ quietly: true });
  setQuery(next);
  scrollToResults();
  run();
}

function setQuery(next) {
  const part = next.file && next.file !== next.whole;
  query = next;
  const { file, like } = next;
  byId("picture").hidden = Boolean(next.paper);
  byId("about").hidden = Boolean(next.paper);
  byId("kind").hidden = !file;
  byId("crop").hidden = !next.shown;
  byId("preview").hidden = !next.shown;
  byId("like").hidden = !like;
  if (!file) crop.turn(false);
  byId("crop").ariaPressed = String(crop.on);
  if (like) byId("like").src = api.thumbnailUrl(like.id, 640);
  if (file) byId("kind").querySelector(`input[value=${next.kind}]`).checked = true;
  const name = part ? texts.partOf(next.name) : texts.uploadAbout(next.name);
  byId("about-text").textContent = like ? texts.likeAbout(like.name) : file ? name : "";
  showTools();
}

function question() {
  const { bounds } = filters;
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
  showMarkStrip();
  if (query.paper && paper.empty) {
    search.cancel();
    clearError();
    results.clear();
    grid.show();
    showEmpty();
  } else {
    search.now(question());
  }
}

async function useFile(file, kind) {
  if (viewer.open) viewer.dialog.close();
  const turn = ++uploads;
  const guess = await preview(file, byId("preview"), () => turn === uploads);
  if (turn !== uploads) return; // another one came
  if (!guess && !/^image\/|^$/.test(file.type)) {
    showError(new api.ApiError(0, { type: "NotAPicture", message: texts.noPicture, remedy: "" }));
    return;
  }
  crop.turn(false);
  kind ??= file.type === "image/svg+xml" ? "sketch" : (guess ?? "sketch");
  lookFor({ file, whole: file, kind, shown: Boolean(guess), name: file.name || texts.pasted });
}

async function usePartOf(result) {
  const turn = ++uploads;
  try {
    const answer = await fetch(api.thumbnailUrl(result.id, 1280));
    if (!answer.ok) throw new api.ApiError(answer.status, { type: "Missing", message: texts.missing, remedy: "" });
    const file = new File([await answer.blob()], result.name, { type: "image/webp" });
    await preview(file, byId("preview"), () => turn === uploads);
    if (turn !== uploads) return;
    lookFor({ file, whole: file, kind: "photo", shown: true, name: result.name });
    turnCrop(true);
    byId("crop-area").focus();
  } catch (error) {
    showError(error instanceof api.ApiError ? error : new api.ServerGone(error.message));
  }
}

function turnCrop(on) {
  const cropped = query.file !== query.whole;
  crop.turn(on);
  byId("crop").ariaPressed = String(on);
  if (!on && cropped) lookFor({ ...query, file: query.whole });
}

crop.addEventListener("change", async () => {
  const before = query;
  const file = crop.part ? await crop.file(query.name) : query.whole;
  if (query === before) lookFor({ ...query, file });
});

// --- what was found ----------

function showResults(answer, { pages }) {
  clearError();
  results.reset(answer, pages);
  grid.show();
  viewer.moved();
  byId("verdict").hidden = answer.has_close_match !== false || results.total === 0;
  if (results.total === 0) showEmpty();
  else byId("hint").hidden = true;
  filters.suggest(foldersOf(answer.results));
  clearTimeout(announcing);
  announcing = setTimeout(() => say(texts.found(results.total, results.at(0)?.name, answer.has_close_match)), QUIET);
}

function showMore() {
  grid.show();
  viewer.refresh();
}

// Folders of the library and of what was found, to narrow the search down to.
function foldersOf(found) {
  const separator = found[0]?.path.includes("\\") ? "\\" : "/";
  const parents = found.map(({ path }) => path.slice(0, path.lastIndexOf(separator)));
  return [...new Set([...(holding?.library.folders ?? []), ...parents])].sort().slice(0, 50);
}

function showEmpty() {
  const fresh = query.paper && paper.empty;
  const adding = holding?.may.write ? texts.emptyLibraryAdd : texts.emptyLibraryIndex;
  byId("hint").textContent = holding?.library.photos === 0 ? adding : fresh ? texts.hint : texts.nothing;
  byId("hint").hidden = false;
  byId("verdict").hidden = true;
  byId("refining").hidden = fresh && !filters.active;
  clearTimeout(announcing);
  say(fresh ? "" : texts.found(0));
}

function showMarkStrip() {
  const { positive: right, negative: wrong } = marks.ids();
  byId("marked").hidden = marks.size === 0;
  byId("marked-text").textContent = texts.marked(right.length, wrong.length);
  byId("refining").hidden = query.paper && paper.empty && !filters.active;
  showMarks(byId("marks"), marks);
}

function scrollToResults() {
  const { top } = byId("found").getBoundingClientRect();
  if (top < 0) scrollBy({ top: top - 60, behavior: "instant" });
}

function showError(error) {
  const gone = error instanceof api.ServerGone;
  if (error.type === "EmptySketchError" && query.paper) return; // the next line will have ink
  byId("notice-text").textContent = gone ? texts.serverGone : error.message || texts.serverFailed;
  byId("notice-remedy").textContent = gone ? texts.serverGoneRemedy : (error.remedy ?? "");
  byId("retry").hidden = !gone;
  if (gone) byId("running").hidden = true; // how far indexing is, is not known any more
  byId("notice").hidden = false;
  if (gone && retrying === null) retrying = setInterval(retry, RETRY);
}

function clearError() {
  byId("notice").hidden = true;
  clearInterval(retrying);
  retrying = null;
}

async function retry() {
  if (asking) return; // a server that hangs is not asked twice
  asking = true;
  try {
    showStatus(await api.status());
  } catch {
    return;
  } finally {
    asking = false;
  }
  clearError();
  encoder.load(api.encoderUrl); // it may be another server, with another model
  search.cancel();
  run();
}

function showBusy(busy) {
  byId("found").setAttribute("aria-busy", String(busy));
}

function say(text) {
  byId("live").textContent = text;
}

function showTools() {
  const { past, future, empty } = paper.drawing;
  byId("undo").disabled = past.length === 0;
  byId("redo").disabled = future.length === 0;
  byId("clear").disabled = byId("fit").disabled = empty;
  byId("invite").hidden = !paper.empty || !query.paper;
}

function showWhere(mode, reason, times) {
  const there = times ? texts.encodedFaster(location.hostname, times.server, times.browser) : texts.encodedThere;
  byId("where").dataset.mode = mode;
  byId("where").dataset.reason = reason;
  byId("where").textContent = mode === "browser" ? texts.encodedHere : there;
}

// --- the library ----------

function showStatus(status) {
  holding = status;
  viewer.mayOpen = status.may.open;
  byId("library-text").textContent = texts.photos(status.library.photos);
  if (results.total === 0) filters.suggest(foldersOf([]));
  if (query.paper && paper.empty) showEmpty();
}

// Other photos are there, or other ones are gone: ask again.
function libraryChanged(status) {
  showStatus(status);
  search.cancel();
  run();
}

async function start() {
  try {
    const [{ libraries, default: first }, status] = await Promise.all([api.libraries(), api.status()]);
    const choice = byId("choice");
    choice.replaceChildren(...libraries.map(({ name }) => new Option(name, name, name === first)));
    choice.hidden = libraries.length < 2;
    showStatus(status);
    encoder.load(api.encoderUrl);
    panel.progress.look().catch(() => {});
  } catch (error) {
    showError(error);
  }
}

byId("choice").addEventListener("change", async (event) => {
  api.useLibrary(event.target.value);
  encoder.load(api.encoderUrl); // first: the vectors of another model mean nothing here
  search.cancel();
  results.clear(); // their ids and further pages are the other library's
  grid.show();
  marks.clear({ quietly: true });
  filters.clear(); // its folders are others; this asks again
  if (query.like || query.file !== query.whole) lookFor({ paper: true }); // that photo is in the other library
  try {
    showStatus(await api.status());
  } catch (error) {
    showError(error);
  }
});

// --- buttons and keys ----------

function choose(tool) {
  paper.tool = tool;
  byId("paper").dataset.tool = tool;
  for (const one of ["pen", "eraser"]) byId(one).ariaPressed = String(one === tool);
}

const does = {
  undo: () => paper.undo(),
  redo: () => paper.redo(),
  clear: () => paper.clear(),
  fit: () => paper.fit(),
  pen: () => choose("pen"),
  eraser: () => choose("eraser"),
  back: () => lookFor({ paper: true }),
  retry,
  forget: () => marks.clear(),
  crop: () => turnCrop(!crop.on),
};
for (const [id, action] of Object.entries(does)) byId(id).addEventListener("click", () => action());
byId("width").addEventListener("input", (event) => (paper.width = Number(event.target.value)));
byId("kind").addEventListener("change", (event) => lookFor({ ...query, kind: event.target.value }));

const LETTERS = { p: does.pen, e: does.eraser, f: does.fit, delete: does.clear, u: () => byId("file").click() };

// Letters are keys only where one draws: elsewhere they may be somebody's speech.
const atQuery = (target) => target === document.body || target.closest(".query") !== null;

addEventListener("keydown", (/** @type {any} */ event) => {
  if (viewer.open || panel.open || event.target.matches("input:not([type=radio], [type=range]), select")) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (command && key === "z") (event.shiftKey ? does.redo : does.undo)();
  else if (command && key === "y") does.redo();
  else if (!command && !event.altKey && LETTERS[key] && (key === "delete" || atQuery(event.target))) LETTERS[key]();
  else return;
  event.preventDefault();
});

watchForPictures({
  button: byId("choose"),
  input: byId("file"),
  paperButton: byId("photograph"),
  camera: byId("camera"),
  drop: byId("drop"),
  onFile: useFile,
});

byId("invite").textContent = texts.invite;
choose("pen");
showTools();
showEmpty();
start();
