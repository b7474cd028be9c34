/**
 * The data connection of the plain exchange, from both ends: a fresh port that
 * the server listens on for one command, and the client's way to it.
 *
 * Only the address of the control connection may come in. A stranger is closed
 * and does not end the wait, else anybody could cancel transfers; and when the
 * right peer is in, whoever else stands at the door is reported, because in the
 * plain exchange it might have been let in as well.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_DATA_PORT_TRIES } from "../limits.ts";
import { abortError, untilAborted } from "./abort.ts";
import { Channel, formatAddress, timedOut, unmapped } from "./channel.ts";
import { type ServerTrust, shakeHands } from "./tls.ts";

/** A range of ports, both ends included. */
export interface PortRange {
  /** The lowest port. */
  readonly from: number;
  /** The highest port. */
  readonly to: number;
}

/** How a data port waits for its peer. */
export interface AcceptOptions {
  /** How long it waits, in milliseconds. */
  readonly timeoutMs: number;
  /** Ends the wait when the control connection has ended. */
  readonly signal: AbortSignal;
  /** Called with the address of whoever connected and was not let in. */
  readonly onStranger: (address: string) => void;
}

/** A port that is open for one connection. Disposing of it closes it, unaccepted connections and all. */
export class DataPort implements Disposable {
  readonly #listener: Deno.TcpListener;
  #closed = false;

  constructor(listener: Deno.TcpListener) {
    this.#listener = listener;
  }

  /** The port's number. */
  get port(): number {
    return this.#listener.addr.port;
  }

  /**
   * Waits for a connection from `hostname`, and closes the port when it is there.
   *
   * @throws {TandemError} `timeout` if it does not come; `disconnected` or
   * whatever else `options.signal` was aborted with.
   */
  async accept(hostname: string, options: AcceptOptions): Promise<Channel> {
    let failure: TandemError | undefined;
    const giveUp = (error: TandemError) => {
      failure ??= error;
      this.close();
    };
    const { timeoutMs, signal, onStranger } = options;
    const onAbort = () => giveUp(abortError(signal));
    if (signal.aborted) onAbort();
    signal.addEventListener("abort", onAbort);
    const timer = setTimeout(
      () => giveUp(timedOut("the data connection", hostname, timeoutMs)),
      timeoutMs,
    );
    try {
      for (;;) {
        const conn = await this.#listener.accept();
        if (unmapped(conn.remoteAddr).hostname === hostname) {
          this.#reportOthers(onStranger);
          return new Channel(conn);
        }
        onStranger(addressOf(conn));
        conn.close();
      }
    } catch (error) {
      throw failure ?? new TandemError(
        "busy",
        "no data connection could be accepted",
        { cause: error },
      );
    } finally {
      clearTimeout(timer);
      signal.removeEventListener("abort", onAbort);
      this.close();
    }
  }

  /** Looks once who else has connected, and closes the port. */
  #reportOthers(onStranger: (address: string) => void): void {
    const other = this.#listener.accept();
    this.close();
    other.then((conn) => {
      onStranger(addressOf(conn));
      conn.close();
    }, () => {
      // Nobody has: closing the port ended the look.
    });
  }

  /** Closes the port unaccepted, and keeps others from getting it while its client may still try. */
  refuse(): void {
    resting.delete(this.port);
    resting.set(this.port, performance.now() + REFUSED_PORT_REST_MS);
    this.close();
  }

  /** Closes the port; more than once does no harm. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#listener.close();
  }

  /** Closes the port. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** A client tries a refused port again for about a second; so long, with some more, it is given to nobody else, in milliseconds. */
const REFUSED_PORT_REST_MS = 2_000;

/** Refused ports, and until when they rest. The oldest come first. */
const resting = new Map<number, number>();

function isResting(port: number): boolean {
  const now = performance.now();
  for (const [oldest, untilMs] of resting) {
    if (untilMs > now) break;
    resting.delete(oldest);
  }
  return resting.has(port);
}

/**
 * Where systems have their short-lived ports. We choose among them ourselves:
 * when thousands of closed connections linger, asking Linux for any free port
 * takes six times as long as naming one (143 against 23 microseconds with 5,600).
 */
const USUAL_PORTS: PortRange = Deno.build.os === "linux" ? { from: 32_768, to: 60_999 } : { from: 49_152, to: 65_535 };

/** How many of the usual ports are tried before the system is asked after all. */
const USUAL_PORT_TRIES = 16;

/**
 * Opens a fresh data port at the local address of a control connection: a
 * randomly chosen one, of `range` where there is one.
 *
 * @throws {TandemError} `busy` if there is none.
 */
export function openDataPort(hostname: string, range?: PortRange): DataPort {
  const ports = range === undefined ? [...anyPorts()] : [...portsOf(range, MAX_DATA_PORT_TRIES)];
  // A resting port is better than none: whoever is refused must not keep a small range from others.
  const rested = ports.filter((port) => !isResting(port));
  const tired = ports.filter((port) => isResting(port));
  let lastError: unknown;
  for (const port of [...rested, ...tired]) {
    try {
      return new DataPort(Deno.listen({ hostname, port }));
    } catch (error) {
      lastError = error;
    }
  }
  const which = range === undefined ? "" : ` from ${range.from} to ${range.to}`;
  throw noPort(`there is no free data port${which}`, lastError);
}

