// The REST API, and the two ways in which it can fail.

// The server answered that it cannot do this; the message is for people.
export class ApiError extends Error {
  constructor(status, { type, message, remedy }) {
    super(message);
    this.status = status;
    this.type = type;
    this.remedy = remedy;
  }
}

// No answer came at all.
export class ServerGone extends Error {}

let library = ""; // name of the library that is searched; none is the server's first

export const useLibrary = (name) => (library = name);

// An address below api/, about the library that is searched.
function address(path) {
  if (!library) return `api/v1/${path}`;
  return `api/v1/${path}${path.includes("?") ? "&" : "?"}library=${encodeURIComponent(library)}`;
}

async function request(path, options = {}) {
  let response;
  let body;
  try {
    response = await fetch(address(path), options);
    body = await response.json().catch((error) => {
      if (response.ok) throw error;
      return null;
    });
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new ServerGone(error.message);
  }
  if (response.ok) return body;
  throw new ApiError(response.status, body?.error ?? { type: "Unknown", message: response.statusText, remedy: "" });
}

const post = (path, value, signal) =>
  request(path, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(value),
    signal,
  });

const fresh = (path) => request(path, { cache: "no-store" });

// JSON from below /api: asked for, or answered to a value.
export const ask = (path, value) => (value === undefined ? request(path) : post(path, value));

export const encoderUrl = (sha256) => address(`model/sketch.onnx?sha256=${sha256}`);

// Searches: each body is the query with { k, offset, folder, after, before }.
export const searchVector = (body, signal) => post("search/vector", body, signal);

export const searchDrawing = (body, signal) => post("search/sketch", body, signal);

export const searchPhoto = (id, body, signal) => post(`search/photo/${id}`, body, signal);

export const refine = (body, signal) => post("search/refine", body, signal);

export function searchImage(file, fields, signal) {
  const form = new FormData();
  form.append("image", file, file.name || "picture");
  for (const [name, value] of Object.entries(fields)) {
    for (const one of [value].flat()) if (one !== undefined && one !== null) form.append(name, String(one));
  }
  return request("search/image", { method: "POST", body: form, signal });
}

export const photo = (id, signal) => request(`photos/${id}`, { signal });

export const openFolder = (id) => post(`photos/${id}/open`, {});

export const thumbnailUrl = (id, size) => address(`photos/${id}/thumbnail?size=${size}`);

export const fileUrl = (id, { download = false } = {}) =>
  address(`photos/${id}/file${download ? "?download=true" : ""}`);

// The library.
export const status = () => fresh("status");

export const libraries = () => fresh("libraries");

export const failures = () => fresh("failures?limit=500");

export const folders = (below) => fresh(below ? `folders?below=${encodeURIComponent(below)}` : "folders");

export const addFolder = (folder) => post("folders", { folder });

export const sync = () => post("sync", {});

export const indexing = () => fresh("indexing");

export const stopIndexing = () => post("indexing/stop", {});

export const progressUrl = () => "api/v1/progress";
