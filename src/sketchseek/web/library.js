// The library panel: what is indexed, the progress of indexing, failures, and adding folders.

import * as api from "./api.js";
import { button, byId, messageOf } from "./elements.js";
import { texts } from "./texts.js";

/** @import { Failures, IndexingState, Status } from "./types.d.ts" */

// The state of indexing, pushed by the server. The connection is open only while the panel is open or indexing runs, because
// browsers allow few connections to a server.
export class Progress {
  /** @param {(state: IndexingState) => void} onState */
  constructor(onState) {
    this.onState = onState;
    /** @type {EventSource | null} */
    this.source = null;
    this.watched = false;
    this.running = false;
    document.addEventListener("visibilitychange", () => this.#settle());
  }

  // Asks once whether indexing runs, and follows it if so.
  async look() {
    this.#take(await api.indexing());
  }

  /** @param {boolean} watched */
  watch(watched) {
    this.watched = watched;
    this.#settle();
  }

  #settle() {
    const needed = (this.watched || this.running) && !document.hidden;
    if (needed && !this.source) {
      this.source = new EventSource(api.progressUrl()); // reconnects by itself
      this.source.addEventListener("message", ({ data }) => this.#take(JSON.parse(data)));
    } else if (!needed && this.source) {
      this.source.close();
      this.source = null;
    }
  }

  /** @param {IndexingState} state */
  #take(state) {
    this.running = state.running;
    this.onState(state);
    this.#settle();
  }
}

/**
 * The text for a state of indexing, and the finished fraction where it is known.
 *
 * @param {IndexingState} state
 * @returns {{ text: string, fraction?: number, wrong?: boolean }}
 */
export function describe({ running, progress, report, stopped, error }) {
  if (!running) {
    if (error) return { text: error.message, wrong: true };
    if (stopped) return { text: texts.stopped };
    return { text: report ? texts.report(report) : "" };
  }
  if (!progress) return { text: texts.starting };
  if (progress.stage === "scan") return { text: texts.scanning(progress.done) };
  if (progress.stage === "index") return { text: texts.building, fraction: 1 };
  const fraction = progress.total ? progress.done / progress.total : 0;
  return { text: texts.embedding(progress.done, progress.total), fraction };
}

