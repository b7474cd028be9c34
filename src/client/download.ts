/**
 * A file that is being fetched, as a web stream.
 *
 * The stream reads as fast as it is read, and no further ahead than one chunk.
 *
 * @module
 */

import { abortError } from "../net/abort.ts";
import type { IncomingFile } from "./exchange.ts";

/** Who wants to know when a download is over. */
export interface DownloadHooks {
  /** Gives the download up. */
  readonly signal: AbortSignal;
  /** Called once when it is over, one way or the other. */
  end(): void;
  /** Called before that if all of it was read. */
  done(): void;
}

/** The size of the stream's chunks at the most, in bytes. */
const CHUNK_BYTES = 256 * 1024;

/** A file that is being fetched. Disposing of it before its end gives it up. */
export class Download implements AsyncDisposable {
  /** The file's name, as it was asked for. */
  readonly name: string;
  /** How many bytes are coming: the file's size, or that of the part that was asked for. */
  readonly size: number;
  /** The size of the whole file, in bytes. */
  readonly totalSize: number;
  /** When the file was changed last; undefined where the exchange does not tell. */
  readonly mtime: Date | undefined;
  /** Its permission bits; undefined where the exchange does not tell. */
  readonly mode: number | undefined;
  /** A word that is another one when the file is another; undefined where the exchange does not tell. */
  readonly version: string | undefined;
  /**
   * The file's bytes. Ends after exactly {@linkcode Download.size} bytes, or
   * fails with a `TandemError`; cancelling it gives the download up.
   */
  readonly readable: ReadableStream<Uint8Array>;
  readonly #incoming: IncomingFile;
  readonly #hooks: DownloadHooks;
  #onAbort = () => {};
  #over = false;

  /** Takes over a file that begins to arrive. */
  constructor(name: string, incoming: IncomingFile, hooks: DownloadHooks) {
    const { signal } = hooks;
    this.name = name;
    this.size = incoming.sizeBytes;
    const { totalBytes, mtimeMs, mode, version } = incoming.info;
    this.totalSize = totalBytes;
    this.mtime = mtimeMs === undefined ? undefined : new Date(mtimeMs);
    this.mode = mode;
    this.version = version;
    this.#incoming = incoming;
    this.#hooks = hooks;
    this.readable = new ReadableStream<Uint8Array>({
      start: (controller) => {
        // Also when nobody reads: others wait for the turn that this holds.
        this.#onAbort = () => {
          controller.error(abortError(signal));
          this.#end();
        };
        signal.addEventListener("abort", this.#onAbort);
      },
      pull: (controller) => this.#pull(controller),
      cancel: () => this.#end(),
    }, { highWaterMark: 0 });
  }

  async #pull(
    controller: ReadableStreamDefaultController<Uint8Array>,
  ): Promise<void> {
    // With room for the end of a small file, so that it is seen with its last bytes.
    const buffer = new Uint8Array(Math.min(CHUNK_BYTES, this.size + 16));
    try {
      const count = await this.#incoming.read(buffer);
      if (count !== null) return controller.enqueue(buffer.subarray(0, count));
      this.#hooks.done();
    } catch (error) {
      await this.#end();
      throw error;
    }
    await this.#end();
    controller.close();
  }

  async #end(): Promise<void> {
    if (this.#over) return;
    this.#over = true;
    this.#hooks.signal.removeEventListener("abort", this.#onAbort);
    await this.#incoming[Symbol.asyncDispose]();
    this.#hooks.end();
  }

  /** Gives the download up, if it has not ended yet. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#end();
  }
}
