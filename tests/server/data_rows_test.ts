/**
 * Safety rows D2 to D4 and D6 to D9 on the server's side: who connects to a
 * data port, when, how fast, and with how many bytes.
 *
 * @module
 */

import { DiskStore } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "../deps.ts";
import { begun, eventually, pause, repeatUntil, within } from "./deadline.ts";
import { HookedStore } from "./hooked_store.ts";
import { header, isRefusal, joined, message, RawConnection, toWire } from "./raw_client.ts";
import { connectFrom } from "./stranger.ts";
import { LINUX, pattern, type TestBed, testBed } from "./test_bed.ts";

/** Whether this system has all of `127.0.0.0/8`. */
const MANY_LOOPBACKS = LINUX;

Deno.test({
  name: "D2 another address gets nothing of a get, is reported, and does not end the wait",
  ignore: !MANY_LOOPBACKS,
  async fn() {
    await using bed = testBed();
    bed.write("a.txt", "content");
    await bed.survives(async () => {
      using client = await bed.connect();
      await client.sendCommand("get a.txt");
      const port = await client.receivePort();
      for (const address of ["127.0.0.2", "127.0.0.3", "127.1.2.3"]) {
        using stranger = await connectFrom(address, port);
        assertEquals(await stranger.ended(), new Uint8Array());
        const { peer } = await bed.log.warning("stranger-on-data-port");
        assertEquals(peer?.split(":")[0], address);
      }
      using data = await client.connectData(port);
      assertEquals(await data.readAnswer(), toWire("content"));
    });
  },
});

Deno.test({
  name: "D2 another address stores nothing in a put",
  ignore: !MANY_LOOPBACKS,
  async fn() {
    await using bed = testBed();
    await bed.survives(async () => {
      using client = await bed.connect();
      await client.sendCommand("put a.txt");
      const port = await client.receivePort();
      using stranger = await connectFrom("127.0.0.2", port);
      stranger.send(message("forged"));
      assertEquals(await stranger.ended(), new Uint8Array());
      assertEquals(bed.read("a.txt"), undefined);
      using data = await client.connectData(port);
      await data.send(message("content"));
      await data.closeWrite();
      await data.assertEnds();
      assertEquals(bed.read("a.txt"), "content");
    });
  },
});

Deno.test("D3 a port that nobody connects to is closed in time, and the session lives", async () => {
  const dataAcceptTimeoutMs = 100;
  await using bed = testBed({ limits: { dataAcceptTimeoutMs } });
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const command of ["get a.txt", "put b.txt", "ls", "nonsense"]) {
      const startedMs = performance.now();
      await client.sendCommand(command);
      const port = await client.receivePort();
      const { outcome } = await bed.log.commandOf(client);
      const tookMs = performance.now() - startedMs;
      assertEquals(outcome, "timeout", command);
      assertGreater(tookMs, dataAcceptTimeoutMs * 0.8, command);
      assertLess(tookMs, dataAcceptTimeoutMs * 6, command);
      await assertRefused(port);
    }
    assertEquals(await client.list(), ["a.txt"]);
  });
});

Deno.test("D3 the session ends after a quit whose port nobody connects to", async () => {
  await using bed = testBed({ limits: { dataAcceptTimeoutMs: 150 } });
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.sendCommand("quit");
    const port = await client.receivePort();
    await client.assertEnds();
    await assertRefused(port);
  });
});

async function assertRefused(port: number): Promise<void> {
  const error = await assertRejects(
    async () => (await RawConnection.open("127.0.0.1", port)).close(),
    Error,
  );
  assert(isRefusal(error), String(error));
}

/** Waits until nobody listens at a port any more. */
async function portCloses(port: number): Promise<void> {
  await eventually(`port ${port} is closed`, async () => {
    try {
      (await RawConnection.open("127.0.0.1", port)).close();
      return false;
    } catch (error) {
      return isRefusal(error);
    }
  });
}

const ORPHAN = { orphanGraceMs: 100 };

Deno.test("D4 a control connection that closes before the data connection comes closes the port", async () => {
  await using bed = testBed({ limits: ORPHAN });
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    for (const command of ["get a.txt", "put b.txt", "ls", "x"]) {
      const client = await bed.connect();
      await client.sendCommand(command);
      const port = await client.receivePort();
      client.close();
      const { outcome } = await bed.log.sessionClosed(client);
      assert(["ok", "disconnected"].includes(outcome));
      await portCloses(port);
    }
    assertEquals(bed.read("b.txt"), undefined);
  });
});

