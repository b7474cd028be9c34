/**
 * The incremental decoder: bytes are pushed in however the network cut them,
 * headers and messages are pulled out.
 *
 * "Not enough bytes yet" is a return value ({@linkcode NEED_MORE}), and so is a
 * stream that ended between two messages ({@linkcode END}); a stream that ended
 * inside one is an error, and so is a length over the limit, which is refused
 * before anything of that length is waited for or allocated. Pure, so it is
 * tested and fuzzed without a socket.
 *
 * @module
 */

import { ProtocolError, TandemError } from "../errors.ts";
import { decodeHeader, type Header, HEADER_BYTES, type HeaderGrammar } from "./header.ts";

/** Returned when more bytes must be pushed before the question can be answered. */
export const NEED_MORE: unique symbol = Symbol("need more");

/** Returned when the stream has ended cleanly, between two messages. */
export const END: unique symbol = Symbol("end");

/** The type of {@linkcode NEED_MORE}. */
export type NeedMore = typeof NEED_MORE;

/** The type of {@linkcode END}. */
export type End = typeof END;

/** A length-prefixed message, whole. */
export interface Message {
  /** The header that stood before it. */
  readonly header: Header;
  /** Its bytes: a copy that stays valid. */
  readonly body: Uint8Array;
}

/** Turns pushed bytes into headers, messages and runs of body bytes. */
export class Decoder {
  #buffer = new Uint8Array(512);
  #start = 0;
  #length = 0;
  #ended = false;
  #header: Header | undefined;

  /** How many pushed bytes have not been pulled yet. */
  get bufferedBytes(): number {
    return this.#length;
  }

  /** Whether {@linkcode Decoder.end} was called. */
  get ended(): boolean {
    return this.#ended;
  }

  /** A copy of the first bytes that have not been pulled yet, at most so many. */
  peek(count: number): Uint8Array {
    return this.#buffer.slice(this.#start, this.#start + Math.min(count, this.#length));
  }

  /** Adds what arrived. The bytes are copied, so the caller may reuse its buffer. */
  push(bytes: Uint8Array): void {
    if (this.#ended) throw new TypeError("push() after end()");
    this.#reserve(bytes.length);
    this.#buffer.set(bytes, this.#start + this.#length);
    this.#length += bytes.length;
  }

  /** Says that nothing more will come. */
  end(): void {
    this.#ended = true;
  }

  /**
   * The next header.
   *
   * @throws {ProtocolError} if the ten bytes are no header.
   * @throws {TandemError} `disconnected` if the stream ended inside it.
   */
  header(grammar: HeaderGrammar = "plain"): Header | NeedMore | End {
    if (this.#length === 0 && this.#ended) return END;
    const bytes = this.exactly(HEADER_BYTES, "a header");
    return bytes === NEED_MORE ? NEED_MORE : decodeHeader(bytes, grammar);
  }

  /**
   * The next header together with the message that it announces.
   *
   * @param maxBytes the longest message that is taken.
   * @throws {ProtocolError} if the header is none, or announces more than `maxBytes`.
   * @throws {TandemError} `disconnected` if the stream ended inside either.
   */
  message(
    grammar: HeaderGrammar,
    maxBytes: number,
  ): Message | NeedMore | End {
    if (this.#header === undefined) {
      const header = this.header(grammar);
      if (header === NEED_MORE || header === END) return header;
      if (header.value > maxBytes) {
        throw new ProtocolError(
          `a message of ${header.value} bytes was announced, at most ${maxBytes} are taken`,
        );
      }
      this.#header = header;
    }
    const body = this.exactly(this.#header.value, "a message");
    if (body === NEED_MORE) return NEED_MORE;
    const header = this.#header;
    this.#header = undefined;
    return { header, body };
  }

  /**
   * Whether a message has begun to arrive and is not complete: what a deadline
   * for "the rest of it" hangs on.
   */
  get insideMessage(): boolean {
    return this.#header !== undefined || this.#length > 0;
  }

  /**
   * The next `count` bytes, as a copy.
   *
   * @throws {TandemError} `disconnected` if the stream ended before them.
   */
  exactly(count: number, what: string): Uint8Array | NeedMore {
    if (this.#length < count) {
      if (!this.#ended) return NEED_MORE;
      throw new TandemError(
        "disconnected",
        `the connection ended inside ${what}: ${this.#length} of ${count} bytes came`,
      );
    }
    const bytes = this.#buffer.slice(this.#start, this.#start + count);
    this.#consume(count);
    return bytes;
  }

  /** Moves what has been pushed into `target`, as much as fits; returns how many bytes that was. */
  take(target: Uint8Array): number {
    const count = Math.min(target.length, this.#length);
    target.set(this.#buffer.subarray(this.#start, this.#start + count));
    this.#consume(count);
    return count;
  }

  #consume(count: number): void {
    this.#start += count;
    this.#length -= count;
    if (this.#length === 0) this.#start = 0;
  }

  #reserve(count: number): void {
    if (this.#start + this.#length + count <= this.#buffer.length) return;
    const needed = this.#length + count;
    const target = needed <= this.#buffer.length
      ? this.#buffer
      : new Uint8Array(Math.max(needed, this.#buffer.length * 2));
    target.set(
      this.#buffer.subarray(this.#start, this.#start + this.#length),
    );
    this.#buffer = target;
    this.#start = 0;
  }
}
