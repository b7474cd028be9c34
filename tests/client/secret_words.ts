/**
 * What people are told when a secret or a certificate does not fit: in their
 * words and not in those of TLS, and with a way out.
 *
 * @module
 */

import type { TandemError } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch } from "../deps.ts";

/** What means nothing to people who have a secret. */
const JARGON = /handshake|certificate|alert|issuer|x\.?509|rustls|PKI|InvalidData|UnexpectedEof|ALPN|corrupt|os error/i;

/** Checks what is said of a secret that does not fit. */
export function assertNamesTheSecret(error: TandemError, codes: readonly string[]): void {
  const { code, message, hint = "" } = error;
  assertEquals(codes.includes(code), true, `${code}: ${message}`);
  assertMatch(`${message}; ${hint}`, /secret/);
  assertNotMatch(message, JARGON);
  assertEquals(hint.length > 10, true, `no hint: ${message}`);
}
