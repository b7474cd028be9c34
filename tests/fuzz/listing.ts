/**
 * Invariant: a listing of servable names is read back the same. Any bytes at
 * all are read without an exception, no name of them has a line feed, and what
 * was read is written and read again without a change.
 *
 * @module
 */

import { decodeListing, encodeListing, type ListedName } from "../../src/protocol/listing.ts";
import { fc } from "../deps.ts";
import { concat } from "../protocol/reading.ts";
import { ordinaryName, pathLike } from "./arbitraries.ts";
import { assertSame, target } from "./target.ts";

const listed: fc.Arbitrary<ListedName> = fc.record({
  name: ordinaryName,
  kind: fc.constantFrom("file", "directory"),
});

const roundTrip = target(
  "listings round trip",
  fc.array(listed, { maxLength: 5 }),
  (names) => {
    const bytes = encodeListing(names);
    assertSame(decodeListing(bytes), names);
    const noLastLineFeed = bytes.subarray(0, -1);
    assertSame(decodeListing(noLastLineFeed), names);
  },
);

const encoder = new TextEncoder();

const hostileBytes = fc.array(
  fc.oneof(
    pathLike.map((text) => encoder.encode(text)),
    fc.constantFrom("\n", "/\n", "\r\n", "\n\n").map((text) => encoder.encode(text)),
    fc.uint8Array({ maxLength: 4 }),
  ),
  { maxLength: 5 },
).map((parts) => parts.reduce(concat, new Uint8Array()));

const hostile = target(
  "listings of any bytes are read",
  hostileBytes,
  (bytes) => {
    const names = decodeListing(bytes);
    for (const { name } of names) {
      assertSame(name === "" || name.includes("\n"), false);
    }
    assertSame(decodeListing(encodeListing(names)), names);
  },
);

/** The targets of listings. */
export const listingTargets = [roundTrip, hostile] as const;
