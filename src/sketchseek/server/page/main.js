// The page: what is looked for (a drawing, a picture or a photo of the library), and what was found.

import * as api from "./api.js";
import { Encoder } from "./encoder.js";
import { Grid } from "./grid.js";
import { Paper } from "./paper.js";
import { Search } from "./search.js";
import { fillTexts, texts } from "./texts.js";
import { preview, watchForPictures } from "./upload.js";
import { Viewer } from "./viewer.js";

const byId = (id) => document.getElementById(id);
const FIRST = 48; // results at first, and more at each "show more"
const MOST = 480;
const RETRY = 2000; // milliseconds between looks whether the server is back
const QUIET = 700; // milliseconds of rest before results are read out

fillTexts(document);
const paper = new Paper(byId("paper"));
const search = new Search({ onResults: showResults, onError: showError, onBusy: showBusy });
const encoder = new Encoder(api.ask, showWhere);
const grid = new Grid(byId("grid"), (index) => viewer.show(grid.results, index));
const viewer = new Viewer({ onLike: (result) => lookFor({ like: result }), onClosed: (index) => grid.focus(index) });

let query = { paper: true }; // or { file, kind, name } or { like: result }
let wanted = FIRST;
let photos = null; // in the library, once known
let announcing = null;
let retrying = null;
let asking = false; // whether the server is back

// --- what is looked for ----------

paper.addEventListener("progress", () => {
  if (!query.paper) setQuery({ paper: true });
  wanted = FIRST;
  showTools();
  search.soon(ask(), query);
});

paper.addEventListener("change", () => {
  if (!query.paper) setQuery({ paper: true });
  wanted = FIRST;
  showTools();
  run();
});

function lookFor(next) {
  wanted = FIRST;
  setQuery(next);
  byId("found").scrollTop = 0;
  run();
}

function setQuery(next) {
  query = next;
  const { file, like } = next;
  byId("picture").hidden = Boolean(next.paper);
  byId("about").hidden = Boolean(next.paper);
  byId("kind").hidden = !file;
  byId("preview").hidden = !next.shown;
  byId("like").hidden = !like;
  if (like) byId("like").src = api.thumbnailUrl(like.id, 640);
  if (file) document.querySelector(`#kind input[value=${next.kind}]`).checked = true;
  byId("about-text").textContent = like ? texts.likeAbout(like.name) : file ? texts.uploadAbout(next.name) : "";
  showTools();
}

function ask() {
  if (query.like) return (signal) => api.searchPhoto(query.like.id, wanted, signal);
  if (query.file) return (signal) => api.searchImage(query.file, query.kind, wanted, signal);
  const strokes = paper.toStrokes();
  return async (signal) => {
    const vector = await encoder.encode(strokes);
    signal.throwIfAborted(); // overtaken meanwhile
    return vector ? api.searchVector(vector, wanted, signal) : api.searchDrawing(strokes, wanted, signal);
  };
}

function run() {
  if (query.paper && paper.empty) {
    search.cancel();
    clearError();
    grid.show([]);
    showEmpty();
  } else {
    search.now(ask(), query);
  }
}

async function useFile(file) {
  if (viewer.open) viewer.dialog.close();
  const guess = await preview(file, byId("preview"));
  if (!guess && !/^image\/|^$/.test(file.type)) {
    showError(new api.ApiError(0, { type: "NotAPicture", message: texts.noPicture, remedy: "" }));
    return;
  }
  const kind = file.type === "image/svg+xml" ? "drawing" : (guess ?? "drawing");
  lookFor({ file, kind, shown: Boolean(guess), name: file.name || texts.pasted });
}

// --- what was found ----------

function showResults(answer) {
  clearError();
  grid.show(answer.results);
  byId("more").hidden = answer.results.length < wanted || wanted >= MOST;
  if (answer.results.length === 0) showEmpty();
  else byId("hint").hidden = true;
  clearTimeout(announcing);
  announcing = setTimeout(() => {
    byId("live").textContent = texts.found(answer.results.length, answer.results[0]?.name);
  }, QUIET);
}

function showEmpty() {
  const fresh = query.paper && paper.empty;
  byId("hint").textContent = photos === 0 ? texts.emptyLibrary : fresh ? texts.hint : texts.nothing;
  byId("hint").hidden = false;
  byId("more").hidden = true;
  clearTimeout(announcing);
  byId("live").textContent = "";
}

function showError(error) {
  const gone = error instanceof api.ServerGone;
  if (error.type === "EmptyDrawingError" && query.paper) return; // the next line will have ink
  byId("notice-text").textContent = gone ? texts.serverGone : error.message || texts.serverFailed;
  byId("notice-remedy").textContent = gone ? texts.serverGoneRemedy : (error.remedy ?? "");
  byId("retry").hidden = !gone;
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
    showLibrary(await api.status());
  } catch {
    return;
  } finally {
    asking = false;
  }
  clearError();
  run();
  encoder.load(api.encoderUrl); // it may be another server, with another model
}

function showBusy(busy) {
  byId("found").setAttribute("aria-busy", String(busy));
}

function showTools() {
  byId("undo").disabled = paper.past.length === 0;
  byId("redo").disabled = paper.future.length === 0;
  byId("clear").disabled = paper.strokes.length === 0;
  byId("invite").hidden = !paper.empty || !query.paper;
}

function showWhere(mode) {
  byId("where").dataset.mode = mode;
  byId("where").textContent = mode === "browser" ? texts.encodedHere : texts.encodedThere;
}

function showLibrary({ library }) {
  photos = library.photos;
  byId("library").textContent = texts.photos(photos);
}

// --- buttons and keys ----------

byId("undo").addEventListener("click", () => paper.undo());
byId("redo").addEventListener("click", () => paper.redo());
byId("clear").addEventListener("click", () => paper.clear());
byId("back").addEventListener("click", () => lookFor({ paper: true }));
byId("retry").addEventListener("click", retry);
byId("more").addEventListener("click", () => {
  wanted = Math.min(MOST, wanted + FIRST);
  search.now(ask(), query);
});
byId("kind").addEventListener("change", (event) => lookFor({ ...query, kind: event.target.value }));

addEventListener("keydown", (event) => {
  if (viewer.open || event.target.matches("input[type=text], input[type=search], textarea, select")) return;
  const command = event.ctrlKey || event.metaKey;
  const key = event.key.toLowerCase();
  if (command && key === "z") (event.shiftKey ? paper.redo() : paper.undo());
  else if (command && key === "y") paper.redo();
  else if (!command && !event.altKey && key === "delete") paper.clear();
  else if (!command && !event.altKey && key === "u") byId("file").click();
  else return;
  event.preventDefault();
});

watchForPictures({ button: byId("choose"), input: byId("file"), drop: byId("drop"), onFile: useFile });

byId("invite").textContent = texts.invite;
showTools();
showEmpty();
api.status().then((answer) => {
  showLibrary(answer);
  if (query.paper && paper.empty) showEmpty();
  encoder.load(api.encoderUrl);
}, showError);
