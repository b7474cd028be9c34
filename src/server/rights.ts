/**
 * What clients may do, and how much of the disk they may take.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import type { ServerLimits } from "../limits.ts";
import type { FileStore } from "../store/file_store.ts";

/** What the clients of a server may do besides reading. */
export interface Rights {
  /** Whether they may add files and folders under new names. */
  readonly write: boolean;
  /** Whether they may also replace, remove and rename files and folders. */
  readonly overwrite: boolean;
}

/** Free space that remains after a `put` by default: this much, or a hundredth of the disk. */
const MIN_FREE_BYTES = 64 * 1024 * 1024;

/** Refuses what would leave too little room. */
export async function assertRoom(
  store: FileStore,
  limits: ServerLimits,
  sizeBytes: number,
): Promise<void> {
  const space = await store.space();
  if (space === undefined) return;
  const keepFree = limits.minFreeBytes ??
    Math.max(MIN_FREE_BYTES, space.totalBytes / 100);
  if (space.freeBytes - sizeBytes >= keepFree) return;
  throw new TandemError(
    "no-space",
    `${sizeBytes} bytes do not fit: ${space.freeBytes} are free, and ${Math.ceil(keepFree)} must stay so`,
  );
}
