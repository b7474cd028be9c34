/**
 * Tests of sealed messages: their vectors, each behind its header in every way
 * to cut it, and that no bit of a message can be another one unnoticed.
 *
 * @module
 */

import { MAX_OBJECT_BYTES } from "../../src/limits.ts";
import { Decoder, NEED_MORE } from "../../src/protocol/decoder.ts";
import {
  DamagedError,
  decodeObject,
  decodeSealed,
  encodeObject,
  encodeSealed,
  formatCrc,
  type JsonObject,
  parseObject,
} from "../../src/protocol/sealed.ts";
import { assert, assertEquals, assertThrows, fail } from "../deps.ts";
import { outcomeOf } from "./outcome.ts";
import { concat, cuts, latin1 } from "./reading.ts";
import { bytesOf, readVectors, testName, type Text, textOf, type Vector } from "./vectors.ts";

interface SealedVector extends Vector {
  /** Whether the message is written and read, only read, or read as an object. */
  readonly way: "both" | "decode" | "object";
  readonly text?: string;
  readonly sign?: "+" | "-";
  /** The whole message, with its header. */
  readonly message?: Text;
  /** The message without its header. */
  readonly body?: Text;
  readonly object?: JsonObject;
  readonly error?: "integrity" | "protocol";
}

const vectors = readVectors<SealedVector>("sealed.json", [
  "way",
  "text",
  "sign",
  "message",
  "body",
  "object",
  "error",
]);

for (const vector of vectors) {
  const { way, sign = "+", error, object, message, text = "" } = vector;
  if (way === "object") {
    Deno.test(testName(vector, `decodeObject() ${error ? "refuses" : "takes"}`), () => {
      const outcome = outcomeOf(() => decodeObject(bytesOf(vector.body ?? fail())));
      assertEquals(outcome, error === undefined ? { value: object ?? fail() } : { error });
    });
  } else if (way === "decode") {
    Deno.test(testName(vector, "decodeSealed() refuses"), () => {
      const body = bytesOf(vector.body ?? fail());
      assertEquals(outcomeOf(() => decodeSealed(body)), { error: error ?? fail() });
      assertEquals(outcomeOf(() => decodeObject(body)), { error: error ?? fail() });
    });
  } else {
    Deno.test(testName(vector, "encodeSealed() writes"), () => {
      assertEquals(latin1(encodeSealed(text, sign)), latin1(bytesOf(message ?? fail())));
    });
    Deno.test(testName(vector, "decodeSealed() takes"), () => {
      const bytes = bytesOf(message ?? fail());
      for (const pieces of cuts(bytes)) assertEquals(readBack(pieces), { text, sign, left: 0 });
      assertEquals(readBack([concat(bytes, bytesOf("+00"))]), { text, sign, left: 3 });
    });
  }
}

/** What a decoder makes of a message that comes in pieces. */
function readBack(pieces: readonly Uint8Array[]): unknown {
  const decoder = new Decoder();
  for (const piece of pieces) decoder.push(piece);
  const message = decoder.message("tandem", MAX_OBJECT_BYTES);
  assert(typeof message === "object");
  return { text: decodeSealed(message.body), sign: message.header.sign, left: decoder.bufferedBytes };
}

Deno.test("formatCrc() writes eight digits when there are fewer", () => {
  assertEquals(formatCrc(0), "00000000");
  assertEquals(formatCrc(0xbf4392), "00bf4392");
  assertEquals(formatCrc(0xffffffff), "ffffffff");
});

const MESSAGES = [
  encodeSealed("get photos/é.jpg\n" + JSON.stringify({ offset: 1_000_000, prefix: "ab".repeat(32) })),
  encodeObject({ size: 5, offset: 0, length: 5, mtime: 1_000_000_000_500, mode: 0o644, version: "1-2-3" }),
  encodeObject({ code: "not-found", message: "there is none" }, "-"),
  encodeObject({}),
];

for (const [index, message] of MESSAGES.entries()) {
  Deno.test(`decodeSealed() refuses message ${index + 1} as damaged whichever bit of it is another`, () => {
    const body = message.subarray(10);
    for (let bit = 0; bit < body.length * 8; bit++) {
      const error = assertThrows(() => decodeSealed(flipped(body, bit)), DamagedError, "", `bit ${bit}`);
      assertEquals(error.code, "integrity");
    }
  });

  Deno.test(`a reader does not take message ${index + 1} whichever bit of its header is another`, () => {
    // What follows is taken for the message's rest where its length is told too high.
    const stream = [message, ...Array(20).fill(message)].reduce(concat);
    for (let bit = 0; bit < 80; bit++) {
      const decoder = new Decoder();
      decoder.push(flipped(stream, bit));
      const outcome = outcomeOf(() => {
        const came = decoder.message("tandem", MAX_OBJECT_BYTES);
        return typeof came === "object" ? decodeSealed(came.body) : came;
      });
      const refused = "error" in outcome ? /^(?:protocol|integrity)$/.test(outcome.error) : outcome.value === NEED_MORE;
      assert(refused, `bit ${bit}`);
    }
  });

  Deno.test(`decodeSealed() refuses message ${index + 1} when it is cut anywhere, or a byte is behind it`, () => {
    const body = message.subarray(10);
    for (let length = 0; length < body.length; length++) {
      assertEquals(outcomeOf(() => decodeSealed(body.subarray(0, length))), { error: "integrity" });
    }
    for (let byte = 0; byte < 256; byte++) {
      assertEquals(outcomeOf(() => decodeSealed(concat(body, Uint8Array.of(byte)))), { error: "integrity" });
    }
  });
}

function flipped(bytes: Uint8Array, bit: number): Uint8Array {
  const copy = bytes.slice();
  copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
  return copy;
}

Deno.test("encodeSealed() writes lone surrogates as U+FFFD, so that it always writes UTF-8", () => {
  const text = textOf([{ utf16: "d83d" }]);
  assertEquals(decodeSealed(encodeSealed(text).subarray(10)), "\ufffd");
});

Deno.test("decodeSealed() leaves what it reads as it was", () => {
  const body = encodeSealed("abc").subarray(10);
  const before = body.slice();
  decodeSealed(body);
  assertEquals(body, before);
});

Deno.test("encodeObject() leaves out what is undefined", () => {
  assertEquals(decodeSealed(encodeObject({ a: undefined, b: 1 }).subarray(10)), '{"b":1}');
});

Deno.test("parseObject() has no value for what is no object, and never throws", () => {
  for (const text of ["", "[]", "null", "5", '"a"', "{", "{}}", "undefined", "\ud83d", "[".repeat(100_000)]) {
    assertEquals(parseObject(text), undefined, text.slice(0, 20));
  }
  assertEquals(parseObject('{"a":1}'), { a: 1 });
});