Deno.test("D4 a control connection that closes during a get ends it", async () => {
  await using bed = testBed({ limits: ORPHAN });
  bed.write("big.bin", new Uint8Array(16 << 20));
  await bed.survives(async () => {
    const client = await bed.connect();
    using data = await client.ask("get big.bin");
    await data.read(10);
    const startedMs = performance.now();
    client.close();
    assertEquals((await bed.log.commandOf(client)).outcome, "disconnected");
    assertLess(performance.now() - startedMs, 1_000);
    assertLess((await data.readToEnd()).length, 16 << 20);
  });
});

Deno.test("D4 a control connection that closes during a put ends it and leaves nothing", async () => {
  await using bed = testBed({ limits: ORPHAN });
  await bed.survives(async () => {
    const client = await bed.connect();
    using data = await client.ask("put a.txt");
    await data.send(`${header(1_000)}half`);
    const startedMs = performance.now();
    client.close();
    assertEquals((await bed.log.commandOf(client)).outcome, "disconnected");
    assertLess(performance.now() - startedMs, 1_000);
    await data.assertEnds();
    assertEquals(bed.read("a.txt"), undefined);
  });
});

Deno.test("D4 a put whose every byte is under way when the control connection closes lands", async () => {
  await using bed = testBed({ limits: { orphanGraceMs: 2_000 } });
  const content = pattern(3 << 20);
  await bed.survives(async () => {
    const client = await bed.connect();
    using data = await client.ask("put a.bin");
    const sending = begun(data.send(message(content)));
    client.close();
    await sending;
    await data.closeWrite();
    await data.assertEnds();
    assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), content);
  });
});

const BODY = "0123456789";
const WHOLE = message(BODY);

/** Begins a `put` of a.txt and gives its data connection to `send`; resolves when the server has ended it. */
async function putRaw(
  bed: TestBed,
  send: (data: RawConnection) => Promise<void>,
): Promise<string> {
  using client = await bed.connect();
  using data = await client.ask("put a.txt");
  await send(data);
  const end = await data.endOfPut();
  const { outcome } = await bed.log.commandOf(client);
  assertEquals(await client.list(), outcome === "ok" ? ["a.txt"] : []);
  // Only one that was stored ends like that; and one that was given up, which is closed from one moment to the next.
  if (outcome !== "timeout") assertEquals(end === "closed", outcome === "ok", `${outcome} ended ${end}`);
  return outcome;
}

Deno.test("D6 a put that is cut at any byte stores nothing, and the session lives", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (let cut = 0; cut < WHOLE.length; cut++) {
      const outcome = await putRaw(bed, async (data) => {
        await data.send(WHOLE.subarray(0, cut));
        await data.closeWrite();
      });
      assertEquals(outcome, "disconnected", `cut at ${cut}`);
      assertEquals(bed.read("a.txt"), undefined);
    }
  });
});

Deno.test("D6 a put that is reset at any byte stores nothing, and the session lives", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using client = await bed.connect();
    for (let cut = 0; cut < WHOLE.length; cut++) {
      await client.sendCommand("put a.txt");
      const port = await client.receivePort();
      using data = await connectFrom("127.0.0.1", port);
      data.send(WHOLE.subarray(0, cut));
      await data.reset();
      const { outcome } = await bed.log.commandOf(client);
      assertEquals(outcome, "disconnected", `reset at ${cut}`);
      assertEquals(bed.read("a.txt"), undefined);
    }
    assertEquals(await client.list(), []);
  });
});

Deno.test("D6 bytes beyond the announced ones store nothing, and the session lives", async () => {
  await using bed = testBed();
  const sends: readonly ((data: RawConnection) => Promise<void>)[] = [
    (data) => data.send(joined(WHOLE, toWire("x"))),
    (data) => data.send(joined(WHOLE, WHOLE)),
    (data) => data.send(joined(WHOLE, new Uint8Array(1 << 16))),
    async (data) => {
      await data.send(WHOLE);
      await data.send("x");
    },
    (data) => data.sendPieces(joined(WHOLE, toWire("x")), 1, () => pause(0)),
    (data) => data.send(`${header(0)}x`),
  ];
  await bed.survives(async () => {
    for (const send of sends) {
      assertEquals(await putRaw(bed, send), "protocol");
      assertEquals(bed.read("a.txt"), undefined);
    }
  });
});

Deno.test("D6 a put of exactly the announced bytes is stored, however they are cut", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (let cut = 0; cut <= WHOLE.length; cut++) {
      const outcome = await putRaw(bed, async (data) => {
        await data.send(WHOLE.subarray(0, cut));
        await data.send(WHOLE.subarray(cut));
        await data.closeWrite();
      });
      assertEquals(outcome, "ok", `in two pieces at ${cut}`);
      assertEquals(bed.read("a.txt"), BODY);
      Deno.removeSync(`${bed.root}/a.txt`);
    }
  });
});

const STALL = { stallTimeoutMs: 300, minBytesPerSecond: 10_000 };

