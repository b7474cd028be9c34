/**
 * Inputs for the fuzz targets, with a bias to what parsers get wrong: digits
 * among signs and spaces, dots and slashes, lone surrogates, names about the
 * limit, text that only looks like something else.
 *
 * @module
 */

import { MAX_UNSIGNED_VALUE } from "../../src/protocol/header.ts";
import type { PathRules } from "../../src/protocol/path.ts";
import { fc } from "../deps.ts";

// 32 bytes, so that one number of 50 bits picks ten: that is the quickest way
// to make a header, and it shrinks to ten zeros.
const HEADER_LETTERS = "0123456789 0 5 9 +-\t\n\0./:_,xen\xa0";
const HEADER_CODES = Array.from(HEADER_LETTERS, (one) => one.charCodeAt(0));

const pickedHeader = fc.integer({ min: 0, max: 32 ** 10 - 1 }).map((number) => {
  const bytes = new Uint8Array(10);
  let rest = number;
  for (let i = 9; i >= 0; i--) {
    bytes[i] = HEADER_CODES[rest % 32] ?? 0;
    rest = Math.floor(rest / 32);
  }
  return bytes;
});

const unsignedValue = fc.integer({ min: 0, max: MAX_UNSIGNED_VALUE });

const spacedHeader = fc.tuple(unsignedValue, fc.nat(9), fc.nat(9))
  .map(([value, before, after]) => {
    const count = Math.max(1, 10 - before - after);
    const digits = String(value).padStart(10, "0").slice(-count);
    return ascii(digits.padStart(before + count).padEnd(10));
  });

const signedHeader = fc.tuple(
  unsignedValue,
  fc.constantFrom("+", "-", " ", "0"),
).map(([value, first]) => ascii(first + String(value).padStart(10, "0").slice(1)));

const damagedHeader = fc.tuple(
  fc.oneof(spacedHeader, signedHeader),
  fc.nat(9),
  fc.nat(255),
).map(([bytes, place, byte]) => {
  bytes[place] = byte;
  return bytes;
});

/** Ten bytes, about half of them a header. */
export const headerBytes: fc.Arbitrary<Uint8Array> = fc.oneof(
  pickedHeader,
  spacedHeader,
  signedHeader,
  damagedHeader,
);

// Each of them an ordinary name, and so is every three of them in a row.
const ORDINARY = [
  "a",
  "b c",
  "...",
  ".x",
  "-rf",
  "~",
  " x ",
  "%2e%2e",
  "e\u0301",
  "\u00e9",
  "\u{1f683}",
  "\ufeff",
  "\u2028",
  "\uff0e\uff0e\uff0f",
  "__proto__",
  "\u20ac".repeat(28),
];

const HOSTILE = [
  "/",
  "../",
  "/../",
  "./",
  ".",
  "..",
  "\\",
  "..\\",
  " ",
  "\0",
  "\n",
  "\x1b[2J",
  "\x7f",
  "\x85",
  "\ufffd",
  "\ud83d",
  "\ude83",
  "\u202e",
  "\u2066",
  "\u200f",
  "\u061c",
  ".tandem",
  ".tandem-",
  ".TANDEM-",
  "C:",
  ":",
  "?",
  "con",
  "NUL",
  "aux ",
  "com1",
  "lpt\u00b9",
  ".txt",
  "conin$",
  "x".repeat(255),
  "x".repeat(86),
  "\u20ac".repeat(85),
  "\u{1f683}".repeat(63),
];

const anyUnit = fc.nat(0xffff).map((unit) => String.fromCharCode(unit));

/** Text that might be a path, and mostly is none. */
export const pathLike: fc.Arbitrary<string> = fc.oneof(
  fc.array(fc.constantFrom(...ORDINARY, ...HOSTILE), { maxLength: 6 }),
  fc.array(fc.constantFrom(...ORDINARY, "/", ".", "..", "con"), {
    maxLength: 6,
  }),
  fc.array(fc.oneof(anyUnit, fc.constantFrom("/", ".", "a")), {
    maxLength: 6,
  }),
).map((pieces) => pieces.join(""));

/** One ordinary name. */
export const ordinaryName: fc.Arbitrary<string> = fc
  .array(fc.constantFrom(...ORDINARY), { minLength: 1, maxLength: 3 })
  .map((pieces) => pieces.join(""));

/** A path of ordinary names. */
export const ordinaryPath: fc.Arbitrary<string> = fc
  .array(ordinaryName, { minLength: 1, maxLength: 4 })
  .map((names) => names.join("/"));

/** Each way to judge a path. */
export const pathRules: fc.Arbitrary<PathRules> = fc.constantFrom(
  {},
  { create: true },
  { windows: true },
  { create: true, windows: true },
);

/** Bytes of a string of ASCII. */
export function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
