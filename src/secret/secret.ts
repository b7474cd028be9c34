/**
 * One shared secret, and all that follows from it: who the server is, and how
 * each side proves to the other that it has it.
 *
 * The text of a secret is in nothing that this module returns, throws or prints.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, hkdfSync, randomBytes, scryptSync, timingSafeEqual } from "node:crypto";
import { TandemError } from "../errors.ts";
import { Authority, type Credentials } from "./certificate.ts";

const encoder = new TextEncoder();

/** The shortest secret that is taken, in characters. */
export const MIN_SECRET_CHARACTERS = 16;

/** The longest secret that is taken, in characters: a sentence, not a file. */
export const MAX_SECRET_CHARACTERS = 1_024;

/** The digits of a secret that {@linkcode generateSecret} makes (Crockford's base 32): none is like another. */
const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";

/** 26 digits of five bits, all random. */
const RANDOM_DIGITS = 26;

/** Two digits more, so that a slip of the pen is noticed. */
const CHECK_DIGITS = 2;

const GROUP_DIGITS = 4;

/** What makes keys of this program differ from those that another makes of the same secret. */
const SALT = "tandem/1";

/**
 * The work for a secret that people made up: whoever reaches the server gets a
 * certificate to try guesses on, at leisure. 0.1 s and 32 MiB for each guess.
 */
const STRETCHING = { N: 32_768, r: 8, p: 1, maxmem: 64 * 1024 * 1024 };

/** What is in no line of text: control characters, other ends of lines, and what stands for characters that were lost. */
const NO_TEXT = /[\p{Cc}\p{Zl}\p{Zp}\p{Cs}\ufffd]/u;

/** Which side a proof is from; else one could be sent back as the other. */
export type Prover = "client" | "server";

/**
 * Makes a secret: 130 random bits in groups of four characters, the last two of
 * which are a check, as in `7kq2-m9xw-…`.
 */
export function generateSecret(): string {
  const digits = Array.from(randomBytes(RANDOM_DIGITS), (byte) => DIGITS[byte % DIGITS.length]).join("");
  return inGroups(digits + checkDigits(digits));
}

/** A shared secret. Making one takes some milliseconds, or 100 if its text was not made by {@linkcode generateSecret}: keep it. */
export class Secret {
  readonly #authority: Authority;
  readonly #proofKey: Uint8Array<ArrayBuffer>;

  /**
   * Derives everything from the text that both sides have.
   *
   * @throws {TandemError} `usage` if it is too short or too long, is not one
   * line, or was mistyped.
   */
  constructor(text: string) {
    const material = keyMaterial(text);
    this.#authority = new Authority(derive(material, "authority"));
    this.#proofKey = derive(material, "proof");
  }

  /** The certificate, as PEM text, of the authority that vouches for servers with this secret. */
  get authorityCert(): string {
    return this.#authority.cert;
  }

  /** Makes a certificate for a server. */
  issueCredentials(): Credentials {
    return this.#authority.issue();
  }

  /** One side's proof that it has the secret, over a nonce of each side: an HMAC-SHA-256 as hexadecimal digits. */
  async prove(prover: Prover, serverNonce: string, clientNonce: string): Promise<string> {
    // Not by node:crypto, which warns of itself on Deno 2.4.
    const algorithm = { name: "HMAC", hash: "SHA-256" };
    const key = await crypto.subtle.importKey("raw", this.#proofKey, algorithm, false, ["sign"]);
    const proof = await crypto.subtle.sign("HMAC", key, encoder.encode(`${prover} ${serverNonce} ${clientNonce}`));
    return Buffer.from(proof).toString("hex");
  }

  /** Whether `proof` is the one that {@linkcode Secret.prove} makes. Takes as long for any that is not. */
  async verify(proof: string, prover: Prover, serverNonce: string, clientNonce: string): Promise<boolean> {
    return equalInConstantTime(proof, await this.prove(prover, serverNonce, clientNonce));
  }

  /** Never the secret. */
  toJSON(): string {
    return "(secret)";
  }

  /** Never the secret. */
  toString(): string {
    return "(secret)";
  }
}

/** A fresh nonce: 128 random bits as hexadecimal digits. */
export function makeNonce(): string {
  return randomBytes(16).toString("hex");
}

/** Whether two texts are equal, in a time that does not tell where they differ. */
export function equalInConstantTime(a: string, b: string): boolean {
  // Hashed first, for they may differ in length.
  const hash = (text: string) => createHash("sha256").update(text).digest();
  return timingSafeEqual(hash(a), hash(b));
}

function derive(material: Uint8Array, purpose: string): Uint8Array<ArrayBuffer> {
  return new Uint8Array(hkdfSync("sha256", material, SALT, purpose, 32));
}

/** What the keys are derived from: the text itself where it is random, else what takes work to guess. */
function keyMaterial(text: string): Uint8Array {
  const trimmed = text.trim().normalize("NFC");
  const characters = [...trimmed].length;
  if (characters < MIN_SECRET_CHARACTERS) {
    throw new TandemError(
      "usage",
      characters === 0
        ? "the secret is empty"
        : `the secret is too short: ${MIN_SECRET_CHARACTERS} characters at least`,
      { hint: "`tandem secret` makes one" },
    );
  }
  if (characters > MAX_SECRET_CHARACTERS || NO_TEXT.test(trimmed)) {
    throw new TandemError("usage", "the secret is not one line of text", {
      hint: "`tandem secret` makes one: the file holds that line and nothing else",
    });
  }
  const digits = generatedDigits(trimmed);
  return digits === undefined ? scryptSync(trimmed, SALT, 32, STRETCHING) : encoder.encode(digits);
}

/** The digits of a text that has the form of a generated secret, whatever was done to its case and hyphens. */
function generatedDigits(text: string): string | undefined {
  const digits = text.toLowerCase().replaceAll("-", "").replace(/o/g, "0").replace(/[il]/g, "1");
  const hasForm = new RegExp(`^[${DIGITS}]{${RANDOM_DIGITS + CHECK_DIGITS}}$`).test(digits);
  if (!hasForm) return undefined;
  const random = digits.slice(0, RANDOM_DIGITS);
  if (equalInConstantTime(digits, random + checkDigits(random))) return digits;
  // In groups as we write them it is one of ours; else somebody's own words have that length by chance.
  if (!/^(\w{4}-){6}\w{4}$/.test(text)) return undefined;
  throw new TandemError("usage", "the secret is mistyped: its last two characters do not fit the others", {
    hint: "copy it once more",
  });
}

function checkDigits(digits: string): string {
  const check = createHash("sha256").update(SALT + digits).digest();
  return Array.from(check.subarray(0, CHECK_DIGITS), (byte) => DIGITS[byte % DIGITS.length]).join("");
}

function inGroups(digits: string): string {
  return digits.replace(new RegExp(`.{${GROUP_DIGITS}}(?=.)`, "g"), "$&-");
}
