// Numbers, sizes, dates and counted things as a language writes them.

/** @typedef {{ zero?: string, two?: string, few?: string, many?: string }} MoreForms */

/** @param {string} language */
export function formatsOf(language) {
  const number = new Intl.NumberFormat(language);
  const small = new Intl.NumberFormat(language, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
  const rules = new Intl.PluralRules(language);
  const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
  /**
   * A number and what it counts, in the language's plural form.
   *
   * @param {number} value
   * @param {string} one
   * @param {string} other
   * @param {MoreForms} [more] further forms, where the language has them
   */
  const count = (value, one, other, more = {}) => {
    const rule = rules.select(value);
    const form = rule === "one" ? one : rule === "other" ? other : (more[rule] ?? other);
    return `${number.format(value)} ${form}`;
  };
  return {
    number,
    count,
    /** @param {number} size */
    bytes(size) {
      const units = ["bytes", "kB", "MB", "GB", "TB"];
      let unit = 0;
      for (; size >= 1000 && unit < units.length - 1; unit++) size /= 1000;
      return `${unit && size < 10 ? small.format(size) : number.format(Math.round(size))} ${units[unit]}`;
    },
    /** @param {string} iso */
    date: (iso) => day.format(new Date(iso)),
    /** @param {(string | number | false)[]} parts */
    list: (...parts) => parts.filter(Boolean).join(language === "ar" ? "، " : language === "zh" ? "，" : ", "),
  };
}

/**
 * A time in a video, such as 1:05.
 *
 * @param {number} time in seconds
 */
export function clockOf(time) {
  const seconds = Math.floor(time);
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}
