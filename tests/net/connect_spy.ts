/**
 * Watches which connections this process opens: where to, and how that went.
 *
 * @module
 */

import { PATIENCE_MS, within } from "./deadline.ts";

/** One attempt to connect. */
export interface ConnectAttempt {
  /** The name or address. */
  readonly hostname: string;
  /** The port. */
  readonly port: number;
  /** Whether nobody listened there. */
  refused: boolean;
  /** What was written, inside TLS where it is, each write by itself: the other end cannot tell them apart. */
  readonly writes: Uint8Array[];
}

/** Attempts since the spy was set. Disposing of it removes it. */
export interface ConnectSpy extends Disposable {
  /** The attempts in their order. */
  readonly attempts: readonly ConnectAttempt[];
  /** Resolved when `holds` is true of them. */
  until(holds: (attempts: readonly ConnectAttempt[]) => boolean): Promise<void>;
}

/** Sets the spy: from now on `Deno.connect` and `Deno.startTls` are watched. */
export function spyOnConnect(): ConnectSpy {
  const { connect: original, startTls } = Deno;
  const byConn = new WeakMap<Deno.Conn, ConnectAttempt>();
  const attempts: ConnectAttempt[] = [];
  const watchers = new Set<() => void>();
  const tell = () => watchers.forEach((look) => look());
  const watched = async (options: Deno.ConnectOptions) => {
    const { hostname = "", port } = options;
    const attempt: ConnectAttempt = { hostname, port, refused: false, writes: [] };
    attempts.push(attempt);
    tell();
    try {
      const conn = await original(options);
      byConn.set(conn, attempt);
      return noteWrites(conn, attempt);
    } catch (error) {
      attempt.refused = error instanceof Deno.errors.ConnectionRefused;
      tell();
      throw error;
    }
  };
  const watchedTls = async (conn: Deno.TcpConn, options?: Deno.StartTlsOptions) => {
    const attempt = byConn.get(conn);
    const secured = await startTls(conn, options);
    return attempt === undefined ? secured : noteWrites(secured, attempt);
  };
  Object.assign(Deno, { connect: watched, startTls: watchedTls });
  return {
    attempts,
    until(holds) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const look = () => holds(attempts) && resolve();
      watchers.add(look);
      look();
      return within(promise, PATIENCE_MS, "an attempt to connect")
        .finally(() => watchers.delete(look));
    },
    [Symbol.dispose]: () => void Object.assign(Deno, { connect: original, startTls }),
  };
}

/** Has an attempt know what is written to a connection. */
function noteWrites<C extends Deno.Conn>(conn: C, { writes }: ConnectAttempt): C {
  const write = conn.write.bind(conn);
  conn.write = (bytes) => {
    writes.push(bytes.slice());
    return write(bytes);
  };
  return conn;
}
