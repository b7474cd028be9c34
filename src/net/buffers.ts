/**
 * Buffers for bodies, lent and taken back, so that two hundred transfers do not
 * cost two hundred fresh megabytes.
 *
 * A buffer is as large as its transfer needs, up to the largest that still makes
 * a transfer faster. Never shared: who has one alone has it until it is given
 * back, and gives it back only when no write of it is pending.
 *
 * @module
 */

/** The sizes that are kept, in bytes. 1 MiB is where a larger buffer stops helping (`speed.md`). */
const SIZES: readonly number[] = [16 * 1024, 256 * 1024, 1024 * 1024];

/** How much is kept for later of each size, in bytes. */
const KEPT_BYTES = 8 * 1024 * 1024;

const kept = new Map<number, Uint8Array[]>(SIZES.map((size) => [size, []]));

/** A buffer that is given back when it is disposed of. */
export interface LentBuffer extends Disposable {
  /** The buffer; its content is whatever was in it before. */
  readonly bytes: Uint8Array;
  /** Says that `work` writes into it: it is not lent to anybody else before that has ended. */
  usedBy(work: Promise<unknown>): void;
}

/** Lends a buffer for a transfer of `wantedBytes`: as large as that where it can be. */
export function lendBuffer(wantedBytes: number): LentBuffer {
  const size = SIZES.find((size) => size >= wantedBytes) ?? SIZES.at(-1) ?? 0;
  const pool = kept.get(size) ?? [];
  const bytes = pool.pop() ?? new Uint8Array(size);
  let working: Promise<unknown> | undefined;
  const giveBack = () => {
    if (pool.length * size < KEPT_BYTES) pool.push(bytes);
  };
  return {
    bytes,
    usedBy: (work) => working = work,
    [Symbol.dispose]() {
      if (working === undefined) giveBack();
      else working.then(giveBack, giveBack);
    },
  };
}
