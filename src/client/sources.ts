/**
 * What a caller gives to `put`, as a source of bytes.
 *
 * The plain exchange says the size first, so there a stream of unknown length is
 * held until its end is seen. A stream of a promised size is read one chunk ahead:
 * its last bytes are given out only when it has ended just there, since a server
 * would take a body of the right length for the whole file.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_BUFFERED_PUT_BYTES } from "../limits.ts";
import { untilAborted } from "../net/abort.ts";
import type { PutSource } from "./exchange.ts";

/** What can be sent: bytes, text (as UTF-8), or a stream of bytes. */
export type PutBody = Uint8Array | string | ReadableStream<Uint8Array>;

/** What is known of a body beside it. */
export interface SourceOptions {
  /** The size of a stream, where the caller knows it. */
  readonly sizeBytes: number | undefined;
  /** Ends every wait for a stream. */
  readonly signal: AbortSignal;
}

/**
 * Makes a source of `body`. A stream is cancelled when its source is disposed of
 * before the stream's end.
 *
 * @throws {TandemError} `usage` if the size is none; `changed` if a stream
 * should be empty and is not.
 */
export async function sourceOf(body: PutBody, options: SourceOptions): Promise<PutSource & AsyncDisposable> {
  const { sizeBytes, signal } = options;
  if (sizeBytes !== undefined && !(Number.isSafeInteger(sizeBytes) && sizeBytes >= 0)) {
    throw new TandemError("usage", `${sizeBytes} is no size: a whole number of bytes`);
  }
  if (typeof body === "string") body = new TextEncoder().encode(body);
  if (body instanceof Uint8Array) return sourceOfChunks([body]);
  const reader = body.getReader();
  try {
    if (sizeBytes === undefined) return new UnsizedSource(reader, signal);
    const source = new StreamSource(reader, sizeBytes, signal);
    // Nothing is ever read of it otherwise, and so nothing seen that should not be there.
    if (sizeBytes === 0) await source.readAhead();
    return source;
  } catch (error) {
    giveUp(reader);
    throw error;
  }
}

/** Cancels a stream. How that goes is its maker's business, and may take any time. */
function giveUp(reader: ReadableStreamDefaultReader<Uint8Array>): void {
  reader.cancel().catch(() => {});
}

/** A source of known size. */
type SizedSource = PutSource & { readonly sizeBytes: number };

function sourceOfChunks(
  chunks: Uint8Array[],
): SizedSource & AsyncDisposable {
  return {
    sizeBytes: chunks.reduce((sum, { length }) => sum + length, 0),
    read: (buffer) => takeFrom(chunks, buffer) || null,
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}

/** Moves what fits from the front of `chunks` into `buffer`; returns how much that was. */
function takeFrom(chunks: Uint8Array[], buffer: Uint8Array): number {
  let filled = 0;
  while (filled < buffer.length) {
    const chunk = chunks[0];
    if (chunk === undefined) break;
    const count = Math.min(chunk.length, buffer.length - filled);
    buffer.set(chunk.subarray(0, count), filled);
    filled += count;
    if (count === chunk.length) chunks.shift();
    else chunks[0] = chunk.subarray(count);
  }
  return filled;
}

/**
 * The same source with a known size: where that is not known, all of it is read
 * into memory.
 *
 * @throws {TandemError} `unsupported` if that would be over 16 MiB; `aborted`.
 */
export async function held(source: PutSource, signal: AbortSignal | undefined): Promise<SizedSource> {
  if (isSized(source)) return source;
  const chunks: Uint8Array[] = [];
  let heldBytes = 0;
  for (;;) {
    const buffer = new Uint8Array(HELD_PIECE_BYTES);
    const count = await untilAborted(Promise.resolve(source.read(buffer)), signal);
    if (count === null) return sourceOfChunks(chunks);
    heldBytes += count;
    if (heldBytes > MAX_BUFFERED_PUT_BYTES) {
      throw new TandemError(
        "unsupported",
        `the plain exchange needs the size first, and this stream has over ${MAX_BUFFERED_PUT_BYTES} bytes`,
        { hint: "give its size, or save it to a file and send that" },
      );
    }
    chunks.push(buffer.slice(0, count));
  }
}

function isSized(source: PutSource): source is SizedSource {
  return source.sizeBytes !== undefined;
}

/** How much of a stream is read at a time to be held, in bytes. */
const HELD_PIECE_BYTES = 64 * 1024;

/** A stream of which nobody knows how long it is. */
class UnsizedSource implements PutSource, AsyncDisposable {
  readonly sizeBytes = undefined;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #chunks: Uint8Array[] = [];
  #ended = false;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, signal: AbortSignal) {
    this.#reader = reader;
    this.#signal = signal;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    while (!this.#ended && this.#chunks.length === 0) {
      const { done, value } = await untilAborted(this.#reader.read(), this.#signal);
      if (done) this.#ended = true;
      else if (value.length > 0) this.#chunks.push(value);
    }
    return takeFrom(this.#chunks, buffer) || null;
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) giveUp(this.#reader);
    return Promise.resolve();
  }
}

/** A stream that must have exactly the promised size. */
class StreamSource implements PutSource, AsyncDisposable {
  readonly sizeBytes: number;
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #signal: AbortSignal;
  readonly #chunks: Uint8Array[] = [];
  #cameBytes = 0;
  #ended = false;

  constructor(reader: ReadableStreamDefaultReader<Uint8Array>, sizeBytes: number, signal: AbortSignal) {
    this.#reader = reader;
    this.sizeBytes = sizeBytes;
    this.#signal = signal;
  }

  async read(buffer: Uint8Array): Promise<number | null> {
    await this.readAhead();
    return takeFrom(this.#chunks, buffer) || null;
  }

  /** Makes sure that one chunk more than needed is there, and at the end of the promise the end of the stream. */
  async readAhead(): Promise<void> {
    while (!this.#ended && (this.#chunks.length < 2 || this.#cameBytes === this.sizeBytes)) await this.#pull();
    if (this.#ended && this.#cameBytes !== this.sizeBytes) throw this.#wrong();
  }

  async #pull(): Promise<void> {
    const { done, value } = await untilAborted(this.#reader.read(), this.#signal);
    if (done) {
      this.#ended = true;
    } else if (value.length > 0) {
      this.#chunks.push(value);
      this.#cameBytes += value.length;
      if (this.#cameBytes > this.sizeBytes) throw this.#wrong();
    }
  }

  #wrong(): TandemError {
    return new TandemError(
      "changed",
      `the stream has ${
        this.#ended ? "only " : "at least "
      }${this.#cameBytes} bytes, but ${this.sizeBytes} were promised`,
    );
  }

  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#ended) giveUp(this.#reader);
    return Promise.resolve();
  }
}
