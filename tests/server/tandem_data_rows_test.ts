/**
 * Safety rows D1, D4 and D5 in the tandem exchange: whose data connection it is,
 * and what becomes of it when one of the two connections goes.
 *
 * @module
 */

import { assertEquals, assertGreater, assertLess, assertStringIncludes } from "../deps.ts";
import { begun } from "./deadline.ts";
import { joined, message, RawConnection, toWire } from "./raw_client.ts";
import { command, framed, RawTandem, sealed, ticketMessage, upload, welcomed } from "./raw_tandem.ts";
import { connectFrom } from "./stranger.ts";
import { LINUX, pattern, SOAK, type TestBed, testBed } from "./test_bed.ts";

/** Connects to the server's one port and sends `bytes`. */
async function stranger({ server }: TestBed, bytes?: Uint8Array): Promise<RawConnection> {
  const connection = await RawConnection.open(server.addr.hostname, server.addr.port);
  if (bytes !== undefined) await connection.send(bytes);
  return connection;
}

/** A connection that shows `bytes` is closed without a word, and reported. */
async function assertTurnedAway(bed: TestBed, bytes: Uint8Array): Promise<void> {
  using thief = await stranger(bed, bytes);
  await thief.assertEnds();
  const { peer } = await bed.log.warning("ticket-refused");
  assertEquals(peer, thief.address);
}

/** Shows the right ticket, and wants a file for it. */
async function assertServed(
  bed: TestBed,
  { control, ticket }: { control: RawConnection; ticket: string },
): Promise<void> {
  using data = await stranger(bed, joined(ticketMessage(ticket), command("get a.txt")));
  const session = new RawTandem(control, data);
  assertEquals(await session.file(), toWire("content"));
  await session.quit();
}

const ROUNDS = SOAK ? 1_000 : 60;

Deno.test(`D1 in ${ROUNDS} rounds strangers who come first get nothing, and the right one is served`, async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    const tickets = new Set<string>();
    let before = "0".repeat(32);
    for (let round = 0; round < ROUNDS; round++) {
      using session = await welcomed(bed.server, "get a.txt");
      using silent = await stranger(bed);
      using slow = await stranger(bed, ticketMessage(session.ticket).subarray(0, 30));
      const random = crypto.randomUUID().replaceAll("-", "");
      for (const wrong of [random, before]) {
        await assertTurnedAway(bed, joined(ticketMessage(wrong), command("get a.txt")));
      }
      await assertServed(bed, session);
      for (const thief of [silent, slow]) {
        await thief.closeWrite();
        await thief.assertEnds();
      }
      tickets.add(session.ticket);
      before = session.ticket;
      bed.log.clear();
    }
    assertEquals(tickets.size, ROUNDS);
  });
});

Deno.test("D1 a stranger's plain command in between is a session of its own", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await welcomed(bed.server);
    using other = await bed.connect();
    assertEquals(await other.list(), ["a.txt"]);
    await assertServed(bed, session);
  });
});

Deno.test({
  name: "D1 the right ticket from another address gets nothing, and works no less for whom it was given to",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    bed.write("a.txt", "content");
    await bed.survives(async () => {
      using session = await welcomed(bed.server);
      for (const address of ["127.0.0.2", "127.1.2.3"]) {
        using thief = await connectFrom(address, bed.server.addr.port);
        thief.send(joined(ticketMessage(session.ticket), command("get a.txt")));
        assertEquals(await thief.ended(), new Uint8Array());
        assertStringIncludes((await bed.log.warning("ticket-refused")).peer ?? "", address);
      }
      await assertServed(bed, session);
    });
  },
});

Deno.test("D5 a ticket that is wrong, short, long, damaged or of another shape is refused, and the right one still works", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await welcomed(bed.server);
    const { ticket } = session;
    const damaged = ticketMessage(ticket);
    damaged[20] = (damaged[20] ?? 0) ^ 1;
    const wrong = [
      command(`data ${ticket.slice(1)}`, { tandem: 1 }),
      command(`data ${ticket}0`, { tandem: 1 }),
      command(`data ${ticket} `, { tandem: 1 }),
      command(`data  ${ticket}`, { tandem: 1 }),
      command(`data ${ticket.toUpperCase()}x`, { tandem: 1 }),
      command("data ", { tandem: 1 }),
      command(`data ${"f".repeat(32)}`, { tandem: 1 }),
      framed(sealed(`data ${ticket}`)),
      framed(`data ${ticket}`),
      framed(`data ${ticket}\n{"tandem":1}\n00000000`),
      damaged,
    ];
    for (const bytes of wrong) await assertTurnedAway(bed, joined(bytes, command("get a.txt")));
    await assertServed(bed, session);
  });
});

Deno.test("D5 a ticket works once: shown again it is refused, during its session and after it", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await welcomed(bed.server);
    const bytes = joined(ticketMessage(session.ticket), command("ping"));
    using data = await stranger(bed, bytes);
    const raw = new RawTandem(session.control, data);
    assertEquals(await raw.object(), {});
    for (let i = 0; i < 3; i++) await assertTurnedAway(bed, bytes);
    assertEquals(await raw.get("a.txt"), toWire("content"));
    await raw.quit();
    await assertTurnedAway(bed, bytes);
  });
});

