/**
 * Tests of the one function that makes paths, and of what goes with it: the
 * vectors, every character there is, and what a person types.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import {
  isServableName,
  parseRemotePath,
  type PathRules,
  type RemotePath,
  resolveRemotePath,
  ROOT,
  splitPath,
} from "../../src/protocol/path.ts";
import { assert, assertEquals, assertNotEquals, assertThrows } from "../deps.ts";
import { outcomeOf } from "./outcome.ts";
import { readVectors, testName, type Text, textOf, type Vector } from "./vectors.ts";

interface NameVector extends Vector {
  readonly path: Text;
  readonly rules?: PathRules;
  readonly ok?: true;
  readonly error?: TandemError["code"];
}

const vectors = readVectors<NameVector>("name.json", [
  "path",
  "rules",
  "ok",
  "error",
]);

for (const vector of vectors) {
  const { rules, ok, error } = vector;
  const verdict = ok ? "takes" : "refuses";
  Deno.test(testName(vector, `parseRemotePath() ${verdict}`), () => {
    assert((ok === undefined) !== (error === undefined));
    const path = textOf(vector.path);
    // What is taken comes back as it was, letter for letter.
    const expected = error === undefined ? { value: path } : { error };
    assertEquals(
      outcomeOf<string>(() => parseRemotePath(path, rules)),
      expected,
    );
    assertEquals(isServablePath(path, rules), ok ?? false);
  });
}

/** Whether each of a path's names, as found in a folder, is servable: the other way to the same answer. */
function isServablePath(path: string, rules?: PathRules): boolean {
  return path.split("/").every((name) => isServableName(name, rules));
}

