/**
 * TLS on both sides of a connection, in this project's words: who is taken for
 * the right server, and what a handshake that failed means to people.
 *
 * Deno's own TLS, not that of `node:tls`: on this machine both hand over a GiB
 * in about the same time, but `node:tls` takes 1.4 times as long in the other
 * direction, holds 300 to 500 MB meanwhile, and serves from Deno 2.8 on only.
 * What Deno's lacks: it has no way to leave out TLS 1.2 (with forward secrecy
 * and authenticated ciphers only), and to close a connection before its
 * handshake is over does not close it until the peer goes away.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { type Credentials, SERVER_NAME } from "../secret/certificate.ts";
import type { Secret } from "../secret/secret.ts";
import { whenAborted } from "./abort.ts";
import { type Channel, formatAddress, noDelay, unmapped } from "./channel.ts";
import { isRefusal } from "./net_error.ts";

/** What both ends must say that they speak inside TLS (RFC 7301). */
export const ALPN = "tandem/1";

/** Whom a client takes for the right server. */
export interface ServerTrust {
  /** The name that its certificate must have. */
  readonly name: string;
  /** Certificates of authorities that may vouch for it, as PEM text. */
  readonly caCerts: readonly string[];
  /** Whether the authority is that of a secret, and not one of the public ones. */
  readonly bySecret: boolean;
}

/** The trust in whoever has the same secret. */
export function trustInSecret(secret: Secret): ServerTrust {
  return { name: SERVER_NAME, caCerts: [secret.authorityCert], bySecret: true };
}

/**
 * Opens a port for TLS.
 *
 * @throws what `Deno.listenTls` throws; `InvalidData` and others if the credentials are none.
 */
export function listenTls(hostname: string, port: number, { cert, key }: Credentials): Deno.TlsListener {
  return Deno.listenTls({ hostname, port, cert, key, alpnProtocols: [ALPN] });
}

/**
 * The client's side of the handshake, on a connection that has just been opened.
 * Closes it if that fails or `signal` is aborted.
 *
 * @throws {TandemError} `auth-failed` if it is not the right server;
 * `unsupported` if it speaks something else; `disconnected`.
 */
export async function shakeHands(
  conn: Deno.TcpConn,
  trust: ServerTrust,
  signal: AbortSignal,
): Promise<Deno.TlsConn> {
  const { hostname, port } = unmapped(conn.remoteAddr);
  const address = formatAddress(hostname, port);
  noDelay(conn);
  let secured: Deno.TlsConn | undefined;
  try {
    const { name, caCerts } = trust;
    secured = await Deno.startTls(conn, { hostname: name, caCerts: [...caCerts], alpnProtocols: [ALPN] });
    const present = secured;
    using _guard = whenAborted(signal, () => present.close());
    const { alpnProtocol } = await secured.handshake();
    if (alpnProtocol !== ALPN) {
      throw new TandemError("unsupported", `${address} speaks TLS, but not tandem`, {
        hint: "is the port the right one?",
      });
    }
    return secured;
  } catch (error) {
    if (!signal.aborted || secured === undefined) (secured ?? conn).close();
    throw error instanceof TandemError ? error : clientFailure(error, address, trust);
  }
}

/** Why a client's handshake failed. */
function clientFailure(error: unknown, address: string, trust: ServerTrust): TandemError {
  const text = error instanceof Error ? error.message : String(error);
  if (/invalid peer certificate/.test(text)) return untrusted(text, address, trust);
  if (/NoApplicationProtocol/.test(text)) {
    return new TandemError("unsupported", `${address} speaks TLS, but not tandem`, {
      cause: error,
      hint: "is the port the right one?",
    });
  }
  if (error instanceof Deno.errors.InvalidData) {
    return new TandemError("unsupported", `${address} does not encrypt: it has no secret`, {
      cause: error,
      hint: "start the server with the same secret; without one, nothing was sent to it",
    });
  }
  if (error instanceof Deno.errors.UnexpectedEof || isRefusal(error)) {
    return new TandemError("disconnected", `${address} closed the connection instead of encrypting it`, {
      cause: error,
      hint: "a server without a secret does that; nothing was sent to it",
    });
  }
  return new TandemError("disconnected", `no encrypted connection to ${address} came about: ${text}`, { cause: error });
}

function untrusted(text: string, address: string, { bySecret }: ServerTrust): TandemError {
  const cause = text.replace(/^.*invalid peer certificate: /, "");
  return bySecret
    ? new TandemError("auth-failed", `${address} does not have the same secret`, {
      cause: text,
      hint: "compare the secret on both sides; a server with a certificate of its own is reached with --tls",
    })
    : new TandemError("auth-failed", `the certificate of ${address} is not to be trusted: ${cause}`, {
      cause: text,
      hint: "--tls-ca names an authority of your own; the host must be called as the certificate does",
    });
}

/** What a server that encrypts answers to anything else begins with: a TLS alert and the version (RFC 8446, 5.1). */
const ALERT_START = [0x15, 0x03];

/** Whether what has come over a connection without TLS is the answer of a server that encrypts. */
export function asksForTls(channel: Channel): boolean {
  const start = channel.peek(ALERT_START.length);
  return ALERT_START.every((byte, i) => start[i] === byte);
}

/** The error of a client that has no secret where one is wanted. */
export function wantsSecret(peer: string): TandemError {
  return new TandemError("auth-required", `${peer} wants a secret`, {
    hint: "--secret-file FILE or TANDEM_SECRET has it; --tls is for a server with a certificate of its own",
  });
}

/** Why a server's handshake failed, for its log. */
export function serverFailure(error: unknown): TandemError {
  const text = error instanceof Error ? error.message : String(error);
  if (/fatal alert: (DecryptError|UnknownCA|BadCertificate|CertificateUnknown)/.test(text)) {
    return new TandemError("auth-failed", "the client does not take this server for the right one: another secret?");
  }
  if (error instanceof Deno.errors.InvalidData) {
    return /InvalidContentType/.test(text)
      ? new TandemError("auth-required", "the client does not encrypt: no secret?")
      : new TandemError("auth-required", `the client does not speak this TLS: ${text}`);
  }
  return new TandemError("disconnected", `the connection ended in the handshake: ${text}`, { cause: error });
}
