/**
 * The checksums of bodies: CRC-32 always, SHA-256 where it was asked for.
 *
 * CRC-32 costs about 7 % of a transfer's speed and SHA-256 halves it
 * (`speed.md`), which is why the second is not the default.
 *
 * @module
 */

import { createHash, type Hash } from "node:crypto";
import { crc32 } from "node:zlib";
import { formatCrc } from "../protocol/sealed.ts";
import type { Checksums } from "../protocol/tandem_result.ts";
import { lendBuffer } from "./buffers.ts";
import type { ByteSource } from "./bulk.ts";

/** The checksums of bytes that pass by. */
export class Checksum {
  #crc = 0;
  readonly #sha256: Hash | undefined;

  /** Begins; `sha256` is that of what precedes the body, or undefined where none is wanted. */
  constructor(sha256?: Hash) {
    this.#sha256 = sha256;
  }

  /** Takes the next bytes. */
  update(bytes: Uint8Array): void {
    this.#crc = crc32(bytes, this.#crc);
    this.#sha256?.update(bytes);
  }

  /** Whether what the other side says of its bytes is what these come to. */
  fits(sums: Checksums): boolean {
    const own = this.result();
    return sums.crc32 === own.crc32 && (own.sha256 === undefined || sums.sha256 === own.sha256);
  }

  /** What they come to. */
  result(): Checksums {
    return {
      crc32: formatCrc(this.#crc),
      ...(this.#sha256 === undefined ? {} : { sha256: this.#sha256.copy().digest("hex") }),
    };
  }
}

/** The SHA-256 of nothing, to begin with. */
export function emptySha256(): Hash {
  return createHash("sha256");
}

/** How much is hashed at a time, in bytes. */
const PIECE_BYTES = 256 * 1024;

/**
 * The SHA-256 of the next `sizeBytes` bytes of a source, to be read or to be
 * continued; undefined where the source has fewer.
 */
export async function hashOf(
  source: ByteSource,
  sizeBytes: number,
  signal?: AbortSignal,
): Promise<Hash | undefined> {
  const hash = emptySha256();
  using lent = lendBuffer(Math.min(sizeBytes, PIECE_BYTES));
  let left = sizeBytes;
  while (left > 0) {
    signal?.throwIfAborted();
    const reading = source.read(lent.bytes.subarray(0, Math.min(lent.bytes.length, PIECE_BYTES, left)));
    const count = reading instanceof Promise ? await reading : reading;
    if (count === null) return undefined;
    hash.update(lent.bytes.subarray(0, count));
    left -= count;
  }
  return hash;
}

/** A hash as messages have it; the hash can still be continued. */
export function hexOf(hash: Hash): string {
  return hash.copy().digest("hex");
}
