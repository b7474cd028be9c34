/**
 * The results of the tandem exchange: entries, what precedes and follows a body,
 * and errors, as JSON objects and as values.
 *
 * @module
 */

import { type ErrorCode, TandemError } from "../errors.ts";
import { Fields } from "./fields.ts";
import { encodeObject, type JsonObject } from "./sealed.ts";

/** A file or folder as `ls` and `stat` tell it. */
export interface Entry {
  /** Its name; in a recursive listing its path from the folder that was asked for. */
  readonly name: string;
  /** What it is. */
  readonly kind: "file" | "directory";
  /** A file's size in bytes. */
  readonly size?: number | undefined;
  /** When it was changed last, in milliseconds since 1970. */
  readonly mtime?: number | undefined;
  /** Its permission bits, where the server's system has such. */
  readonly mode?: number | undefined;
  /** Why what is in this folder is missing in a recursive listing. */
  readonly error?: ErrorCode | undefined;
}

/** What precedes the body of a `get`. */
export interface FileInfo {
  /** The size of the whole file, in bytes. */
  readonly size: number;
  /** Where the body begins, in bytes: 0 where the client's prefix was not that of the file. */
  readonly offset: number;
  /** How long the body is, in bytes. */
  readonly length: number;
  /** When the file was changed last, in milliseconds since 1970. */
  readonly mtime?: number | undefined;
  /** Its permission bits. */
  readonly mode?: number | undefined;
  /** A word that is another one when the file is another. */
  readonly version: string;
}

/** What follows a body. */
export interface Checksums {
  /** The CRC-32 of the body. */
  readonly crc32: string;
  /** The SHA-256 of the body, together with the prefix that it continues; where it was asked for. */
  readonly sha256?: string | undefined;
}

/** What a server has of a file that is put, before the client begins. */
export interface Ready {
  /** How many bytes it has. */
  readonly offset: number;
  /** Their SHA-256, where there are any. */
  readonly sha256?: string | undefined;
}

/** Reads an entry. Its name is a peer's word: to be shown escaped, and checked before it is used. */
export function parseEntry(object: JsonObject): Entry {
  const fields = new Fields(object, "an entry");
  return {
    name: fields.required("name", fields.text("name")),
    kind: fields.required("kind", fields.oneOf("kind", ["file", "directory"])),
    size: fields.count("size"),
    mtime: fields.timeMs("mtime"),
    mode: fields.mode("mode"),
    error: fields.text("error") === undefined ? undefined : knownCode(fields.text("error")),
  };
}

/** Reads what precedes the body of a `get`. */
export function parseFileInfo(object: JsonObject): FileInfo {
  const fields = new Fields(object, "the answer to get");
  return {
    size: fields.required("size", fields.count("size")),
    offset: fields.required("offset", fields.count("offset")),
    length: fields.required("length", fields.count("length")),
    mtime: fields.timeMs("mtime"),
    mode: fields.mode("mode"),
    version: fields.required("version", fields.text("version")),
  };
}

/** Reads what follows a body. */
export function parseChecksums(object: JsonObject): Checksums {
  const fields = new Fields(object, "the end of a body");
  return { crc32: fields.required("crc32", fields.crc32("crc32")), sha256: fields.sha256("sha256") };
}

/** Reads what a server has of a file. */
export function parseReady(object: JsonObject): Ready {
  const fields = new Fields(object, "the answer to put");
  return { offset: fields.required("offset", fields.count("offset")), sha256: fields.sha256("sha256") };
}

/** Where a client begins: 0, or what the server has. */
export function parseBegin(object: JsonObject): number {
  const fields = new Fields(object, "the beginning of a put");
  return fields.required("offset", fields.count("offset"));
}

/** The answer to `hash`. */
export function parseHash(object: JsonObject): string {
  const fields = new Fields(object, "the answer to hash");
  return fields.required("sha256", fields.sha256("sha256"));
}

/** The server's proof, the answer to `auth`. */
export function parseAuth(object: JsonObject): string {
  const fields = new Fields(object, "the answer to auth");
  return fields.required("proof", fields.sha256("proof"));
}

/** Whether a message only says that its sender is still at work on the one that is waited for. */
export function isWorkingSign(object: JsonObject): boolean {
  return object["working"] === true;
}

/** The sign of a side that is still at work. */
export const WORKING_SIGN: Uint8Array = encodeObject({ working: true });

/** The codes that one side tells the other; what else goes wrong is `internal` to the one where it did. */
const WIRE_CODES: readonly ErrorCode[] = [
  "not-found",
  "exists",
  "denied",
  "outside-root",
  "is-directory",
  "not-directory",
  "no-space",
  "too-large",
  "changed",
  "integrity",
  "busy",
  "timeout",
  "aborted",
  "bad-request",
  "unsupported",
  "auth-required",
  "auth-failed",
];

/** An error as a message with a `-`. What is internal stays in the sender's log: it may name what is nobody's business. */
export function encodeError(error: TandemError): Uint8Array {
  // What breaks the protocol is a bad request in the words of who has to answer it.
  const code = error.code === "protocol" ? "bad-request" : error.code;
  const known = WIRE_CODES.includes(code);
  return encodeObject({
    code: known ? code : "internal",
    message: known ? error.message : "it failed for a reason that only the other side's log tells",
    ...(known && error.hint !== undefined ? { hint: error.hint } : {}),
  }, "-");
}

/** An error that the other side told: the session goes on. */
export class AnsweredError extends TandemError {}

/** Reads an error. Its text is a peer's word, to be shown escaped. */
export function parseError(object: JsonObject): AnsweredError {
  const fields = new Fields(object, "an error");
  const hint = fields.text("hint");
  return new AnsweredError(
    knownCode(fields.text("code")),
    fields.text("message") ?? "the other side gave no reason",
    hint === undefined ? {} : { hint },
  );
}

function knownCode(word: string | undefined): ErrorCode {
  return WIRE_CODES.find((code) => code === word) ?? "internal";
}
