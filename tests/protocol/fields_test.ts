/**
 * Tests of reading fields: for each kind what it takes, what it refuses, and
 * that what is missing or null is undefined.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { Fields } from "../../src/protocol/fields.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../deps.ts";
import { outcomeOf } from "./outcome.ts";

type Kind = "count" | "timeMs" | "mode" | "flag" | "text" | "oneOf" | "sha256" | "token" | "crc32";

interface Cases {
  readonly takes: readonly unknown[];
  readonly refuses: readonly unknown[];
}

const SHA = "0123456789abcdef".repeat(4);
const NEITHER: readonly unknown[] = [[], {}, [5], ["error"], () => 1, Symbol("x"), 5n];

const CASES: Readonly<Record<Kind, Cases>> = {
  count: {
    takes: [0, 1, 4_294_967_296, Number.MAX_SAFE_INTEGER],
    refuses: [-1, 0.5, NaN, Infinity, -Infinity, Number.MAX_SAFE_INTEGER + 1, "1", "", true],
  },
  timeMs: {
    takes: [0, -1, 0.25, 1e12, 8.64e15, -8.64e15],
    refuses: [8.64e15 + 1, -8.64e15 - 1, NaN, Infinity, -Infinity, "0", true],
  },
  mode: {
    takes: [0, 0o644, 0o777],
    refuses: [-1, 0o1000, 0o4755, 0.5, NaN, Infinity, 2 ** 32, 2 ** 32 + 0o644, -(2 ** 32), 2 ** 40, "644", true],
  },
  flag: { takes: [true, false], refuses: [0, 1, "", "true", "false", NaN] },
  text: { takes: ["", "a", "\n", "\ud83d"], refuses: [0, 5, true, false] },
  oneOf: { takes: ["error", "newer"], refuses: ["", "Error", "error ", "toString", 0, true] },
  sha256: {
    takes: [SHA],
    refuses: ["", SHA.slice(1), `${SHA}0`, SHA.toUpperCase(), `${SHA.slice(1)}g`, `${SHA}\n`, 5],
  },
  token: {
    takes: [SHA.slice(0, 32), "0".repeat(32), "f".repeat(32)],
    refuses: [
      "",
      SHA,
      `${SHA.slice(0, 32)}\n`,
      ` ${SHA.slice(0, 31)}`,
      SHA.slice(0, 31),
      SHA.slice(0, 33),
      SHA.slice(0, 32).toUpperCase(),
      `${SHA.slice(0, 31)}g`,
      5,
    ],
  },
  crc32: {
    takes: ["00000000", "0123abcd", "ffffffff"],
    refuses: ["", "0000000", "000000000", "ABCDEF00", "0x000000", "00000000\n", " 0000000", 0, 12_345_678],
  },
};

function read(kind: Kind, object: { readonly [key: string]: unknown }): unknown {
  const fields = new Fields(object, "a test");
  return kind === "oneOf" ? fields.oneOf("key", ["error", "newer"]) : fields[kind]("key");
}

for (const [name, { takes, refuses }] of Object.entries(CASES)) {
  const kind = name as Kind;

  Deno.test(`Fields.${kind}() takes what is of its kind`, () => {
    for (const value of takes) assertEquals(outcomeOf(() => read(kind, { key: value })), { value });
  });

  for (const value of [...refuses, ...NEITHER]) {
    const shown = Array.isArray(value)
      ? `[${value}]`
      : typeof value === "string"
      ? JSON.stringify(value)
      : String(value);
    Deno.test(`Fields.${kind}() refuses ${shown} with bad-request`, () => {
      assertEquals(outcomeOf(() => read(kind, { key: value })), { error: "bad-request" });
    });
  }

  Deno.test(`Fields.${kind}() has ${kind === "flag" ? "no" : "nothing"} for what is missing or null`, () => {
    const nothing = kind === "flag" ? false : undefined;
    for (const object of [{}, { key: null }, { key: undefined }, { Key: 5, other: [] }]) {
      assertEquals(read(kind, object), nothing);
    }
  });
}

Deno.test("Fields say which field of what is not of which kind", () => {
  const { message } = assertThrows(() => new Fields({ size: "x" }, "put").count("size"), TandemError);
  assertEquals(message, '"size" of put is not a whole number');
  assertStringIncludes(outcomeMessage(() => new Fields({ a: 1 }, "mv").oneOf("a", ["x", "y"])), "one of x, y");
});

Deno.test("Fields.required() gives what is there, and refuses what is missing with bad-request", () => {
  const fields = new Fields({}, "an entry");
  for (const value of [0, "", false]) assertEquals(fields.required("key", value), value);
  const error = assertThrows(() => fields.required("key", undefined), TandemError, 'an entry has no "key"');
  assertEquals(error.code, "bad-request");
});

Deno.test("Fields look at no field that is not asked for", () => {
  const object = {
    size: 1,
    get other(): never {
      throw new Error("it was looked at");
    },
  };
  assertEquals(new Fields(object, "a test").count("size"), 1);
});

function outcomeMessage(run: () => unknown): string {
  return assertThrows(run, TandemError).message;
}
