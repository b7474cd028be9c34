/**
 * Connections that `Deno.connect` cannot make: from another address of this
 * machine, and ones that end with a reset.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import net from "node:net";
import { within } from "./deadline.ts";
import { joined } from "./raw_client.ts";

/** A connection by way of `node:net`. Disposing of it closes it. */
export interface Stranger extends Disposable {
  /** Sends bytes. */
  send(bytes: Uint8Array): void;
  /** Resolves to all that came, when the other side has ended the connection. */
  ended(): Promise<Uint8Array>;
  /** Waits for `count` bytes. */
  receive(count: number): Promise<Uint8Array>;
  /** Ends the connection with a reset. */
  reset(): Promise<void>;
}

/** Connects to a port on `127.0.0.1` from `address`, any of `127.0.0.0/8`. */
export async function connectFrom(
  address: string,
  port: number,
): Promise<Stranger> {
  const socket = net.connect({
    host: "127.0.0.1",
    port,
    localAddress: address,
  });
  const pieces: Uint8Array[] = [];
  const cameSoFar = () => joined(...pieces);
  const end = Promise.withResolvers<Uint8Array>();
  const closed = Promise.withResolvers<void>();
  let more = Promise.withResolvers<void>();
  socket.on("data", (piece) => {
    pieces.push(typeof piece === "string" ? Buffer.from(piece) : piece);
    more.resolve();
    more = Promise.withResolvers();
  });
  socket.on("end", () => end.resolve(cameSoFar()));
  socket.on("error", () => end.resolve(cameSoFar()));
  socket.on("close", () => {
    closed.resolve();
    end.resolve(cameSoFar());
  });
  const connected = Promise.withResolvers<void>();
  socket.once("connect", () => connected.resolve());
  socket.once("error", connected.reject);
  await within(`a connection from ${address}`, connected.promise);
  return {
    send: (bytes) => void socket.write(bytes),
    ended: () => within(`the end of a connection from ${address}`, end.promise),
    async receive(count) {
      while (cameSoFar().length < count) {
        await within(`${count} bytes`, more.promise);
      }
      return cameSoFar().subarray(0, count);
    },
    async reset() {
      socket.resetAndDestroy();
      await within("a reset", closed.promise);
    },
    [Symbol.dispose]: () => void socket.destroy(),
  };
}
