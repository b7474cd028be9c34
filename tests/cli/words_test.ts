/**
 * A line as words: quoting as in a POSIX shell, checked against itself and
 * against a real shell.
 *
 * @module
 */

import { splitWords } from "../../src/cli/words.ts";
import { assertEquals, fc } from "../deps.ts";
import { run } from "./program.ts";
import { anyText } from "./texts.ts";
import { assertUsage } from "./usage_error.ts";

const CASES: readonly (readonly [line: string, words: readonly string[]])[] = [
  ["", []],
  ["   \t ", []],
  ["get a", ["get", "a"]],
  ["  get\t a  ", ["get", "a"]],
  ["get 'a b' \"c d\"", ["get", "a b", "c d"]],
  ["get a\\ b", ["get", "a b"]],
  ["''", [""]],
  ['""', [""]],
  ["a '' b", ["a", "", "b"]],
  ["a''b", ["ab"]],
  ["'a'\"b\"c", ["abc"]],
  ["'it'\\''s'", ["it's"]],
  ['"it\'s"', ["it's"]],
  ["'say \"hi\"'", ['say "hi"']],
  ['"a\\"b"', ['a"b']],
  ['"a\\\\b"', ["a\\b"]],
  ['"a\\nb"', ["a\\nb"]],
  ['"a\\$b\\`c"', ["a$b`c"]],
  ["'a\\nb\\'", ["a\\nb\\"]],
  ["a\\nb", ["anb"]],
  ["\\#a", ["#a"]],
  ["# a comment", []],
  ["ls # a comment 'with a quote", ["ls"]],
  ["ls#no comment", ["ls#no", "comment"]],
  ["ls '#no' comment", ["ls", "#no", "comment"]],
  ["ls ''#x", ["ls", "#x"]],
  ["$HOME `ls` *.txt a|b", ["$HOME", "`ls`", "*.txt", "a|b"]],
  ["get 007 -rf --", ["get", "007", "-rf", "--"]],
  ["get übergrößenträger 日本語 🚲", ["get", "übergrößenträger", "日本語", "🚲"]],
  ["get \\🚲", ["get", "🚲"]],
  ["a\u00a0b\u2003c", ["a\u00a0b\u2003c"]],
];

for (const [line, words] of CASES) {
  Deno.test(`splitWords() splits ${JSON.stringify(line)}`, () => {
    assertEquals(splitWords(line), words);
  });
}

for (const line of ["get 'a", 'get "a', "get \"a'", "'", '"a\\"']) {
  Deno.test(`splitWords() refuses ${JSON.stringify(line)}: a quote is open`, () => {
    assertUsage(() => splitWords(line), "quote");
  });
}

for (const line of ["\\", "get a\\", '"a\\']) {
  Deno.test(`splitWords() refuses ${JSON.stringify(line)}: a backslash ends it`, () => {
    assertUsage(() => splitWords(line), "backslash");
  });
}

type Quoting = "single" | "double" | "backslash";

/** A word quoted in one of the three ways. */
function quoted(word: string, how: Quoting): string {
  switch (how) {
    case "single":
      return `'${word.replaceAll("'", "'\\''")}'`;
    case "double":
      return `"${word.replace(/["\\$`]/g, "\\$&")}"`;
    case "backslash":
      return word === "" ? "''" : word.replace(/[^A-Za-z0-9]/gu, "\\$&");
  }
}

const quoting = fc.constantFrom<Quoting>("single", "double", "backslash");
const space = fc.stringMatching(/^[ \t]{1,3}$/);

Deno.test("splitWords() gives back any words, however they were quoted", () => {
  const word = anyText.filter((text) => !text.includes("\n"));
  const piece = fc.tuple(word, quoting, space);
  fc.assert(
    fc.property(fc.array(piece), (pieces) => {
      const line = pieces.map(([word, how, gap]) => quoted(word, how) + gap).join("");
      assertEquals(splitWords(line), pieces.map(([word]) => word));
    }),
    { numRuns: 300 },
  );
});

Deno.test("splitWords() joins pieces of a word that were quoted in different ways", () => {
  const piece = fc.tuple(fc.string(), quoting);
  fc.assert(fc.property(fc.array(piece, { minLength: 1 }), (pieces) => {
    const line = pieces.map(([text, how]) => quoted(text, how)).join("");
    assertEquals(splitWords(`get ${line} end`), ["get", pieces.map(([text]) => text).join(""), "end"]);
  }));
});

Deno.test({
  name: "splitWords() splits as a POSIX shell does",
  ignore: Deno.build.os === "windows",
  async fn() {
    // Lines of what means the same to both; what only a shell understands (`$x`, `*`, `;`) is left out.
    const fragment = fc.constantFrom(
      "a",
      "ü",
      " ",
      "  ",
      "\t",
      "'",
      '"',
      "\\",
      "#",
      " #",
      "''",
      '\\"',
      "\\'",
      "\\ ",
      "0",
    );
    const lines = fc.sample(fc.array(fragment, { maxLength: 12 }), { numRuns: 400, seed: 4 })
      .map((pieces) => pieces.join(""))
      .map((line) => [line, splitOrRefuse(line)] as const)
      .filter((pair): pair is readonly [string, string[]] => pair[1] !== undefined);
    const script = lines.map(([line]) => `show ${line}\n`).join("");
    const { stdout } = await run(["sh"], { stdin: `show() { printf '%s\\001' "$@" end; echo; }\n${script}` });
    const shown = stdout.split("\n").slice(0, -1).map((line) => line.split("\x01").slice(0, -2));
    assertEquals(shown, lines.map(([, words]) => words));
    assertEquals(lines.length > 100, true, `only ${lines.length} lines`);
  },
});

/** The words of a line, or undefined for one that a shell would not end at its end either. */
function splitOrRefuse(line: string): string[] | undefined {
  try {
    return splitWords(line);
  } catch {
    return undefined;
  }
}
