/**
 * The deadlines that tests wait with: none waits for what may never come.
 *
 * @module
 */

/** How long a test waits for what must happen, in milliseconds: far longer than it takes. */
export const PATIENCE_MS = 5_000;

/** What `promise` resolves to; rejects when that takes longer than `timeoutMs`. */
export async function within<T>(
  promise: Promise<T>,
  timeoutMs: number,
  what: string,
): Promise<T> {
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(
    () => late.reject(new Error(`${what} took over ${timeoutMs} ms`)),
    timeoutMs,
  );
  try {
    return await Promise.race([promise, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** How long `run` takes, in milliseconds; rejects when that is over `timeoutMs`. */
export async function timed(
  run: () => Promise<unknown>,
  timeoutMs: number,
  what: string,
): Promise<number> {
  const startedMs = performance.now();
  await within(run(), timeoutMs, what);
  return performance.now() - startedMs;
}

/** Does the same with several values at the same time; rejects when one did, but not before all have ended. */
export async function forAll<T>(values: readonly T[], run: (value: T) => Promise<void>): Promise<void> {
  for (const outcome of await Promise.allSettled(values.map(run))) {
    if (outcome.status === "rejected") throw outcome.reason;
  }
}
