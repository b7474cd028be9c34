/**
 * Texts for property tests.
 *
 * @module
 */

import { fc } from "../deps.ts";

// By hand, because the first `fc.string({ unit: "binary" })` of a process takes most of a second.
const codePoint = fc.integer({ min: 0, max: 0x10ffff });
const rare = codePoint.map((code) => String.fromCodePoint(code));
const low = fc.integer({ min: 0, max: 0xff }).map((code) => String.fromCharCode(code));

/** Any letter at all, half surrogate pairs and control characters included. */
export const anyLetter: fc.Arbitrary<string> = fc.oneof(rare, low);

/** Any text at all. */
export const anyText: fc.Arbitrary<string> = fc.string({ unit: anyLetter });

/** Any text, with what is dangerous on a terminal or in a log line more often than by chance. */
export const hostileText: fc.Arbitrary<string> = fc.string({
  unit: fc.oneof(
    anyLetter,
    fc.integer({ min: 0, max: 0x9f }).map((code) => String.fromCharCode(code)),
    fc.constantFrom("\x1b[2J", "\n", "\r\n", '"', "\\", "\\x1b", " outcome=ok", "=", " ", '" x="'),
    fc.constantFrom("\u202e", "\u2066", "\u2028", "\u009b31m", "\ud800", "\udc00"),
  ),
});
