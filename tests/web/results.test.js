import assert from "node:assert/strict";
import { test } from "node:test";

import { PAGE, Results } from "../../src/sketchseek/web/results.js";

const answer = (offset, count, total) => ({
  results: Array.from({ length: count }, (_, i) => ({ id: offset + i + 1 })),
  offset,
  total,
});

function paged(total, fail = () => false) {
  const asked = [];
  const told = { more: 0, errors: 0 };
  let time = 0;
  const results = new Results({
    onMore: () => told.more++,
    onError: () => told.errors++,
    now: () => time,
  });
  const ask = async (signal, { k, offset }) => {
    asked.push([offset, k]);
    if (fail()) throw new Error("gone");
    return answer(offset, Math.max(0, Math.min(k, total - offset)), total);
  };
  results.reset(answer(0, Math.min(48, total), total), ask);
  return { results, asked, told, later: (by) => (time += by) };
}

test("only missing results are fetched, in whole pages", async () => {
  const { results, asked, told } = paged(1000);
  await results.need(0, 40);
  assert.deepEqual(asked, []);
  await results.need(30, 60);
  assert.deepEqual(asked, [[48, PAGE - 48]]);
  await results.need(700, 720); // a jump of the scroll bar
  assert.deepEqual(asked[1], [700, PAGE - (700 % PAGE)]);
  assert.equal(results.at(700).id, 701);
  assert.equal(results.at(600), undefined);
  assert.equal(told.more, 2);
});

test("nothing beyond the end is fetched", async () => {
  const { results, asked } = paged(50);
  await results.need(40, 90);
  await results.need(40, 90);
  assert.deepEqual(asked, [[48, 48]]);
});

test("pages of an old query are dropped", async () => {
  const { results, told } = paged(1000);
  let release;
  results.reset(answer(0, 48, 1000), () => new Promise((resolve) => (release = resolve)));
  const waiting = results.need(48, 60);
  results.reset({ results: [{ id: 7 }], offset: 0, total: 1 }, null);
  release(answer(48, 48, 1000));
  await waiting;
  assert.equal(results.total, 1);
  assert.equal(results.at(48), undefined);
  assert.equal(told.more, 0);
});

test("it waits after a failure before it fetches again", async () => {
  let broken = true;
  const { results, asked, told, later } = paged(1000, () => broken);
  await results.need(48, 60);
  await results.need(48, 60);
  assert.equal(told.errors, 1);
  assert.equal(asked.length, 1);
  broken = false;
  later(2001);
  await results.need(48, 60);
  assert.equal(results.at(48).id, 49);
});
