/**
 * The JSON objects of the tandem exchange as transcripts write them: names
 * without quotes, texts in single ones, and words in capitals for what differs
 * from run to run.
 *
 *     {name: 'a', kind: 'file', size: 5, mtime: TIME, mode: MODE}
 *     {ifUnchanged: VERSION}     the version that was told last
 *     {crc32: CRC}               of the body that went over the wire last
 *     {crc32: CRC(hello)}        of a text
 *     {sha256: SHA(hello)}       of a text
 *     {message: TEXT}            any text that is not empty
 *     {nonce: NONCE}             the server's nonce, another one in each session
 *     {nonce: OLD}               the one of the session before
 *     {nonce: OWN}               the client's nonce
 *     {proof: PROOF(client NONCE OWN)}    the HMAC of that text with the secret's key
 *     {proof: OTHER(client NONCE OWN)}    the same with the key of another secret
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash, createHmac } from "node:crypto";
import { crc32 } from "node:zlib";
import { fail } from "../deps.ts";
import { keyOf } from "../net/secrets.ts";

/** What a run has seen so far, and what it may be asked for again. */
export class Memory {
  /** The ticket that was told last. */
  ticket = "00112233445566778899aabbccddeeff";
  /** The version of a file that was told last. */
  version = "";
  /** The body that went over the wire last, in either direction. */
  body: Uint8Array = new Uint8Array();
  /** The server's nonce that was told last, and the one before that. */
  nonce = "0f1e2d3c4b5a69788796a5b4c3d2e1f0";
  oldNonce = "";
  /** The client's nonce that was told last. */
  ownNonce = "5af0c3a51e2d4b69788796a5b4c3d2e1";
  /** The secret of this session, as `tandem secret` would have made it. */
  readonly secret: string;

  constructor(secret = "") {
    this.secret = secret;
  }
}

/** A JSON value. */
export type Json = null | boolean | number | string | readonly Json[] | JsonRecord;

/** A JSON object. */
export type JsonRecord = { readonly [key: string]: Json };

/** Where a word in capitals stands: no JSON text of a transcript has such a key. */
const WORD = "\0";

const TOKENS = /'([^']*)'|([A-Za-z_]\w*)(?=\s*:)|([A-Z]{2,})(?:\(([^)]*)\))?/g;

/** An object of a transcript, its words in capitals not looked at yet. */
export function parseObject(text: string): JsonRecord {
  const json = text.replaceAll(TOKENS, (_, string, key, word, of) => {
    if (word === undefined) return JSON.stringify(string ?? key);
    return JSON.stringify(of === undefined ? { [WORD]: word } : { [WORD]: word, of });
  });
  try {
    return JSON.parse(json);
  } catch {
    throw new TypeError(`no object of a transcript: ${text}`);
  }
}

/** An object in the words of a transcript. */
export function showObject(value: Json): string {
  if (typeof value === "string") return `'${value}'`;
  if (typeof value !== "object" || value === null) return String(value);
  if (Array.isArray(value)) return `[${value.map(showObject).join(", ")}]`;
  return `{${Object.entries(value).map(([key, inner]) => `${key}: ${showObject(inner)}`).join(", ")}}`;
}

/** The CRC-32 of bytes, as messages have it. */
export function crcOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}

/** The SHA-256 of a text. */
export function shaOf(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** A secret that is nobody's in a transcript. */
const OTHER_SECRET = "7sre-3can-yw15-27zg-82q5-0kp4-5xnx";

/** The HMAC of a text under the key `proof` of a generated secret (SEC-3, SEC-6). */
function proofOf(secret: string, text: string): string {
  return createHmac("sha256", keyOf("proof", secret)).update(text).digest("hex");
}

/** The word of a value that is one. */
function wordOf(value: Json): { readonly word: string; readonly of: string | undefined } | undefined {
  if (!isRecord(value) || !(WORD in value)) return undefined;
  return { word: String(value[WORD]), of: value.of as string | undefined };
}

/** A value with what its words in capitals stand for: what is sent. */
export function resolved(value: Json, memory: Memory): Json {
  const found = wordOf(value);
  if (found !== undefined) return meaningOf(found.word, found.of, memory) ?? fail(`${found.word} cannot be sent`);
  if (!isRecord(value)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, resolved(inner, memory)]));
}

function meaningOf(word: string, of: string | undefined, memory: Memory): string | undefined {
  switch (word) {
    case "TICKET":
      return memory.ticket;
    case "VERSION":
      return memory.version;
    case "CRC":
      return crcOf(of === undefined ? memory.body : Buffer.from(of));
    case "SHA":
      return of === undefined ? undefined : shaOf(of);
    case "NONCE":
      return memory.nonce;
    case "OLD":
      return memory.oldNonce;
    case "OWN":
      return memory.ownNonce;
    case "PROOF":
    case "OTHER": {
      const text = of?.replaceAll(/NONCE|OLD|OWN/g, (inner) => meaningOf(inner, undefined, memory) ?? fail());
      return proofOf(word === "PROOF" ? memory.secret : OTHER_SECRET, text ?? fail(`${word} of what?`));
    }
  }
}

/** Whether what came is what was expected; versions and tickets are remembered. */
export function matches(expected: Json, came: Json | undefined, memory: Memory): boolean {
  const found = wordOf(expected);
  if (found !== undefined) return matchesWord(found.word, found.of, came, memory);
  if (!isRecord(expected)) return JSON.stringify(expected) === JSON.stringify(came);
  if (!isRecord(came)) return false;
  // A flag that is false is as good as none.
  const told = Object.keys(came).filter((key) => key in expected || came[key] !== false);
  const keys = new Set([...Object.keys(expected), ...told]);
  return [...keys].every((key) => key in expected && matches(expected[key] ?? null, came[key], memory));
}

function matchesWord(word: string, of: string | undefined, came: Json | undefined, memory: Memory): boolean {
  switch (word) {
    case "TIME":
      return typeof came === "number" && Math.abs(Date.now() - came) < 600_000;
    case "MODE":
      return Deno.build.os === "windows" || Number.isInteger(came) && (Number(came) & ~0o777) === 0;
    case "TEXT":
      return typeof came === "string" && came !== "";
    case "VERSION":
      if (typeof came !== "string" || came === "") return false;
      memory.version = came;
      return true;
    case "TICKET":
      if (typeof came !== "string" || !/^[0-9a-f]{32}$/.test(came)) return false;
      memory.ticket = came;
      return true;
    case "NONCE":
      if (!isNonce(came) || came === memory.nonce) return false;
      memory.oldNonce = memory.nonce;
      memory.nonce = came;
      return true;
    case "OWN":
      // Nobody's but its own, and another one each time.
      if (!isNonce(came) || [memory.ownNonce, memory.nonce].includes(came)) return false;
      memory.ownNonce = came;
      return true;
    default:
      return came === (meaningOf(word, of, memory) ?? fail(`no word of a transcript: ${word}`));
  }
}

function isNonce(value: Json | undefined): value is string {
  return typeof value === "string" && /^[0-9a-f]{32}$/.test(value);
}

function isRecord(value: Json | undefined): value is JsonRecord {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
