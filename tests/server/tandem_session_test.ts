/**
 * Tests of a session in the tandem exchange as a whole: shutdown, the
 * deadlines between commands, signs of work, and what the server tells of it.
 *
 * @module
 */

import { MemoryStore, type RemotePath, type ServerEvent } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../deps.ts";
import { begun, eventually, within } from "./deadline.ts";
import { HookedStore, type Step } from "./hooked_store.ts";
import { joined, toWire } from "./raw_client.ts";
import {
  body,
  command,
  crcOf,
  framed,
  object,
  RawTandem,
  signed,
  ticketMessage,
  upload,
  welcomed,
} from "./raw_tandem.ts";
import { pattern, testBed } from "./test_bed.ts";

const BIG_BYTES = 16 << 20;

Deno.test("shutdown() ends idle sessions at once, those that wait for their data connection too", async () => {
  await using bed = testBed({ limits: { shutdownGraceMs: 5_000 } });
  using idle = await RawTandem.open(bed.server);
  using waiting = await welcomed(bed.server);
  const startedMs = performance.now();
  await within("the end", bed.server.shutdown());
  assertLess(performance.now() - startedMs, 1_000);
  await idle.data.assertEnds();
  await idle.control.assertEnds();
  await waiting.control.assertEnds();
});

Deno.test("shutdown() lets transfers end that run, and then the sessions", async () => {
  await using bed = testBed({ limits: { shutdownGraceMs: 5_000 } });
  const big = pattern(BIG_BYTES);
  bed.write("big.bin", big);
  using reader = await RawTandem.open(bed.server);
  await reader.send("get big.bin");
  await reader.object();
  using writer = await RawTandem.open(bed.server);
  await writer.send("put new.txt", { size: 7 });
  await writer.data.send(body("content").subarray(0, 12));
  await eventually("the put has begun", () => [...Deno.readDirSync(bed.root)].length === 2);
  let over = false;
  const down = begun(bed.server.shutdown().finally(() => over = true));
  await writer.data.send(upload("content").subarray(12));
  assertEquals(await writer.stored("content"), "stored");
  await writer.control.assertEnds();
  assertEquals(over, false);
  assertEquals((await reader.checkedBody()).content, big);
  await reader.control.assertEnds();
  await within("the end", down);
});

Deno.test("shutdown() ends what is left when the grace is over, and leaves nothing of it", async () => {
  const shutdownGraceMs = 200;
  await using bed = testBed({ limits: { shutdownGraceMs } });
  using writer = await RawTandem.open(bed.server);
  await writer.send("put new.txt", { size: 7 });
  await writer.data.send(framed("con"));
  await eventually("the put has begun", () => [...Deno.readDirSync(bed.root)].length === 1);
  const startedMs = performance.now();
  await within("the end", bed.server.shutdown());
  const tookMs = performance.now() - startedMs;
  assertGreater(tookMs, shutdownGraceMs * 0.8);
  assertLess(tookMs, shutdownGraceMs * 6);
  await writer.data.readToEnd();
  assertEquals([...Deno.readDirSync(bed.root)], []);
});

Deno.test("a session without a command ends when it was idle too long, and not during a transfer", async () => {
  const idleTimeoutMs = 250;
  await using bed = testBed({ limits: { idleTimeoutMs, bytesPerSecond: 400_000 } });
  const content = pattern(240_000);
  bed.write("slow.bin", content);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const startedMs = performance.now();
    assertEquals(await session.get("slow.bin"), content);
    assertGreater(performance.now() - startedMs, idleTimeoutMs);
    const idleSinceMs = performance.now();
    await session.data.assertEnds();
    await session.control.assertEnds();
    const tookMs = performance.now() - idleSinceMs;
    assertGreater(tookMs, idleTimeoutMs * 0.7);
    assertLess(tookMs, idleTimeoutMs * 6);
    assertEquals((await bed.log.sessionClosed(session)).outcome, "timeout");
  });
});

Deno.test("limits.bytesPerSecond holds transfers to their rate, both ways", async () => {
  await using bed = testBed({ limits: { bytesPerSecond: 200_000 } });
  const content = pattern(80_000);
  bed.write("a.bin", content);
  const sessions = [await RawTandem.open(bed.server), await RawTandem.open(bed.server)] as const;
  using reader = sessions[0];
  using writer = sessions[1];
  const startedMs = performance.now();
  await Promise.all([
    reader.get("a.bin").then((came) => assertEquals(came, content)),
    writer.put("b.bin", content).then((outcome) => assertEquals(outcome, "stored")),
  ]);
  const tookMs = performance.now() - startedMs;
  assertGreater(tookMs, 250);
  assertLess(tookMs, 1_500);
});

