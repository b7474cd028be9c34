/**
 * A connection without any of tandem's own code, over Deno's sockets or over
 * those of `node:net`, which alone can send a reset.
 *
 * @module
 */

import type { Socket } from "node:net";

/** One end of a connection. */
export interface RawPeer {
  /**
   * What comes next, `maxBytes` of it where that can be limited, or `null` where
   * the other end has closed; rejects when the connection broke.
   */
  read(maxBytes: number): Promise<Uint8Array | null>;
  /** Writes all of `bytes`. */
  write(bytes: Uint8Array): Promise<void>;
  /** Says that nothing more will be written. */
  closeWrite(): Promise<void>;
  /** Closes the connection; more than once does no harm. */
  close(): void;
  /** Breaks the connection, so that the other end sees a reset. */
  reset(): void;
}

/** A connection of Deno's. */
export class DenoPeer implements RawPeer {
  readonly #conn: Deno.TcpConn | Deno.TlsConn;
  #closed = false;

  constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    if ("setNoDelay" in conn) conn.setNoDelay(true);
    this.#conn = conn;
  }

  async read(maxBytes: number): Promise<Uint8Array | null> {
    const buffer = new Uint8Array(maxBytes);
    const count = await this.#conn.read(buffer);
    return count === null ? null : buffer.subarray(0, count);
  }

  async write(bytes: Uint8Array): Promise<void> {
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(await this.#conn.write(rest));
  }

  closeWrite(): Promise<void> {
    return this.#conn.closeWrite();
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  reset(): void {
    throw new TypeError("Deno's connections cannot be reset");
  }
}

/** A connection of `node:net`, paused when it is given, with `allowHalfOpen`. It reads ahead, however little is asked for. */
export class NodePeer implements RawPeer {
  readonly #socket: Socket;
  #ended = false;
  #error: Error | undefined;

  constructor(socket: Socket) {
    socket.setNoDelay(true);
    socket.once("end", () => this.#ended = true);
    socket.once("error", (error) => this.#error = error);
    this.#socket = socket;
  }

  async read(): Promise<Uint8Array | null> {
    for (;;) {
      const bytes: unknown = this.#socket.read();
      if (bytes instanceof Uint8Array) return bytes;
      if (this.#error !== undefined) throw this.#error;
      if (this.#ended || this.#socket.destroyed) return null;
      await this.#next(["readable", "end", "error", "close"]);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    await new Promise<void>((resolve, reject) =>
      this.#socket.write(bytes, (error) => error ? reject(error) : resolve())
    );
  }

  async closeWrite(): Promise<void> {
    await new Promise<void>((resolve) => this.#socket.end(resolve));
  }

  close(): void {
    this.#socket.destroy();
  }

  reset(): void {
    this.#socket.resetAndDestroy();
  }

  #next(events: readonly string[]): Promise<void> {
    return new Promise((resolve) => {
      const settle = () => {
        for (const event of events) this.#socket.off(event, settle);
        resolve();
      };
      for (const event of events) this.#socket.on(event, settle);
    });
  }
}
