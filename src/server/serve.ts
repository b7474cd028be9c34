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
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from "../limits.ts";
import { Channel, formatAddress } from "../net/channel.ts";
import type { PortRange } from "../net/data_port.ts";
import { DEFAULT_PORT } from "../protocol/command.ts";
import { DiskStore, LOCAL_NAME_RULES } from "../store/disk_store.ts";
import type { FileStore } from "../store/file_store.ts";
import type { ServerEvent } from "./events.ts";
import { Session, type SessionHost } from "./session.ts";
import { Tickets } from "./tickets.ts";

/** What {@linkcode serve} is told. */
export interface ServeOptions {
  /** The folder to serve. Default: the current one. */
  readonly root?: string;
  /** Another place to serve files from; then `root` is not used. It is closed with the server. */
  readonly store?: FileStore;
  /** The address to listen on. Default: `127.0.0.1`. */
  readonly hostname?: string;
  /** The control port; 0 takes a free one. Default: 2121. */
  readonly port?: number;
  /** Whether clients may add files under new names. Default: no. */
  readonly write?: boolean;
  /** Whether clients may also replace, remove and rename files; includes `write`. Default: no. */
  readonly overwrite?: boolean;
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

/** The most connections over the limits that are given the time to bring a ticket. */
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
  readonly #listener: Deno.TcpListener;
  readonly #host: SessionHost;
  readonly #sessions = new Set<Session>();
  readonly #perAddress = new Map<string, number>();
  readonly #running = new Set<Promise<void>>();
  #lastId = 0;
  /** Connections over the limits that may only bring a ticket. */
  #extras = 0;
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
      tickets: new Tickets(),
      nextId: () => ++this.#lastId,
      dataPorts: checkRange(options.dataPorts),
      emit: (event) => tell(options.onEvent, event),
    };
    this.#listener = listen(
      options.hostname ?? "127.0.0.1",
      options.port ?? DEFAULT_PORT,
    );
    this.addr = this.#listener.addr;
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
      let conn: Deno.TcpConn;
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

  #admit(conn: Deno.TcpConn): void {
    const { hostname, port } = conn.remoteAddr;
    const { maxSessions, maxSessionsPerAddress } = this.#host.limits;
    const already = this.#perAddress.get(hostname) ?? 0;
    const full = this.#sessions.size - this.#extras >= maxSessions
      ? `${maxSessions} sessions are open`
      : already >= maxSessionsPerAddress
      ? `${maxSessionsPerAddress} sessions are open from ${hostname}`
      : undefined;
    // The last sessions that fit need their data connections too.
    const ticketOnly = full !== undefined && this.#extras < MAX_EXTRAS && this.#host.tickets.isAwaited(hostname);
    if (full !== undefined && !ticketOnly) {
      conn.close();
      this.#warn("session-refused", full, formatAddress(hostname, port));
      return;
    }
    if (ticketOnly) this.#extras++;
    else this.#perAddress.set(hostname, already + 1);
    const session = new Session(new Channel(conn), this.#host, ticketOnly);
    this.#sessions.add(session);
    const run = session.run()
      .catch((error) => this.#warn("internal", asTandemError(error).message))
      .finally(() => {
        this.#running.delete(run);
        this.#sessions.delete(session);
        if (ticketOnly) {
          this.#extras--;
          return;
        }
        const left = (this.#perAddress.get(hostname) ?? 1) - 1;
        if (left === 0) this.#perAddress.delete(hostname);
        else this.#perAddress.set(hostname, left);
      });
    this.#running.add(run);
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

function listen(hostname: string, port: number): Deno.TcpListener {
  try {
    return Deno.listen({ hostname, port });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
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
