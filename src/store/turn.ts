/**
 * Whose turn it is: keeps fast, blocking file calls from starving the event loop.
 *
 * Reading a cached file with a blocking call is three times as fast as asking a
 * thread for it, but while such calls follow each other no other session is
 * served. So all transfers together may block for {@linkcode TURN_MS} and then
 * one of them makes its call asynchronously, which lets the loop turn. One
 * budget for the whole process: kept by each transfer, eight of them would make
 * others wait eight times as long (`speed.md`, trap 2).
 *
 * A call that took long tells of a slow disk: for a while all calls are then
 * asynchronous.
 *
 * @module
 */

/** How long blocking calls may hold the loop between two turns of it, in milliseconds. */
const TURN_MS = 1;

/**
 * A single call that took longer than this tells of a slow disk, in milliseconds.
 * Much less would also be a busy machine that took the processor away meanwhile,
 * and threads make that worse: with 20 a 2 GiB `get` took up to twice as long
 * beside other work.
 */
const SLOW_CALL_MS = 100;

/** How long a slow disk is then left to the threads, in milliseconds. */
const SLOW_DISK_MS = 1_000;

let blockedMs = 0;
let slowUntil = 0;

/**
 * Makes one file call: `block` where the loop can spare it, else `wait`.
 * Returns what it returns, a promise only in the second case.
 */
export function takeTurn<T>(
  block: () => T,
  wait: () => Promise<T>,
): T | Promise<T> {
  const before = performance.now();
  if (blockedMs >= TURN_MS || before < slowUntil) {
    blockedMs = 0;
    return wait();
  }
  const result = block();
  const tookMs = performance.now() - before;
  blockedMs += tookMs;
  if (tookMs > SLOW_CALL_MS) slowUntil = before + tookMs + SLOW_DISK_MS;
  return result;
}
