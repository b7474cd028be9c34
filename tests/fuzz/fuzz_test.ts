/**
 * Runs every fuzz target for a moment: with a seed that is always the same, and
 * with one that never is, which a failure prints. The long run is `main.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertMatch, fail, fc } from "../deps.ts";
import { type Target, target } from "./target.ts";
import { targets } from "./targets.ts";

const FIXED_SEED = 20_260_101;
// Of both runs of all targets together: about a second.
const RUNS = 1_500;

for (const target of targets) {
  Deno.test(`${target.name} (fuzzed, fixed seed)`, () => {
    assertHolds(target, FIXED_SEED);
  });
  Deno.test(`${target.name} (fuzzed, random seed)`, () => {
    assertHolds(target, randomSeed());
  });
}

function assertHolds(target: Target, seed: number): void {
  const report = target.run({ seed, runs: RUNS });
  if (report !== undefined) fail(report);
}

function randomSeed(): number {
  return crypto.getRandomValues(new Int32Array(1))[0] ?? fail();
}

Deno.test("fuzz targets have names of their own", () => {
  const names = targets.map(({ name }) => name);
  assertEquals(new Set(names).size, names.length);
});

Deno.test("target() reports a counterexample with what replays it", () => {
  const broken = target("no number is over 99", fc.nat(), (value) => {
    if (value > 99) throw new Error("over 99");
  });
  const report = broken.run({ seed: 7, runs: 100 }) ?? fail();
  assertMatch(report, /no number is over 99/);
  assertMatch(report, /input: \[100\]/);
  assertMatch(report, /seed 7, path [\d:]+$/m);
  const [, path] = /FUZZ_SEED=7 .* ([\d:]+)$/m.exec(report) ?? fail();
  const replayed = broken.run({ seed: 7, runs: 1, path });
  assert(replayed?.includes("input: [100]"));
});
