/**
 * Certificates as tests look at them, without our own code.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assertMatch, fail } from "../deps.ts";

/** The bytes of a PEM text, which must be as RFC 7468 has it, in hexadecimal digits. */
export function derOf(pem: string): string {
  assertMatch(pem, /^-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n-----END \1-----\n$/);
  return Buffer.from(pem.replaceAll(/-----.*-----|\n/g, ""), "base64").toString("hex");
}

/** What stands before the 32 bytes of an Ed25519 key in a certificate (RFC 8410). */
const KEY_START = "302a300506032b6570032100";

/** The Ed25519 key that a certificate is for, in hexadecimal digits: `node:crypto` of Deno 2.4 cannot tell it. */
export function publicKeyOf(pem: string): string {
  const [, key] = new RegExp(`${KEY_START}([0-9a-f]{64})`).exec(derOf(pem)) ?? fail("no Ed25519 key");
  return key ?? fail();
}
