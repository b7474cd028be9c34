/**
 * The 10-byte header that stands before every command, port, size and message.
 *
 * Pure: ten bytes in, a sign and a number out, and back. It decides only what a
 * header *is*; whether its value is acceptable (a port, a command's length) is
 * for whoever reads it. Parsed by bytes and never by `Number()`, which would
 * take `0x10`, `1e9` or ten spaces for a number.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";

/** The length of every header, in bytes. */
export const HEADER_BYTES = 10;

/** The largest value of an unsigned header: ten digits. */
export const MAX_UNSIGNED_VALUE = 9_999_999_999;

/** The largest value of a signed header: nine digits. */
export const MAX_SIGNED_VALUE = 999_999_999;

/**
 * The first byte of a header when it is no digit: `+` says "I speak tandem",
 * `-` announces an error, and no sign is the plain exchange.
 */
export type Sign = "" | "+" | "-";

/** What a header says. */
export interface Header {
  /** Its sign; `""` where the first byte was none. */
  readonly sign: Sign;
  /** Its value: a whole number from 0 to 9,999,999,999 (999,999,999 where signed). */
  readonly value: number;
}

/**
 * Which headers a reader takes. `plain`: digits padded with spaces on either
 * side, or `+` and nine digits. `tandem`: `+` or `-` and nine digits.
 */
export type HeaderGrammar = "plain" | "tandem";

const SPACE = 0x20;
const PLUS = 0x2b;
const MINUS = 0x2d;
const ZERO = 0x30;
const NINE = 0x39;

/**
 * Writes a header: zero-padded on the left, the sign (if any) as its first byte.
 *
 * @throws {RangeError} if `value` is no whole number or has too many digits: a
 * caller must have refused such a size before.
 */
export function encodeHeader(value: number, sign: Sign = ""): Uint8Array {
  const max = sign === "" ? MAX_UNSIGNED_VALUE : MAX_SIGNED_VALUE;
  if (!Number.isInteger(value) || value < 0 || value > max) {
    throw new RangeError(`a header holds 0 to ${max}, not ${value}`);
  }
  const header = new Uint8Array(HEADER_BYTES).fill(ZERO);
  let rest = value;
  for (let i = HEADER_BYTES - 1; rest > 0; i--) {
    header[i] = ZERO + rest % 10;
    rest = Math.floor(rest / 10);
  }
  if (sign === "+") header[0] = PLUS;
  if (sign === "-") header[0] = MINUS;
  return header;
}

/**
 * Reads a header from exactly ten bytes.
 *
 * @throws {ProtocolError} if the bytes are no header of that grammar.
 */
export function decodeHeader(
  bytes: Uint8Array,
  grammar: HeaderGrammar = "plain",
): Header {
  if (bytes.length !== HEADER_BYTES) {
    throw new RangeError(`a header is ten bytes, not ${bytes.length}`);
  }
  const first = bytes[0];
  if (first === PLUS) return signed(bytes, "+");
  if (grammar === "tandem") {
    if (first === MINUS) return signed(bytes, "-");
    throw malformed(bytes, "a sign and nine digits");
  }
  let start = 0;
  let end = HEADER_BYTES;
  while (start < end && bytes[start] === SPACE) start++;
  while (end > start && bytes[end - 1] === SPACE) end--;
  const value = digits(bytes, start, end);
  if (value === undefined) throw malformed(bytes, "ten digits");
  return { sign: "", value };
}

function signed(bytes: Uint8Array, sign: "+" | "-"): Header {
  const value = digits(bytes, 1, HEADER_BYTES);
  if (value === undefined) throw malformed(bytes, "nine digits after the sign");
  return { sign, value };
}

/** The number that bytes `start` to `end` spell, or undefined where one is no ASCII digit or there are none. */
function digits(
  bytes: Uint8Array,
  start: number,
  end: number,
): number | undefined {
  if (start === end) return undefined;
  let value = 0;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] ?? 0;
    if (byte < ZERO || byte > NINE) return undefined;
    value = value * 10 + (byte - ZERO);
  }
  return value;
}

function malformed(bytes: Uint8Array, expected: string): ProtocolError {
  let shown = "";
  for (const byte of bytes) {
    shown += byte > SPACE && byte < 0x7f || byte === SPACE
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, "0")}`;
  }
  return new ProtocolError(
    `expected a header of ${expected}, got "${shown}"`,
    { hint: "the other program may speak another protocol on this port" },
  );
}
