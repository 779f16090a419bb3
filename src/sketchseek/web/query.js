// What is looked for, as a question to the server: a drawing, a picture or a photo of the library, with what narrows it
// down and what was marked as right or wrong.

import * as server from "./api.js";

// Gives a function of (signal, { k, offset }) to the answer. What it asks stays as it is now, for every page of results:
// query: { paper: true }, { file, kind } or { like: result }; strokes: the paper's, as the API takes them;
// encoder: makes their vector, or null where the server is to, and hears where that failed; bounds: { folder, after, before }; marks: { positive, negative }, ids.
export function asker({ query, strokes, encoder, bounds, marks, api = server }) {
  const feedback = marks.positive.length + marks.negative.length > 0 ? marks : null;
  if (query.like) {
    return (signal, page) =>
      feedback
        ? api.refine({ photo_id: query.like.id, ...feedback, ...bounds, ...page }, signal)
        : api.searchPhoto(query.like.id, { ...bounds, ...page }, signal);
  }
  if (query.file) {
    return (signal, page) => api.searchImage(query.file, { kind: query.kind, ...feedback, ...bounds, ...page }, signal);
  }
  let made = null;
  const send = async (signal, page) => {
    made ??= encoder.encode(strokes); // once for all pages
    const vector = await made;
    signal.throwIfAborted(); // overtaken meanwhile
    const body = { ...(vector ? { vector } : { strokes }), ...bounds, ...page };
    if (feedback) return api.refine({ ...body, ...feedback }, signal);
    return vector ? api.searchVector(body, signal) : api.searchDrawing(body, signal);
  };
  return async (signal, page) => {
    try {
      return await send(signal, page);
    } catch (error) {
      const here = made && (await made) !== null;
      if (here || error.status !== 500 || !encoder.serverFailed(error.message)) throw error;
      made = null;
      return send(signal, page);
    }
  };
}
