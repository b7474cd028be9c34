/**
 * Comparing many bytes, which `assertEquals` takes seconds for.
 *
 * @module
 */

import { fail } from "../deps.ts";

/** Whether both are the same bytes. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return firstDifference(a, b) === undefined;
}

/** Throws unless both are the same bytes; says where they are not. */
export function assertBytes(actual: Uint8Array, expected: Uint8Array, what = "the bytes"): void {
  const at = firstDifference(actual, expected);
  if (at === undefined) return;
  fail(`${what}: ${actual.length} bytes came, ${expected.length} were expected, they differ from ${at} on`);
}

function firstDifference(a: Uint8Array, b: Uint8Array): number | undefined {
  const length = Math.max(a.length, b.length);
  for (let i = 0; i < length; i++) if (a[i] !== b[i]) return i;
  return undefined;
}
