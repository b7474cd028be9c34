/**
 * A file as it arrives in the tandem exchange: what it is, chunks, and checksums
 * to compare them with.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { untilAborted } from "../net/abort.ts";
import type { BulkOptions, ByteSink } from "../net/bulk.ts";
import type { Checksum } from "../net/checksum.ts";
import { IncomingBody } from "../net/incoming_body.ts";
import type { TandemLink } from "../net/tandem_link.ts";
import { AnsweredError, type FileInfo, parseChecksums } from "../protocol/tandem_result.ts";
import type { IncomingFile, IncomingInfo } from "./exchange.ts";

/** What a file that arrives needs of its session. */
export interface IncomingTandemOptions extends BulkOptions {
  /** What errors call the file. */
  readonly shown: string;
  /** Gives it up when it is aborted. */
  readonly signal: AbortSignal | undefined;
  /** Takes the bytes as they pass. */
  readonly checksum: Checksum;
  /** How long the checksums at the end may take, in milliseconds. */
  readonly timeoutMs: number;
  /** Called once when all of it has come, or an error in its place: the connection is the next one's. */
  onEnd(): void;
  /** Called once when it is given up before that; `drain` reads what is left of it. */
  onGivenUp(drain: () => Promise<void>): void;
  /** Called when nothing can be trusted any more. Returns the error that is to be thrown. */
  onFailure(error: unknown): unknown;
}

/** A file that arrives in the tandem exchange. */
export class IncomingTandemFile implements IncomingFile {
  /** How many bytes are coming. */
  readonly sizeBytes: number;
  /** What is told of the file. */
  readonly info: IncomingInfo;
  readonly #link: TandemLink;
  readonly #body: IncomingBody;
  readonly #options: IncomingTandemOptions;
  #reading: Promise<void> = Promise.resolve();
  /** Whether the checksums, or an error in place of anything, have come: the last that comes of it. */
  #settled = false;
  #over = false;

  /** Begins behind what precedes the body. */
  constructor(
    link: TandemLink,
    { size, length, offset, mtime, mode, version }: FileInfo,
    options: IncomingTandemOptions,
  ) {
    this.sizeBytes = length;
    this.info = { totalBytes: size, offset, mtimeMs: mtime, mode, version };
    this.#link = link;
    this.#body = new IncomingBody(link);
    this.#options = options;
  }

  /** Moves all of it into `sink`, and compares the checksums. */
  async receive(sink: ByteSink): Promise<void> {
    let sinkFailed = false;
    const guarded: ByteSink = {
      write: (bytes) => {
        this.#assertNotTooMuch();
        // Nobody has a use for it any more, but it must be read.
        if (this.#over) return;
        try {
          const writing = sink.write(bytes);
          if (!(writing instanceof Promise)) return;
          return writing.catch((error) => {
            sinkFailed = true;
            throw error;
          });
        } catch (error) {
          sinkFailed = true;
          throw error;
        }
      },
    };
    try {
      await this.#read(async () => {
        const { signal: _, onProgress, ...options } = this.#options;
        await this.#body.receive(guarded, this.sizeBytes, {
          ...options,
          onProgress: (bytes) => this.#over || onProgress?.(bytes),
        });
        await this.#finish();
      });
    } catch (error) {
      throw sinkFailed ? error : this.#failed(error);
    }
  }

  /** The next bytes of it, or `null` at its end, when the checksums were compared. */
  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#over) return null;
    const { stallTimeoutMs, onProgress, checksum } = this.#options;
    try {
      return await this.#read(async () => {
        using _deadline = this.#link.channel.deadline(stallTimeoutMs, "more of a file");
        const count = await this.#body.read(buffer);
        if (count === null) {
          await this.#finish();
          return null;
        }
        checksum.update(buffer.subarray(0, count));
        this.#assertNotTooMuch();
        onProgress?.(this.#body.receivedBytes);
        return count;
      });
    } catch (error) {
      throw this.#failed(error);
    }
  }

  /** Does what reads from the connection, but has its caller wait no longer than until the signal. */
  async #read<T>(work: () => Promise<T>): Promise<T> {
    const working = work().catch((error) => {
      if (error instanceof AnsweredError) this.#settled = true;
      throw error;
    });
    this.#reading = working.then(() => {}, () => {});
    return await untilAborted(working, this.#options.signal);
  }

  #assertNotTooMuch(): void {
    if (this.#body.receivedBytes > this.sizeBytes) throw this.#wrongSize();
  }

  async #finish(): Promise<void> {
    const { checksum, timeoutMs } = this.#options;
    const last = await this.#link.receiveObject("a checksum", timeoutMs);
    this.#settled = true;
    const sums = parseChecksums(last);
    this.#end();
    if (this.#body.receivedBytes !== this.sizeBytes) throw this.#wrongSize();
    if (!checksum.fits(sums)) {
      throw new TandemError("integrity", `${this.#options.shown} was damaged on its way: its checksum does not fit`, {
        hint: "try again",
      });
    }
  }

  #wrongSize(): TandemError {
    const { shown } = this.#options;
    return new TandemError(
      "integrity",
      `${this.sizeBytes} bytes of ${shown} were announced, but ${this.#body.receivedBytes} came`,
    );
  }

  #failed(error: unknown): unknown {
    const failure = this.#options.onFailure(error);
    // Whatever else is left of it is read by whoever gives it up.
    if (this.#settled) this.#end();
    return failure;
  }

  /** Reads what is left of it, once nobody else is reading. */
  async #drain(): Promise<void> {
    await this.#reading;
    if (this.#settled) return;
    if (await this.#body.drain(this.#options) === "broken-off") return;
    await this.#link.receiveObject("a checksum", this.#options.timeoutMs);
  }

  #end(): void {
    if (this.#over) return;
    this.#over = true;
    this.#options.onEnd();
  }

  /** Gives it up, if it has not ended: the rest is read behind the caller's back. */
  [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) {
      this.#over = true;
      this.#options.onGivenUp(() => this.#drain());
    }
    return Promise.resolve();
  }
}
