/**
 * Safety rows R1, R2, R5 and R6 on the server's side: many clients, too many,
 * slow ones, and ones that only come and go.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual } from "../deps.ts";
import { openDescriptors } from "../helpers.ts";
import { begun, eventually, pause, repeatUntil } from "./deadline.ts";
import { heldBytes } from "./memory.ts";
import { isReset, message, type RawClient, toWire } from "./raw_client.ts";
import { connectFrom } from "./stranger.ts";
import { LINUX, pattern, SOAK, type TestBed, testBed } from "./test_bed.ts";

/** Opens `count` control connections, which `stack` closes. */
async function openMany(
  bed: TestBed,
  stack: DisposableStack,
  count: number,
): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  while (clients.length < count) {
    clients.push(stack.use(await bed.connect()));
  }
  return clients;
}

/** Closes sessions, and waits until the server has noticed. */
async function leave(
  bed: TestBed,
  clients: readonly RawClient[],
): Promise<void> {
  for (const client of clients) {
    client.close();
    await bed.log.sessionClosed(client);
  }
}

Deno.test("R1 1,000 idle sessions and 100 active ones are all served, in less than 100 MB", async () => {
  await using bed = testBed({
    limits: { maxSessions: 1_200, maxSessionsPerAddress: 1_200 },
  });
  const content = pattern(10_000);
  bed.write("a.bin", content);
  await bed.survives(async () => {
    const before = Deno.memoryUsage().rss;
    using stack = new DisposableStack();
    const idle = await openMany(bed, stack, 1_000);
    const active = await openMany(bed, stack, 100);
    const listMs: number[] = [];
    await Promise.all(active.map(async (client, i) => {
      assertEquals(await client.get("a.bin"), content);
      assertEquals(await client.put(`${i}.txt`, `of ${i}`), "closed");
      const startedMs = performance.now();
      assert((await client.list())?.includes(`${i}.txt`));
      listMs.push(performance.now() - startedMs);
    }));
    listMs.sort((a, b) => a - b);
    assertLess(listMs[98] ?? Infinity, 1_000, "ms for an ls");
    assertLess((Deno.memoryUsage().rss - before) / 1e6, 100, "MB");
    // The idle ones are served as well, when they ask.
    for (const client of idle.filter((_, i) => i % 100 === 0)) {
      assertEquals(await client.get("a.bin"), content);
    }
    for (let i = 0; i < 100; i++) assertEquals(bed.read(`${i}.txt`), `of ${i}`);
  });
});

Deno.test("R2 one session over the limit is closed at once, and the others go on", async () => {
  await using bed = testBed({ limits: { maxSessions: 5 } });
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const clients = await openMany(bed, stack, 5);
    for (const client of clients) assertEquals(await client.list(), []);
    for (let i = 0; i < 20; i++) {
      using refused = await bed.connect();
      await refused.assertEnds();
      const { peer } = await bed.log.warning("session-refused");
      assertEquals(peer, refused.address);
    }
    for (const client of clients) assertEquals(await client.list(), []);
    await leave(bed, clients.splice(0, 1));
    using next = await bed.connect();
    assertEquals(await next.list(), []);
    await leave(bed, clients);
  });
});

Deno.test({
  name: "R2 one session over the limit of an address is closed at once, and other addresses are served",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed({ limits: { maxSessionsPerAddress: 3 } });
    await bed.survives(async () => {
      using stack = new DisposableStack();
      const clients = await openMany(bed, stack, 3);
      for (const client of clients) assertEquals(await client.list(), []);
      using refused = await bed.connect();
      await refused.assertEnds();
      assertEquals(
        (await bed.log.warning("session-refused")).peer,
        refused.address,
      );
      const { port } = bed.server.addr;
      using elsewhere = await connectFrom("127.0.0.2", port);
      elsewhere.send(message("ls"));
      await elsewhere.receive(10);
      for (const client of clients) assertEquals(await client.list(), []);
      await leave(bed, clients);
    });
  },
});