/** What a slow step belongs to: a command, and what its client sends besides. */
const SLOW: readonly (readonly [Step, Uint8Array])[] = [
  ["commit", joined(command("put dir/new.txt", { size: 1 }), upload("x"))],
  ["read", command("hash dir/a.txt")],
  ["remove", command("rm dir/a.txt")],
  ["read", command("get dir/a.txt", { offset: 1, prefix: "0".repeat(64) })],
  ["read-kept", command("put dir/a.txt", { ready: true, resume: true })],
  // The file that would be replaced is copied there.
  ["create", command("put dir/a.txt", { ready: true, resume: true })],
];

/** How many signs of work come during a step that takes until `gate`. */
async function signsDuring(slow: Step, first: Uint8Array, gate: Promise<void>): Promise<number> {
  const inner = new MemoryStore();
  inner.addFile("dir/a.txt" as RemotePath, toWire("content"));
  const store = new HookedStore(inner, (step) => step === slow ? gate : undefined);
  await using bed = testBed({ store });
  using session = await RawTandem.begin(bed.server, first);
  session.data.patienceMs = 8_000;
  return (await session.answer()).workingSigns;
}

Deno.test("a server that is at work on a slow step says so every second", async () => {
  const gate = Promise.withResolvers<void>();
  const timer = setTimeout(gate.resolve, 1_700);
  try {
    const signs = await Promise.all(SLOW.map(([step, first]) => signsDuring(step, first, gate.promise)));
    assertEquals(SLOW.map(([step], i) => [step, signs[i]]), SLOW.map(([step]) => [step, 1]));
  } finally {
    clearTimeout(timer);
  }
});

Deno.test("events: a session is opened and closed once, and its data connection is none", async () => {
  const events: ServerEvent[] = [];
  await using bed = testBed({ onEvent: (event) => events.push(event) });
  bed.write("a.txt", "content");
  using session = await RawTandem.begin(bed.server, command("get a.txt"));
  assertEquals(await session.file(), toWire("content"));
  assertEquals(await session.put("b.txt", "12345"), "stored");
  assertEquals(await session.get("no"), "not-found");
  await session.send("abort");
  await session.quit();
  await eventually("the session is closed", () => events.at(-1)?.event === "session-closed");
  const told = events.map((event) => {
    assertEquals(event.peer, session.address);
    return event.event === "command" ? [event.command, event.bytes, event.outcome] : [event.event, event.outcome];
  });
  assertEquals(told, [
    ["session-opened", "ok"],
    ["get a.txt", 7, "ok"],
    ["put b.txt", 5, "ok"],
    ["get no", 0, "not-found"],
    ["quit", 0, "ok"],
    ["session-closed", "ok"],
  ]);
});

Deno.test("events: a ticket that is none is a warning, and no session", async () => {
  const events: ServerEvent[] = [];
  await using bed = testBed({ onEvent: (event) => events.push(event) });
  using thief = await bed.connect();
  await thief.send(joined(ticketMessage("0".repeat(32)), command("ping")));
  await thief.assertEnds();
  const [warning, ...rest] = events;
  assert(warning?.event === "warning");
  assertEquals([warning.outcome, warning.peer, rest], ["ticket-refused", thief.address, []]);
  // No ticket, right or wrong, is told to whoever reads the log.
  using session = await RawTandem.open(bed.server);
  await session.quit();
  for (const event of events) assert(!/[0-9a-f]{32}/.test(JSON.stringify(event)), JSON.stringify(event));
});

Deno.test("a put's checksum may come with the body's end in pieces, after signs of the client's own work", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("put a.txt", { ready: true });
    assertEquals(await session.object(), { offset: 0 });
    const working = object({ working: true });
    const sums = object({ crc32: crcOf(toWire("x")), later: 1 });
    await session.data.send(
      joined(working, working, object({ offset: 0 }), framed("x"), toWire(signed(0)), working, sums),
    );
    assertEquals(await session.stored("x"), "stored");
  });
});
