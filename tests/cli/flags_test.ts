/**
 * Flags as they are typed: what is taken, and that whatever is doubtful stops
 * with a hint.
 *
 * @module
 */

import {
  byteCount,
  type Flag,
  flagLines,
  nearMiss,
  oneOf,
  type ParsedArgs,
  parseFlags,
  secondsAsMs,
  wholeNumber,
} from "../../src/cli/flags.ts";
import { TandemError } from "../../mod.ts";
import { assertEquals, assertLessOrEqual, assertStringIncludes, fc } from "../deps.ts";
import { anyText } from "./texts.ts";
import { assertUsage } from "./usage_error.ts";

const FLAGS: readonly Flag[] = [
  { name: "port", short: "p", value: "N", about: "a port" },
  { name: "host", value: "ADDR", about: "an address" },
  { name: "quiet", short: "q", about: "less" },
  { name: "verbose", short: "v", about: "more" },
];

/** What was understood, as something to compare. */
function understood(args: readonly string[], stopAtWord = false): unknown[] {
  const parsed = parseFlags(args, FLAGS, { stopAtWord });
  const given = FLAGS.filter(({ name }) => parsed.has(name)).map(({ name }) => {
    const text = parsed.text(name);
    return text === undefined ? name : `${name}=${text}`;
  });
  return [given.join(" "), ...parsed.words];
}

const TAKEN: readonly (readonly [args: readonly string[], flags: string, ...words: string[]])[] = [
  [[], ""],
  [["a", "b"], "", "a", "b"],
  [["a", "-q", "b"], "quiet", "a", "b"],
  [["--quiet", "--verbose"], "quiet verbose"],
  [["-qv"], "quiet verbose"],
  [["-vq", "a"], "quiet verbose", "a"],
  [["--port", "2121"], "port=2121"],
  [["--port=2121"], "port=2121"],
  [["-p", "2121"], "port=2121"],
  [["-p2121"], "port=2121"],
  [["-qp2121"], "port=2121 quiet"],
  [["-qp", "2121", "a"], "port=2121 quiet", "a"],
  [["--host=a=b"], "host=a=b"],
  [["--host=-q"], "host=-q"],
  [["--host", "::1"], "host=::1"],
  [["007"], "", "007"],
  [["1e3", "0x10", "-"], "", "1e3", "0x10", "-"],
  [["--port", "007"], "port=007"],
  [["-", "a"], "", "-", "a"],
  [[""], "", ""],
  [["--", "-q", "--port"], "", "-q", "--port"],
  [["-q", "--", "--", "-p"], "quiet", "--", "-p"],
  [["a", "--", "-rf"], "", "a", "-rf"],
  [["true", "false"], "", "true", "false"],
];

for (const [args, ...expected] of TAKEN) {
  Deno.test(`parseFlags() takes ${JSON.stringify(args)}`, () => {
    assertEquals(understood(args), expected);
  });
}

const STOPPED: typeof TAKEN = [
  [["-q", "host", "-v", "--port", "1"], "quiet", "host", "-v", "--port", "1"],
  [["host", "--", "-rf"], "", "host", "--", "-rf"],
  [["-p2121", "host", "ls", "-l"], "port=2121", "host", "ls", "-l"],
  [["--", "-host", "-q"], "", "-host", "-q"],
  [["-", "-q"], "", "-", "-q"],
  [["--port", "2121", "007", "--unknown"], "port=2121", "007", "--unknown"],
];

for (const [args, ...expected] of STOPPED) {
  Deno.test(`parseFlags() with stopAtWord takes ${JSON.stringify(args)}`, () => {
    assertEquals(understood(args, true), expected);
  });
}

