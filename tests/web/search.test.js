import assert from "node:assert/strict";
import { mock, test } from "node:test";

import { Search } from "../../src/sketchseek/web/search.js";

// A question that the test answers.
function held(key) {
  const question = { key, asked: 0 };
  question.ask = (signal) => {
    question.asked++;
    question.signal = signal;
    return new Promise((resolve, reject) => Object.assign(question, { resolve, reject }));
  };
  return question;
}

function listening() {
  const heard = { results: [], errors: [], busy: false };
  const search = new Search({
    onResults: (answer) => heard.results.push(answer),
    onError: (error) => heard.errors.push(error.message),
    onBusy: (busy) => (heard.busy = busy),
  });
  return { search, heard };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

test("an outdated answer is dropped and its request aborted", async () => {
  const { search, heard } = listening();
  const [first, second] = [held(), held()];
  search.now(first);
  search.now(second);
  assert.equal(first.signal.aborted, true);
  second.resolve("second");
  first.resolve("first");
  await settled();
  assert.deepEqual(heard.results, ["second"]);
  assert.equal(heard.busy, false);
});

test("an outdated error is not shown", async () => {
  const { search, heard } = listening();
  const [first, second] = [held(), held()];
  search.now(first);
  search.now(second);
  first.reject(new Error("late"));
  second.reject(new Error("shown"));
  await settled();
  assert.deepEqual(heard.errors, ["shown"]);
});

test("one request at a time is in flight while a stroke grows, and the latest follows", async () => {
  mock.timers.enable({ apis: ["setTimeout"] });
  const { search, heard } = listening();
  const questions = [held(), held(), held()];
  search.soon(questions[0]);
  mock.timers.tick(1);
  search.soon(questions[1]);
  search.soon(questions[2]);
  mock.timers.tick(1000);
  assert.deepEqual(
    questions.map((one) => one.asked),
    [1, 0, 0],
  );
  questions[0].resolve("grown");
  await settled();
  mock.timers.tick(1000);
  assert.deepEqual(
    questions.map((one) => one.asked),
    [1, 0, 1],
  );
  assert.deepEqual(heard.results, ["grown"]);
  mock.timers.reset();
});

test("the same question is not repeated, unless it failed or another one came between", async () => {
  const { search, heard } = listening();
  const first = held("a");
  search.now(first);
  const same = held("a");
  search.now(same); // on its way
  first.resolve(1);
  await settled();
  search.now(same); // answered
  assert.equal(same.asked, 0);
  assert.deepEqual(heard.results, [1]);
  search.now(held("b"));
  search.now(same);
  assert.equal(same.asked, 1);
  same.reject(new Error("gone"));
  await settled();
  search.now(same);
  assert.equal(same.asked, 2);
});

test("a cancelled question reports nothing", async () => {
  const { search, heard } = listening();
  const one = held();
  search.now(one);
  search.cancel();
  one.resolve("late");
  await settled();
  assert.deepEqual(heard, { results: [], errors: [], busy: false });
});
