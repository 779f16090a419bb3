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

async function request(path, options = {}) {
  let response;
  let body;
  try {
    response = await fetch(`api/${path}`, options);
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

// JSON from below /api: asked for, or answered to a value.
export const ask = (path, value) => (value === undefined ? request(path) : post(path, value));

export const encoderUrl = (sha256) => `api/model/sketch.onnx?sha256=${sha256}`;

export const searchVector = (vector, k, signal) => post("search/vector", { vector, k }, signal);

export const searchDrawing = (strokes, k, signal) => post("search/drawing", { strokes, k }, signal);

export const searchPhoto = (id, k, signal) => post(`search/photo/${id}`, { k }, signal);

export function searchImage(file, kind, k, signal) {
  const form = new FormData();
  form.append("image", file, file.name || "picture");
  form.append("kind", kind);
  form.append("k", String(k));
  return request("search/image", { method: "POST", body: form, signal });
}

export const status = () => request("status", { cache: "no-store" });

export const photo = (id, signal) => request(`photos/${id}`, { signal });

export const thumbnailUrl = (id, size) => `api/photos/${id}/thumbnail?size=${size}`;

export const fileUrl = (id) => `api/photos/${id}/file`;
