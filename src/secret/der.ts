/**
 * As much of DER (ITU-T X.690) as a certificate needs: each function returns one
 * encoded value.
 *
 * Not a library: `@peculiar/x509` brings 18 packages, one of which changes the
 * global `Reflect`, takes 90 to 120 ms to load and cannot be used without
 * waiting, while `serve()` returns at once. What is here takes 4 ms, and
 * `openssl` checks what comes of it in the tests.
 *
 * @module
 */

import { Buffer } from "node:buffer";

const encoder = new TextEncoder();

/** A value of any kind: its tag, its length and its contents. */
export function value(tag: number, ...contents: readonly Uint8Array[]): Uint8Array {
  const length = contents.reduce((sum, part) => sum + part.length, 0);
  const head = [tag, ...encodeLength(length)];
  const bytes = new Uint8Array(head.length + length);
  bytes.set(head);
  let at = head.length;
  for (const part of contents) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function encodeLength(length: number): number[] {
  if (length < 0x80) return [length];
  return length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
}

/** A SEQUENCE. */
export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return value(0x30, ...parts);
}

/** A SET of one. */
export function set(part: Uint8Array): Uint8Array {
  return value(0x31, part);
}

/** A positive INTEGER of at most 20 bytes, the highest first. */
export function integer(bytes: Uint8Array): Uint8Array {
  return value(0x02, bytes);
}

/** A BOOLEAN that is true. */
export const TRUE: Uint8Array = value(0x01, Uint8Array.of(0xff));

/** An OBJECT IDENTIFIER, in its encoded bytes. */
export function objectId(...bytes: readonly number[]): Uint8Array {
  return value(0x06, Uint8Array.from(bytes));
}

/** A UTF8String. */
export function utf8(text: string): Uint8Array {
  return value(0x0c, encoder.encode(text));
}

/** A UTCTime, as `000101000000Z`: for the years 1950 to 2049. */
export function utcTime(text: string): Uint8Array {
  return value(0x17, encoder.encode(text));
}

/** A GeneralizedTime, as `99991231235959Z`: for later ones. */
export function generalizedTime(text: string): Uint8Array {
  return value(0x18, encoder.encode(text));
}

/** An OCTET STRING around another value. */
export function octets(contents: Uint8Array): Uint8Array {
  return value(0x04, contents);
}

/** A BIT STRING, the last `unused` bits of which do not count. */
export function bits(contents: Uint8Array, unused = 0): Uint8Array {
  return value(0x03, Uint8Array.of(unused), contents);
}

/** A value under the context's own tag: `[number]`, constructed. */
export function tagged(number: number, contents: Uint8Array): Uint8Array {
  return value(0xa0 | number, contents);
}

/** A DER value as PEM text. */
export function pem(label: string, der: Uint8Array): string {
  const lines = Buffer.from(der).toString("base64").replace(/.{64}(?=.)/g, "$&\n");
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`;
}
