// Queries of several drawings, of words, or of both: the server finds one list of results for all of them.

import * as server from "./api.js";

/** @import { ApiStrokes, AskPage, Colors, Example, Feedback, Filter, Page, Query, Words } from "./types.d.ts" */

const FEEDBACK = 0.75; // weight of all positive marks together, beside 1 for each drawing

/**
 * @typedef {object} Combined
 * @property {Query} query
 * @property {ApiStrokes[]} sheets drawings of one thing; none for words alone
 * @property {boolean} [parts] whether each of the two objects of the drawing is searched for, too
 * @property {Words} words
 * @property {Colors} [colors]
 * @property {{ encode: (strokes: ApiStrokes) => Promise<number[] | null>, serverFailed: (reason: string) => boolean }} encoder
 * @property {Filter} filter
 * @property {Feedback} marks
 * @property {Pick<typeof server, "searchQuery">} [api]
 */

/**
 * Makes a function that asks for pages of results. The query stays as it is now for every page.
 *
 * @param {Combined} options
 * @returns {AskPage}
 */
export function combinedAsker({ query, sheets, parts = false, words, colors, encoder, filter, marks, api = server }) {
  /** @type {Promise<Example[]> | null} */
  let made = null;
  const colored = colors?.palette.length ? { colors: colors.palette, color_weight: colors.weight } : {};
  const text = words.text ? { text: words.text, text_mode: words.required ? "require" : "rank" } : {};
  // The server finds the objects in the strokes.
  const strokesOnly = { encode: () => Promise.resolve(null) };
  /** @type {(signal: AbortSignal, page: Page) => ReturnType<AskPage>} */
  const send = async (signal, page) => {
    made ??= examplesOf(query, sheets, parts ? strokesOnly : encoder, marks); // once for all pages
    const examples = await made;
    signal.throwIfAborted(); // a newer query may have come meanwhile
    return api.searchQuery({ examples, ...(parts && { parts }), ...text, ...colored, ...filter, ...page }, signal);
  };
  return async (signal, page) => {
    try {
      return await send(signal, page);
    } catch (error) {
      const sent = made && (await made).some(({ strokes }) => strokes);
      const failure = /** @type {server.ApiError} */ (error);
      if (!sent || failure.status !== 500 || !encoder.serverFailed(failure.message)) throw error;
      made = null;
      return send(signal, page);
    }
  };
}

/**
 * The examples of a query.
 *
 * @type {(query: Query, sheets: ApiStrokes[], encoder: Pick<Combined["encoder"], "encode">, marks: Feedback) => Promise<Example[]>}
 */
export async function examplesOf({ like, file, kind = "sketch" }, sheets, encoder, { positive, negative }) {
  /** @type {Example[]} */
  let examples = [];
  if (like) examples = [{ photo_id: like.id }];
  else if (file) examples = [{ image: await base64Of(file), image_kind: kind }];
  else {
    for (const strokes of sheets) {
      const embedding = await encoder.encode(strokes);
      examples.push(embedding ? { embedding } : { strokes });
    }
  }
  for (const id of positive) examples.push({ photo_id: id, weight: FEEDBACK / positive.length });
  // Words alone have no examples that wrong photos could be held against.
  if (examples.length) for (const id of negative) examples.push({ photo_id: id, negative: true });
  return examples;
}

/**
 * @param {Blob} file
 * @returns {Promise<string>}
 */
function base64Of(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result).replace(/^.*?,/, ""));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}
