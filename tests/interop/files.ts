/**
 * The files that are exchanged with the programs in Python: sizes around those
 * of buffers, and names that are awkward but allowed.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { assertBytes } from "../net/bytes.ts";

/** Names with the sizes of what they name, in bytes. */
export type Sizes = Readonly<Record<string, number>>;

/** Where each file costs a pause of 40 ms, as two small writes in a row do. */
export const FEW: Sizes = { "empty": 0, "é one": 1, "just over": 65_537 };

/** What is small enough to be sent byte by byte. */
export const SMALL: Sizes = {
  "empty": 0,
  "one": 1,
  "just over": 65_537,
  "é und 🚃": 10,
  "-rf": 11,
  " leading and trailing ": 12,
  "a:b=c": 13,
  "%2e%2e": 14,
  ["x".repeat(255)]: 15,
};

/** The same and a large one. */
export const ALL: Sizes = { ...SMALL, "large.bin": 3 * 1024 ** 2 };

const LARGEST = new Uint8Array(3 * 1024 ** 2).map((_, i) => i * 31 + (i >> 8) * 7);

/** The content of a file: neither the same everywhere nor of a short period. */
export function contentOf(sizeBytes: number): Uint8Array {
  return LARGEST.subarray(0, sizeBytes);
}

/** Checks that a file has the content of that size. */
export function assertContent(path: string, sizeBytes: number): void {
  assertBytes(Deno.readFileSync(path), contentOf(sizeBytes), path);
}

/** Writes files into a folder. */
export function writeFiles(folder: string, sizes: Sizes): void {
  for (const [name, size] of Object.entries(sizes)) {
    Deno.writeFileSync(`${folder}/${name}`, contentOf(size));
  }
}

/** Checks that a folder holds exactly these files. */
export function assertFiles(folder: string, sizes: Sizes): void {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
  assertEquals(names.sort(), Object.keys(sizes).sort());
  for (const [name, size] of Object.entries(sizes)) {
    assertContent(`${folder}/${name}`, size);
  }
}
