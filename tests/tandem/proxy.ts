/**
 * A TCP proxy between a client and a server under test: a port mapping that
 * counts, and that can be a long way, a cut cable or a damaged one.
 *
 * It knows nothing of the exchange. A connection has two streams: `up` is what
 * the client sends, `down` what the server does. Connections are numbered from
 * 0 in the order in which they came.
 *
 * @module
 */

import { connect as dial, createServer, type Server, type Socket } from "node:net";
import { Stream } from "./proxy_stream.ts";

/** Which way bytes go: from the client, or to it. */
export type Direction = "up" | "down";

/** A place in what goes through. */
export interface Place {
  /** The connection's number. */
  readonly connection: number;
  /** The direction. */
  readonly direction: Direction;
  /** How many bytes of that stream are before it. */
  readonly offset: number;
}

/** A bit that is turned over on its way. */
export interface Flip extends Place {
  /** The bit's number, 0 to 7. */
  readonly bit: number;
}

/** Where a connection is cut. */
export interface Cut extends Place {
  /** The record of TLS from whose beginning the offset is counted, which then may be less than 0. Default: from that of the stream. */
  readonly record?: number;
  /** Whether both ends see an end of the stream, or a reset. */
  readonly how: "fin" | "rst";
}

/** One record of TLS. */
export interface RecordPlace {
  /** The connection's number. */
  readonly connection: number;
  /** The direction. */
  readonly direction: Direction;
  /** The record's number in that stream, from 0. */
  readonly record: number;
}

/** Where everything stands still: when as many bytes have gone that way, over all connections since {@linkcode Proxy.stopAfter}. */
export interface Stop {
  /** The direction. */
  readonly direction: Direction;
  /** The bytes that still go through. */
  readonly bytes: number;
}

/** What a proxy does besides. */
export interface ProxyOptions {
  /** How long each byte is on its way, in milliseconds. Default: 0. */
  readonly delayMs?: number;
  /** Turns a bit over. */
  readonly flip?: Flip;
  /** Cuts a connection. */
  readonly cut?: Cut;
  /** From where on nothing more comes through, and no end either. */
  readonly mute?: Place;
  /** What goes on in place of each record of TLS. */
  readonly change?: (record: Uint8Array, place: RecordPlace) => Uint8Array;
  /** Whether what came in is kept, as it was before a bit was turned over. Default: no. */
  readonly record?: boolean;
}

/** A connection through the proxy. */
export interface Connection {
  /** What the client sends. */
  readonly up: Stream;
  /** What the server sends. */
  readonly down: Stream;
}

/** A running proxy. Disposing of it resets what is open. */
export class Proxy implements AsyncDisposable {
  /** The port that clients connect to. */
  readonly port: number;
  /** The server's port, for connections that are still to come. */
  upstreamPort: number;
  /** The connections so far. */
  readonly connections: Connection[] = [];
  /** The ports that were connected to for them. */
  readonly dialled: number[] = [];
  readonly #server: Server;
  readonly #options: ProxyOptions;
  readonly #sockets = new Set<Socket>();
  readonly #closed = new Set<Promise<void>>();
  #stop: { left: number; readonly direction: Direction; readonly reached: () => void } | undefined;

  private constructor(server: Server, port: number, upstreamPort: number, options: ProxyOptions) {
    this.#server = server;
    this.port = port;
    this.upstreamPort = upstreamPort;
    this.#options = options;
    server.on("connection", (client: Socket) => this.#admit(client));
  }

  /** Listens on a free port of 127.0.0.1, for connections to `upstreamPort` there. */
  static async open(upstreamPort: number, options: ProxyOptions = {}): Promise<Proxy> {
    const server = createServer({ allowHalfOpen: true, noDelay: true });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    if (address === null || typeof address === "string") throw new Error("the proxy has no port");
    return new Proxy(server, address.port, upstreamPort, options);
  }

  /** How many bytes came in for a direction, over all connections. */
  bytes(direction: Direction): number {
    return this.connections.reduce((sum, connection) => sum + connection[direction].bytes, 0);
  }

  /** The same of both directions. */
  get allBytes(): number {
    return this.bytes("up") + this.bytes("down");
  }

  /**
   * Lets so many more bytes through in a direction, and then nothing more in
   * either, until {@linkcode Proxy.cutAll}. Resolved when that is so.
   */
  stopAfter({ direction, bytes }: Stop): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#stop = { direction, left: bytes, reached: resolve };
    return promise;
  }

  /** Resets all connections, and lets those that come later through. */
  async cutAll(how: Cut["how"] = "rst"): Promise<void> {
    this.#stop = undefined;
    for (const socket of this.#sockets) how === "rst" ? socket.resetAndDestroy() : socket.destroy();
    await Promise.all(this.#closed);
  }

  /** Resets what is open, and listens no more. */
  async [Symbol.asyncDispose](): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    await this.cutAll();
    await closed;
  }

  #admit(client: Socket): void {
    const number = this.connections.length;
    this.dialled.push(this.upstreamPort);
    const server = dial({ host: "127.0.0.1", port: this.upstreamPort, allowHalfOpen: true, noDelay: true });
    const ends = [client, server];
    const cut = (how: Cut["how"]) => {
      for (const end of ends) how === "rst" ? end.resetAndDestroy() : end.destroy();
    };
    const between = (from: Socket, to: Socket, direction: Direction) => {
      const at = (place: Place | undefined) => place?.connection === number && place.direction === direction;
      const { delayMs, record, flip, cut: cutting, mute, change } = this.#options;
      return new Stream(from, to, {
        delayMs: delayMs ?? 0,
        record: record ?? false,
        flip: at(flip) ? flip : undefined,
        cut: at(cutting) ? cutting : undefined,
        muteOffset: at(mute) ? mute?.offset : undefined,
        change: change && ((bytes, record) => change(bytes, { connection: number, direction, record })),
        onCut: () => cut(cutting?.how ?? "rst"),
        passes: (count) => this.#passes(direction, count),
      });
    };
    this.connections.push({ up: between(client, server, "up"), down: between(server, client, "down") });
    for (const end of ends) {
      this.#sockets.add(end);
      const closed = new Promise<void>((resolve) => {
        end.once("close", () => {
          this.#sockets.delete(end);
          resolve();
        });
      });
      this.#closed.add(closed);
      void closed.then(() => this.#closed.delete(closed));
      // A reset of one end is one of the other, and so is a port where nobody listens.
      end.on("error", () => cut("rst"));
    }
  }

  /** How many of so many bytes may go on; undefined for all of them. */
  #passes(direction: Direction, count: number): number | undefined {
    const stop = this.#stop;
    if (stop === undefined) return undefined;
    if (stop.left > 0 && (stop.direction !== direction || count < stop.left)) {
      if (stop.direction === direction) stop.left -= count;
      return undefined;
    }
    const passed = stop.left;
    stop.left = 0;
    stop.reached();
    return passed;
  }
}
