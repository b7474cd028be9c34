/**
 * `connect()`: from a host's name to an open session.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { type ClientLimits, DEFAULT_CLIENT_LIMITS } from "../limits.ts";
import { dial } from "../net/data_port.ts";
import { DEFAULT_PORT } from "../protocol/command.ts";
import { Client } from "./client.ts";
import type { ClientEvent, Mode } from "./events.ts";
import { NegotiatedExchange } from "./negotiation.ts";

/** What {@linkcode connect} is told. */
export interface ConnectOptions {
  /** The server's name or address. Default: `127.0.0.1`. */
  readonly hostname?: string;
  /** Its control port. Default: 2121. */
  readonly port?: number;
  /** The exchange to be spoken, and no other. Default: tandem where the server does, else plain. */
  readonly mode?: Mode;
  /** Whether a file of size zero counts as missing, as some plain servers mean it. Default: no. */
  readonly zeroIsMissing?: boolean;
  /** Limits other than the default ones. */
  readonly limits?: Partial<ClientLimits>;
  /** Ends the attempt to connect when it is aborted. */
  readonly signal?: AbortSignal;
  /** Called with what happens, as it happens. */
  readonly onEvent?: (event: ClientEvent) => void;
}

/**
 * Opens a session with a server. What it speaks is found out with the first
 * operation, at no cost.
 *
 * @throws {TandemError} `connect` if the server cannot be reached; `timeout`;
 * `aborted`; `usage` if the port is none.
 *
 * @example
 * ```ts no-eval
 * import { connect } from "./mod.ts";
 *
 * await using client = await connect({ hostname: "192.0.2.7" });
 * for await (const entry of client.list("/")) console.log(entry.name);
 * await client.download("a.bin", "./a.bin");
 * ```
 */
export async function connect(options: ConnectOptions = {}): Promise<Client> {
  const { hostname = "127.0.0.1", port = DEFAULT_PORT, signal } = options;
  if (!Number.isInteger(port) || port < 1 || port > 65_535) {
    throw new TandemError("usage", `${port} is no port: 1 to 65535`);
  }
  const limits = { ...DEFAULT_CLIENT_LIMITS, ...options.limits };
  const control = await dial(hostname, port, {
    timeoutMs: limits.timeoutMs,
    retryMs: 0,
    what: "the server",
    signal,
  });
  const onEvent = options.onEvent ?? (() => {});
  const { mode } = options;
  const sayHello = (mode: Mode) => onEvent({ event: "hello", mode, hostname, port });
  const exchange = new NegotiatedExchange(control, {
    hostname,
    port,
    mode,
    limits,
    zeroIsMissing: options.zeroIsMissing ?? false,
    onMode: sayHello,
  });
  try {
    if (mode === "plain") sayHello(mode);
  } catch (error) {
    exchange.close();
    throw error;
  }
  return new Client(exchange, onEvent);
}