Deno.test("D5 of many who show one ticket at once, one is served", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await welcomed(bed.server);
    const bytes = joined(ticketMessage(session.ticket), command("get a.txt"));
    using stack = new DisposableStack();
    const many = await Promise.all(Array.from({ length: 20 }, async () => stack.use(await stranger(bed, bytes))));
    await session.control.send(command("quit"));
    const answers = await Promise.all(many.map((connection) => connection.readToEnd()));
    assertEquals(answers.filter(({ length }) => length > 0).length, 1);
    await session.control.assertEnds();
  });
});

Deno.test("D5 a ticket that comes too late is refused, and its session has ended", async () => {
  const dataAcceptTimeoutMs = 150;
  await using bed = testBed({ limits: { dataAcceptTimeoutMs } });
  await bed.survives(async () => {
    const startedMs = performance.now();
    using session = await welcomed(bed.server);
    await session.control.assertEnds();
    const tookMs = performance.now() - startedMs;
    assertGreater(tookMs, dataAcceptTimeoutMs * 0.8);
    assertLess(tookMs, dataAcceptTimeoutMs * 6);
    assertEquals((await bed.log.sessionClosed(session.control)).outcome, "timeout");
    await assertTurnedAway(bed, joined(ticketMessage(session.ticket), command("ping")));
  });
});

Deno.test("D5 a ticket whose connection brings no command ends the session in time", async () => {
  await using bed = testBed({ limits: { commandTimeoutMs: 150 } });
  await bed.survives(async () => {
    for (const begin of [new Uint8Array(), command("ping").subarray(0, 12)]) {
      using session = await RawTandem.begin(bed.server, begin);
      await session.data.assertEnds();
      await session.control.assertEnds();
      assertEquals((await bed.log.sessionClosed(session)).outcome, "timeout");
    }
  });
});

const ORPHAN = { orphanGraceMs: 100 };

Deno.test("D4 a control connection that closes before the data connection comes ends the session and its ticket", async () => {
  await using bed = testBed({ limits: ORPHAN });
  await bed.survives(async () => {
    const session = await welcomed(bed.server);
    session.control.close();
    assertEquals((await bed.log.sessionClosed(session.control)).outcome, "disconnected");
    await assertTurnedAway(bed, joined(ticketMessage(session.ticket), command("ping")));
  });
});

Deno.test("D4 a control connection that closes during a get ends it", async () => {
  await using bed = testBed({ limits: ORPHAN });
  bed.write("big.bin", new Uint8Array(16 << 20));
  await bed.survives(async () => {
    using session = await RawTandem.begin(bed.server, command("get big.bin"));
    await session.data.read(10);
    const startedMs = performance.now();
    session.control.close();
    assertEquals((await bed.log.commandOf(session)).outcome, "disconnected");
    assertLess(performance.now() - startedMs, 1_000);
    assertLess((await session.data.readToEnd()).length, 16 << 20);
  });
});

Deno.test("D4 a control connection that closes during a put ends it, and nothing has the name", async () => {
  await using bed = testBed({ limits: ORPHAN });
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await bed.log.commandOf(session);
    await session.send("put a.txt", { size: 7 });
    await session.data.send(framed("con"));
    const startedMs = performance.now();
    session.control.close();
    assertEquals((await bed.log.commandOf(session)).outcome, "disconnected");
    assertLess(performance.now() - startedMs, 1_000);
    await session.data.readToEnd();
    assertEquals(bed.read("a.txt"), undefined);
  });
});

Deno.test("D4 a put whose every byte is under way when the control connection closes lands", async () => {
  await using bed = testBed({ limits: { orphanGraceMs: 2_000 } });
  const content = pattern(3 << 20);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("put a.bin", { size: content.length });
    const sending = begun(session.data.send(upload(content)));
    session.control.close();
    await sending;
    assertEquals(await session.stored(content), "stored");
    assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), content);
  });
});

for (const during of ["nothing", "a get", "a put"]) {
  Deno.test(`D4 a data connection that closes during ${during} ends the session`, async () => {
    await using bed = testBed();
    bed.write("big.bin", new Uint8Array(16 << 20));
    await bed.survives(async () => {
      using session = await RawTandem.open(bed.server);
      if (during === "a get") {
        await session.send("get big.bin");
        await session.data.read(10);
      } else if (during === "a put") {
        await session.send("put a.txt", { size: 7 });
        await session.data.send(framed("con"));
      }
      const startedMs = performance.now();
      session.data.close();
      await session.control.assertEnds();
      assertLess(performance.now() - startedMs, 1_000);
      await bed.log.sessionClosed(session);
      assertEquals(bed.read("a.txt"), undefined);
    });
  });
}

Deno.test("D1 an unsigned message with the right ticket is a plain command that nobody knows", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await welcomed(bed.server);
    using other = await bed.connect();
    await other.send(message(sealed(`data ${session.ticket}\n{"tandem":1}`)));
    using data = await other.connectData(await other.receivePort());
    assertEquals(await data.readAnswer(), undefined);
    await assertServed(bed, session);
  });
});
