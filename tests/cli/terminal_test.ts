/**
 * Whatever somebody else sent, on its way to a terminal or into a line of JSON.
 *
 * @module
 */

import { errorLines, jsonLine, printable, printableName } from "../../src/cli/terminal.ts";
import { TandemError } from "../../mod.ts";
import { assertEquals, assertNotMatch, assertStringIncludes, fc } from "../deps.ts";
import { hostileText } from "./texts.ts";

/** What may move a cursor, begin an escape sequence or ring: C0, DEL, C1. */
// deno-lint-ignore no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
/** What makes a text look like another one: text directions, line and paragraph separators. */
const DISGUISE = /[\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

Deno.test("printable() leaves nothing that a terminal obeys", () => {
  fc.assert(
    fc.property(hostileText, (text) => {
      const shown = printable(text);
      assertNotMatch(shown, CONTROL);
      assertNotMatch(shown, DISGUISE);
      assertEquals(shown.isWellFormed(), true);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("printable() changes nothing else", () => {
  for (
    const text of ["", "a b", "übergrößenträger 日本語 🚲", "'quotes' \"too\" \\ $x `y`", "\u00a0\u00ad", "e\u0301"]
  ) {
    assertEquals(printable(text), text);
  }
});

Deno.test("printable() shows what was there", () => {
  assertEquals(printable("a\x1b[31mb"), "a\\x1b[31mb");
  assertEquals(printable("a\rb\nc\x07\x00\x7f"), "a\\x0db\\x0ac\\x07\\x00\\x7f");
  assertEquals(printable("\u009b"), "\\x9b");
  assertEquals(printable("txt.\u202eexe"), "txt.\\u{202e}exe");
});

Deno.test("printableName() leaves no control character, on a terminal or not", () => {
  fc.assert(fc.property(hostileText, fc.boolean(), (text, isTerminal) => {
    const shown = printableName(text, isTerminal);
    assertNotMatch(shown, CONTROL);
    if (isTerminal) assertNotMatch(shown, DISGUISE);
  }));
});

Deno.test("printableName() gives programs the real name where it is harmless to them", () => {
  assertEquals(printableName("\u202ename", false), "\u202ename");
  assertEquals(printableName("\u202ename", true), "\\u{202e}name");
});

Deno.test("jsonLine() is JSON of the same value", () => {
  fc.assert(fc.property(fc.jsonValue(), (value) => {
    assertEquals(JSON.parse(jsonLine(value)), JSON.parse(JSON.stringify(value)));
  }));
  fc.assert(fc.property(hostileText, hostileText, (key, text) => {
    const value = { key: text, list: [text, key] };
    assertEquals(JSON.parse(jsonLine(value)), value);
  }));
});

Deno.test("jsonLine() is one line without control characters or disguises, keys included", () => {
  fc.assert(
    fc.property(hostileText, hostileText, (key, text) => {
      const line = jsonLine({ [key]: text, [`x${key}`]: [text] });
      assertNotMatch(line, CONTROL);
      assertNotMatch(line, DISGUISE);
      assertEquals(line.isWellFormed(), true);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("errorLines() has the message, and the hint on a line of its own", () => {
  const error = new TandemError("denied", "it is read-only", { hint: "ask them" });
  assertEquals(errorLines(error), ["tandem: it is read-only", "  hint: ask them"]);
  assertEquals(errorLines(new TandemError("denied", "no")), ["tandem: no"]);
});

Deno.test("errorLines() escapes what a peer sent", () => {
  const lines = errorLines(new TandemError("denied", "a\x1b]0;x\x07b\nc", { hint: "d\re\u202ef" }));
  assertEquals(lines.length, 2);
  for (const line of lines) {
    assertNotMatch(line, CONTROL);
    assertNotMatch(line, DISGUISE);
  }
  assertStringIncludes(lines.join(), "\\x1b");
});
