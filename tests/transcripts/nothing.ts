/**
 * The messages that say nothing (MSG-7), which a client may send whenever it
 * waits: a scripted server takes no notice of how many there are.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { RawPeer } from "../net/raw_peer.ts";

/** A message that says nothing. */
export const NOTHING = "-000000000";

/** A connection whose messages come without those that say nothing. All that comes must be messages of the tandem exchange. */
export function withoutNothing(peer: RawPeer): RawPeer {
  let held = Buffer.alloc(0);
  let bodyBytes = 0;
  return {
    async read(maxBytes) {
      for (;;) {
        const bytes = await peer.read(maxBytes);
        if (bytes === null) {
          const rest = held;
          held = Buffer.alloc(0);
          return rest.length === 0 ? null : rest;
        }
        held = Buffer.concat([held, bytes]);
        const passed: Uint8Array[] = [];
        for (let count = ready(); count > 0; count = ready()) {
          const piece = held.subarray(0, count);
          held = held.subarray(count);
          if (bodyBytes > 0) {
            bodyBytes -= count;
          } else {
            const header = piece.toString("latin1");
            if (header === NOTHING) continue;
            // What is no header is passed on with all that follows.
            bodyBytes = /^[+-]\d{9}$/.test(header) ? Number(header.slice(1)) : Infinity;
          }
          passed.push(piece);
        }
        if (passed.length > 0) return Buffer.concat(passed);
      }
    },
    write: (bytes) => peer.write(bytes),
    closeWrite: () => peer.closeWrite(),
    close: () => peer.close(),
    reset: () => peer.reset(),
  };

  /** How much of what is held can be passed on or dropped: of a body what is there, of a header all ten bytes. */
  function ready(): number {
    if (bodyBytes > 0) return Math.min(bodyBytes, held.length);
    return held.length < NOTHING.length ? 0 : NOTHING.length;
  }
}
