// Links to what the page shows.

import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY, entryOf, fragmentOf, sameQuery } from "../../src/sketchseek/web/page-entry.js";
import { decodeSketch, encodeSketch, simplify } from "../../src/sketchseek/web/sketch-code.js";

// Numbers from 0 to 1 that are the same in each run.
function random(seed) {
  return () => (seed = (seed * 16807) % 2147483647) / 2147483647;
}

const line = (...points) => ({ points: points.map(([x, y, p = 0.5]) => [x, y, p]), width: 7 });

test("an entry is read back from its fragment", () => {
  const entry = {
    library: "the few & others",
    sheets: [
      [line([100, 200], [300, 250], [310, 900]), { ...line([5, 5, 0.2], [900, 20, 1]), width: 19 }],
      [line([7, 8])],
    ],
    sheet: 0,
    words: { text: "plage & mer", required: true },
    colors: ["#d62f2f", "#102030"],
    like: { id: 12, name: "" },
    photo: 2 ** 40,
    folder: "/fotos/år 2020+#?",
    after: "2020-02-03",
    before: "",
    grouped: true,
  };
  const back = entryOf(fragmentOf(entry));
  assert.deepEqual({ ...back, sheets: [] }, { ...entry, sheets: [] });
  assert.deepEqual(back.sheets[1], entry.sheets[1]);
  const [first, second] = back.sheets[0];
  assert.deepEqual(first, entry.sheets[0][0]);
  assert.equal(second.width, 19);
  assert.ok(Math.abs(second.points[0][2] - 0.2) <= 1 / 30);
  assert.equal(fragmentOf(EMPTY), "");
  assert.deepEqual(entryOf(""), EMPTY);
});

test("what is not valid in a fragment is left out", () => {
  assert.deepEqual(
    entryOf("#like=-1&photo=9999999999999999999&after=tomorrow&before=2020-1-1&sketch=%00&x=y&colors=red"),
    EMPTY,
  );
  assert.deepEqual(entryOf("#%E0%A4%A&&&=%&like"), EMPTY);
});

test("the viewer does not change the query", () => {
  const one = { ...EMPTY, sheets: [[line([1, 2], [3, 4])]] };
  assert.ok(sameQuery(one, { ...one, photo: 3 }));
  assert.ok(!sameQuery(one, { ...one, folder: "/a" }));
  assert.ok(!sameQuery(one, { ...one, picture: { key: "k", kind: "photo", name: "" } }));
});

test("a drawing in a link is near the drawn one", () => {
  const next = random(7);
  for (let run = 0; run < 200; run++) {
    const strokes = Array.from({ length: 1 + Math.floor(4 * next()) }, () => {
      let [x, y] = [1000 * next(), 1000 * next()];
      const points = Array.from({ length: 1 + Math.floor(60 * next()) }, () => {
        [x, y] = [x + 30 * (next() - 0.5), y + 30 * (next() - 0.5)];
        return [x, y];
      });
      return line(...points);
    });
    const back = decodeSketch(encodeSketch(strokes));
    assert.equal(back.length, strokes.length);
    strokes.forEach(({ points }, i) => {
      const kept = simplify(points, 1.5);
      assert.equal(back[i].points.length, kept.length);
      kept.forEach(([x, y], at) => {
        assert.ok(Math.abs(x - back[i].points[at][0]) <= 0.5);
        assert.ok(Math.abs(y - back[i].points[at][1]) <= 0.5);
      });
    });
  }
});

test("any text is a drawing or null", () => {
  const next = random(11);
  const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=+ %é";
  for (let run = 0; run < 3000; run++) {
    let text = run % 2 ? "Ag" : "";
    for (let i = Math.floor(30 * next()); i > 0; i--) text += letters[Math.floor(letters.length * next())];
    const strokes = decodeSketch(text);
    if (strokes === null) continue;
    for (const { points, width } of strokes) {
      assert.ok(points.length > 0 && width >= 1 && width <= 200);
      for (const [x, y, p] of points) {
        assert.ok(Math.abs(x) <= 3000 && Math.abs(y) <= 3000 && p >= 0 && p <= 1, text);
      }
    }
  }
  assert.equal(decodeSketch("Ag" + "_".repeat(8)), null); // a stroke of very many points
});

test("simplifying keeps the ends and the turns", () => {
  const straight = Array.from({ length: 50 }, (_, i) => [i, 2 * i, 0.5]);
  assert.deepEqual(simplify(straight, 1), [straight[0], straight[49]]);
  const turn = [...straight, [0, 200, 0.5]];
  assert.deepEqual(simplify(turn, 1), [straight[0], straight[49], turn[50]]);
});
