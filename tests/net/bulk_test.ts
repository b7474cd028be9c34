/**
 * Tests of the bulk path: exact sizes, progress, and rates.
 *
 * @module
 */

import { assertEndOfBody, type ByteSource, receiveBody, sendBody } from "../../src/net/bulk.ts";
import { assert, assertEquals, assertGreater, assertLess, assertStringIncludes } from "../deps.ts";
import { assertBytes } from "./bytes.ts";
import { PATIENCE_MS, timed, within } from "./deadline.ts";
import { assertFails } from "./failure.ts";
import { bytes, openPair } from "./pair.ts";

const LIMITS = { stallTimeoutMs: 1_000, minBytesPerSecond: 1 };

/** A source of so many bytes, that gives at most so many at a time; by promises where it is told so. */
function sourceOf(sizeBytes: number, atATime = Infinity, later = false): ByteSource {
  let given = 0;
  return {
    read(buffer) {
      const count = Math.min(buffer.length, atATime, sizeBytes - given);
      if (count === 0) return null;
      for (let i = 0; i < count; i++) buffer[i] = letterAt(given + i);
      given += count;
      return later ? Promise.resolve(count) : count;
    },
  };
}

function letterAt(index: number): number {
  return (index * 31 + (index >> 8)) & 0xff;
}

function content(sizeBytes: number): Uint8Array {
  return new Uint8Array(sizeBytes).map((_, i) => letterAt(i));
}

Deno.test("sendBody() sends a header and the bytes, however its source gives them", async () => {
  const sources = [[Infinity, false], [Infinity, true], [1_000, false], [70_000, true]] as const;
  for (const size of [0, 1, 262_134, 262_135, 1_000_000]) {
    for (const [atATime, later] of sources) {
      using pair = await openPair();
      const sending = sendBody(pair.channel, sourceOf(size, atATime, later), size, LIMITS);
      const { bytes: came } = await pair.wire.take(10 + size);
      await within(sending, PATIENCE_MS, "a body");
      assertEquals(new TextDecoder().decode(came.subarray(0, 10)), String(size).padStart(10, "0"));
      assertBytes(came.subarray(10), content(size));
    }
  }
});

Deno.test("sendBody() sends the header together with the first bytes", async () => {
  using pair = await openPair();
  await sendBody(pair.channel, sourceOf(5), 5, LIMITS);
  assertEquals(pair.writtenBytes, [15]);
});

Deno.test("F5 sendBody() sends no more than was announced when its source has more", async () => {
  using pair = await openPair();
  await sendBody(pair.channel, sourceOf(1_000), 700, LIMITS);
  pair.channel.close();
  const { bytes: came, ending } = await pair.wire.take(2_000);
  assertEquals([came.length, ending], [710, "EOF"]);
});

Deno.test("F4 sendBody() fails with changed when its source has less than was announced", async () => {
  using pair = await openPair();
  const { message } = await assertFails(sendBody(pair.channel, sourceOf(700), 1_000, LIMITS), "changed");
  assertStringIncludes(message, "700 of 1000 bytes");
});

Deno.test("receiveBody() takes exactly what was announced, and leaves what follows", async () => {
  for (const size of [0, 1, 65_537, 2_500_000]) {
    using pair = await openPair();
    const { channel, wire } = pair;
    const sending = wire.send(content(size)).then(() => wire.send(bytes("0000000007")));
    const came = new Uint8Array(size);
    let filled = 0;
    const write = (part: Uint8Array) => {
      came.set(part, filled);
      filled += part.length;
    };
    await within(receiveBody(channel, { write }, size, LIMITS), PATIENCE_MS, "a body");
    assertBytes(came, content(size));
    assertEquals(await channel.header(), { sign: "", value: 7 });
    await sending;
  }
});

