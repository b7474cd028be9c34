/**
 * The one-time tickets with which a data connection of the tandem exchange
 * finds its session through the front door.
 *
 * A ticket works once, for its session's client alone, and for as long as that
 * session waits. One that does not work changes nothing: whoever has the right
 * one can still come.
 *
 * @module
 */

import { randomBytes } from "node:crypto";
import { TandemError } from "../errors.ts";
import { abortError } from "../net/abort.ts";
import { type Channel, timedOut } from "../net/channel.ts";

/** A session that waits for its data connection. */
interface Waiting {
  readonly hostname: string;
  arrive(channel: Channel): void;
}

/** How a data connection is waited for. */
export interface TicketOptions {
  /** How long, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait. */
  readonly signal: AbortSignal;
}

/** The tickets of one server. */
export class Tickets {
  readonly #waiting = new Map<string, Waiting>();

  /** Whether a session with a client at that address waits. */
  isAwaited(hostname: string): boolean {
    for (const waiting of this.#waiting.values()) {
      if (waiting.hostname === hostname) return true;
    }
    return false;
  }

  /**
   * Makes a ticket for a client at `hostname`, has it sent, and waits for the
   * connection that shows it.
   *
   * @throws {TandemError} `timeout`; what `send` throws; what `options.signal` was aborted with.
   */
  async exchange(
    hostname: string,
    send: (ticket: string) => Promise<void>,
    { timeoutMs, signal }: TicketOptions,
  ): Promise<Channel> {
    const ticket = randomBytes(16).toString("hex");
    const arrival = Promise.withResolvers<Channel>();
    const onAbort = () => arrival.reject(abortError(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    const late = () => arrival.reject(timedOut("the data connection", hostname, timeoutMs));
    const timer = setTimeout(late, timeoutMs);
    this.#waiting.set(ticket, { hostname, arrive: arrival.resolve });
    try {
      await send(ticket);
      return await arrival.promise;
    } finally {
      // One that was not waited for is nobody's.
      arrival.promise.catch(() => {});
      this.#waiting.delete(ticket);
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
    }
  }

  /**
   * Hands a connection that shows a ticket to the session that waits for it.
   *
   * @throws {TandemError} `denied` if nobody waits for it.
   */
  redeem(ticket: string, channel: Channel): void {
    const waiting = this.#waiting.get(ticket);
    if (waiting === undefined || waiting.hostname !== channel.remoteAddr.hostname) {
      throw new TandemError("denied", "the ticket of a data connection is unknown, used, late or somebody else's");
    }
    this.#waiting.delete(ticket);
    waiting.arrive(channel);
  }
}