const REFUSED: readonly (readonly [args: readonly string[], message: string, hint: string])[] = [
  [["--prot", "1"], "--prot", "did you mean --port?"],
  [["--quite"], "--quite", "did you mean --quiet?"],
  [["--no-quiet"], "--no-quiet", "--quiet"],
  [["--something-else"], "--something-else", "help"],
  [["-x"], "-x", ""],
  [["-qx"], "-x", ""],
  [["--constructor"], "--constructor", "help"],
  [["--__proto__=1"], "--__proto__", "help"],
  [["---quiet"], "---quiet", ""],
  [["--Quiet"], "--Quiet", "--quiet"],
  [["-q", "-q"], "--quiet was given twice", ""],
  [["-qq"], "--quiet was given twice", ""],
  [["-q", "--quiet"], "--quiet was given twice", ""],
  [["--port", "1", "--port", "1"], "--port was given twice", ""],
  [["-p1", "a", "--port=2"], "--port was given twice", ""],
  [["--port"], "--port needs a value", ""],
  [["--port="], "--port needs a value", ""],
  [["-p"], "--port needs a value", ""],
  [["-qp"], "--port needs a value", ""],
  [["--host", ""], "--host needs a value", ""],
  [["--quiet=yes"], "--quiet takes no value", ""],
  [["--quiet="], "--quiet takes no value", ""],
  [["-q=yes"], "", ""],
];

for (const [args, message, hint] of REFUSED) {
  Deno.test(`parseFlags() refuses ${JSON.stringify(args)} with a hint`, () => {
    assertStringIncludes(assertUsage(() => parseFlags(args, FLAGS), message), hint);
  });
}

// A value that was forgotten: the flag behind it would be swallowed, and nobody told.
for (const args of [["--port", "-q"], ["--host", "--quiet"], ["-p", "--host", "a"], ["--host", "--"]]) {
  Deno.test(`parseFlags() refuses ${JSON.stringify(args)}: a flag is no value of another`, () => {
    assertUsage(() => parseFlags(args, FLAGS), "needs a value");
  });
}

Deno.test("parseFlags() refuses -q-, whose second dash is no flag", () => {
  assertUsage(() => parseFlags(["-q-", "-v"], FLAGS));
});

Deno.test("parseFlags() returns every word behind -- as it is", () => {
  fc.assert(fc.property(fc.array(anyText), (words) => {
    assertEquals(parseFlags(["-q", "--", ...words], FLAGS).words, words);
  }));
});

Deno.test("parseFlags() with stopAtWord returns everything from the first word on as it is", () => {
  const word = fc.string().filter((text) => !text.startsWith("-"));
  const argument = fc.oneof(fc.string(), fc.constantFrom("--", "-", "-q", "--port", "-p1", "--unknown"));
  fc.assert(fc.property(word, fc.array(argument), (first, rest) => {
    assertEquals(parseFlags(["-q", first, ...rest], FLAGS, { stopAtWord: true }).words, [first, ...rest]);
  }));
});

Deno.test("parseFlags() throws nothing but usage errors", () => {
  const argument = fc.oneof(
    fc.string(),
    fc.string().map((text) => `-${text}`),
    fc.string().map((text) => `--${text}`),
    fc.constantFrom("-p", "--port", "-q", "--", "-"),
  );
  fc.assert(fc.property(fc.array(argument), (args) => {
    try {
      parseFlags(args, FLAGS);
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== "usage") throw error;
    }
  }));
});

Deno.test("nearMiss() names the nearest word, and none where none is near", () => {
  assertEquals(nearMiss("serv", ["serve", "connect"]), "did you mean serve?");
  assertEquals(nearMiss("conect", ["serve", "connect"]), "did you mean connect?");
  assertEquals(nearMiss("--prot", ["--port", "--plain"]), "did you mean --port?");
  assertEquals(nearMiss("something", ["serve", "connect"]), undefined);
  assertEquals(nearMiss("xy", ["ls", "get"]), undefined);
  assertEquals(nearMiss("x", []), undefined);
});

/** The arguments `--n VALUE`. */
function args(value?: string): ParsedArgs {
  return {
    words: [],
    has: () => value !== undefined,
    text: (name) => name === "n" ? value : undefined,
    texts: () => [],
  };
}

Deno.test("wholeNumber() takes whole numbers from min to max", () => {
  assertEquals(wholeNumber(args(), "n", 0, 9), undefined);
  assertEquals(wholeNumber(args("0"), "n", 0, 65_535), 0);
  assertEquals(wholeNumber(args("65535"), "n", 0, 65_535), 65_535);
  assertEquals(wholeNumber(args("007"), "n", 0, 65_535), 7);
});

