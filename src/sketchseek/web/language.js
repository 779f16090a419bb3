// The page's language: the one that the user chose, else the first of the browser's languages that the page has.

// By their codes, with their own names.
export const LANGUAGES = {
  en: "English",
  de: "Deutsch",
  fr: "Français",
  es: "Español",
  zh: "中文",
  ar: "العربية",
};

/** @typedef {keyof typeof LANGUAGES} Language */

const KEY = "sketchseek language";

/**
 * @param {string | null} kept what the user chose
 * @param {readonly string[]} wanted the browser's languages, such as "de-AT"; the preferred one first
 * @returns {Language}
 */
export function languageOf(kept, wanted) {
  const known = Object.keys(LANGUAGES);
  const found = [kept ?? "", ...wanted]
    .map((one) => one.toLowerCase().split("-")[0])
    .find((one) => known.includes(one));
  return /** @type {Language} */ (found ?? "en");
}

export function currentLanguage() {
  return languageOf(kept(), globalThis.navigator?.languages ?? []);
}

function kept() {
  try {
    return globalThis.localStorage?.getItem(KEY) ?? null;
  } catch {
    return null; // the browser stores nothing
  }
}

/**
 * Lets the user choose. The page starts anew with all that it shows: the browser's history has it.
 *
 * @param {HTMLSelectElement} select
 */
export function connectLanguage(select) {
  select.replaceChildren(...Object.entries(LANGUAGES).map(([code, name]) => new Option(name, code)));
  select.value = currentLanguage();
  select.addEventListener("change", () => {
    try {
      localStorage.setItem(KEY, select.value);
    } catch {
      return;
    }
    location.reload();
  });
}
