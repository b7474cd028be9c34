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

/** Who waits for each signal. The system's own list of listeners takes longer the more of them there are. */
const waiting = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Has `callback` called once `signal` is aborted, at once if it is already,
 * until the returned guard is disposed of. Thousands may wait for one signal.
 */
export function whenAborted(signal: AbortSignal | undefined, callback: () => void): Disposable {
  if (signal === undefined) return { [Symbol.dispose]() {} };
  if (signal.aborted) callback();
  let callbacks = waiting.get(signal);
  if (callbacks === undefined) {
    const all = callbacks = new Set();
    waiting.set(signal, all);
    signal.addEventListener("abort", () => {
      for (const callback of all) callback();
    }, { once: true });
  }
  callbacks.add(callback);
  return { [Symbol.dispose]: () => callbacks.delete(callback) };
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
  using _guard = whenAborted(signal, () => aborted.reject(abortError(signal)));
  return await Promise.race([aborted.promise, work]);
}
