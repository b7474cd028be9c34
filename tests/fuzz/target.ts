/**
 * A fuzz target: an invariant, inputs to try it on, and a report that can be
 * replayed. A target says what must hold by throwing where it does not.
 *
 * A counterexample, once understood, becomes a vector in `tests/vectors/`.
 *
 * @module
 */

import { fc } from "../deps.ts";

/** Some inputs to try. */
export interface Batch {
  /** What the inputs are made from: the same seed makes the same inputs. */
  readonly seed: number;
  /** How many. */
  readonly runs: number;
  /** The way to one counterexample, as a report gives it. */
  readonly path?: string | undefined;
}

/** An invariant that can be tried. */
export interface Target {
  /** What it is about; begins with its row of the safety list, if it has one. */
  readonly name: string;
  /** Tries a batch; returns the report of a counterexample, or undefined. */
  readonly run: (batch: Batch) => string | undefined;
}

/** Makes a target of inputs and of what throws unless the invariant holds for one. */
export function target<T>(
  name: string,
  inputs: fc.Arbitrary<T>,
  check: (input: T) => void,
): Target {
  const property = fc.property(inputs, check);
  return {
    name,
    run({ seed, runs, path }) {
      const details = fc.check(property, {
        seed,
        numRuns: runs,
        ...(path === undefined ? {} : { path }),
      });
      return details.failed ? report(name, details) : undefined;
    },
  };
}

/** Throws unless both are the same; quicker than `assertEquals`, and as clear for short values. */
export function assertSame(actual: unknown, expected: unknown): void {
  if (Object.is(actual, expected)) return;
  const [got, wanted] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (typeof actual !== "object" || got !== wanted) {
    throw new Error(`expected ${wanted}, got ${got}`);
  }
}

function report<T>(name: string, details: fc.RunDetails<T>): string {
  const { seed, counterexample, counterexamplePath, errorInstance } = details;
  return [
    `counterexample to "${name}"`,
    `  input: ${printable(fc.stringify(counterexample))}`,
    `  error: ${printable(String(errorInstance))}`,
    `  seed ${seed}, path ${counterexamplePath}`,
    `  replay: FUZZ_SEED=${seed} deno task fuzz "${name}" ${counterexamplePath}`,
  ].join("\n");
}

/** Text that a terminal may be given. */
function printable(text: string): string {
  return text.replaceAll(
    /[^ -~]/g,
    (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
