/**
 * A body of the tandem exchange as it comes: chunks, until their end.
 *
 * @module
 */

import { ProtocolError, TandemError } from "../errors.ts";
import { MAX_CHUNK_BYTES } from "../limits.ts";
import { HEADER_BYTES } from "../protocol/header.ts";
import { AnsweredError } from "../protocol/tandem_result.ts";
import { lendBuffer } from "./buffers.ts";
import { type ByteSink, Pace, paced } from "./bulk.ts";
import { StallGuard } from "./stall_guard.ts";
import { type BodyOptions, endsConnection, GATHER_BYTES, type TandemLink, throwIfAborted } from "./tandem_link.ts";

/** A body that comes in chunks, until its end. */
export class IncomingBody {
  readonly #link: TandemLink;
  #chunkLeft = 0;
  #ended = false;
  #receivedBytes = 0;

  /** Begins at the first chunk. */
  constructor(link: TandemLink) {
    this.#link = link;
  }

  /** Whether its end, or an error in place of it, has come. */
  get ended(): boolean {
    return this.#ended;
  }

  /** How many bytes have come. */
  get receivedBytes(): number {
    return this.#receivedBytes;
  }

  /**
   * Reads the next bytes into the beginning of `buffer`, of which more may be
   * used; returns how many those are, or `null` at the end. `goOn` as in
   * {@linkcode Channel.readWithin}.
   *
   * @throws {AnsweredError} if the sender broke the body off.
   * @throws {TandemError} `disconnected`, `protocol`.
   */
  async read(buffer: Uint8Array, goOn?: (count: number) => boolean): Promise<number | null> {
    if (this.#ended) return null;
    if (this.#chunkLeft === 0) {
      const header = await this.#link.receiveHeader(this.#receivedBytes === 0);
      if (header === undefined) throw this.#incomplete();
      if (header.sign === "-") {
        this.#ended = true;
        throw await this.#link.receiveErrorBody(header);
      }
      if (header.value === 0) {
        this.#ended = true;
        return null;
      }
      if (header.value > MAX_CHUNK_BYTES) throw new ProtocolError(`a chunk of ${header.value} bytes was announced`);
      this.#chunkLeft = header.value;
    }
    const { channel } = this.#link;
    if (channel.bufferedBytes === 0) await this.#link.beforeRead();
    // The next header comes along in the same read, which halves the number of them.
    const count = await channel.readWithin(buffer, this.#chunkLeft, HEADER_BYTES, goOn);
    if (count === null) throw this.#incomplete();
    this.#chunkLeft -= count;
    this.#receivedBytes += count;
    return count;
  }

  #incomplete(): TandemError {
    return new TandemError(
      "disconnected",
      `incomplete: ${this.#receivedBytes} bytes came before ${this.#link.channel.peer} closed the data connection`,
    );
  }

  /**
   * Moves the rest of it into `sink`.
   *
   * @param likelyBytes how much is expected, which decides how much is held at a time.
   * @throws {TandemError} as {@linkcode IncomingBody.read}; what the sink throws; `aborted`.
   */
  async receive(sink: ByteSink, likelyBytes: number, options: BodyOptions): Promise<void> {
    const pace = new Pace(options.bytesPerSecond);
    const { channel } = this.#link;
    using guard = new StallGuard(channel, paced(options));
    using lent = lendBuffer(likelyBytes + HEADER_BYTES);
    const buffer = pace.limit(lent.bytes);
    let receivedBytes = this.#receivedBytes;
    const moved = (count: number) => {
      receivedBytes += count;
      guard.moved(count);
      options.onProgress?.(receivedBytes);
      return !(options.signal?.aborted ?? false);
    };
    for (;;) {
      let filled = 0;
      let count: number | null = 0;
      // A read of the last few bytes would find no room for the header behind them.
      while (buffer.length - filled > HEADER_BYTES || filled === 0) {
        throwIfAborted(options.signal);
        count = await this.#readOrSave(sink, buffer, filled, moved);
        if (count === null) break;
        filled += count;
      }
      const bytes = buffer.subarray(0, filled);
      options.checksum.update(bytes);
      const writing = filled === 0 ? undefined : sink.write(bytes);
      if (writing !== undefined) await writing;
      if (count === null) return;
      await pace.after(filled);
    }
  }

  /** Reads the next bytes behind the first `filled` ones of `buffer`; if the connection is lost, those go into the sink, for they may be kept. */
  async #readOrSave(
    sink: ByteSink,
    buffer: Uint8Array,
    filled: number,
    moved: (count: number) => boolean,
  ): Promise<number | null> {
    try {
      return await this.read(buffer.subarray(filled), moved);
    } catch (error) {
      const lost = endsConnection(error) || this.#link.channel.isClosed;
      if (lost && filled > 0) await sink.write(buffer.subarray(0, filled));
      throw error;
    }
  }

  /** Reads the rest of it and forgets it. The error that ends it, if one does, is not thrown. */
  async drain(options: Pick<BodyOptions, "stallTimeoutMs" | "minBytesPerSecond">): Promise<"ended" | "broken-off"> {
    using guard = new StallGuard(this.#link.channel, options);
    using lent = lendBuffer(GATHER_BYTES);
    try {
      for (;;) {
        const count = await this.read(lent.bytes);
        if (count === null) return "ended";
        guard.moved(count);
      }
    } catch (error) {
      if (error instanceof AnsweredError) return "broken-off";
      throw error;
    }
  }
}