Deno.test("receiveBody() waits for a sink that takes its time", async () => {
  using pair = await openPair();
  const sending = pair.wire.send(content(3_000_000));
  let writing = 0;
  let taken = 0;
  const write = async (part: Uint8Array) => {
    assertEquals(++writing, 1);
    await new Promise((resolve) => setTimeout(resolve));
    taken += part.length;
    writing--;
  };
  await within(receiveBody(pair.channel, { write }, 3_000_000, LIMITS), PATIENCE_MS, "a body");
  assertEquals(taken, 3_000_000);
  await sending;
});

Deno.test("K5 receiveBody() fails with disconnected when the body ends short", async () => {
  using pair = await openPair();
  await pair.wire.send(content(700));
  pair.wire.close();
  const receiving = receiveBody(pair.channel, { write() {} }, 1_000, LIMITS);
  const { message } = await assertFails(receiving, "disconnected");
  assertEquals(message, "incomplete: 700 of 1000 bytes came before the connection ended");
});

Deno.test("K6 assertEndOfBody() fails with protocol when one byte more comes", async () => {
  using pair = await openPair();
  await pair.wire.send(bytes("!"));
  await assertFails(assertEndOfBody(pair.channel), "protocol");
});

Deno.test("assertEndOfBody() is content with an end, and with silence after a moment", async () => {
  {
    using pair = await openPair();
    pair.wire.close();
    await within(assertEndOfBody(pair.channel), PATIENCE_MS, "an end");
  }
  using pair = await openPair();
  assertLess(await timed(() => assertEndOfBody(pair.channel), PATIENCE_MS, "silence"), 1_500);
});

Deno.test("sendBody() and receiveBody() tell their progress, the whole last", async () => {
  using pair = await openPair();
  const size = 3_000_000;
  const sent: number[] = [];
  const sending = sendBody(pair.channel, sourceOf(size), size, { ...LIMITS, onProgress: (moved) => sent.push(moved) });
  await pair.wire.take(10 + size);
  await within(sending, PATIENCE_MS, "a body");
  const received: number[] = [];
  const onProgress = (moved: number) => void received.push(moved);
  const again = pair.wire.send(content(size));
  await receiveBody(pair.channel, { write() {} }, size, { ...LIMITS, onProgress });
  await again;
  for (const steps of [sent, received]) {
    assertEquals(steps.at(-1), size);
    assertEquals(steps, steps.toSorted((a, b) => a - b));
    assertGreater(steps.length, 1);
  }
});

Deno.test("sendBody() and receiveBody() keep to a rate, in small pieces", async () => {
  const size = 50_000;
  const paced = { ...LIMITS, bytesPerSecond: 200_000 };
  {
    using pair = await openPair();
    const taking = pair.wire.take(10 + size);
    const sending = () => sendBody(pair.channel, sourceOf(size), size, paced);
    assertGreater(await timed(sending, PATIENCE_MS, "a body"), 100);
    assertEquals((await taking).bytes.length, 10 + size);
  }
  using pair = await openPair();
  const sending = pair.wire.send(content(size));
  const parts: number[] = [];
  const write = (part: Uint8Array) => void parts.push(part.length);
  const receiving = () => receiveBody(pair.channel, { write }, size, paced);
  assertGreater(await timed(receiving, PATIENCE_MS, "a body"), 200);
  assert(Math.max(...parts) <= 25_000, String(parts));
  await sending;
});

Deno.test("sendBody() at a rate below the slowest that is taken is no stall", async () => {
  using pair = await openPair();
  const limits = { stallTimeoutMs: 200, minBytesPerSecond: 100_000, bytesPerSecond: 1_000 };
  const taking = pair.wire.take(510);
  await within(sendBody(pair.channel, sourceOf(500), 500, limits), PATIENCE_MS, "a body");
  assertEquals((await taking).bytes.length, 510);
});

Deno.test("D7 sendBody() fails with timeout when the other end takes nothing", async () => {
  using pair = await openPair();
  const size = 50_000_000;
  const limits = { stallTimeoutMs: 200, minBytesPerSecond: 1 };
  const { message } = await assertFails(sendBody(pair.channel, sourceOf(size), size, limits), "timeout");
  assertStringIncludes(message, "stalled: 0 bytes in 0.2 s");
});
