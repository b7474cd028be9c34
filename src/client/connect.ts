/**
 * `connect()`: from a host's name to an open session.
 *
 * @module
 */

import { X509Certificate } from "node:crypto";
import { TandemError } from "../errors.ts";
import { type ClientLimits, DEFAULT_CLIENT_LIMITS } from "../limits.ts";
import { dial } from "../net/data_port.ts";
import { type ServerTrust, trustInSecret } from "../net/tls.ts";
import { DEFAULT_PORT } from "../protocol/command.ts";
import { Secret } from "../secret/secret.ts";
import { Client } from "./client.ts";
import type { ClientEvent, Mode } from "./events.ts";
import { NegotiatedExchange } from "./negotiation.ts";

/** Which certificates are taken, where a server has one of its own. */
export interface TlsOptions {
  /** Authorities that may vouch for the server, as PEM text, beside those that Deno trusts anyway. */
  readonly caCerts?: readonly string[];
}

/** What {@linkcode connect} is told. */
export interface ConnectOptions {
  /** The server's name or address. Default: `127.0.0.1`. */
  readonly hostname?: string;
  /** Its control port. Default: 2121. */
  readonly port?: number;
  /** The exchange to be spoken, and no other. Default: tandem where the server does, else plain. */
  readonly mode?: Mode;
  /**
   * What the server must have as well. Then everything is encrypted, each side
   * proves to the other that it has the secret, and nothing is sent to a server
   * that does not. At least 16 characters.
   */
  readonly secret?: Secret | string;
  /**
   * Encrypts everything, and takes the server for the right one if its own
   * certificate is for `hostname` and somebody trusted vouches for it; with
   * `secret` as well, it must have that too.
   */
  readonly tls?: TlsOptions;
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
 * `aborted`; `usage` if the port is none or the options contradict each other;
 * `auth-failed` if the server is not the one that has the secret or the right
 * certificate; `unsupported` if it does not encrypt.
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
  const { mode, tls } = options;
  const secret = typeof options.secret === "string" ? new Secret(options.secret) : options.secret;
  const trust = tls === undefined ? secret && trustInSecret(secret) : trustInCertificate(hostname, tls);
  if (mode === "plain" && trust !== undefined) {
    throw new TandemError("usage", "the plain exchange cannot be encrypted", {
      hint: "leave out what asks for the plain exchange, or the secret",
    });
  }
  const control = await dial(hostname, port, {
    timeoutMs: limits.timeoutMs,
    retryMs: 0,
    what: "the server",
    signal,
    trust,
  });
  const onEvent = options.onEvent ?? (() => {});
  const sayHello = (mode: Mode) => onEvent({ event: "hello", mode, hostname, port, encrypted: trust !== undefined });
  const exchange = new NegotiatedExchange(control, {
    hostname,
    port,
    mode: trust === undefined ? mode : "tandem",
    trust,
    secret,
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

function trustInCertificate(hostname: string, { caCerts = [] }: TlsOptions): ServerTrust {
  for (const cert of caCerts) {
    try {
      new X509Certificate(cert);
    } catch (error) {
      throw new TandemError("usage", "an authority's certificate is none", { cause: error, hint: "it is PEM text" });
    }
  }
  return { name: hostname, caCerts, bySecret: false };
}
