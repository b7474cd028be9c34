/**
 * No wait without an end: what a test waits for either comes, or is named in
 * the error that comes instead.
 *
 * @module
 */

/** How long any wait of these tests may take, in milliseconds: only what hangs comes near it. */
export const DEADLINE_MS = 5_000;

/** What {@linkcode within} can be told besides. */
export interface WithinOptions {
  /** The longest wait, in milliseconds. Default: {@linkcode DEADLINE_MS}. */
  readonly deadlineMs?: number;
  /** Called when it is over, to unblock what is waited for. */
  readonly onLate?: () => void;
}

/** Waits for `waiting`, which `what` describes, and fails if it does not come in time. */
export async function within<T>(
  what: string,
  waiting: Promise<T>,
  options: WithinOptions = {},
): Promise<T> {
  const { deadlineMs = DEADLINE_MS, onLate } = options;
  const late = Promise.withResolvers<never>();
  const timer = setTimeout(() => {
    late.reject(new Error(`waited ${deadlineMs} ms for ${what}`));
    onLate?.();
  }, deadlineMs);
  try {
    return await Promise.race([waiting, late.promise]);
  } finally {
    clearTimeout(timer);
  }
}

/** A pause that is a part of the attack itself (a slow peer), in milliseconds. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Takes care of a failure of what is only waited for later, in case something else fails before. */
export function begun<T>(work: Promise<T>): Promise<T> {
  work.catch(() => {});
  return work;
}

/** Repeats `step` until `goal` is settled, and returns what it is settled with. */
export async function repeatUntil<T>(goal: Promise<T>, step: () => Promise<unknown>): Promise<T> {
  let over = false;
  const settled = begun(goal.finally(() => over = true));
  while (!over) await step();
  return await settled;
}

/** Looks every few milliseconds until `holds` returns true, for what no event tells of. */
export async function eventually(
  what: string,
  holds: () => boolean | Promise<boolean>,
): Promise<void> {
  const startedMs = performance.now();
  while (!await holds()) {
    if (performance.now() - startedMs > DEADLINE_MS) {
      throw new Error(`waited ${DEADLINE_MS} ms until ${what}`);
    }
    await pause(5);
  }
}
