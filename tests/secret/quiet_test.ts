/**
 * T11: the text of a secret, and what is derived from it, is in nothing that a
 * `Secret` shows of itself, in no error about it, and in what it returns only
 * as certificates and proofs.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { hkdfSync, scryptSync } from "node:crypto";
import { inspect } from "node:util";
import { TandemError } from "../../src/errors.ts";
import { Secret } from "../../src/secret/secret.ts";
import { assert, assertEquals, assertInstanceOf, fail } from "../deps.ts";

const WORDS = "squeamish ossifrage, the words";
const GENERATED = "7sre-3can-yw15-27zg-82q5-0kp4-5xnx";
const MISTYPED = "7kq2-m9xw-aaaa-bbbb-cccc-dddd-eeee";

/** All that would give a secret away: its words, its keys, in any of the ways to write bytes. */
function tellTales(text: string): string[] {
  const digits = text.replaceAll("-", "");
  const isWords = text.includes(" ");
  const material = isWords
    ? scryptSync(text, "tandem/1", 32, { N: 32_768, r: 8, p: 1, maxmem: 2 ** 26 })
    : Buffer.from(digits);
  const keys = ["authority", "proof"].map((purpose) =>
    Buffer.from(hkdfSync("sha256", material, "tandem/1", purpose, 32))
  );
  const bytes = [material, ...keys].flatMap((one) => [
    one.toString("hex"),
    one.toString("base64"),
    one.toString("base64url"),
    // As an array of numbers is printed, in one line or several.
    [...one].slice(0, 6).join(","),
  ]);
  const parts = isWords ? text.split(" ").filter((word) => word.length > 5) : text.match(/\w{4}-\w{4}/g) ?? [];
  return [text, digits, ...parts, ...bytes];
}

function assertQuiet(shown: string, text: string, where: string): void {
  const squeezed = shown.replaceAll(/\s/g, "");
  for (const tale of tellTales(text)) {
    assertEquals(shown.includes(tale) || squeezed.includes(tale), false, `${where} tells ${tale}`);
  }
}

/** What is written to the console meanwhile. */
function consoleOf(run: () => void): string {
  const said: string[] = [];
  const methods = ["log", "error", "warn", "info", "debug", "dir", "table", "trace"] as const;
  const originals = methods.map((method) => console[method]);
  const note = (...args: unknown[]) => said.push(args.map((arg) => Deno.inspect(arg, { depth: 100 })).join(" "));
  for (const method of methods) console[method] = note;
  try {
    run();
  } finally {
    methods.forEach((method, i) => console[method] = originals[i] ?? fail());
  }
  return said.join("\n");
}

/** Every way to look at a value. */
function views(value: object): Record<string, string> {
  const deep = { depth: 100, showHidden: true, getters: true, iterableLimit: 10_000, strAbbreviateSize: 100_000 };
  return {
    toString: String(value),
    template: `${value}`,
    toJSON: JSON.stringify(value),
    "toJSON of what holds it": JSON.stringify({ options: [value] }),
    "Deno.inspect": Deno.inspect(value, deep),
    "Deno.inspect of what holds it": Deno.inspect({ options: [value] }, deep),
    "node:util inspect": inspect(value, { depth: null, showHidden: true, getters: true, maxArrayLength: null }),
    keys: Reflect.ownKeys(value).map(String).join(),
    values: Object.values(Object.getOwnPropertyDescriptors(value)).map(({ value }) => String(value)).join(),
    entries: JSON.stringify(Object.entries(value)),
    spread: JSON.stringify({ ...value }),
    console: consoleOf(() => {
      console.log(value);
      console.log("%o %O %s %j", value, value, value, value);
    }),
  };
}

for (const text of [WORDS, GENERATED]) {
  const kind = text === WORDS ? "words" : "a generated secret";

  Deno.test(`T11: a Secret of ${kind} shows nothing of it, however it is looked at`, () => {
    const secret = new Secret(text);
    for (const [way, shown] of Object.entries(views(secret))) assertQuiet(shown, text, way);
    assertEquals(String(secret), "(secret)");
    assertEquals(JSON.stringify({ secret }), '{"secret":"(secret)"}');
  });

  Deno.test(`T11: a Secret of ${kind} is not copied with what it knows`, () => {
    const shown = Deno.inspect(structuredClone(new Secret(text)), { depth: 100, showHidden: true });
    assertQuiet(shown, text, "structuredClone()");
  });

  Deno.test(`T11: what a Secret of ${kind} hands out has none of its keys in it`, async () => {
    const secret = new Secret(text);
    const { cert, key } = secret.issueCredentials();
    const proof = await secret.prove("client", "00".repeat(16), "11".repeat(16));
    for (const [name, shown] of Object.entries({ authority: secret.authorityCert, cert, key, proof })) {
      assertQuiet(shown, text, name);
      const der = Buffer.from(shown.replaceAll(/-----.*-----|\n/g, ""), "base64");
      assertQuiet(der.toString("hex"), text, `the bytes of ${name}`);
      assertQuiet(der.toString("latin1"), text, `the text in the bytes of ${name}`);
    }
  });
}

const REFUSED: Readonly<Record<string, string>> = {
  "mistyped": MISTYPED,
  "mistyped in capitals": MISTYPED.toUpperCase(),
  "too short": "squeamish ossi",
  "too long": "squeamish ossifrage ".repeat(60),
  "of two lines": "squeamish ossifrage\nand another line",
  "with a control character": "squeamish ossifrage\x1b[2J",
};

for (const [what, text] of Object.entries(REFUSED)) {
  Deno.test(`T11: the error about a secret that is ${what} shows nothing of it, nor does its cause`, () => {
    const error = thrownBy(() => new Secret(text));
    assertInstanceOf(error, TandemError);
    assertEquals(error.code, "usage");
    assert(error.hint !== undefined && error.hint !== "", "it says what to do");
    const tales = [text.trim(), ...text.match(/squeamish|ossi\w*|7kq2|m9xw|dddd|eeee/gi) ?? fail()];
    for (let one: unknown = error; one !== undefined; one = one instanceof Error ? one.cause : undefined) {
      const shown = typeof one === "object" && one !== null ? Object.values(views(one)) : [String(one)];
      if (one instanceof Error) shown.push(one.message, one.stack ?? "", one.name);
      for (const tale of tales) {
        for (const way of shown) assertEquals(way.includes(tale), false, `"${tale}" in: ${way}`);
      }
    }
  });
}

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  fail("nothing was thrown");
}

Deno.test("T11: making, proving and verifying write nothing to the console", async () => {
  const proving: Promise<unknown>[] = [];
  const said = consoleOf(() => {
    const secret = new Secret(WORDS);
    secret.issueCredentials();
    proving.push(secret.prove("client", "a", "b"), secret.verify("x", "server", "a", "b"));
    thrownBy(() => new Secret(MISTYPED));
  });
  await Promise.all(proving);
  assertEquals(said, "");
});
