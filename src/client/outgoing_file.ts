/**
 * One file on its way to a server in the tandem exchange.
 *
 * @module
 */

import { asTandemError, ProtocolError, type TandemError } from "../errors.ts";
import { Checksum, emptySha256, hashOf, hexOf } from "../net/checksum.ts";
import { type BodyOptions, endsConnection, type TandemLink } from "../net/tandem_link.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import { parseChecksums } from "../protocol/tandem_result.ts";
import type { PutSource } from "./exchange.ts";

/** How a file goes out. */
export interface OutgoingOptions extends Omit<BodyOptions, "checksum"> {
  /** Whether SHA-256 is sent along. */
  readonly digest: boolean;
}

/** A file that goes out. */
export class OutgoingFile {
  /** How many bytes of it have gone out. */
  sentBytes = 0;
  /** What went wrong on this side, if that came before the server's word. */
  failure: unknown;
  readonly #link: TandemLink;
  readonly #source: PutSource;
  readonly #options: OutgoingOptions;
  readonly #stop = new AbortController();
  #before = emptySha256();
  #crc32 = "";

  /** Sends nothing yet. */
  constructor(link: TandemLink, source: PutSource, options: OutgoingOptions) {
    this.#link = link;
    this.#source = source;
    this.#options = options;
  }

  /** Has it end at the next chunk. */
  stop(reason: TandemError): void {
    this.#stop.abort(reason);
  }

  /**
   * Where to begin, if the server has `bytes` of the file with that hash: there,
   * if that is how the file begins, else at 0.
   */
  async prefix(bytes: number, sha256: string | undefined): Promise<number> {
    const source = this.#source;
    if (bytes === 0 || sha256 === undefined || source.seek === undefined || bytes > (source.sizeBytes ?? 0)) return 0;
    const hash = await this.#link.working(hashOf(source, bytes, this.#options.signal));
    if (hash !== undefined && hexOf(hash) === sha256) {
      this.#before = hash;
      return bytes;
    }
    source.seek(0);
    return 0;
  }

  /** Sends it from `offset` on, with its end and its checksums; or, if that fails, an error in place of the rest. */
  async send(offset: number): Promise<void> {
    const { signal, digest, ...options } = this.#options;
    const checksum = new Checksum(digest ? this.#before : undefined);
    const signals = signal === undefined ? [this.#stop.signal] : [this.#stop.signal, signal];
    try {
      const sizeBytes = this.#source.sizeBytes === undefined ? undefined : this.#source.sizeBytes - offset;
      const onProgress = (bytes: number) => options.onProgress?.(offset + bytes);
      this.sentBytes = await this.#link.sendBody(this.#source, sizeBytes, {
        ...options,
        onProgress,
        checksum,
        signal: AbortSignal.any(signals),
      });
      await this.#link.endBody();
      const sums = checksum.result();
      this.#crc32 = sums.crc32;
      await this.#link.sendObject({ ...sums });
      await this.#link.flush();
    } catch (error) {
      if (!this.#stop.signal.aborted) this.failure = error;
      if (!endsConnection(error)) await this.breakOff(asTandemError(error));
      throw error;
    }
  }

  /** Sends an error in place of what the server waits for. */
  async breakOff(error: TandemError): Promise<void> {
    await this.#link.sendError(error);
    await this.#link.flush();
  }

  /** Makes sure that the server has stored what was sent. */
  compare(stored: JsonObject, offset: number): void {
    const sums = parseChecksums(stored);
    if (sums.crc32 === this.#crc32 && stored["size"] === offset + this.sentBytes) return;
    throw new ProtocolError("the server says that it has stored something else than was sent");
  }
}
