/**
 * Invariant: a text that is sealed is read back the same, behind a header with
 * its length in bytes. One bit of it that is another, and up to three of its
 * text, never pass: the reader says `integrity`. Of all bytes `decodeSealed()`
 * takes exactly those that end in the CRC-32 of the rest, computed here bit by
 * bit, if that rest is UTF-8. Whatever comes, nothing is thrown but
 * TandemErrors.
 *
 * @module
 */

import { Buffer, isUtf8 } from "node:buffer";
import { decodeObject, decodeSealed, encodeSealed, parseObject } from "../../src/protocol/sealed.ts";
import { decodeCommandLines, decodeTicket, isTicketMessage } from "../../src/protocol/tandem_command.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { concat, latin1 } from "../protocol/reading.ts";
import { ordinaryPath, pathLike } from "./arbitraries.ts";
import { assertSame, target } from "./target.ts";

const jsonText = fc.oneof(
  fc.json({ maxDepth: 2 }),
  fc.constantFrom("{}", '{"tandem":1}', "[]", "null", "{", "{}{}", ""),
);

/** Text as messages have it, or as somebody might want to pass for it. */
const text: fc.Arbitrary<string> = fc.oneof(
  jsonText,
  fc.tuple(fc.constantFrom("get ", "put ", "ls", "data ", ""), pathLike, jsonText)
    .map(([verb, path, json]) => `${verb}${path}\n${json}`),
  fc.tuple(ordinaryPath, fc.constantFrom("\n", "\n00000000", "\n\n")).map((parts) => parts.join("")),
).map((text) => text.toWellFormed());

const roundTrip = target(
  "sealed messages round trip",
  fc.tuple(text, fc.constantFrom("+", "-")),
  ([text, sign]) => {
    const message = encodeSealed(text, sign);
    const length = Buffer.byteLength(text) + 9;
    assertSame(message.length, length + 10);
    assertSame(latin1(message.subarray(0, 10)), sign + String(length).padStart(9, "0"));
    assertSame(decodeSealed(message.subarray(10)), text);
  },
);

const oneBit = target(
  "sealed messages with one bit another are damaged",
  fc.tuple(text, fc.nat()),
  ([text, number]) => {
    const body = encodeSealed(text).subarray(10);
    flip(body, number % (body.length * 8));
    assertSame(outcomeOf(() => decodeSealed(body)), { error: "integrity" });
  },
);

const threeBits = target(
  "sealed messages with up to three bits of their text another are damaged",
  fc.tuple(text.filter((text) => text !== ""), fc.array(fc.nat(), { minLength: 1, maxLength: 3 })),
  ([text, numbers]) => {
    const body = encodeSealed(text).subarray(10);
    const bits = new Set(numbers.map((number) => number % ((body.length - 9) * 8)));
    for (const bit of bits) flip(body, bit);
    assertSame(outcomeOf(() => decodeSealed(body)), { error: "integrity" });
  },
);

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) ^ (1 << (bit & 7));
}

const anyBytes = fc.oneof(
  text.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 20 }),
  fc.tuple(text.map((text) => Buffer.from(text)), fc.uint8Array({ maxLength: 3 })).map(([a, b]) => concat(a, b)),
);

/** Half of them sealed rightly, so that what is behind the seal is tried too. */
const body = fc.tuple(
  anyBytes,
  fc.constantFrom("right", "right", "none", "capitals", "zeros", "carriage return"),
).map(([bytes, seal]) => {
  const crc = slowCrc(bytes);
  const seals = {
    right: `\n${crc}`,
    none: "",
    capitals: `\n${crc.toUpperCase()}`,
    zeros: "\n00000000",
    "carriage return": `\r${crc}`,
  };
  return concat(bytes, Buffer.from(seals[seal]));
});

const hostile = target(
  "sealed messages are taken exactly where their seal fits",
  body,
  (body) => {
    const bytes = body.subarray(0, Math.max(0, body.length - 9));
    const fits = body.length >= 9 && latin1(body.subarray(-9)) === `\n${slowCrc(bytes)}`;
    const outcome = outcomeOf(() => decodeSealed(body));
    const text = Buffer.from(bytes).toString();
    const isText = isUtf8(bytes);
    assertSame(outcome, !fits ? { error: "integrity" } : isText ? { value: text } : { error: "protocol" });
    const object = outcomeOf(() => decodeObject(body));
    const parsed = fits && isText ? parseObject(text) : undefined;
    if (parsed !== undefined) assertSame(object, { value: parsed });
    else assertSame(object, { error: fits ? "protocol" : "integrity" });
    const lines = outcomeOf(() => decodeCommandLines(body));
    if ("value" in lines) {
      const { verb, rest, parameters } = lines.value;
      const line = rest === undefined ? verb : `${verb} ${rest}`;
      assertSame(line.includes("\n") || verb.includes(" "), false);
      assertSame(text.startsWith(`${line}\n`), true);
      assertSame(parseObject(text.slice(line.length + 1)), parameters);
    } else {
      assertSame(lines.error, !fits ? "integrity" : isText ? "bad-request" : "protocol");
    }
    if (isTicketMessage(body)) outcomeOf(() => decodeTicket(body));
  },
);

/** The CRC-32, bit by bit, from its polynomial. */
function slowCrc(bytes: Uint8Array): string {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ((crc ^ 0xffffffff) >>> 0).toString(16).padStart(8, "0");
}

/** The targets of sealed messages. */
export const sealedTargets = [roundTrip, oneBit, threeBits, hostile] as const;
