// What the page shows, read from its modules for the browser's history, and put back into them.

import { photo } from "./api.js";
import { COLOR_WEIGHT } from "./ink-colors.js";
import { sameQuery } from "./page-entry.js";
import { keptPicture } from "./picture-store.js";

/**
 * @import { Filters } from "./filters.js"
 * @import { LibraryChoice } from "./library-choice.js"
 * @import { Marks } from "./marks.js"
 * @import { Palette } from "./palette.js"
 * @import { QueryPanel } from "./query-panel.js"
 * @import { PageEntry } from "./types.d.ts"
 * @import { Sheets } from "./sheets.js"
 * @import { Viewer } from "./viewer.js"
 * @import { WordsBox } from "./words.js"
 */

export class PageState {
  /**
   * @param {object} parts
   * @param {Sheets} parts.sheets
   * @param {WordsBox} parts.words
   * @param {Palette} parts.palette
   * @param {QueryPanel} parts.queryPanel
   * @param {Filters} parts.filters
   * @param {Marks} parts.marks
   * @param {Viewer} parts.viewer
   * @param {LibraryChoice} parts.choice
   * @param {() => void} parts.run searches with what was put back
   * @param {() => void} parts.onLibrary another library is searched from now on
   */
  constructor(parts) {
    this.parts = parts;
  }

  /** @returns {PageEntry} */
  read() {
    const { sheets, words, palette, queryPanel, filters, viewer, choice } = this.parts;
    const { like, file, kind = "sketch", name = "", key } = queryPanel.query;
    return {
      library: choice.name,
      sheets: sheets.empty ? [] : sheets.strokes,
      sheet: sheets.at,
      ...(sheets.whole && { whole: true }),
      words: words.value,
      ...(palette.colors.length && { colors: palette.colors }),
      ...(palette.weight !== COLOR_WEIGHT && { colorWeight: palette.weight }),
      ...(like && { like: { id: like.id, name: like.name } }),
      ...(file && key && { picture: { key, kind, name } }),
      ...(viewer.shown && { photo: viewer.shown }),
      ...filters.values,
    };
  }

  /** @param {PageEntry} entry */
  async restore(entry) {
    const { sheets, words, palette, filters, marks, viewer, choice, run, onLibrary } = this.parts;
    if (entry.library !== choice.name) {
      choice.use(entry.library);
      onLibrary();
    }
    if (!sameQuery(entry, this.read())) {
      marks.clear({ quietly: true });
      filters.restore(entry);
      sheets.restore(entry.sheets, entry.sheet, entry.whole);
      words.restore(entry.words);
      palette.restore(entry.colors ?? [], entry.colorWeight);
      await this.#restoreQuery(entry);
      run();
    }
    if (entry.photo) await viewer.showPhoto(entry.photo);
    else if (viewer.open) viewer.close();
  }

  /** @param {PageEntry} entry */
  async #restoreQuery({ like, picture }) {
    const { queryPanel } = this.parts;
    queryPanel.show(like ? { like } : { paper: true });
    const { query } = queryPanel;
    if (like && !like.name) void this.#nameLike(like.id);
    const file = picture && (await keptPicture(picture.key));
    if (file && query === queryPanel.query) await queryPanel.restoreFile(file, picture);
  }

  // A link has only the photo's id.
  /** @param {number} id */
  async #nameLike(id) {
    const { queryPanel } = this.parts;
    const { query } = queryPanel;
    const known = await photo(id, new AbortController().signal).catch(() => null); // the search shows the error
    if (known && query === queryPanel.query) queryPanel.show({ like: { id, name: known.name } });
  }
}
