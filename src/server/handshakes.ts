/**
 * The server's side of TLS handshakes: each has its time.
 *
 * Deno cannot close a connection whose handshake is not over: the socket stays
 * open until the peer goes away (seen on 2.4 to 2.9). So one that takes too long
 * is given up, not served and counted, until its peer has gone; and when too many
 * of them have gathered, nobody is accepted before some have, so that what runs
 * keeps its descriptors and its memory.
 *
 * @module
 */

import { MAX_UNFINISHED_HANDSHAKES } from "../limits.ts";
import { formatAddress, timedOut, unmapped } from "../net/channel.ts";
import { ALPN, serverFailure } from "../net/tls.ts";
import { TandemError } from "../errors.ts";

/** All handshakes of a server. */
export class Handshakes {
  readonly #unfinished = new Set<Deno.TlsConn>();
  #ended = Promise.withResolvers<void>();

  /** Resolved when there is room for another one; `onFull` is called if that is not so at once. */
  async room(onFull: () => void = () => {}): Promise<void> {
    if (this.#unfinished.size >= MAX_UNFINISHED_HANDSHAKES) onFull();
    while (this.#unfinished.size >= MAX_UNFINISHED_HANDSHAKES) await this.#ended.promise;
  }

  /**
   * Waits for the end of a handshake. If it fails or takes too long, the
   * connection is closed, or will be.
   *
   * @throws {TandemError} `timeout`; as {@linkcode serverFailure}.
   */
  async finish(conn: Deno.TlsConn, timeoutMs: number): Promise<void> {
    const { hostname, port } = unmapped(conn.remoteAddr);
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(timedOut("the end of a handshake", formatAddress(hostname, port), timeoutMs)),
      timeoutMs,
    );
    this.#unfinished.add(conn);
    let isLate = false;
    const handshake = conn.handshake().then(({ alpnProtocol }) => {
      if (alpnProtocol !== ALPN) throw new TandemError("auth-required", "the client speaks TLS, but not tandem");
      if (isLate) conn.close();
    }).catch((error) => {
      if (this.#unfinished.has(conn)) conn.close();
      throw error instanceof TandemError ? error : serverFailure(error);
    }).finally(() => {
      this.#unfinished.delete(conn);
      this.#ended.resolve();
      this.#ended = Promise.withResolvers();
    });
    try {
      await Promise.race([late.promise, handshake]);
    } catch (error) {
      isLate = true;
      // What becomes of it later is of no interest.
      handshake.catch(() => {});
      throw error;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Closes what has not come to an end. */
  close(): void {
    for (const conn of this.#unfinished) {
      this.#unfinished.delete(conn);
      conn.close();
    }
  }
}
