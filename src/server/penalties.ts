/**
 * What failing to show the secret costs an address: a wait that doubles with
 * each failure, and is forgotten after a while without one, or once somebody
 * there does have the secret.
 *
 * The first failures cost less than a person notices. An IPv6 address counts as
 * its whole /64 network, which one machine can have to itself. The clock is
 * monotonic.
 *
 * @module
 */

import { MAX_PENALTY_HOLD_MS } from "../limits.ts";
import { unmapped } from "../net/channel.ts";

/** The wait after the first failure, in milliseconds; it doubles with each further one. */
const FIRST_WAIT_MS = 250;

/** The longest wait, in milliseconds. */
const MAX_WAIT_MS = 300_000;

/** A failure is forgotten after this time without another one, in milliseconds. */
const MEMORY_MS = 600_000;

/** How many addresses are remembered; of more, the one that failed longest ago is forgotten. */
const MAX_ADDRESSES = 10_000;

interface Record {
  failures: number;
  failedMs: number;
}

/** The addresses from which somebody has failed. */
export class Penalties {
  readonly #now: () => number;
  /** The one that failed last stands last. */
  readonly #records = new Map<string, Record>();

  /** Knows of nobody yet. `now` is a monotonic clock, in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** Counts a failure. */
  fail(hostname: string): void {
    const key = network(hostname);
    const failures = (this.#present(key)?.failures ?? 0) + 1;
    this.#records.delete(key);
    this.#records.set(key, { failures, failedMs: this.#now() });
    if (this.#records.size <= MAX_ADDRESSES) return;
    for (const [oldest] of this.#records) {
      this.#records.delete(oldest);
      break;
    }
  }

  /** Counts a failure, and has whoever it was wait. */
  async punish(hostname: string): Promise<void> {
    this.fail(hostname);
    await this.hold(hostname);
  }

  /** Waits as long as an address has to, but no longer than {@linkcode MAX_PENALTY_HOLD_MS}. */
  async hold(hostname: string): Promise<void> {
    const waitMs = Math.min(this.waitMs(hostname), MAX_PENALTY_HOLD_MS);
    if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }

  /** Forgets the failures: somebody there has the secret. */
  forgive(hostname: string): void {
    this.#records.delete(network(hostname));
  }

  /** How much longer an address has to wait, in milliseconds; 0 if it need not. */
  waitMs(hostname: string): number {
    const record = this.#present(network(hostname));
    if (record === undefined) return 0;
    const waitMs = Math.min(FIRST_WAIT_MS * 2 ** (record.failures - 1), MAX_WAIT_MS);
    return Math.max(0, record.failedMs + waitMs - this.#now());
  }

  #present(key: string): Record | undefined {
    const record = this.#records.get(key);
    return record !== undefined && this.#now() - record.failedMs < MEMORY_MS ? record : undefined;
  }
}

/** Where IPv4 addresses are the last 32 bits of IPv6 ones (RFC 6052). */
const TRANSLATED = "64:ff9b::";

/** What counts as one address: of IPv6, the first 64 bits. */
export function network(hostname: string): string {
  const { hostname: address } = unmapped({ transport: "tcp", hostname, port: 0 });
  if (!address.includes(":") || address.startsWith(TRANSLATED)) return address;
  const [before = "", after] = (address.split("%")[0] ?? "").split("::");
  const head = before === "" ? [] : before.split(":");
  const tail = after === undefined || after === "" ? [] : after.split(":");
  const zeros = after === undefined ? 0 : 8 - head.length - tail.length;
  const groups = [...head, ...Array<string>(Math.max(zeros, 0)).fill("0"), ...tail];
  return groups.slice(0, 4).map((group) => Number.parseInt(group, 16).toString(16)).join(":") + "::/64";
}
