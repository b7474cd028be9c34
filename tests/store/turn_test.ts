/**
 * Tests of whose turn it is, by a clock that only goes when a test says so.
 *
 * @module
 */

import { takeTurn } from "../../src/store/turn.ts";
import { assert, assertEquals, assertLessOrEqual, assertThrows } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";

/** Goes on from one test to the next, as the budget does, which is one for the process. */
let nowMs = 1_000_000;

/** Lets `performance.now()` tell {@linkcode nowMs}, and spends what is left of the budget. */
function setClock(): Disposable {
  const before = Object.getOwnPropertyDescriptor(performance, "now");
  Object.defineProperty(performance, "now", { configurable: true, value: () => nowMs });
  nowMs += 10_000;
  let calls = 0;
  while (blocks(0.5)) assertLessOrEqual(++calls, 1_000, "no call ever waits");
  return {
    [Symbol.dispose]() {
      if (before !== undefined) Object.defineProperty(performance, "now", before);
      else Reflect.deleteProperty(performance, "now");
    },
  };
}

/** Makes one file call, which takes so long; tells whether it blocked. */
function blocks(tookMs: number): boolean {
  let blocked = false;
  takeTurn(() => {
    blocked = true;
    nowMs += tookMs;
  }, () => Promise.resolve());
  return blocked;
}

Deno.test("takeTurn() returns at once what a blocking call returns", () => {
  using _clock = setClock();
  assertEquals(takeTurn(() => 7, () => Promise.resolve(8)), 7);
});

Deno.test("takeTurn() passes on what either way throws", async () => {
  using _clock = setClock();
  const fail = () => {
    throw new RangeError("at once");
  };
  assertThrows(() => takeTurn(fail, () => Promise.resolve()), RangeError, "at once");
  assertEquals(blocks(1), true);
  const waiting = takeTurn(() => 7, () => Promise.reject(new Error("later")));
  assert(waiting instanceof Promise);
  assertEquals(await waiting.catch((error: Error) => error.message), "later");
});

Deno.test("takeTurn() lets a call wait once all have blocked for a millisecond, whoever made them", () => {
  using _clock = setClock();
  // Three transfers, each of which alone would stay under the budget.
  assertEquals([blocks(0.4), blocks(0.4), blocks(0.4)], [true, true, true]);
  assertEquals(blocks(0.4), false);
  assertEquals(blocks(0.4), true);
});

Deno.test("takeTurn() counts only the time that calls took", () => {
  using _clock = setClock();
  for (let i = 0; i < 9; i++) {
    assertEquals(blocks(0.1), true);
    nowMs += 50;
  }
});

Deno.test("takeTurn() lets the loop turn while eight transfers read without a pause", async () => {
  using _clock = setClock();
  let over = false;
  const transfer = async () => {
    // What blocks gives the loop no turn: the promise is there already.
    while (!over) await takeTurn(() => void (nowMs += 0.05), nextTurn);
  };
  const transfers = Array.from({ length: 8 }, transfer);
  const betweenTurnsMs: number[] = [];
  for (let i = 0; i < 20; i++) {
    const beforeMs = nowMs;
    await within(nextTurn(), PATIENCE_MS, "a turn of the loop");
    betweenTurnsMs.push(nowMs - beforeMs);
  }
  over = true;
  await within(Promise.all(transfers), PATIENCE_MS, "eight transfers");
  // Each of the eight spends one budget before it waits itself.
  assertLessOrEqual(Math.max(...betweenTurnsMs), 9);
  assert(betweenTurnsMs.some((ms) => ms > 0), "no call blocked");
});

Deno.test("takeTurn() leaves a slow disk to the threads for a second", () => {
  using _clock = setClock();
  assertEquals(blocks(110), true);
  assertEquals([blocks(0), blocks(0), blocks(0)], [false, false, false]);
  nowMs += 990;
  assertEquals(blocks(0), false);
  nowMs += 20;
  assertEquals(blocks(0), true);
});

/** Resolves at the event loop's next turn. */
function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