// The classes as Unicode defines them; the source spells them out.
const NEVER = /[\p{Cc}\p{Cs}\ufffd\\]/u;
const NEVER_CREATED = /[\p{Cc}\p{Cs}\ufffd\\\p{Bidi_Control}]/u;
const NEVER_ON_WINDOWS = /[\p{Cc}\p{Cs}\ufffd\\<>:"|?*]/u;

for (
  const [row, rules, never] of [
    ["P5", {}, NEVER],
    ["P5", { create: true }, NEVER_CREATED],
    ["P3", { windows: true }, NEVER_ON_WINDOWS],
  ] as const
) {
  Deno.test(`${row} names hold every character but the listed ones under the rules ${JSON.stringify(rules)}`, () => {
    // Of the planes without anything that matters here, some are enough.
    for (let code = 0; code <= 0x10ffff; code += code < 0x1ffff ? 1 : 0x100) {
      const letter = String.fromCodePoint(code);
      const name = `a${letter}b`;
      const taken = outcomeOf(() => parseRemotePath(name, rules));
      const expected = !never.test(letter);
      assertEquals("value" in taken, expected, `U+${code.toString(16)}`);
      assertEquals(
        isServableName(name, rules),
        expected && letter !== "/",
        `U+${code.toString(16)}`,
      );
    }
  });
}

Deno.test("P1 no way to write a parent or a dot between other names is taken", () => {
  for (const dots of [".", ".."]) {
    for (const before of ["", "a/", "a/b/", "../", "./"]) {
      for (const after of ["", "/", "/a", "/../a", "//a"]) {
        const path = before + dots + after;
        assertEquals(outcomeOf(() => parseRemotePath(path)), {
          error: "outside-root",
        }, path);
      }
    }
  }
});

Deno.test("P4 names are taken letter for letter and never decoded", () => {
  for (const path of ["%2e%2e/x", "%252e%252e%252f", "..%2f", "a+b%00"]) {
    assertEquals(parseRemotePath(path), path);
  }
});

Deno.test("P6 a name over 255 bytes is refused with the limit in the reason", () => {
  for (const length of [256, 4_095, 1_000_000]) {
    const error = assertThrows(
      () => parseRemotePath("a".repeat(length)),
      TandemError,
      "over 255 bytes",
    );
    assertEquals(error.code, "bad-request");
  }
});

Deno.test("P11 names that only look alike stay apart", () => {
  for (
    const [one, other] of [["\u00e9", "e\u0301"], ["a", "A"], ["a", "\u0430"]]
  ) {
    assert(one !== undefined && other !== undefined);
    assertEquals(parseRemotePath(one), one);
    assertEquals(parseRemotePath(other), other);
    assertNotEquals(parseRemotePath(one), parseRemotePath(other));
  }
});

Deno.test("P12 a temporary name is refused in letters of every case", () => {
  const letters = "tandem";
  for (let mask = 0; mask < 2 ** letters.length; mask++) {
    const cased = [...letters].map((letter, i) => mask & 2 ** i ? letter.toUpperCase() : letter);
    const name = `.${cased.join("")}-x.part`;
    assertEquals(outcomeOf(() => parseRemotePath(name)), { error: "denied" });
    assert(!isServableName(name), name);
  }
});

Deno.test("parseRemotePath() says what is wrong when it refuses a path", () => {
  for (
    const [path, reason] of [
      ["", "a name is missing"],
      ["/a", '"/a" is absolute'],
      ["a//b", "an empty component"],
      ["a/../b", 'the component ".."'],
      ["a\\b", "a backslash"],
      ["a\u0000", "a control character"],
      [".tandem-x", "tandem's own"],
    ] as const
  ) assertThrows(() => parseRemotePath(path), TandemError, reason);
});

const WINDOWS = { windows: true };

Deno.test("parseRemotePath() says what is wrong when Windows cannot hold a name", () => {
  for (
    const [path, reason] of [
      ["a?", "one of its characters"],
      ["a.", "no name ends with a dot or a space"],
      ["con", "it is a device"],
    ] as const
  ) assertThrows(() => parseRemotePath(path, WINDOWS), TandemError, reason);
});

Deno.test("isServableName() refuses what is more or less than one name", () => {
  for (const name of ["", ".", "..", "/", "a/b", "/a", "a/"]) {
    assert(!isServableName(name), name);
  }
});

Deno.test("isServableName() follows the rules that it is given", () => {
  assert(isServableName("a\u202eb"));
  assert(!isServableName("a\u202eb", { create: true }));
  assert(isServableName("nul.txt"));
  assert(!isServableName("nul.txt", WINDOWS));
});

const A_B = parseRemotePath("a/b");

for (
  const [about, folder, typed, expected] of [
    ["a name in the shared folder", ROOT, "c", "c"],
    ["a name in a folder", A_B, "c", "a/b/c"],
    ["a path in a folder", A_B, "c/d", "a/b/c/d"],
    ["a path from the shared folder", A_B, "/c/d", "c/d"],
    ["the shared folder", A_B, "/", ""],
    ["the shared folder from itself", ROOT, "/", ""],
    ["nothing", A_B, "", "a/b"],
    ["nothing in the shared folder", ROOT, "", ""],
    ["a dot", A_B, ".", "a/b"],
    ["the parent", A_B, "..", "a"],
    ["the parent's parent", A_B, "../..", ""],
    ["a name beside the folder", A_B, "../c", "a/c"],
    ["a way down and up again", ROOT, "c/../d", "d"],
    ["dots on the way", A_B, "./c/./../d/.", "a/b/d"],
    ["slashes after a folder", A_B, "c//", "a/b/c"],
    ["several slashes between names", A_B, "c///d", "a/b/c/d"],
    ["several slashes first", A_B, "//c", "c"],
    ["three dots, which are a name", ROOT, "...", "..."],
    ["a tilde, which is a name", A_B, "~", "a/b/~"],
    ["spaces around a name, which belong to it", ROOT, " c ", " c "],
  ] as const
) {
  Deno.test(`resolveRemotePath() takes ${about}`, () => {
    assertEquals<string>(resolveRemotePath(folder, typed), expected);
  });
}

for (
  const [about, folder, typed, error, rules] of [
    ["the shared folder's parent", ROOT, "..", "outside-root"],
    ["more parents than folders", A_B, "../../..", "outside-root"],
    [
      "more parents than folders with a name",
      A_B,
      "../../../c",
      "outside-root",
    ],
    ["a parent after a slash", A_B, "/..", "outside-root"],
    ["a way up before a way down", ROOT, "../a", "outside-root"],
    ["a way down and too far up", ROOT, "a/../../b", "outside-root"],
    ["a backslash", ROOT, "..\\x", "outside-root"],
    ["a NUL", A_B, "c\u0000", "bad-request"],
    ["a name of 256 bytes", A_B, "c".repeat(256), "bad-request"],
    ["a temporary name", A_B, ".tandem-x", "denied"],
    [
      "a bidirectional control where a name is created",
      ROOT,
      "\u202e",
      "bad-request",
      { create: true },
    ],
    ["a device on Windows", ROOT, "a/nul", "bad-request", WINDOWS],
  ] as const
) {
  Deno.test(`resolveRemotePath() refuses ${about}`, () => {
    const outcome = outcomeOf(() => resolveRemotePath(folder, typed, rules));
    assertEquals(outcome, { error });
  });
}

Deno.test("splitPath() parts a path at its last slash", () => {
  for (
    const [path, folder, name] of [
      ["a", "", "a"],
      ["abc", "", "abc"],
      ["a/b", "a", "b"],
      ["a/b/c.txt", "a/b", "c.txt"],
    ] as const
  ) {
    assertEquals(splitPath(parseRemotePath(path)), {
      folder: folder as RemotePath,
      name,
    });
  }
});

Deno.test("splitPath() finds neither folder nor name when given the shared folder", () => {
  assertEquals(splitPath(ROOT), { folder: ROOT, name: "" });
});
