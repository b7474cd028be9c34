/**
 * Secrets for tests, and what follows from them, derived once more from SPEC.md
 * (SEC-3, SEC-4, SEC-6) without the program's own code.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHmac, createPrivateKey, hkdfSync } from "node:crypto";
import { generateSecret, Secret } from "../../mod.ts";

/** The text of the secret that both sides of a test have. */
export const SECRET_TEXT = generateSecret();

/** That secret. */
export const SECRET = new Secret(SECRET_TEXT);

/** Another one. */
export const OTHER_SECRET = new Secret(generateSecret());

/** A key that follows from the text of a generated secret: SEC-3. */
export function keyOf(purpose: "authority" | "proof", text = SECRET_TEXT): Buffer {
  return Buffer.from(hkdfSync("sha256", text.replaceAll("-", ""), "tandem/1", purpose, 32));
}

/** The private key of the authority, as PEM text: SEC-4. */
export function authorityKey(text = SECRET_TEXT): string {
  const der = Buffer.concat([Buffer.from("302e020100300506032b657004220420", "hex"), keyOf("authority", text)]);
  return createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({ format: "pem", type: "pkcs8" })
    .toString();
}

/** A proof that one side has the secret: SEC-6. */
export function proofOf(prover: "client" | "server", serverNonce: string, clientNonce: string): string {
  return createHmac("sha256", keyOf("proof")).update(`${prover} ${serverNonce} ${clientNonce}`).digest("hex");
}
