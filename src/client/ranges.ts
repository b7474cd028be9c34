/**
 * One large file over several sessions: each fetches one range after the other
 * into the same landing, until there is none left.
 *
 * That is faster on links where one connection is held back by its round trip.
 * All ranges are of one version of the file, or it all fails with `changed`.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { TandemError } from "../errors.ts";
import { openLanding } from "../store/landing.ts";
import { type Client, failLocally } from "./client.ts";
import type { CallOptions, TransferResult } from "./options.ts";

/** How large the ranges are, in bytes: many more than sessions, so that a slow one does not hold up the end. */
const RANGE_BYTES = 16 * 1024 * 1024;

/** How a file is fetched in ranges. */
export interface RangesOptions extends CallOptions {
  /** Whether a file of that name is replaced. Default: no. */
  readonly overwrite?: boolean;
  /** Called with the bytes moved so far and those that will be moved in all. */
  readonly onProgress?: (movedBytes: number, totalBytes: number) => void;
}

/**
 * Fetches a file to `local` over several sessions with one tandem server, where
 * it appears whole or not at all.
 *
 * @throws {TandemError} `changed` if the file is, meanwhile; `unsupported` if a
 * session speaks the plain exchange; and as {@linkcode Client.download}.
 */
export async function downloadInRanges(
  clients: readonly Client[],
  path: string,
  local: string,
  options: RangesOptions = {},
): Promise<TransferResult> {
  const [first] = clients;
  if (first === undefined) throw new TandemError("usage", "a file cannot be fetched without a session");
  const startedMs = performance.now();
  const { signal, overwrite: replace = false, onProgress } = options;
  const { totalSize, version, mtime, mode } = await lookAt(first, path, signal);
  await using landing = await openLanding(dirname(local), basename(local), local, { replace }).catch(failLocally);
  const failed = new AbortController();
  const either = signal === undefined ? failed.signal : AbortSignal.any([signal, failed.signal]);
  let next = 0;
  let movedBytes = 0;
  const fetchAll = async (client: Client) => {
    while (next < totalSize) {
      const offset = next;
      next += RANGE_BYTES;
      using range = await landing.openAt(offset);
      const length = Math.min(RANGE_BYTES, totalSize - offset);
      let ofThis = 0;
      const came = await client.getInto(path, range, {
        offset,
        length,
        signal: either,
        ...(version === undefined ? {} : { ifUnchanged: version }),
        onProgress(bytes) {
          movedBytes += bytes - ofThis;
          ofThis = bytes;
          onProgress?.(movedBytes, totalSize);
        },
      });
      if (came !== length) throw new TandemError("changed", `"${path}" has another size than before`);
    }
  };
  const work = clients.map((client) =>
    fetchAll(client).catch((error) => {
      // The first failure tells what went wrong; the others only that it did.
      failed.abort(error);
      throw error;
    })
  );
  const results = await Promise.allSettled(work);
  if (signal?.aborted || failed.signal.aborted) {
    const [reason] = results.filter((result) => result.status === "rejected").map((result) => result.reason);
    throw failed.signal.aborted && !signal?.aborted ? failed.signal.reason : reason;
  }
  await landing.commit({ mtimeMs: mtime?.getTime(), mode });
  const durationMs = Math.round(performance.now() - startedMs);
  return { outcome: "fetched", bytes: totalSize, resumedBytes: 0, startedOver: false, durationMs };
}

/** What a file is, without its bytes. */
async function lookAt(client: Client, path: string, signal: AbortSignal | undefined) {
  const options = signal === undefined ? {} : { signal };
  await using download = await client.get(path, { offset: 0, length: 0, ...options });
  await download.readable.cancel();
  return download;
}