export class LibraryPanel {
  /**
   * @param {object} handlers
   * @param {(status: Status) => void} handlers.onChanged photos were added or removed
   * @param {(status: Status) => void} handlers.onStatus
   */
  constructor({ onChanged, onStatus }) {
    this.dialog = byId("panel", HTMLDialogElement);
    this.handlers = { onChanged, onStatus };
    this.progress = new Progress((state) => this.#showProgress(state));
    /** @type {IndexingState | null} */
    this.state = null;
    this.turn = 0;
    this.browsing = 0;
    this.refreshing = false;
    /** @type {string | null} */
    this.folder = null; // whose subfolders are listed; null for the roots
    /** @type {(string | undefined)[]} */
    this.above = []; // for "Up"
    byId("library").addEventListener("click", () => this.show());
    byId("panel-close").addEventListener("click", () => this.dialog.close());
    this.dialog.addEventListener("click", (event) => event.target === this.dialog && this.dialog.close());
    this.dialog.addEventListener("close", () => this.progress.watch(false));
    byId("sync").addEventListener("click", () => this.#do(api.sync()));
    byId("stop").addEventListener("click", () => this.#do(api.stopIndexing()));
    byId("log-out").addEventListener("click", () => this.#do(api.logOut()));
    byId("add").addEventListener("click", () => this.#do(api.addFolder(this.folder ?? "")));
    byId("up").addEventListener("click", () => this.#browse(this.above.pop()));
  }

  get open() {
    return this.dialog.open;
  }

  /**
   * Whether a library is being indexed now.
   *
   * @param {string} name
   */
  fills(name) {
    return Boolean(this.state?.running && this.state.library === name);
  }

  async show() {
    byId("panel-error").hidden = true;
    if (!this.open) this.dialog.showModal();
    this.progress.watch(true);
    this.above = [];
    const [mayWrite] = await Promise.all([this.#showLibrary(), this.#showUser()]);
    if (mayWrite) await this.#browse(undefined);
  }

  // Returns whether folders can be added.
  async #showLibrary() {
    const turn = ++this.turn;
    try {
      const [status, failures] = await Promise.all([api.status(), api.failures()]);
      if (turn !== this.turn) return false; // of another library, or outdated
      this.#showStatus(status);
      byId("adding").hidden = !status.may.write;
      byId("read-only").hidden = status.may.write;
      this.#showFailures(failures);
      this.handlers.onStatus(status);
      return status.may.write;
    } catch (error) {
      this.#showError(error);
      return false;
    }
  }

  async #showUser() {
    try {
      const { user } = await api.session();
      byId("session").hidden = !user;
      byId("session-user").textContent = user ? texts.loggedIn(user) : "";
    } catch (error) {
      this.#showError(error);
    }
  }

  /** @param {Status} status */
  #showStatus({ name, library, may }) {
    byId("panel-name").textContent = name;
    byId("panel-path").textContent = library.path;
    byId("panel-holds").textContent = texts.holds(library);
    byId("panel-folders-text").textContent = texts.folders(library.folders.length);
    byId("panel-folders").replaceChildren(...library.folders.map((path) => item("bdi", path)));
    byId("sync").hidden = !may.write || library.folders.length === 0;
    const unread = Object.entries(library.unread);
    byId("unread").hidden = unread.length === 0;
    byId("unread").textContent = texts.unread(
      unread.reduce((total, [, files]) => total + files, 0),
      unread.map(([suffix, files]) => `${suffix} ${files}`).join(", "),
    );
  }

  /** @param {Failures} answer */
  #showFailures({ total, failures }) {
    byId("failures").hidden = total === 0;
    byId("failures-summary").textContent = texts.failures(total);
    const items = failures.map(({ path, reason }) => {
      const one = item("bdi", path);
      const why = document.createElement("p");
      why.className = "quiet";
      why.textContent = reason;
      one.append(why);
      return one;
    });
    if (total > failures.length) items.push(item("span", texts.moreFailures(total - failures.length)));
    byId("failures-list").replaceChildren(...items);
  }

  /** @param {IndexingState} state */
  #showProgress(state) {
    const before = this.state;
    this.state = state;
    const { text, fraction, wrong } = describe(state);
    byId("progress").hidden = text === "";
    byId("progress-text").textContent = text;
    byId("progress-text").classList.toggle("wrong", Boolean(wrong));
    byId("progress-remedy").textContent = state.error?.remedy ?? "";
    byId("progress-library").textContent = state.library ?? "";
    byId("progress-bar").hidden = !state.running;
    const bar = byId("progress-bar", HTMLProgressElement);
    if (fraction === undefined) bar.removeAttribute("value");
    else bar.value = fraction;
    byId("stop").hidden = !state.running;
    button("sync").disabled = button("add").disabled = state.running;
    byId("running").hidden = !state.running;
    byId("running").textContent = texts.progress(Math.round(100 * (fraction ?? 0)));
    /** @param {IndexingState | null} one */
    const saved = (one) => one?.progress?.indexed ?? 0;
    if (state.running && !before?.running) byId("progress").scrollIntoView({ block: "nearest" }); // it is above a long list
    if (before?.running && !state.running) this.#changed();
    else if (state.running && (!before?.running || saved(state) !== saved(before))) this.#refresh();
  }

  async #changed() {
    if (this.open) await this.#showLibrary();
    try {
      this.handlers.onChanged(await api.status());
    } catch {
      // The next search shows the error.
    }
  }

  async #refresh() {
    if (this.refreshing) return; // the next step updates it
    this.refreshing = true;
    try {
      const status = await api.status();
      if (this.open) this.#showStatus(status);
      this.handlers.onStatus(status);
    } catch {
      // As in #changed.
    } finally {
      this.refreshing = false;
    }
  }

  /**
   * Lists the folders in one, or the roots.
   *
   * @param {string} [path]
   */
  async #browse(path) {
    const turn = ++this.browsing;
    const focused = byId("adding").contains(document.activeElement);
    try {
      const answer = await api.folders(path);
      if (!answer.adding || turn !== this.browsing) return;
      this.folder = answer.path;
      byId("folder-path").textContent = answer.path ?? texts.roots;
      byId("up").hidden = answer.path === null;
      byId("add").hidden = answer.path === null;
      byId("no-folders").hidden = answer.folders.length > 0;
      const items = answer.folders.map((folder) => {
        const one = document.createElement("li");
        const button = document.createElement("button");
        button.type = "button";
        button.className = "plain";
        button.textContent = answer.path === null ? folder : (folder.match(/[^/\\]+$/)?.[0] ?? folder);
        button.title = folder;
        button.addEventListener("click", () => {
          this.above.push(answer.path ?? undefined);
          this.#browse(folder);
        });
        one.append(button);
        return one;
      });
      byId("folder-list").replaceChildren(...items);
      if (focused) (items[0]?.querySelector("button") ?? byId("add")).focus(); // the focused button is gone
    } catch (error) {
      this.#showError(error);
    }
  }

  /**
   * Shows an action's error, if any.
   *
   * @param {Promise<unknown>} asked
   */
  async #do(asked) {
    byId("panel-error").hidden = true;
    try {
      await asked;
    } catch (error) {
      this.#showError(error);
    }
  }

  /** @param {unknown} error */
  #showError(error) {
    const gone = error instanceof api.ServerGone;
    const remedy = error instanceof api.ApiError ? error.remedy : "";
    const text = gone ? texts.serverGone : [messageOf(error), remedy].filter(Boolean).join(" ");
    byId("panel-error").textContent = text || texts.serverFailed;
    byId("panel-error").hidden = false;
  }
}

/** @type {(kind: string, text: string) => HTMLLIElement} */
function item(kind, text) {
  const one = document.createElement("li");
  const inner = document.createElement(kind);
  inner.textContent = text;
  one.append(inner);
  return one;
}
