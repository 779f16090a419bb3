// Every language has every text, and the browser's languages choose among them.

import assert from "node:assert/strict";
import { test } from "node:test";
import { LANGUAGES, languageOf } from "../../src/sketchseek/web/language.js";
import { formatsOf } from "../../src/sketchseek/web/text-formats.js";

const WEB = "../../src/sketchseek/web";
const load = async (code) => (await import(`${WEB}/texts-${code}.js`)).texts;

// Paths of all texts, with their kinds; of functions, also how many values they take.
function shapeOf(value, path = "") {
  if (typeof value === "function") return [`${path}(${value.length})`];
  if (typeof value === "string") return [path];
  return Object.entries(value).flatMap(([key, one]) => shapeOf(one, `${path}.${key}`));
}

test("every language has every text of English, and no others", async () => {
  const expected = shapeOf(await load("en")).sort();
  assert.ok(expected.length > 150);
  for (const code of Object.keys(LANGUAGES)) {
    const texts = await load(code);
    assert.deepEqual(shapeOf(texts).sort(), expected, code);
    assert.equal(texts.language, code);
    assert.equal(texts.direction, code === "ar" ? "rtl" : "ltr");
  }
});

const REPORT = { indexed: 1200, failed: 1, removed: 2, moved: 3, unchanged: 11 };
const CALLS = {
  photos: [1200],
  found: [2, "a.jpg"],
  marked: [1, 2],
  pixels: [4000, 3000],
  bytes: [1_234_567],
  date: ["2026-11-28T12:00:00Z"],
  holds: [{ path: "/p", photos: 3, bytes: 5000, model: "small", folders: [] }],
  report: [REPORT],
  progress: [50],
  unread: [3, "heic 2, mp4 1"],
  score: [0.123456],
};

test("texts with values name the values, in any language", async () => {
  for (const code of Object.keys(LANGUAGES)) {
    const texts = await load(code);
    for (const [name, text] of Object.entries(texts)) {
      if (typeof text !== "function") continue;
      const said = String(text(...(CALLS[name] ?? Array.from({ length: text.length }, (_, i) => i + 2))));
      assert.ok(said.length > 0 && !/undefined|NaN|null|\[object/.test(said), `${code} ${name}: ${said}`);
    }
    assert.ok(texts.found(2, "a.jpg").includes("a.jpg"));
    assert.notEqual(texts.photos(1), texts.photos(5));
  }
});

test("no text of another language was left in English", async () => {
  const english = await load("en");
  const same = new Set(["direction", "uploadAbout", "line", "rectangle", "ellipse"]);
  for (const code of Object.keys(LANGUAGES).filter((one) => one !== "en")) {
    const texts = await load(code);
    const kept = Object.keys(english).filter(
      (key) => typeof english[key] === "string" && english[key].includes(" ") && texts[key] === english[key],
    );
    assert.deepEqual(
      kept.filter((key) => !same.has(key)),
      [],
      code,
    );
  }
});

test("numbers, sizes and plural forms follow the language", () => {
  const [german, arabic, french] = ["de", "ar", "fr"].map(formatsOf);
  assert.equal(german.count(1200, "Foto", "Fotos"), "1.200 Fotos");
  assert.equal(german.bytes(1_200_000), "1,2 MB");
  assert.equal(formatsOf("en").bytes(9_400), "9.4 kB");
  assert.equal(formatsOf("en").bytes(999), "999 bytes");
  assert.ok(french.count(0, "photo", "photos").endsWith("photo"));
  const forms = { two: "two", few: "few", many: "many" };
  assert.deepEqual(
    [1, 2, 5, 11, 100].map((value) => arabic.count(value, "one", "other", forms).split(" ")[1]),
    ["one", "two", "few", "many", "other"],
  );
});

test("what the user chose goes before the browser's languages", () => {
  assert.equal(languageOf(null, ["de-AT", "en"]), "de");
  assert.equal(languageOf(null, ["nl", "pt-BR", "fr-CA", "en"]), "fr");
  assert.equal(languageOf("es", ["de"]), "es");
  assert.equal(languageOf("xx", ["ja"]), "en");
  assert.equal(languageOf(null, ["zh-Hant-TW"]), "zh");
  assert.equal(languageOf(null, []), "en");
});
