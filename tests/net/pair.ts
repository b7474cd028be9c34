/**
 * A channel with a raw connection at its other end.
 *
 * @module
 */

import { Channel } from "../../src/net/channel.ts";
import { DenoPeer } from "./raw_peer.ts";
import { Wire } from "./wire.ts";

/** Both ends of one connection. Disposing of it closes them. */
export interface Pair extends Disposable {
  /** Our end. */
  readonly channel: Channel;
  /** The other one. */
  readonly wire: Wire;
  /** How long each write of our end was: the other one cannot tell them apart. */
  readonly writtenBytes: readonly number[];
}

/** Connects a channel with a raw connection. */
export async function openPair(): Promise<Pair> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [conn, other] = await Promise.all([
    Deno.connect({ hostname: "127.0.0.1", port: listener.addr.port }),
    listener.accept(),
  ]);
  const writtenBytes: number[] = [];
  const write = conn.write.bind(conn);
  conn.write = (bytes) => {
    writtenBytes.push(bytes.length);
    return write(bytes);
  };
  const channel = new Channel(conn);
  const wire = new Wire(new DenoPeer(other));
  return {
    channel,
    wire,
    writtenBytes,
    [Symbol.dispose]() {
      channel.close();
      wire.close();
    },
  };
}

/** A text as bytes. */
export function bytes(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
