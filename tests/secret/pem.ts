/**
 * Certificates as tests look at them, read by `node:crypto` and not by our code.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { assertMatch, fail } from "../deps.ts";

/** The bytes of a PEM text, which must be as RFC 7468 has it. */
export function derOf(pem: string): Uint8Array {
  assertMatch(pem, /^-----BEGIN ([A-Z ]+)-----\n([A-Za-z0-9+/]{64}\n)*[A-Za-z0-9+/]{1,64}={0,2}\n-----END \1-----\n$/);
  return Uint8Array.fromBase64(pem.replaceAll(/-----.*-----|\n/g, ""));
}

/** The 32 bytes of the Ed25519 key that a certificate is for, in hexadecimal digits. */
export function publicKeyOf(pem: string): string {
  const { x } = new X509Certificate(pem).publicKey.export({ format: "jwk" });
  return Uint8Array.fromBase64(x ?? fail("no Ed25519 key"), { alphabet: "base64url" }).toHex();
}
