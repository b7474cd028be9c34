/**
 * The certificates behind a secret (RFC 5280): an authority whose key comes from
 * the secret, so that both sides have the same one without ever having met, and
 * the server's own certificate, which that authority has signed.
 *
 * All fields of the authority are fixed and Ed25519 signatures are
 * deterministic (RFC 8032), so its certificate is the same to the byte on both
 * sides. It never expires, like the secret: a clock that is wrong is no reason
 * not to let somebody in.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from "node:crypto";
import {
  bits,
  generalizedTime,
  integer,
  objectId,
  octets,
  pem,
  sequence,
  set,
  tagged,
  TRUE,
  utcTime,
  utf8,
  value,
} from "./der.ts";

/** The name that a server with a secret goes by: no public authority can ever vouch for one in `.invalid` (RFC 2606). */
export const SERVER_NAME = "tandem.invalid";

/** What a TLS server shows and proves that it has, as PEM text. */
export interface Credentials {
  /** The certificate, and those of the authorities above it. */
  readonly cert: string;
  /** Its private key. */
  readonly key: string;
}

const AUTHORITY_NAME = "tandem secret";

const ED25519 = sequence(objectId(0x2b, 0x65, 0x70));
const COMMON_NAME = objectId(0x55, 0x04, 0x03);
const BASIC_CONSTRAINTS = objectId(0x55, 0x1d, 0x13);
const KEY_USAGE = objectId(0x55, 0x1d, 0x0f);
const EXTENDED_KEY_USAGE = objectId(0x55, 0x1d, 0x25);
const SUBJECT_KEY_ID = objectId(0x55, 0x1d, 0x0e);
const AUTHORITY_KEY_ID = objectId(0x55, 0x1d, 0x23);
const SUBJECT_ALTERNATIVE_NAME = objectId(0x55, 0x1d, 0x11);
const SERVER_AUTHENTICATION = objectId(0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01);

/** Since 2000, and without end (RFC 5280, 4.1.2.5). */
const VALIDITY = sequence(utcTime("000101000000Z"), generalizedTime("99991231235959Z"));

/** What stands before the 32 bytes of an Ed25519 key in PKCS #8 (RFC 8410). */
const PKCS8_START = Buffer.from("302e020100300506032b657004220420", "hex");

/** A certificate authority that exists wherever its seed is known. */
export class Authority {
  /** Its certificate, as PEM text. */
  readonly cert: string;
  readonly #key: KeyObject;
  readonly #keyId: Uint8Array;

  /** Makes the authority of a seed of 32 bytes. */
  constructor(seed: Uint8Array) {
    this.#key = createPrivateKey({ key: Buffer.concat([PKCS8_START, seed]), format: "der", type: "pkcs8" });
    const publicKey = createPublicKey(this.#key);
    this.#keyId = keyId(publicKey);
    const extensions = [
      extension(BASIC_CONSTRAINTS, sequence(TRUE), true),
      // keyCertSign
      extension(KEY_USAGE, bits(Uint8Array.of(0x04), 2), true),
      extension(SUBJECT_KEY_ID, octets(this.#keyId)),
    ];
    this.cert = pem("CERTIFICATE", this.#sign(AUTHORITY_NAME, publicKey, Uint8Array.of(1), extensions));
  }

  /** Makes the certificate of a server, with a fresh key. */
  issue(): Credentials {
    const { publicKey, privateKey } = generateKeyPairSync("ed25519");
    // A positive number of 16 bytes (RFC 5280, 4.1.2.2).
    const serial = Uint8Array.of(1, ...randomBytes(15));
    const der = this.#sign(SERVER_NAME, publicKey, serial, [
      extension(BASIC_CONSTRAINTS, sequence(), true),
      // digitalSignature
      extension(KEY_USAGE, bits(Uint8Array.of(0x80), 7), true),
      extension(EXTENDED_KEY_USAGE, sequence(SERVER_AUTHENTICATION)),
      // dNSName
      extension(SUBJECT_ALTERNATIVE_NAME, sequence(value(0x82, new TextEncoder().encode(SERVER_NAME)))),
      // keyIdentifier
      extension(AUTHORITY_KEY_ID, sequence(value(0x80, this.#keyId))),
      extension(SUBJECT_KEY_ID, octets(keyId(publicKey))),
    ]);
    return { cert: pem("CERTIFICATE", der), key: privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  }

  #sign(subject: string, publicKey: KeyObject, serial: Uint8Array, extensions: readonly Uint8Array[]): Uint8Array {
    const VERSION_3 = tagged(0, integer(Uint8Array.of(2)));
    const toBeSigned = sequence(
      VERSION_3,
      integer(serial),
      ED25519,
      name(AUTHORITY_NAME),
      VALIDITY,
      name(subject),
      publicKeyInfo(publicKey),
      tagged(3, sequence(...extensions)),
    );
    return sequence(toBeSigned, ED25519, bits(sign(null, toBeSigned, this.#key)));
  }
}

function publicKeyInfo(publicKey: KeyObject): Uint8Array {
  return publicKey.export({ type: "spki", format: "der" });
}

/** What names a key: 20 bytes of its hash (RFC 7093). */
function keyId(publicKey: KeyObject): Uint8Array {
  return createHash("sha256").update(publicKeyInfo(publicKey)).digest().subarray(0, 20);
}

function name(commonName: string): Uint8Array {
  return sequence(set(sequence(COMMON_NAME, utf8(commonName))));
}

function extension(id: Uint8Array, contents: Uint8Array, critical = false): Uint8Array {
  return sequence(id, ...(critical ? [TRUE] : []), octets(contents));
}
