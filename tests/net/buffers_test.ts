/**
 * Tests of the buffers that transfers lend.
 *
 * @module
 */

import { lendBuffer } from "../../src/net/buffers.ts";
import { assert, assertEquals } from "../deps.ts";

const KIB = 1024;

Deno.test("lendBuffer() lends the smallest that a transfer fits in, or the largest", () => {
  const sizes = [0, 1, 16 * KIB, 16 * KIB + 1, 256 * KIB, 256 * KIB + 1, 1024 * KIB, 9_999_999_999];
  const lent = sizes.map((size) => {
    using buffer = lendBuffer(size);
    return buffer.bytes.length / KIB;
  });
  assertEquals(lent, [16, 16, 16, 256, 256, 1024, 1024, 1024]);
});

Deno.test("lendBuffer() lends a buffer to one at a time, and again when it was given back", () => {
  const first = lendBuffer(1);
  using second = lendBuffer(1);
  assert(first.bytes.buffer !== second.bytes.buffer);
  first[Symbol.dispose]();
  using third = lendBuffer(1);
  assert(third.bytes.buffer === first.bytes.buffer);
});

Deno.test("lendBuffer() keeps no more than 8 MiB of a size", () => {
  const lent = Array.from({ length: 20 }, () => lendBuffer(1024 * KIB));
  const known = new Set(lent.map(({ bytes }) => bytes.buffer));
  for (const one of lent) one[Symbol.dispose]();
  const again = Array.from({ length: 20 }, () => lendBuffer(1024 * KIB));
  const kept = again.filter(({ bytes }) => known.has(bytes.buffer)).length;
  for (const one of again) one[Symbol.dispose]();
  assertEquals(kept, 8);
});
