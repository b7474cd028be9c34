/**
 * `serve()`: the listening port, the sessions behind it, and its end.
 *
 * The accept loop is our own, since iterating a listener ends for good at the
 * first refused accept (one EMFILE would stop the server). A client over a limit
 * is closed at once; all else is a {@linkcode Session}'s business.
 *
 * @module
 */

import { asTandemError, TandemError } from "../errors.ts";
import { DEFAULT_SERVER_LIMITS, MAX_PENALTY_HOLD_MS, MAX_UNFINISHED_HANDSHAKES, type ServerLimits } from "../limits.ts";
import { Channel, type Conn, formatAddress, isTls, unmapped } from "../net/channel.ts";
import type { PortRange } from "../net/data_port.ts";
import { listenTls } from "../net/tls.ts";
import { DEFAULT_PORT } from "../protocol/command.ts";
import type { Credentials } from "../secret/certificate.ts";
import { Secret } from "../secret/secret.ts";
import { DiskStore, LOCAL_NAME_RULES } from "../store/disk_store.ts";
import type { FileStore } from "../store/file_store.ts";
import type { ServerEvent } from "./events.ts";
import { Handshakes } from "./handshakes.ts";
import { network, Penalties } from "./penalties.ts";
import { refuse, Session, type SessionHost } from "./session.ts";
import { Tickets } from "./tickets.ts";

/** What {@linkcode serve} is told. */
export interface ServeOptions {
  /** The folder to serve. Default: the current one. */
  readonly root?: string;
  /** Another place to serve files from; then `root` is not used. It is closed with the server. */
  readonly store?: FileStore;
  /** The address to listen on. Default: `127.0.0.1`; with a secret `::`, which is all addresses, IPv4 ones too. */
  readonly hostname?: string;
  /** The control port; 0 takes a free one. Default: 2121. */
  readonly port?: number;
  /** Whether clients may add files under new names. Default: no. */
  readonly write?: boolean;
  /** Whether clients may also replace, remove and rename files; includes `write`. Default: no. */
  readonly overwrite?: boolean;
  /**
   * What clients must have as well. Then everything is encrypted, each side
   * proves to the other that it has the secret, and only the tandem exchange is
   * spoken. At least 16 characters; {@linkcode generateSecret} makes one.
   */
  readonly secret?: Secret | string;
  /** A certificate of one's own, as PEM text: then everything is encrypted, and only the tandem exchange is spoken. */
  readonly tls?: Credentials;
  /** The one exchange that is spoken; the other is refused. Default: both. */
  readonly mode?: "plain" | "tandem";
  /** The ports for data connections. Default: any free one. */
  readonly dataPorts?: PortRange;
  /** Limits other than the default ones. */
  readonly limits?: Partial<ServerLimits>;
  /** Stops the server at once when it is aborted. */
  readonly signal?: AbortSignal;
  /** Called once, when the port is open. */
  readonly onListen?: (addr: Deno.NetAddr) => void;
  /** Called with what happens, as it happens. */
  readonly onEvent?: (event: ServerEvent) => void;
}

/** A running server. Disposing of it is {@linkcode TandemServer.shutdown}. */
export interface TandemServer extends AsyncDisposable {
  /** The address that it listens on, with the real port. */
  readonly addr: Deno.NetAddr;
  /** Resolved when the server has ended, with all its sessions. */
  readonly finished: Promise<void>;
  /**
   * Takes no more clients, lets running transfers end within
   * `limits.shutdownGraceMs`, and then ends all that is left.
   */
  shutdown(): Promise<void>;
  /** Keeps the process alive while the server runs (the default). */
  ref(): void;
  /** Lets the process end although the server runs. */
  unref(): void;
}

/** How often what is left over is looked for, in milliseconds: a day, as it is kept for a week. */
const SWEEP_INTERVAL_MS = 24 * 60 * 60 * 1_000;

/** The most connections over the limits that are given the time to bring a ticket, from one address. */
const MAX_EXTRAS = 64;

