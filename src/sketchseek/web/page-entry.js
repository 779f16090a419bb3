// What the page shows, as an entry of the browser's history and as the fragment of a link. The fragment never reaches a
// server.

import { MOST_SHEETS } from "./sheets.js";
import { decodeSketch, encodeSketch } from "./sketch-code.js";

/** @import { PageEntry } from "./types.d.ts" */

const COLORS = /^[\da-f]{6}(\.[\da-f]{6}){0,7}$/;
const DAY = /^\d{4}-\d\d-\d\d$/;

/** @type {PageEntry} */
export const EMPTY = {
  library: "",
  sheets: [],
  sheet: 0,
  words: { text: "", required: false },
  folder: "",
  after: "",
  before: "",
};

/**
 * The fragment of a link to an entry, with "#"; "" for the empty page. A picture file has no link.
 *
 * @param {PageEntry} entry
 */
export function fragmentOf({
  library,
  sheets,
  words,
  colors,
  colorWeight,
  like,
  photo,
  folder,
  after,
  before,
  grouped,
  whole,
}) {
  const fields = new URLSearchParams();
  if (library) fields.set("library", library);
  if (like) fields.set("like", String(like.id));
  if (words.text) fields.set(words.required ? "words" : "text", words.text);
  if (colors?.length) fields.set("colors", colors.map((color) => color.slice(1)).join("."));
  if (colorWeight !== undefined) fields.set("color", String(colorWeight));
  if (folder) fields.set("folder", folder);
  if (after) fields.set("after", after);
  if (before) fields.set("before", before);
  if (whole) fields.set("parts", "whole");
  if (grouped) fields.set("copies", "grouped");
  if (photo) fields.set("photo", String(photo));
  for (const strokes of sheets) if (strokes.length) fields.append("sketch", encodeSketch(strokes));
  const text = fields.toString();
  return text && `#${text}`;
}

/**
 * The entry that a fragment names. Whatever is not valid in it is left out.
 *
 * @param {string} fragment with or without "#"
 * @returns {PageEntry}
 */
export function entryOf(fragment) {
  const fields = new URLSearchParams(fragment.replace(/^#/, ""));
  /** @param {string} name */
  const text = (name) => fields.get(name) ?? "";
  /** @param {string} name */
  const day = (name) => (DAY.test(text(name)) ? text(name) : "");
  const colorWeight = /^(0(\.\d)?|1)$/.test(text("color")) ? Number(text("color")) : undefined;
  const colors = COLORS.test(text("colors")) ? text("colors").split(".") : [];
  const [like, photo] = [idOf(text("like")), idOf(text("photo"))];
  return {
    library: text("library"),
    sheets: fields
      .getAll("sketch")
      .slice(0, MOST_SHEETS)
      .map((one) => decodeSketch(one) ?? [])
      .filter((strokes) => strokes.length > 0),
    sheet: 0,
    words: { text: text("words") || text("text"), required: Boolean(text("words")) },
    ...(colors.length && { colors: colors.map((color) => `#${color}`) }),
    ...(colorWeight !== undefined && { colorWeight }),
    ...(like && { like: { id: like, name: "" } }),
    ...(photo && { photo }),
    folder: text("folder"),
    after: day("after"),
    before: day("before"),
    ...(text("parts") === "whole" && { whole: true }),
    ...(text("copies") === "grouped" && { grouped: true }),
  };
}

/**
 * Whether two entries have the same results; the viewer may show another photo.
 *
 * @param {PageEntry} one
 * @param {PageEntry} other
 */
export function sameQuery(one, other) {
  /** @param {PageEntry} entry */
  const key = (entry) =>
    fragmentOf({ ...entry, photo: undefined }) + (entry.picture ? entry.picture.kind + entry.picture.key : "");
  return key(one) === key(other);
}

/** @param {string} text */
const idOf = (text) => (/^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : undefined);
