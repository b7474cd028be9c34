/**
 * Reading fields of a peer's JSON objects: each is of its type or is refused,
 * and what is not asked for is not looked at, so that later versions may add to
 * them.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import type { JsonObject } from "./sealed.ts";

/** The last millisecond that a date can be, either way from 1970. */
const MAX_TIME_MS = 8.64e15;

/** A SHA-256 as messages have it. */
const SHA256 = /^[0-9a-f]{64}$/;

/** 128 bits as messages have them: a ticket, a nonce. */
const TOKEN = /^[0-9a-f]{32}$/;

/** A CRC-32 as messages have it. */
const CRC32 = /^[0-9a-f]{8}$/;

/** The fields of one object. Each method returns undefined where the field is missing. */
export class Fields {
  readonly #object: JsonObject;
  readonly #whose: string;

  /** Takes an object, and what to call it in errors. */
  constructor(object: JsonObject, whose: string) {
    this.#object = object;
    this.#whose = whose;
  }

  /** A number of bytes, or anything else that is counted. */
  count(key: string): number | undefined {
    return this.#field(key, "a whole number", (value) => Number.isSafeInteger(value) && value as number >= 0);
  }

  /** A point in time, in milliseconds since 1970. */
  timeMs(key: string): number | undefined {
    return this.#field(key, "a time", (value) => typeof value === "number" && Math.abs(value) <= MAX_TIME_MS);
  }

  /** Permission bits. */
  mode(key: string): number | undefined {
    return this.#field(
      key,
      "permissions",
      (value) => Number.isInteger(value) && value as number >= 0 && value as number <= 0o777,
    );
  }

  /** Yes or no; a field that is missing is no. */
  flag(key: string): boolean {
    return this.#field<boolean>(key, "true or false", (value) => typeof value === "boolean") ?? false;
  }

  /** A text. */
  text(key: string): string | undefined {
    return this.#field(key, "a text", (value) => typeof value === "string");
  }

  /** One of some words. */
  oneOf<T extends string>(key: string, words: readonly T[]): T | undefined {
    return this.#field(key, `one of ${words.join(", ")}`, (value) => words.includes(value as T));
  }

  /** A SHA-256, in hexadecimal digits. */
  sha256(key: string): string | undefined {
    return this.#field(key, "a SHA-256", (value) => typeof value === "string" && SHA256.test(value));
  }

  /** 128 random bits, in hexadecimal digits: a ticket or a nonce. */
  token(key: string): string | undefined {
    return this.#field(key, "32 hexadecimal digits", (value) => typeof value === "string" && TOKEN.test(value));
  }

  /** A CRC-32, in hexadecimal digits. */
  crc32(key: string): string | undefined {
    return this.#field(key, "a CRC-32", (value) => typeof value === "string" && CRC32.test(value));
  }

  /**
   * A field that must be there.
   *
   * @throws {TandemError} `bad-request` if it is not.
   */
  required<T>(key: string, value: T | undefined): T {
    if (value !== undefined) return value;
    throw new TandemError("bad-request", `${this.#whose} has no "${key}"`);
  }

  #field<T>(key: string, expected: string, fits: (value: unknown) => boolean): T | undefined {
    const value = this.#object[key];
    if (value === undefined || value === null) return undefined;
    if (fits(value)) return value as T;
    throw new TandemError("bad-request", `"${key}" of ${this.#whose} is not ${expected}`);
  }
}