/** Sends a byte now and then until the server ends it; resolves to how long that took, in milliseconds. */
async function trickle(client: RawClient, pauseMs: number): Promise<number> {
  const startedMs = performance.now();
  const bytes = "0000000002"[Symbol.iterator]();
  await repeatUntil(client.assertEnds(), async () => {
    await client.send(bytes.next().value ?? "").catch((error) => assert(isReset(error)));
    await pause(pauseMs);
  });
  return performance.now() - startedMs;
}

Deno.test("R5 500 clients that send a byte now and then are all closed in time, and an honest one is served", async () => {
  const commandTimeoutMs = 400;
  await using bed = testBed({
    limits: { commandTimeoutMs, maxSessionsPerAddress: 600 },
  });
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const slow = await openMany(bed, stack, 500);
    using honest = await bed.connect();
    const attacks = Promise.all(slow.map((client) => trickle(client, 150)));
    const times = await repeatUntil(attacks, async () => {
      const startedMs = performance.now();
      assertEquals(await honest.get("a.txt"), toWire("content"));
      assertLess(performance.now() - startedMs, 1_000);
      await pause(20);
    });
    for (const tookMs of times) {
      assertGreater(tookMs, commandTimeoutMs * 0.8);
      assertLess(tookMs, commandTimeoutMs * 4);
    }
    for (const client of slow) {
      assertEquals((await bed.log.sessionClosed(client)).outcome, "timeout");
    }
  });
});

Deno.test("R5 a client that never says anything is closed in time, and one that has said something later", async () => {
  await using bed = testBed({
    limits: { firstCommandTimeoutMs: 150, idleTimeoutMs: 500 },
  });
  await bed.survives(async () => {
    const startedMs = performance.now();
    using silent = await bed.connect();
    using slow = await bed.connect();
    using once = await bed.connect();
    assertEquals(await once.list(), []);
    // The first command has to be whole by then, not only begun.
    const slowed = begun(trickle(slow, 40));
    await silent.assertEnds();
    assertLess(performance.now() - startedMs, 450);
    assertLess(await slowed, 450);
    await once.assertEnds();
    assertGreater(performance.now() - startedMs, 450);
    for (const client of [silent, slow, once]) {
      assertEquals((await bed.log.sessionClosed(client)).outcome, "timeout");
    }
  });
});

Deno.test("R5 a client that sends commands and never takes the ports is closed in time", async () => {
  await using bed = testBed({
    limits: { dataAcceptTimeoutMs: 100, idleTimeoutMs: 200 },
  });
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.send(new Uint8Array([...message("ls"), ...message("ls")]));
    const ports = await client.readToEnd();
    assertEquals(ports.length, 20);
    assertEquals((await bed.log.sessionClosed(client)).outcome, "timeout");
  });
});

const VISITS = SOAK ? 50_000 : 5_000;

Deno.test(`R6 ${VISITS} clients that connect and close leave no descriptor and no memory behind`, async () => {
  let closed = 0;
  await using bed = testBed({
    onEvent: (event) => {
      if (event.event === "session-closed") closed++;
    },
  });
  await bed.survives(async () => {
    const before = openDescriptors();
    let visits = 0;
    const visitUntil = async (goal: number) => {
      await Promise.all(Array.from({ length: 32 }, async () => {
        while (visits < goal) {
          visits++;
          using _client = await bed.connect();
        }
      }));
      await eventually("all sessions have ended", () => closed >= visits);
    };
    await visitUntil(VISITS / 2);
    const half = heldBytes();
    await visitUntil(VISITS);
    assertLess((heldBytes() - half) / VISITS, 100, "bytes for each");
    await eventually("all sockets are closed", () => openDescriptors() <= before);
    assertLessOrEqual(openDescriptors(), before);
  });
});
