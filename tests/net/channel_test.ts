/**
 * Tests of the channel: how it ends early, and that everything then says why.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { formatAddress } from "../../src/net/channel.ts";
import { END } from "../../src/protocol/decoder.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import { PATIENCE_MS, within } from "./deadline.ts";
import { assertFails } from "./failure.ts";
import { bytes, openPair } from "./pair.ts";

const WHY = new TandemError("busy", "because");

Deno.test("Channel.fail() ends a pending read, header and write with its error", async () => {
  const large = new Uint8Array(50_000_000);
  for (const wait of ["read", "header", "write"] as const) {
    using pair = await openPair();
    const { channel } = pair;
    const waiting = wait === "write"
      ? channel.write(large)
      : wait === "read"
      ? channel.read(new Uint8Array(1))
      : channel.header();
    const failing = assertFails(waiting, "busy");
    channel.fail(WHY);
    assertEquals(await failing, WHY);
  }
});

Deno.test("Channel gives the first error that it failed with, whatever is tried later", async () => {
  using pair = await openPair();
  const { channel } = pair;
  channel.fail(WHY);
  channel.fail(new TandemError("internal", "another"));
  channel.close();
  assertEquals(channel.failure, WHY);
  assertEquals(await assertFails(channel.read(new Uint8Array(1)), "busy"), WHY);
  assertEquals(await assertFails(channel.header(), "busy"), WHY);
  assertEquals(await assertFails(channel.write(bytes("x")), "busy"), WHY);
  assertEquals(await assertFails(channel.closeWrite(), "busy"), WHY);
});

Deno.test("Channel.deadline() fails with timeout, and says for what it waited how long", async () => {
  using pair = await openPair();
  const { channel } = pair;
  using _deadline = channel.deadline(50, "a header");
  const { message } = await assertFails(channel.header(), "timeout");
  assertMatch(message, /^waited 0\.05 s for a header from 127\.0\.0\.1:\d+$/);
});

Deno.test("Channel.deadline() does nothing when it was disposed of", async () => {
  using pair = await openPair();
  const { channel, wire } = pair;
  channel.deadline(0, "nothing")[Symbol.dispose]();
  await wire.send(bytes("0000000007"));
  assertEquals(await within(channel.header(), PATIENCE_MS, "a header"), { sign: "", value: 7 });
  assertEquals(channel.failure, undefined);
});

Deno.test("Channel.failOn() fails with its signal's reason, until it is disposed of", async () => {
  using pair = await openPair();
  const { channel, wire } = pair;
  const first = new AbortController();
  channel.failOn(first.signal)[Symbol.dispose]();
  first.abort();
  await wire.send(bytes("0000000007"));
  assertEquals(await channel.header(), { sign: "", value: 7 });
  const second = new AbortController();
  using _abort = channel.failOn(second.signal);
  const failing = assertFails(channel.header(), "aborted");
  second.abort();
  await failing;
});

Deno.test("Channel.failOn() fails at once when its signal is aborted already", async () => {
  using pair = await openPair();
  using _abort = pair.channel.failOn(AbortSignal.abort(WHY));
  assertEquals(pair.channel.failure, WHY);
});

Deno.test("Channel.header() gives END for an end between two messages, and an error inside one", async () => {
  {
    using pair = await openPair();
    pair.wire.close();
    assertEquals(await pair.channel.header(), END);
    assert(pair.channel.ended);
  }
  using pair = await openPair();
  await pair.wire.send(bytes("00000"));
  pair.wire.close();
  const { message } = await assertFails(pair.channel.header(), "disconnected");
  assertStringIncludes(message, "5 of 10 bytes");
});

Deno.test("Channel.read() gives first what came with a header", async () => {
  using pair = await openPair();
  const { channel, wire } = pair;
  await wire.send(bytes("0000000005hello"));
  wire.close();
  await channel.header();
  const buffer = new Uint8Array(3);
  let text = "";
  for (;;) {
    const count = await channel.read(buffer);
    if (count === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, count));
  }
  assertEquals(text, "hello");
});

for (const reads of ["read()", "readWithin()"]) {
  Deno.test(`Channel.${reads} gives at once what has come, also while a further read of the socket is under way`, async () => {
    using pair = await openPair();
    const { channel, wire } = pair;
    await wire.send(bytes("0000000005hello"));
    await channel.header();
    const filling = channel.fill().catch(() => {});
    const buffer = new Uint8Array(10);
    const reading = reads === "read()" ? channel.read(buffer) : channel.readWithin(buffer, 5, 5);
    assertEquals(await within(reading, 1_000, "what has come"), 5);
    assertEquals(new TextDecoder().decode(buffer.subarray(0, 5)), "hello");
    channel.close();
    await filling;
  });
}

Deno.test("Channel.onClose() calls back once, also when it is closed already", async () => {
  using pair = await openPair();
  const { channel } = pair;
  let calls = 0;
  channel.onClose(() => calls++);
  channel.close();
  channel.close();
  assertEquals(calls, 1);
  channel.onClose(() => calls++);
  assertEquals(calls, 2);
});

Deno.test("formatAddress() writes addresses as URLs do", () => {
  assertEquals(formatAddress("127.0.0.1", 21), "127.0.0.1:21");
  assertEquals(formatAddress("::1", 21), "[::1]:21");
});
