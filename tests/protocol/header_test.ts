/**
 * Tests of the header: its vectors, and what can be tried exhaustively.
 *
 * @module
 */

import { ProtocolError } from "../../src/errors.ts";
import { Decoder, NEED_MORE } from "../../src/protocol/decoder.ts";
import {
  decodeHeader,
  encodeHeader,
  type Header,
  HEADER_BYTES,
  type HeaderGrammar,
  MAX_SIGNED_VALUE,
  MAX_UNSIGNED_VALUE,
  type Sign,
} from "../../src/protocol/header.ts";
import { assertEquals, assertMatch, assertThrows, fail } from "../deps.ts";
import { outcomeOf } from "./outcome.ts";
import { byteByByte, concat, latin1 } from "./reading.ts";
import { bytesOf, readVectors, testName, type Text, type Vector } from "./vectors.ts";

interface HeaderVector extends Vector {
  /** Whether the bytes are read, the value is written, or both. */
  readonly way: "both" | "decode" | "encode";
  readonly grammar?: HeaderGrammar;
  readonly bytes?: Text;
  readonly sign?: Sign;
  readonly value?: number;
  readonly error?: "protocol" | "range";
}

const vectors = readVectors<HeaderVector>("header.json", [
  "way",
  "grammar",
  "bytes",
  "sign",
  "value",
  "error",
]);

for (const vector of vectors) {
  const { way, error } = vector;
  if (way !== "encode") {
    const verdict = error ? "refuses" : "takes";
    Deno.test(testName(vector, `decodeHeader() ${verdict}`), () => {
      testDecoding(vector);
    });
  }
  if (way !== "decode") {
    const verdict = error ? "refuses" : "writes";
    Deno.test(testName(vector, `encodeHeader() ${verdict}`), () => {
      testEncoding(vector);
    });
  }
}

function testDecoding(vector: HeaderVector): void {
  const { grammar, sign = "", value, error, bytes: text = fail() } = vector;
  const bytes = bytesOf(text);
  const expected = value === undefined && error === "protocol"
    ? { error }
    : { value: { sign, value: value ?? fail() } };
  assertEquals(bytes.length, HEADER_BYTES);
  assertEquals(outcomeOf(() => decodeHeader(bytes, grammar)), expected);
  const pulls = { whole, inBytes, withTrailingBytes };
  for (const [name, pull] of Object.entries(pulls)) {
    assertEquals(outcomeOf(() => pull(bytes, grammar)), expected, name);
  }
}

function whole(bytes: Uint8Array, grammar?: HeaderGrammar): Header {
  const decoder = new Decoder();
  decoder.push(bytes);
  return pulled(decoder, grammar);
}

function inBytes(bytes: Uint8Array, grammar?: HeaderGrammar): Header {
  const decoder = new Decoder();
  for (const byte of byteByByte(bytes)) {
    assertEquals(decoder.header(grammar), NEED_MORE);
    decoder.push(byte);
  }
  return pulled(decoder, grammar);
}

function withTrailingBytes(bytes: Uint8Array, grammar?: HeaderGrammar): Header {
  const decoder = new Decoder();
  decoder.push(concat(bytes, bytesOf("7 more.")));
  const header = pulled(decoder, grammar);
  assertEquals(decoder.bufferedBytes, 7);
  return header;
}

function pulled(decoder: Decoder, grammar?: HeaderGrammar): Header {
  const header = decoder.header(grammar);
  return typeof header === "symbol" ? fail(String(header)) : header;
}

function testEncoding(vector: HeaderVector): void {
  const { sign, value = fail(), error, bytes } = vector;
  if (error !== undefined) {
    assertEquals(error, "range");
    assertThrows(() => encodeHeader(value, sign), RangeError, "a header holds");
  } else {
    assertEquals(encodeHeader(value, sign), bytesOf(bytes ?? fail()));
  }
}

Deno.test("H1 header of ten digits round trips", () => {
  for (const value of valuesUpTo(MAX_UNSIGNED_VALUE)) {
    const bytes = encodeHeader(value);
    assertEquals(latin1(bytes), String(value).padStart(10, "0"));
    assertEquals(decodeHeader(bytes), { sign: "", value });
  }
});

Deno.test("H1 header of a sign and nine digits round trips", () => {
  for (const value of valuesUpTo(MAX_SIGNED_VALUE)) {
    for (const sign of ["+", "-"] as const) {
      const bytes = encodeHeader(value, sign);
      assertEquals(latin1(bytes), sign + String(value).padStart(9, "0"));
      assertEquals(decodeHeader(bytes, "tandem"), { sign, value });
    }
  }
});

/** The powers of ten and of two with their neighbours, and a thousand values between. */
function* valuesUpTo(max: number): Generator<number> {
  for (const base of [2, 10]) {
    for (let power = 1; power <= max; power *= base) {
      for (const value of [power - 1, power, power + 1]) {
        if (value <= max) yield value;
      }
    }
  }
  const step = Math.floor(max / 1_000);
  for (let value = 0; value <= max; value += step) yield value;
  yield max;
}

Deno.test("H4 header takes ASCII digits alone, whatever byte stands at whatever place", () => {
  for (const start of ["0000000000", "+000000000"]) {
    for (let place = 0; place < HEADER_BYTES; place++) {
      for (let byte = 0; byte < 256; byte++) {
        const bytes = bytesOf(start);
        bytes[place] = byte;
        const text = latin1(bytes);
        const taken = "value" in outcomeOf(() => decodeHeader(bytes));
        assertEquals(taken, /^(?: ?\d+ ?|\+\d{9})$/.test(text), text);
      }
    }
  }
});

Deno.test("decodeHeader() refuses a header without a sign in the tandem exchange", () => {
  for (const text of ["0000000005", "         5", "          "]) {
    assertEquals(outcomeOf(() => decodeHeader(bytesOf(text), "tandem")), {
      error: "protocol",
    });
  }
});

Deno.test("decodeHeader() throws RangeError when given other than ten bytes", () => {
  for (const text of ["", "5", "000000005", "00000000005"]) {
    assertThrows(() => decodeHeader(bytesOf(text)), RangeError, "ten bytes");
  }
});

Deno.test("encodeHeader() throws RangeError when given no whole number", () => {
  for (const value of [NaN, Infinity, -Infinity, 1e-9, 2 ** 53]) {
    assertThrows(() => encodeHeader(value), RangeError, "a header holds");
  }
});

Deno.test("decodeHeader() shows no control byte when it refuses a header", () => {
  for (const hex of ["1b5b324a0d0a0007080c", "9b31306d7f80ffc3a92b"]) {
    const error = assertThrows(
      () => decodeHeader(Uint8Array.fromHex(hex)),
      ProtocolError,
    );
    assertMatch(error.message, /^[ -~]+$/);
    assertMatch(error.message, /\\x[0-9a-f]{2}/);
  }
});