Deno.test("D7 a client that never reads is given up, and memory stays flat", async () => {
  await using bed = testBed({ limits: STALL });
  bed.write("big.bin", "x");
  Deno.truncateSync(`${bed.root}/big.bin`, 256 << 20);
  await bed.survives(async () => {
    const before = Deno.memoryUsage().rss;
    using client = await bed.connect();
    const startedMs = performance.now();
    using _data = await client.ask("get big.bin");
    assertEquals((await bed.log.commandOf(client)).outcome, "timeout");
    const tookMs = performance.now() - startedMs;
    assertGreater(tookMs, STALL.stallTimeoutMs * 0.8);
    assertLess(tookMs, STALL.stallTimeoutMs * 4);
    assertLess((Deno.memoryUsage().rss - before) / 1e6, 48, "MB");
  });
});

Deno.test("D7 a client that reads a byte now and then is given up", async () => {
  await using bed = testBed({ limits: STALL });
  bed.write("big.bin", new Uint8Array(32 << 20));
  await bed.survives(async () => {
    using client = await bed.connect();
    using data = await client.ask("get big.bin");
    const { outcome } = await repeatUntil(bed.log.commandOf(client), async () => {
      await data.readSome(1);
      await pause(10);
    });
    assertEquals(outcome, "timeout");
  });
});

Deno.test("D7 a client that sends nothing, or a byte now and then, is given up and leaves nothing", async () => {
  await using bed = testBed({ limits: STALL });
  await bed.survives(async () => {
    for (const begin of ["", "00000", header(1_000), `${header(1_000)}half`]) {
      const outcome = await putRaw(bed, (data) => data.send(begin));
      assertEquals(outcome, "timeout", `after "${begin}"`);
    }
    using client = await bed.connect();
    using data = await client.ask("put a.txt");
    await data.send(header(1_000));
    const { outcome } = await repeatUntil(bed.log.commandOf(client), async () => {
      // The end may come while this is under way.
      await data.send("x").catch((error) => assert(isRefusal(error)));
      await pause(10);
    });
    assertEquals(outcome, "timeout");
    assertEquals(bed.read("a.txt"), undefined);
  });
});

Deno.test("D7 a client that is slow but fast enough is served to the end", async () => {
  const limits = { stallTimeoutMs: 200, minBytesPerSecond: 1_000 };
  await using bed = testBed({ limits });
  const content = pattern(10_000);
  await bed.survives(async () => {
    using client = await bed.connect();
    using data = await client.ask("put a.bin");
    const startedMs = performance.now();
    await data.sendPieces(message(content), 200, () => pause(8));
    await data.closeWrite();
    await data.assertEnds();
    assertGreater(performance.now() - startedMs, limits.stallTimeoutMs * 1.5);
    assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), content);
  });
});

for (const halfCloses of [true, false]) {
  const what = halfCloses ? "half-closes and waits" : "waits without a close";
  Deno.test(`D8 a client that ${what} sees the end when its file has landed, and not before`, async () => {
    const gate = Promise.withResolvers<void>();
    const reached = Promise.withResolvers<void>();
    const folder = Deno.makeTempDirSync({ prefix: "tandem-test-" });
    using _folder = {
      [Symbol.dispose]: () => Deno.removeSync(folder, { recursive: true }),
    };
    const store = new HookedStore(new DiskStore(folder), async (step) => {
      if (step !== "commit") return;
      reached.resolve();
      await gate.promise;
    });
    await using bed = testBed({ store });
    using client = await bed.connect();
    using other = await bed.connect();
    using data = await client.ask("put a.txt");
    await data.send(WHOLE);
    if (halfCloses) await data.closeWrite();
    let ended = false;
    const end = begun(data.assertEnds().finally(() => ended = true));
    await within("the commit", reached.promise);
    for (let i = 0; i < 5; i++) assertEquals(await other.list(), []);
    assertEquals(ended, false);
    gate.resolve();
    await end;
    assertEquals(Deno.readTextFileSync(`${folder}/a.txt`), BODY);
  });
}

Deno.test("D9 of 100 connections to one data port one is served, and the rest are closed", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.sendCommand("get a.txt");
    const port = await client.receivePort();
    const answers = await Promise.all(
      Array.from({ length: 100 }, () => answerAt(port)),
    );
    const served = answers.filter((answer) => answer !== undefined);
    assertEquals(served, [toWire("content")]);
    await assertRefused(port);
    assertEquals((await bed.log.commandOf(client)).outcome, "ok");
  });
});

/** What a connection to a data port gets; undefined where it is refused or ends. */
async function answerAt(port: number): Promise<Uint8Array | undefined> {
  try {
    using data = await RawConnection.open("127.0.0.1", port);
    return await data.readAnswer();
  } catch (error) {
    if (isRefusal(error)) return undefined;
    throw error;
  }
}
