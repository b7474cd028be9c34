/**
 * The long run of the fuzz targets: `deno task fuzz [TARGET [PATH]]`.
 *
 * `FUZZ_SECONDS` (60 if it is not given) are shared out over the targets, or
 * those with TARGET in their name. `FUZZ_SEED` repeats a run, and with the PATH
 * of a report one counterexample. Exits with 1 if there was a counterexample.
 *
 * @module
 */

import type { Target } from "./target.ts";
import { targets } from "./targets.ts";

// Large enough that making a batch costs nothing, small enough to stop in time.
const BATCH_RUNS = 2_000;

interface Result {
  readonly cases: number;
  readonly seconds: number;
  readonly report: string | undefined;
}

/** Tries batch after batch, each with a seed of its own, until the time is up or something is found. */
function runFor(target: Target, milliseconds: number, seed: number): Result {
  const start = performance.now();
  let cases = 0;
  let report: string | undefined;
  do {
    // Seeds are 32-bit numbers; the first batch has the one that was given.
    const batchSeed = (seed + cases / BATCH_RUNS) | 0;
    report = target.run({ seed: batchSeed, runs: BATCH_RUNS });
    cases += BATCH_RUNS;
  } while (report === undefined && performance.now() - start < milliseconds);
  return { cases, seconds: (performance.now() - start) / 1_000, report };
}

function format(name: string, { cases, seconds, report }: Result): string {
  const rate = Math.round(cases / seconds).toLocaleString("en");
  const line = `${name.padEnd(62)} ${cases.toLocaleString("en").padStart(12)}` +
    ` cases ${seconds.toFixed(1).padStart(6)} s ${rate.padStart(9)}/s`;
  return report === undefined ? line : `${line}\n${report}`;
}

/** A whole number from the environment. */
function readNumber(name: string): number | undefined {
  const text = Deno.env.get(name);
  if (text === undefined) return undefined;
  if (!/^-?[0-9]{1,10}$/.test(text)) {
    throw new TypeError(`${name} is a whole number, not "${text}"`);
  }
  return Number(text);
}

function main(): number {
  const seconds = readNumber("FUZZ_SECONDS") ?? 60;
  const seed = readNumber("FUZZ_SEED") ??
    Math.floor(Math.random() * 2 ** 32) - 2 ** 31;
  const [wanted = "", path] = Deno.args;
  const chosen = targets.filter(({ name }) => name.includes(wanted));
  if (chosen.length === 0) {
    console.error(`no target has "${wanted}" in its name`);
    return 2;
  }
  console.log(`seed ${seed}`);
  let failed = false;
  for (const target of chosen) {
    const result = path === undefined
      ? runFor(target, seconds * 1_000 / chosen.length, seed)
      : replay(target, seed, path);
    console.log(format(target.name, result));
    failed ||= result.report !== undefined;
  }
  return failed ? 1 : 0;
}

function replay(target: Target, seed: number, path: string): Result {
  const start = performance.now();
  const report = target.run({ seed, runs: 1, path });
  return { cases: 1, seconds: (performance.now() - start) / 1_000, report };
}

if (import.meta.main) Deno.exit(main());
