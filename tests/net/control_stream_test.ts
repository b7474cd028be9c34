/**
 * Tests of the server's reading end: what it waits for how long, and how much
 * it takes from a peer that never stops.
 *
 * @module
 */

import { MAX_BUFFERED_CONTROL_BYTES } from "../../src/limits.ts";
import { ControlStream } from "../../src/net/control_stream.ts";
import { END } from "../../src/protocol/decoder.ts";
import { assert, assertEquals, assertLess, assertStringIncludes, fail } from "../deps.ts";
import { PATIENCE_MS, within } from "./deadline.ts";
import { assertFails } from "./failure.ts";
import { bytes, openPair } from "./pair.ts";

const PATIENT = { idleTimeoutMs: PATIENCE_MS, commandTimeoutMs: PATIENCE_MS };

/** The text of the next command. */
async function nextText(control: ControlStream): Promise<string> {
  const message = await control.next(PATIENT);
  return message === END ? "(end)" : new TextDecoder().decode(message.body);
}

Deno.test("ControlStream.next() gives commands in order, and then the end", async () => {
  using pair = await openPair();
  const control = new ControlStream(pair.channel);
  await pair.wire.send(bytes("0000000002ls0000000004quit"));
  pair.wire.close();
  assertEquals([await nextText(control), await nextText(control), await nextText(control)], ["ls", "quit", "(end)"]);
});

Deno.test("ControlStream.lost is aborted when the connection ends, though commands are left", async () => {
  using pair = await openPair();
  const control = new ControlStream(pair.channel);
  const lost = new Promise((resolve) => control.lost.addEventListener("abort", resolve));
  await pair.wire.send(bytes("0000000002ls"));
  pair.wire.close();
  await within(lost, PATIENCE_MS, "the end");
  assertEquals([await nextText(control), await nextText(control)], ["ls", "(end)"]);
});

Deno.test("ControlStream.next() waits for a command as long as it may be idle, and for its rest shorter", async () => {
  const limits = { idleTimeoutMs: PATIENCE_MS, commandTimeoutMs: 100 };
  for (const part of ["0", "000000000", "0000000002", "0000000002l"]) {
    using pair = await openPair();
    const control = new ControlStream(pair.channel);
    await pair.wire.send(bytes(part));
    const { message } = await assertFails(control.next(limits), "timeout");
    assertStringIncludes(message, "waited 0.1 s for the rest of a command");
  }
  using pair = await openPair();
  const control = new ControlStream(pair.channel);
  const { message } = await assertFails(control.next({ ...PATIENT, idleTimeoutMs: 100 }), "timeout");
  assertStringIncludes(message, "waited 0.1 s for a command");
});

Deno.test("ControlStream.next() fails with disconnected when the connection ends inside a command", async () => {
  using pair = await openPair();
  const control = new ControlStream(pair.channel);
  await pair.wire.send(bytes("0000000002l"));
  pair.wire.close();
  await assertFails(control.next(PATIENT), "disconnected");
});

Deno.test("ControlStream reads no further than its bound while nobody asks for commands, and then goes on", async () => {
  using pair = await openPair();
  const { channel, wire } = pair;
  const control = new ControlStream(channel);
  const count = 20_000;
  let sent = false;
  const sending = wire.send(bytes("0000000990".padEnd(1_000, "x").repeat(count))).then(() => sent = true);
  for (let last = -1; last !== channel.bufferedBytes;) {
    last = channel.bufferedBytes;
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  assertLess(channel.bufferedBytes, MAX_BUFFERED_CONTROL_BYTES + 4_097);
  assert(!sent, "all was taken");
  for (let i = 0; i < count; i++) {
    const message = await control.next(PATIENT);
    if (message === END || message.body.length !== 990) fail(`command ${i} is another`);
  }
  await sending;
});
