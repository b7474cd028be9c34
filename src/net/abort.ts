/**
 * Abort signals in this project's words.
 *
 * @module
 */

import { TandemError } from "../errors.ts";

/** The error that `signal` was aborted with: its own reason where that is one of ours or a timeout. */
export function abortError(signal: AbortSignal | undefined): TandemError {
  const reason: unknown = signal?.reason;
  if (reason instanceof TandemError) return reason;
  if (reason instanceof DOMException && reason.name === "TimeoutError") {
    return new TandemError("timeout", "it took longer than was allowed", { cause: reason });
  }
  return new TandemError("aborted", "interrupted", { cause: reason });
}

/**
 * Waits for `work`, but no longer than until `signal` is aborted. What becomes of
 * `work` then is for the caller to see to; its failure is not reported any more.
 *
 * @throws {TandemError} as {@linkcode abortError}.
 */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return await work;
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(abortError(signal));
  if (signal.aborted) onAbort();
  signal.addEventListener("abort", onAbort);
  try {
    return await Promise.race([aborted.promise, work]);
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
