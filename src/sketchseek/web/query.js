// Turns the current query, with its filter and feedback, into requests to the server.

import * as server from "./api.js";
import { combinedAsker } from "./combined-query.js";

/** @import { ApiStrokes, AskPage, Colors, Feedback, Filter, Page, Query, Words } from "./types.d.ts" */

/**
 * Makes a function that asks for pages of results. The query stays as it is now for every page.
 *
 * @param {object} options
 * @param {Query} options.query
 * @param {ApiStrokes[]} [options.sheets] the drawings, for a query by sketch
 * @param {boolean} [options.parts] whether each of the two objects of the drawing is searched for, too
 * @param {Words} [options.words]
 * @param {Colors} [options.colors] of the drawings
 * @param {{ encode: (strokes: ApiStrokes) => Promise<number[] | null>, serverFailed: (reason: string) => boolean }}
 *   [options.encoder] encodes strokes, or gives null where the server encodes them; it is told when the server fails
 * @param {Filter} options.filter
 * @param {Feedback} options.marks
 * @param {Pick<typeof server, "refine" | "searchPhoto" | "searchImage" | "searchEmbedding" | "searchSketch" | "searchQuery">}
 *   [options.api]
 * @returns {AskPage}
 */
export function asker({
  query,
  sheets = [],
  parts = false,
  words = { text: "", required: false },
  colors = { palette: [], weight: 0 },
  encoder,
  filter,
  marks,
  api = server,
}) {
  const feedback = marks.positive.length + marks.negative.length > 0 ? marks : null;
  const { like, file, paper } = query;
  const colored = colors.palette.length > 0;
  if (encoder && (words.text || colored || (paper && (parts || sheets.length > 1)))) {
    return combinedAsker({ query, sheets, parts: Boolean(paper && parts), words, colors, encoder, filter, marks, api });
  }
  if (like) {
    return (signal, page) =>
      feedback
        ? api.refine({ photo_id: like.id, ...feedback, ...filter, ...page }, signal)
        : api.searchPhoto(like.id, { ...filter, ...page }, signal);
  }
  if (file) {
    return (signal, page) => api.searchImage(file, { kind: query.kind, ...feedback, ...filter, ...page }, signal);
  }
  const [strokes] = sheets;
  if (!strokes || !encoder) throw new TypeError("a query by sketch needs strokes and an encoder");
  /** @type {Promise<number[] | null> | null} */
  let made = null;
  /** @type {(signal: AbortSignal, page: Page) => ReturnType<AskPage>} */
  const send = async (signal, page) => {
    made ??= encoder.encode(strokes); // once for all pages
    const embedding = await made;
    signal.throwIfAborted(); // a newer query may have come meanwhile
    const body = { ...(embedding ? { embedding } : { strokes }), ...filter, ...page };
    if (feedback) return api.refine({ ...body, ...feedback }, signal);
    return embedding ? api.searchEmbedding(body, signal) : api.searchSketch(body, signal);
  };
  return async (signal, page) => {
    try {
      return await send(signal, page);
    } catch (error) {
      const here = made && (await made) !== null;
      const failure = /** @type {server.ApiError} */ (error);
      if (here || failure.status !== 500 || !encoder.serverFailed(failure.message)) throw error;
      made = null;
      return send(signal, page);
    }
  };
}
