/**
 * Safety row D7 in the tandem exchange: clients that read or send nothing, or so
 * little that they are given up, and slow ones that are not.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { begun, pause, repeatUntil } from "./deadline.ts";
import { isReset, joined, toWire } from "./raw_client.ts";
import { body, command, framed, object, RawTandem, signed, upload } from "./raw_tandem.ts";
import { pattern, testBed } from "./test_bed.ts";

const STALL = { stallTimeoutMs: 300, minBytesPerSecond: 10_000 };

Deno.test("D7 a client that never reads a file, or a byte now and then, is given up, and memory stays flat", async () => {
  await using bed = testBed({ limits: STALL });
  bed.write("big.bin", "x");
  Deno.truncateSync(`${bed.root}/big.bin`, 256 << 20);
  await bed.survives(async () => {
    const before = Deno.memoryUsage().rss;
    using silent = await RawTandem.begin(bed.server, command("get big.bin"));
    using slow = await RawTandem.begin(bed.server, command("get big.bin"));
    const ends = Promise.all([bed.log.commandOf(silent), bed.log.commandOf(slow)]);
    const outcomes = await repeatUntil(ends, async () => {
      await slow.data.readSome(1);
      await pause(10);
    });
    assertEquals(outcomes.map(({ outcome }) => outcome), ["timeout", "timeout"]);
    assertLess((Deno.memoryUsage().rss - before) / 1e6, 64, "MB");
    await silent.control.assertEnds();
  });
});

Deno.test("D7 a client that never reads many small answers is given up, and memory stays flat", async () => {
  await using bed = testBed({ limits: STALL });
  // Each is refused with a message that names the path.
  const long = command(`stat ${Array(16).fill("x".repeat(200)).join("/")}`);
  const many = joined(...Array(256).fill(long));
  await bed.survives(async () => {
    const before = Deno.memoryUsage().rss;
    using session = await RawTandem.open(bed.server);
    const sending = begun((async () => {
      for (let i = 0; i < 64; i++) await session.control.send(many);
    })());
    assertEquals((await bed.log.sessionClosed(session)).outcome, "timeout");
    // The end comes while this is under way.
    await sending.catch((error) => assert(isReset(error), String(error)));
    assertLess((Deno.memoryUsage().rss - before) / 1e6, 64, "MB");
  });
});

Deno.test("D7 a client that sends no body, or a byte now and then, is given up and leaves nothing", async () => {
  await using bed = testBed({ limits: STALL });
  await bed.survives(async () => {
    const begins = [new Uint8Array(), toWire("+0000"), toWire(signed(1_000)), framed("half"), body("content")];
    for (const begin of begins) {
      using session = await RawTandem.begin(bed.server, joined(command("put a.txt", { size: 7 }), begin));
      assertEquals((await bed.log.commandOf(session)).outcome, "timeout");
      await session.control.assertEnds();
    }
    using slow = await RawTandem.begin(bed.server, command("put a.txt", { size: 1_000 }));
    await slow.data.send(signed(1_000));
    const { outcome } = await repeatUntil(bed.log.commandOf(slow), async () => {
      await slow.data.send("x").catch((error) => assert(isReset(error)));
      await pause(10);
    });
    assertEquals(outcome, "timeout");
    assertEquals(bed.read("a.txt"), undefined);
    assertEquals(temporaries(bed.root), []);
  });
});

Deno.test("D7 a client that is slow but fast enough is served to the end", async () => {
  const limits = { stallTimeoutMs: 200, minBytesPerSecond: 1_000 };
  await using bed = testBed({ limits });
  const content = pattern(10_000);
  await bed.survives(async () => {
    using session = await RawTandem.begin(bed.server, command("put a.bin", { size: 10_000 }));
    const startedMs = performance.now();
    await session.data.sendPieces(upload(content, 100), 200, () => pause(8));
    assertEquals(await session.stored(content), "stored");
    assertGreater(performance.now() - startedMs, limits.stallTimeoutMs * 1.5);
    assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), content);
  });
});

Deno.test("D7 the client's own signs of work keep a slow put alive", async () => {
  await using bed = testBed({ limits: { stallTimeoutMs: 200 } });
  await bed.survives(async () => {
    using session = await RawTandem.begin(bed.server, joined(command("put a.txt"), body("content")));
    for (let i = 0; i < 6; i++) {
      await pause(80);
      await session.data.send(object({ working: true }));
    }
    await session.data.send(upload("content").subarray(body("content").length));
    assertEquals(await session.stored("content"), "stored");
  });
});
