/**
 * Messages of the tandem exchange that are text: a line or two, and a last line
 * with the CRC-32 of what stands before it.
 *
 * Bodies have a checksum of their own at their end; without this one a bit that
 * is flipped in a path, a size or a time would go unnoticed. A message that is
 * damaged ends the session, since nobody knows what it said.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import { ProtocolError, TandemError } from "../errors.ts";
import { encodeHeader, HEADER_BYTES } from "./header.ts";

/** A message does not fit its checksum, so that nobody knows what it said: the code is `integrity`. */
export class DamagedError extends TandemError {
  /** Makes the error. */
  constructor() {
    super("integrity", "a message was damaged on its way: its checksum does not fit");
  }
}

/** A JSON object, not looked into yet. */
export type JsonObject = { readonly [key: string]: unknown };

const encoder = new TextEncoder();
const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The length of the last line and the line feed before it, in bytes. */
const SEAL_BYTES = 9;

/** A CRC-32 as messages have it: eight hexadecimal digits. */
export function formatCrc(value: number): string {
  return value.toString(16).padStart(8, "0");
}

/** A message of `text` with its seal and its header, to be sent in one write. */
export function encodeSealed(text: string, sign: "+" | "-" = "+"): Uint8Array {
  const bytes = encoder.encode(text);
  const message = new Uint8Array(HEADER_BYTES + bytes.length + SEAL_BYTES);
  message.set(encodeHeader(bytes.length + SEAL_BYTES, sign));
  message.set(bytes, HEADER_BYTES);
  message.set(encoder.encode(`\n${formatCrc(crc32(bytes))}`), HEADER_BYTES + bytes.length);
  return message;
}

/**
 * The text of a sealed message, without its header.
 *
 * @throws {DamagedError} if the seal is missing or does not fit.
 * @throws {ProtocolError} if the text is not UTF-8.
 */
export function decodeSealed(body: Uint8Array): string {
  const end = body.length - SEAL_BYTES;
  const seal = end < 0 ? "" : String.fromCharCode(...body.subarray(end));
  const bytes = body.subarray(0, Math.max(end, 0));
  if (seal !== `\n${formatCrc(crc32(bytes))}`) {
    throw new DamagedError();
  }
  try {
    return decoder.decode(bytes);
  } catch (error) {
    throw new ProtocolError("a message is not UTF-8", { cause: error });
  }
}

/** An object as a sealed message. */
export function encodeObject(object: JsonObject, sign: "+" | "-" = "+"): Uint8Array {
  return encodeSealed(JSON.stringify(object), sign);
}

/**
 * The object of a sealed message.
 *
 * @throws {TandemError} as {@linkcode decodeSealed}; `protocol` if it is no object.
 */
export function decodeObject(body: Uint8Array): JsonObject {
  const object = parseObject(decodeSealed(body));
  if (object === undefined) throw new ProtocolError("expected a JSON object in a message");
  return object;
}

/** The object that a text spells, or undefined where it spells none. */
export function parseObject(text: string): JsonObject | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value as JsonObject : undefined;
  } catch {
    return undefined;
  }
}
