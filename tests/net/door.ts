/**
 * A listening port for tests: of Deno's, or of `node:net` where what comes in
 * is to be reset.
 *
 * @module
 */

import { type AddressInfo, createServer, type Socket } from "node:net";
import type { Credentials } from "../../mod.ts";
import { PATIENCE_MS, within } from "./deadline.ts";
import { DenoPeer, NodePeer, type RawPeer } from "./raw_peer.ts";
import { Wire } from "./wire.ts";

/** A port that takes connections. Disposing of it closes it. */
export interface Door extends Disposable {
  /** The port's number. */
  readonly port: number;
  /** The next connection. */
  accept(): Promise<Wire>;
}

/** How a port is opened. */
export interface DoorOptions {
  /** The address. Default: `127.0.0.1`. */
  readonly hostname?: string;
  /** The port's number. Default: any free one. */
  readonly port?: number;
  /** Whether its connections can be reset. */
  readonly canReset?: boolean;
  /** What it shows and proves inside TLS. Default: it speaks no TLS. */
  readonly credentials?: Credentials | undefined;
  /** What it says that it speaks inside TLS. Default: `tandem/1`. */
  readonly alpnProtocols?: readonly string[];
  /** What stands between a connection and whoever takes it. Default: nothing. */
  readonly through?: (peer: RawPeer) => RawPeer;
}

/** Listens on a port. */
export async function openDoor(options: DoorOptions = {}): Promise<Door> {
  const { hostname = "127.0.0.1", port = 0, credentials, alpnProtocols = ["tandem/1"], through } = options;
  if (options.canReset) return await openNodeDoor(hostname, port);
  return denoDoor(
    credentials === undefined
      ? Deno.listen({ hostname, port })
      : Deno.listenTls({ hostname, port, ...credentials, alpnProtocols: [...alpnProtocols] }),
    through,
  );
}

function denoDoor(listener: Deno.TcpListener | Deno.TlsListener, through = (peer: RawPeer) => peer): Door {
  return {
    port: (listener.addr as Deno.NetAddr).port,
    async accept() {
      const accepting: Promise<Deno.TcpConn | Deno.TlsConn> = listener.accept();
      try {
        const conn = await within(accepting, PATIENCE_MS, "a connection");
        return new Wire(through(new DenoPeer(conn)));
      } catch (error) {
        // If somebody comes after all, nobody is there to close it.
        accepting.then((conn) => conn.close(), () => {});
        throw error;
      }
    },
    [Symbol.dispose]: () => listener.close(),
  };
}

async function openNodeDoor(hostname: string, port: number): Promise<Door> {
  const came: Socket[] = [];
  const server = createServer({ allowHalfOpen: true, pauseOnConnect: true });
  server.on("connection", (socket: Socket) => came.push(socket));
  await new Promise<void>((resolve) => server.listen(port, hostname, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async accept() {
      const waiting = Promise.withResolvers<void>();
      server.once("connection", () => waiting.resolve());
      if (came.length === 0) {
        await within(waiting.promise, PATIENCE_MS, "a connection");
      }
      const socket = came.shift();
      if (socket === undefined) throw new Error("another one took it");
      return new Wire(new NodePeer(socket));
    },
    [Symbol.dispose]() {
      for (const socket of came) socket.destroy();
      server.close();
    },
  };
}

/**
 * A port that nobody listens on. From below those that outgoing connections
 * use, so that a client that tries it again and again is not connected to itself.
 */
export function closedPort(hostname = "127.0.0.1"): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 12_000);
    try {
      Deno.listen({ hostname, port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** A port whose queue is full, so that it neither takes a connection nor refuses one. Linux only. */
export async function fullPort(): Promise<
  Disposable & { readonly port: number }
> {
  using stack = new DisposableStack();
  const listener = stack.use(
    Deno.listen({ hostname: "127.0.0.1", port: 0, tcpBacklog: 1 }),
  );
  const { port } = listener.addr;
  for (let i = 0; i < 2; i++) stack.use(await Deno.connect({ port }));
  const open = stack.move();
  return { port, [Symbol.dispose]: () => open.dispose() };
}
