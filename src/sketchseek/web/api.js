// The REST API, and the two ways in which a request can fail.

import { isAbort, messageOf } from "./elements.js";

/**
 * @import { ErrorBody, Example, Explanation, Failures, Feedback, Filter, Folders, IndexingState, Libraries, Page, PhotoFolders,
 *   PhotoInfo, PhotoList, PhotoOrder, QueryColor, SearchAnswer, Session, Status } from "./types.d.ts"
 */

// The server answered with an error; its message is for people.
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {ErrorBody} body
   */
  constructor(status, { type, message, remedy }) {
    super(message);
    this.status = status;
    this.type = type;
    this.remedy = remedy;
  }
}

// No answer came.
export class ServerGone extends Error {}

let library = ""; // name of the searched library; "" is the server's first

/** @param {string} name */
export const useLibrary = (name) => (library = name);

export const usedLibrary = () => library;

/**
 * The address of a route, for the searched library.
 *
 * @param {string} path
 */
function address(path) {
  if (!library) return `api/v1/${path}`;
  return `api/v1/${path}${path.includes("?") ? "&" : "?"}library=${encodeURIComponent(library)}`;
}

/**
 * The JSON body of an answer.
 *
 * @param {string} path
 * @param {RequestInit} [options]
 * @returns {Promise<any>}
 */
async function request(path, options = {}) {
  let response;
  let body;
  try {
    const answer = await fetch(address(path), options);
    response = answer;
    body = await answer.json().catch((error) => {
      if (answer.ok) throw error;
      return null;
    });
  } catch (error) {
    if (isAbort(error)) throw error;
    throw new ServerGone(messageOf(error));
  }
  if (response.ok) return body;
  if (response.status === 401) location.assign("login"); // the session has ended
  throw new ApiError(response.status, body?.error ?? { type: "Unknown", message: response.statusText, remedy: "" });
}

/**
 * @param {string} path
 * @param {object} value
 * @param {AbortSignal} [signal]
 * @param {Record<string, string>} [headers]
 */
const post = (path, value, signal, headers) =>
  request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: JSON.stringify(value),
    signal,
  });

let changeToken = ""; // only pages of this origin can read it, so that others cannot change anything

/**
 * Ask for a change. The server has another token after each start.
 *
 * @param {string} path
 * @param {object} value
 */
async function change(path, value) {
  const known = changeToken;
  changeToken ||= (await fresh("session")).token;
  try {
    return await post(path, value, undefined, { "X-Sketchseek-Token": changeToken });
  } catch (error) {
    if (!(error instanceof ApiError && error.type === "TokenWrong")) throw error;
    changeToken = "";
    if (!known) throw error;
    return change(path, value);
  }
}

/** @param {string} path */
const fresh = (path) => request(path, { cache: "no-store" });

/**
 * JSON from a route: by GET, or by POST where there is a value.
 *
 * @param {string} path
 * @param {object} [value]
 */
export const ask = (path, value) => (value === undefined ? request(path) : post(path, value));

/** @type {() => Promise<Session>} */
export const session = () => fresh("session");

// Ends the session, and leaves the page.
export async function logOut() {
  try {
    await fetch("logout", { method: "POST", redirect: "manual" });
  } catch (error) {
    throw new ServerGone(messageOf(error));
  }
  location.assign("login");
}

/** @param {string} sha256 */
export const encoderUrl = (sha256) => address(`model/sketch.onnx?sha256=${sha256}`);

// Searches. Each body is the query with k, offset, folder, after and before.

/** @typedef {Page & Filter} SearchBody */

/** @type {(body: SearchBody & { embedding?: number[] }, signal: AbortSignal) => Promise<SearchAnswer>} */
export const searchEmbedding = (body, signal) => post("search/embedding", body, signal);

/** @type {(body: SearchBody & { strokes?: unknown }, signal: AbortSignal) => Promise<SearchAnswer>} */
export const searchSketch = (body, signal) => post("search/sketch", body, signal);

/** @type {(id: number, body: SearchBody, signal: AbortSignal) => Promise<SearchAnswer>} */
export const searchPhoto = (id, body, signal) => post(`search/photo/${id}`, body, signal);

/** @type {(body: SearchBody & Feedback & { photo_id?: number }, signal: AbortSignal) => Promise<SearchAnswer>} */
export const refine = (body, signal) => post("search/refine", body, signal);

/** @typedef {{ examples: Example[], text?: string, text_mode?: string, colors?: QueryColor[], color_weight?: number }} CombinedBody */

/** @type {(body: SearchBody & CombinedBody, signal: AbortSignal) => Promise<SearchAnswer>} */
export const searchQuery = (body, signal) => post("search/query", body, signal);

/** @type {(id: number, examples: Example[]) => Promise<Explanation>} */
export const explain = (id, examples) => post(`search/explain/${id}`, { examples });

/** @type {(file: File, fields: SearchBody & { kind?: string }, signal: AbortSignal) => Promise<SearchAnswer>} */
export function searchImage(file, fields, signal) {
  const form = new FormData();
  form.append("image", file, file.name || "picture");
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null) form.append(name, String(one));
  }
  return request("search/image", { method: "POST", body: form, signal });
}

/** @type {(query: SearchBody & { order: PhotoOrder }, signal: AbortSignal) => Promise<PhotoList>} */
export const listPhotos = (query, signal) =>
  request(`photos?${new URLSearchParams(/** @type {any} */ (query))}`, { signal, cache: "no-store" });

/** @type {(ids: number[]) => string} */
export const archiveUrl = (ids) => address(`photos/archive?ids=${ids.join(",")}`);

/** @type {(id: number, signal: AbortSignal) => Promise<PhotoInfo>} */
export const photo = (id, signal) => request(`photos/${id}`, { signal });

/** @param {number} id */
export const openFolder = (id) => change(`photos/${id}/open`, {});

/**
 * Why a picture did not load: the server's error, ServerGone without an answer, or null where only the picture is broken.
 *
 * @param {string} url
 */
export async function whyNoPicture(url) {
  try {
    const answer = await fetch(url, { cache: "no-store" });
    return answer.ok ? null : new ApiError(answer.status, { type: "Missing", message: answer.statusText, remedy: "" });
  } catch (error) {
    return new ServerGone(messageOf(error));
  }
}

/** @type {(id: number, size: number) => string} */
export const thumbnailUrl = (id, size) => address(`photos/${id}/thumbnail?size=${size}`);

/** @type {(id: number, options?: { download?: boolean }) => string} */
export const fileUrl = (id, { download = false } = {}) =>
  address(`photos/${id}/file${download ? "?download=true" : ""}`);

// The library.

/** @type {() => Promise<Status>} */
export const status = () => fresh("status");

/** @type {() => Promise<Libraries>} */
export const libraries = () => fresh("libraries");

/** @type {(contains: string, limit?: number) => Promise<PhotoFolders>} */
export const photoFolders = (contains, limit = 20) =>
  fresh(`photo-folders?limit=${limit}&contains=${encodeURIComponent(contains)}`);

/** @type {() => Promise<Failures>} */
export const failures = () => fresh("failures?limit=500");

/** @type {(below?: string) => Promise<Folders>} */
export const folders = (below) => fresh(below ? `folders?below=${encodeURIComponent(below)}` : "folders");

/** @param {string} folder */
export const addFolder = (folder) => change("folders", { folder });

export const sync = () => change("sync", {});

/** @type {() => Promise<IndexingState>} */
export const indexing = () => fresh("indexing");

export const stopIndexing = () => change("indexing/stop", {});

export const progressUrl = () => "api/v1/progress";
