/**
 * Ends a transfer that does not move any more, or only pretends to.
 *
 * The bytes of one whole stall timeout are compared with what they would be at
 * the lowest rate that is taken; sampled ten times in that span, so that the
 * guard is at most a tenth late. A timer of its own: a cut cable tells nobody.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import type { Channel } from "./channel.ts";

/** What counts as a stall. */
export interface StallLimits {
  /** The span that is looked at, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** The lowest rate over that span, in bytes per second. */
  readonly minBytesPerSecond: number;
}

const SAMPLES = 10;

/** Watches one channel until it is disposed of. */
export class StallGuard implements Disposable {
  readonly #timer: ReturnType<typeof setInterval>;
  /** What had moved at each sample of the last span, the oldest first. */
  readonly #samples: number[] = [0];
  #movedBytes = 0;

  /** Begins to watch; `channel` fails with a `timeout` when its transfer stalls. */
  constructor(channel: Channel, limits: StallLimits) {
    const { stallTimeoutMs, minBytesPerSecond } = limits;
    const leastBytes = Math.ceil(
      Math.max(1, minBytesPerSecond * stallTimeoutMs / 1_000),
    );
    this.#timer = setInterval(() => {
      this.#samples.push(this.#movedBytes);
      if (this.#samples.length <= SAMPLES) return;
      const before = this.#samples.shift() ?? 0;
      if (this.#movedBytes - before >= leastBytes) return;
      channel.fail(
        new TandemError(
          "timeout",
          `the transfer with ${channel.peer} stalled: ${this.#movedBytes - before} bytes in ${
            stallTimeoutMs / 1_000
          } s`,
        ),
      );
    }, stallTimeoutMs / SAMPLES);
  }

  /** Says that `bytes` more bytes went over the network. */
  moved(bytes: number): void {
    this.#movedBytes += bytes;
  }

  /** Stops watching. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }
}