/** How long the accept loop rests after a failed accept (too many open files), in milliseconds. */
const ACCEPT_PAUSE_MS = 50;

/**
 * Serves the files of a folder to any program that speaks the plain exchange,
 * and with all that the tandem exchange adds to another copy of this one.
 * It listens when this function returns.
 *
 * @throws {TandemError} `not-found`, `not-directory`, `denied` if the folder
 * cannot be served; `connect` if the port cannot be opened; `usage` if an
 * option makes no sense.
 *
 * @example
 * ```ts no-eval
 * import { serve } from "./mod.ts";
 *
 * await using server = serve({ root: "./pub", port: 0, write: true });
 * console.log(server.addr.port);
 * await server.finished;
 * ```
 */
export function serve(options: ServeOptions = {}): TandemServer {
  const store = options.store ?? new DiskStore(options.root ?? ".");
  try {
    return new Server(store, options);
  } catch (error) {
    store.close();
    throw error;
  }
}

class Server implements TandemServer {
  readonly addr: Deno.NetAddr;
  readonly finished: Promise<void>;
  readonly #listener: Deno.TcpListener | Deno.TlsListener;
  readonly #handshakes = new Handshakes();
  readonly #host: SessionHost;
  readonly #sessions = new Set<Session>();
  /** How many of them come from each address, as {@linkcode network} counts. */
  readonly #perAddress = new Map<string, number>();
  /** Connections that count as sessions, or as what becomes one. */
  #admitted = 0;
  readonly #running = new Set<Promise<void>>();
  #lastId = 0;
  /** Connections over the limits that may only bring a ticket, by their address. */
  readonly #extras = new Map<string, number>();
  #closing = false;

