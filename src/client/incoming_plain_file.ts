/**
 * A file as it arrives in the plain exchange: a size, its bytes, the end of the
 * data connection.
 *
 * @module
 */

import { assertEndOfBody, type BulkOptions, type ByteSink, incomplete, receiveBody } from "../net/bulk.ts";
import type { Channel } from "../net/channel.ts";
import type { IncomingFile, IncomingInfo } from "./exchange.ts";

/** A file whose header has come and whose bytes follow, until its data connection ends. */
export class IncomingPlainFile implements IncomingFile {
  /** Its size in bytes, as the header announced it. */
  readonly sizeBytes: number;
  /** What is told of the file, which is nothing else. */
  readonly info: IncomingInfo;
  readonly #data: Channel;
  readonly #resources: DisposableStack;
  readonly #options: BulkOptions;
  #readBytes = 0;

  /** Takes over a data connection; `resources` are let go of at the end. */
  constructor(
    data: Channel,
    sizeBytes: number,
    resources: DisposableStack,
    options: BulkOptions,
  ) {
    this.#data = data;
    this.sizeBytes = sizeBytes;
    this.info = { totalBytes: sizeBytes, offset: 0, mtimeMs: undefined, mode: undefined, version: undefined };
    this.#resources = resources;
    this.#options = options;
  }

  /** Moves all of it into `sink`, and makes sure that nothing follows. */
  async receive(sink: ByteSink): Promise<void> {
    await receiveBody(this.#data, sink, this.sizeBytes, this.#options);
    await assertEndOfBody(this.#data);
  }

  /** The next bytes of it, or `null` at its end, when it is sure that nothing follows. */
  async read(buffer: Uint8Array): Promise<number | null> {
    const left = this.sizeBytes - this.#readBytes;
    if (left === 0) {
      await assertEndOfBody(this.#data);
      return null;
    }
    using _deadline = this.#data.deadline(
      this.#options.stallTimeoutMs,
      "more of a file",
    );
    const part = buffer.subarray(0, Math.min(buffer.length, left));
    const count = await this.#data.read(part);
    if (count === null) throw incomplete(this.#readBytes, this.sizeBytes);
    this.#readBytes += count;
    this.#options.onProgress?.(this.#readBytes);
    return count;
  }

  /** Closes the data connection. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#resources.dispose();
    return Promise.resolve();
  }
}