for (
  const text of [
    "",
    "-1",
    "+1",
    "1.0",
    "1e3",
    "0x10",
    " 1",
    "1 ",
    "1_000",
    "٣",
    "NaN",
    "Infinity",
    "65536",
    "9".repeat(40),
  ]
) {
  Deno.test(`wholeNumber() refuses ${JSON.stringify(text)} and says what it expects`, () => {
    assertUsage(() => wholeNumber(args(text), "n", 0, 65_535), "--n", text, "0", "65535");
  });
}

Deno.test("wholeNumber() refuses what is under min", () => {
  assertUsage(() => wholeNumber(args("0"), "n", 1, 5), "from 1 to 5");
});

Deno.test("secondsAsMs() takes seconds, with parts of them", () => {
  assertEquals(secondsAsMs(args(), "n"), undefined);
  assertEquals(secondsAsMs(args("30"), "n"), 30_000);
  assertEquals(secondsAsMs(args("0.5"), "n"), 500);
  assertEquals(secondsAsMs(args("0.001"), "n"), 1);
  assertEquals(secondsAsMs(args("86400"), "n"), 86_400_000);
});

for (const text of ["", "0", "0.0", "-1", ".5", "1.", "1e3", "1,5", "5s", "abc", "Infinity", "NaN", "9".repeat(20)]) {
  Deno.test(`secondsAsMs() refuses ${JSON.stringify(text)}`, () => {
    assertUsage(() => secondsAsMs(args(text), "n"), "--n", text, "seconds");
  });
}

Deno.test("secondsAsMs() returns no delay that a timer cannot hold, which would be over at once", () => {
  const longestTimerMs = 2 ** 31 - 1;
  for (const text of ["2147483", "2147484", "3000000", "9999999"]) {
    let delayMs: number;
    try {
      delayMs = secondsAsMs(args(text), "n") ?? 0;
    } catch (error) {
      // To refuse it is as good.
      if (!(error instanceof TandemError) || error.code !== "usage") throw error;
      continue;
    }
    assertLessOrEqual(delayMs, longestTimerMs, `--n ${text}`);
  }
});

Deno.test("byteCount() takes bytes, and units in letters of any case", () => {
  assertEquals(byteCount(args(), "n"), undefined);
  assertEquals(byteCount(args("0"), "n"), 0);
  assertEquals(byteCount(args("4096"), "n"), 4_096);
  assertEquals(byteCount(args("64K"), "n"), 65_536);
  assertEquals(byteCount(args("64k"), "n"), 65_536);
  assertEquals(byteCount(args("10M"), "n"), 10_485_760);
  assertEquals(byteCount(args("2G"), "n"), 2_147_483_648);
  assertEquals(byteCount(args("1T"), "n"), 1_099_511_627_776);
  assertEquals(byteCount(args("10000000000"), "n"), 10_000_000_000);
});

for (const text of ["", "-1", "1.5G", "K", "64KB", "64 K", "1e3", "0x10", "9007199254740992", "99999999T", "many"]) {
  Deno.test(`byteCount() refuses ${JSON.stringify(text)}`, () => {
    assertUsage(() => byteCount(args(text), "n"), "--n", text, "bytes");
  });
}

Deno.test("oneOf() takes one of some words, and names them all where it is none", () => {
  assertEquals(oneOf(args(), "n", ["text", "json"]), undefined);
  assertEquals(oneOf(args("json"), "n", ["text", "json"]), "json");
  const hint = assertUsage(() => oneOf(args("jsn"), "n", ["text", "json"]), "--n jsn", "text, json");
  assertStringIncludes(hint, "did you mean json?");
  assertUsage(() => oneOf(args("JSON!"), "n", ["text", "json"]));
  assertUsage(() => oneOf(args("toString"), "n", ["text", "json"]));
});

Deno.test("flagLines() has a line for each flag, with both its names, its value and what it does", () => {
  const lines = flagLines(FLAGS);
  assertEquals(lines.map((line) => line.trim().split(/\s{2,}/)), [
    ["-p, --port N", "a port"],
    ["--host ADDR", "an address"],
    ["-q, --quiet", "less"],
    ["-v, --verbose", "more"],
  ]);
  const columns = FLAGS.map(({ about }, i) => lines[i]?.indexOf(about));
  assertEquals(new Set(columns).size, 1, lines.join("\n"));
});