  constructor(store: FileStore, options: ServeOptions) {
    this.#host = {
      store,
      rights: {
        write: (options.write ?? false) || (options.overwrite ?? false),
        overwrite: options.overwrite ?? false,
      },
      nameRules: LOCAL_NAME_RULES,
      limits: { ...DEFAULT_SERVER_LIMITS, ...options.limits },
      mode: options.mode,
      encrypted: options.secret !== undefined || options.tls !== undefined,
      secret: typeof options.secret === "string" ? new Secret(options.secret) : options.secret,
      penalties: new Penalties(),
      tickets: new Tickets(),
      nextId: () => ++this.#lastId,
      dataPorts: checkRange(options.dataPorts),
      emit: (event) => tell(options.onEvent, event),
    };
    const { encrypted, mode, secret } = this.#host;
    if (encrypted && mode === "plain") {
      throw new TandemError("usage", "the plain exchange cannot be encrypted: it would be all that is spoken");
    }
    const { hostname, port = DEFAULT_PORT } = options;
    const credentials = options.tls ?? secret?.issueCredentials();
    this.#listener = hostname === undefined && secret !== undefined
      ? listenEverywhere(port, credentials)
      : listen(hostname ?? "127.0.0.1", port, credentials);
    this.addr = this.#listener.addr as Deno.NetAddr;
    try {
      options.onListen?.(this.addr);
    } catch (error) {
      this.#listener.close();
      throw error;
    }
    const { signal } = options;
    const onAbort = () => void this.#stop(0);
    signal?.addEventListener("abort", onAbort);
    const sweeping = setInterval(() => void this.#sweep(), SWEEP_INTERVAL_MS);
    Deno.unrefTimer(sweeping);
    this.finished = Promise.all([this.#acceptAll(), this.#sweep()])
      .then(() => this.#allEnded())
      .finally(() => {
        clearInterval(sweeping);
        signal?.removeEventListener("abort", onAbort);
        try {
          store.close();
        } catch (error) {
          this.#warn("internal", asTandemError(error).message);
        }
      });
    if (signal?.aborted) onAbort();
  }

  async #acceptAll(): Promise<void> {
    let failing = false;
    while (!this.#closing) {
      let conn: Conn;
      await this.#handshakes.room(() =>
        this.#warn(
          "accept-failed",
          `${MAX_UNFINISHED_HANDSHAKES} connections have not finished their handshake: nobody is accepted until one has gone`,
        )
      );
      try {
        conn = await this.#listener.accept();
      } catch (error) {
        if (this.#closing) return;
        if (!failing) this.#warn("accept-failed", asTandemError(error).message);
        failing = true;
        await new Promise((resolve) => setTimeout(resolve, ACCEPT_PAUSE_MS));
        continue;
      }
      failing = false;
      this.#admit(conn);
    }
  }

  #admit(conn: Conn): void {
    const { hostname } = unmapped(conn.remoteAddr);
    const refusal = this.#refusal(hostname);
    // The last sessions that fit need their data connections too.
    const ticketOnly = refusal !== undefined && this.#mayBringTicket(hostname);
    const work = refusal !== undefined && !ticketOnly
      ? this.#turnAway(conn, refusal)
      : this.#welcome(conn, hostname, refusal);
    const run = work
      .catch((error) => this.#warn("internal", asTandemError(error).message))
      .finally(() => this.#running.delete(run));
    this.#running.add(run);
  }

  /** Counted by address, so that a crowd at one keeps nobody at another one out. */
  #mayBringTicket(hostname: string): boolean {
    return (this.#extras.get(hostname) ?? 0) < MAX_EXTRAS && this.#host.tickets.isAwaited(hostname);
  }

  /** Why nobody is let in from an address now; undefined where somebody is. */
  #refusal(hostname: string): TandemError | undefined {
    const { penalties, limits: { maxSessions, maxSessionsPerAddress } } = this.#host;
    if (this.#admitted >= maxSessions) {
      return new TandemError("busy", `${maxSessions} sessions are open`);
    }
    if ((this.#perAddress.get(network(hostname)) ?? 0) >= maxSessionsPerAddress) {
      return new TandemError("busy", `${maxSessionsPerAddress} sessions are open from ${hostname}`);
    }
    const waitMs = penalties.waitMs(hostname);
    if (waitMs <= MAX_PENALTY_HOLD_MS) return undefined;
    return new TandemError(
      "auth-failed",
      `${hostname} has failed to show the secret too often: it is let in again in ${Math.ceil(waitMs / 1_000)} s`,
    );
  }

  /** Closes a connection for which there is no room; says why where that can be said. */
  async #turnAway(conn: Conn, refusal: TandemError): Promise<void> {
    const { hostname, port } = unmapped(conn.remoteAddr);
    this.#warn("session-refused", refusal.message, formatAddress(hostname, port));
    if (!isTls(conn)) return conn.close();
    const { handshakeTimeoutMs } = this.#host.limits;
    try {
      await this.#handshakes.finish(conn, handshakeTimeoutMs);
      using channel = new Channel(conn);
      await refuse(channel, refusal, handshakeTimeoutMs);
    } catch {
      // It did not come to that.
    }
  }

  /** Serves whoever has connected. */
  async #welcome(conn: Conn, hostname: string, refusal: TandemError | undefined): Promise<void> {
    const acceptedMs = performance.now();
    const ticketOnly = refusal !== undefined;
    this.#count(hostname, ticketOnly, 1);
    try {
      if (isTls(conn) && !await this.#shakeHands(conn, hostname)) return;
      const session = new Session({ channel: new Channel(conn), acceptedMs, refusal }, this.#host);
      this.#sessions.add(session);
      if (this.#closing) session.abort();
      await session.run().finally(() => this.#sessions.delete(session));
    } finally {
      this.#count(hostname, ticketOnly, -1);
    }
  }

  #count(hostname: string, ticketOnly: boolean, change: 1 | -1): void {
    if (!ticketOnly) this.#admitted += change;
    const [counts, from] = ticketOnly ? [this.#extras, hostname] : [this.#perAddress, network(hostname)];
    const count = (counts.get(from) ?? 0) + change;
    if (count === 0) counts.delete(from);
    else counts.set(from, count);
  }

  /** Finishes the handshake of a connection; returns whether that worked. */
  async #shakeHands(conn: Deno.TlsConn, hostname: string): Promise<boolean> {
    const { limits, penalties, secret } = this.#host;
    try {
      await this.#handshakes.finish(conn, limits.handshakeTimeoutMs);
      return true;
    } catch (error) {
      if (this.#closing) return false;
      const { code, message } = asTandemError(error);
      this.#warn("handshake-failed", message, formatAddress(hostname, conn.remoteAddr.port));
      // Who only knocks, or whose connection broke, has not tried a secret.
      if (secret !== undefined && code !== "disconnected") penalties.fail(hostname);
      return false;
    }
  }

  /** Removes what killed writers have left, if the store has such and may be written. */
  async #sweep(): Promise<void> {
    const { store, rights } = this.#host;
    if (!rights.write || !(store instanceof DiskStore)) return;
    try {
      await store.sweep();
    } catch (error) {
      this.#warn("sweep-failed", asTandemError(error).message);
    }
  }

  async #allEnded(): Promise<void> {
    await Promise.all(this.#running);
  }

  async #stop(graceMs: number): Promise<void> {
    if (!this.#closing) {
      this.#closing = true;
      this.#listener.close();
    }
    for (const session of this.#sessions) session.drain();
    const timer = setTimeout(() => {
      for (const session of this.#sessions) session.abort();
    }, graceMs);
    this.#handshakes.close();
    await this.finished.finally(() => clearTimeout(timer));
  }

  shutdown(): Promise<void> {
    return this.#stop(this.#host.limits.shutdownGraceMs);
  }

  ref(): void {
    this.#listener.ref();
  }

  unref(): void {
    this.#listener.unref();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.shutdown();
  }

  #warn(
    outcome:
      | "session-refused"
      | "handshake-failed"
      | "accept-failed"
      | "sweep-failed"
      | "internal",
    message: string,
    peer?: string,
  ): void {
    this.#host.emit({
      event: "warning",
      outcome,
      message,
      ...(peer === undefined ? {} : { peer }),
    });
  }
}

/** Calls back; what the callback throws is its own fault and must not end a session. */
function tell(
  onEvent: ServeOptions["onEvent"],
  event: ServerEvent,
): void {
  try {
    onEvent?.(event);
  } catch (error) {
    console.error("tandem: the onEvent callback threw:", error);
  }
}

function listen(
  hostname: string,
  port: number,
  credentials: Credentials | undefined,
): Deno.TcpListener | Deno.TlsListener {
  try {
    return credentials === undefined ? Deno.listen({ hostname, port }) : listenTls(hostname, port, credentials);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    // It fails with errors of several kinds.
    if (credentials !== undefined && /\b(key|cert|certificate|pem)/i.test(text)) {
      throw new TandemError("usage", `the certificate or its key cannot be used: ${text}`, {
        cause: error,
        hint: "both as PEM text, the key without a passphrase, and the one for the certificate",
      });
    }
    throw new TandemError(
      "connect",
      `cannot listen on ${formatAddress(hostname, port)}: ${text}`,
      {
        cause: error,
        hint: error instanceof Deno.errors.AddrInUse
          ? "another program has that port: choose one with --port, or 0 for any free one"
          : "choose another address with --host or another port with --port",
      },
    );
  }
}

/** On all addresses: those of IPv6 and IPv4 at once, or of IPv4 where the machine has no other. */
function listenEverywhere(port: number, credentials: Credentials | undefined): Deno.TcpListener | Deno.TlsListener {
  try {
    return listen("::", port, credentials);
  } catch (error) {
    const { cause } = error as TandemError;
    if (cause instanceof Deno.errors.AddrInUse || cause instanceof Deno.errors.PermissionDenied) throw error;
    return listen("0.0.0.0", port, credentials);
  }
}

function checkRange(range: PortRange | undefined): PortRange | undefined {
  if (range === undefined) return undefined;
  const { from, to } = range;
  const ok = Number.isInteger(from) && Number.isInteger(to) && from >= 1 &&
    to <= 65_535 && from <= to;
  if (ok) return range;
  throw new TandemError(
    "usage",
    `data ports from ${from} to ${to} are no range of ports`,
  );
}