function* anyPorts(): Generator<number> {
  yield* portsOf(USUAL_PORTS, USUAL_PORT_TRIES);
  yield 0;
}

/** Ports of a range, at most so many, from a random one on. */
function* portsOf({ from, to }: PortRange, most: number): Generator<number> {
  const count = to - from + 1;
  const first = Math.floor(Math.random() * count);
  for (let i = 0; i < Math.min(count, most); i++) yield from + (first + i) % count;
}

function noPort(message: string, cause: unknown): TandemError {
  return new TandemError("busy", message, { cause });
}

function addressOf(conn: Deno.TcpConn): string {
  return formatAddress(conn.remoteAddr.hostname, conn.remoteAddr.port);
}

/** How a connection is opened. */
export interface DialOptions {
  /** How long one attempt may take, in milliseconds. */
  readonly timeoutMs: number;
  /** How long a refused attempt is repeated, in milliseconds. */
  readonly retryMs: number;
  /** What it is, for messages: `the data port`. */
  readonly what: string;
  /** Ends the attempt. */
  readonly signal?: AbortSignal | undefined;
  /** Whom it must be, where the connection is to be encrypted. */
  readonly trust?: ServerTrust | undefined;
}

/** A server with TLS is nudged when it has not answered for a round trip and some more. */
const NUDGE_FACTOR = 1.25;
const NUDGE_EXTRA_MS = 2;

/** The first pause before a refused port is tried again, in milliseconds; it doubles up to {@linkcode MAX_PAUSE_MS}. */
const FIRST_PAUSE_MS = 5;
const MAX_PAUSE_MS = 100;

/**
 * Connects to a port, and tries again for a while if nobody listens yet.
 *
 * @throws {TandemError} `connect` if it is refused or cannot be reached or
 * resolved; `timeout`; `aborted`; as {@linkcode shakeHands} where it is to be encrypted.
 */
export async function dial(
  hostname: string,
  port: number,
  options: DialOptions,
): Promise<Channel> {
  const { timeoutMs, retryMs, what, signal, trust } = options;
  const address = formatAddress(hostname, port);
  const started = performance.now();
  let pauseMs = FIRST_PAUSE_MS;
  for (;;) {
    // One controller for both reasons: cheaper than composing signals, for every command dials.
    const attempt = new AbortController();
    const onAbort = () => attempt.abort(abortError(signal));
    if (signal?.aborted) onAbort();
    signal?.addEventListener("abort", onAbort);
    const timer = setTimeout(
      () => attempt.abort(timedOut(what, address, timeoutMs)),
      timeoutMs,
    );
    try {
      return await connectUntil(attempt.signal, hostname, port, trust);
    } catch (error) {
      if (attempt.signal.aborted) throw attempt.signal.reason;
      if (error instanceof TandemError) throw error;
      const again = error instanceof Deno.errors.ConnectionRefused &&
        performance.now() - started + pauseMs < retryMs;
      if (!again) throw unreachable(error, what, hostname, port);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", onAbort);
    }
    await new Promise((resolve) => setTimeout(resolve, pauseMs));
    pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
  }
}

/** Connects, or rejects when `signal` is aborted: also on Deno 2.4, where `Deno.connect` does not look at it. */
async function connectUntil(
  signal: AbortSignal,
  hostname: string,
  port: number,
  trust: ServerTrust | undefined,
): Promise<Channel> {
  const connecting = connectTo(hostname, port, signal, trust);
  try {
    return await untilAborted(connecting, signal);
  } catch (error) {
    // A connection that comes about all the same is nobody's.
    connecting.then((channel) => channel.close(), () => {});
    throw error;
  }
}

async function connectTo(
  hostname: string,
  port: number,
  signal: AbortSignal,
  trust: ServerTrust | undefined,
): Promise<Channel> {
  const startedMs = performance.now();
  const conn = await Deno.connect({ hostname, port, signal });
  const { localAddr, remoteAddr } = conn;
  if (localAddr.port === remoteAddr.port && localAddr.hostname === remoteAddr.hostname) {
    // Nobody listens on a short-lived port of this machine, and the system has
    // chosen the same one for our end: then a connection to itself comes about.
    conn.close();
    throw new Deno.errors.ConnectionRefused("connected to itself");
  }
  if (trust === undefined) return new Channel(conn);
  const roundTripMs = performance.now() - startedMs;
  return new Channel(await shakeHands(conn, trust, signal), NUDGE_FACTOR * roundTripMs + NUDGE_EXTRA_MS);
}

function unreachable(
  error: unknown,
  what: string,
  hostname: string,
  port: number,
): TandemError {
  const text = error instanceof Error ? error.message : String(error);
  const refused = error instanceof Deno.errors.ConnectionRefused;
  const address = formatAddress(hostname, port);
  return new TandemError(
    "connect",
    refused ? `${what} ${address} refused the connection` : `cannot connect to ${what} ${address}: ${text}`,
    {
      cause: error,
      hint: refused ? "is a server running there, and is the port the right one?" : "check the name and the network",
    },
  );
}
