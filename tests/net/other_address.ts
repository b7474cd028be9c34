/**
 * Connections from an address of this machine other than the usual one, which
 * Deno's own sockets cannot choose.
 *
 * @module
 */

import { connect } from "node:net";
import { NodePeer } from "./raw_peer.ts";
import { Wire } from "./wire.ts";

/** Connects from `localAddress` to a port of this machine. */
export async function connectFrom(localAddress: string, port: number): Promise<Wire> {
  const socket = connect({ host: "127.0.0.1", port, localAddress, allowHalfOpen: true });
  await new Promise<void>((resolve, reject) => {
    socket.once("connect", resolve);
    socket.once("error", (error: Error & { code?: string }) => {
      reject(error.code === "ECONNREFUSED" ? new Deno.errors.ConnectionRefused(error.message) : error);
    });
  });
  return new Wire(new NodePeer(socket));
}
