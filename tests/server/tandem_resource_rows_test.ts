/**
 * Safety row R2 in the tandem exchange: the sessions that are the last to fit, and
 * those that do not.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { joined, RawConnection, toWire } from "./raw_client.ts";
import { command, framed, RawTandem, ticketMessage, welcomed } from "./raw_tandem.ts";
import { LINUX, testBed } from "./test_bed.ts";

Deno.test("R2 the sessions that are the last to fit get their data connections, and one more is refused", async () => {
  const maxSessions = 4;
  await using bed = testBed({ limits: { maxSessions } });
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using stack = new DisposableStack();
    for (let round = 0; round < 3; round++) {
      const sessions: RawTandem[] = [];
      for (let i = 0; i < maxSessions; i++) sessions.push(stack.use(await RawTandem.open(bed.server)));
      for (let i = 0; i < 10; i++) {
        using refused = await bed.connect();
        await refused.assertEnds();
        assertEquals((await bed.log.warning("session-refused")).peer, refused.address);
      }
      for (const session of sessions) assertEquals(await session.get("a.txt"), toWire("content"));
      for (const session of sessions) {
        await session.quit();
        await bed.log.sessionClosed(session);
      }
    }
  });
});

Deno.test("R2 an extra connection may only bring a ticket: it is refused without one, and is no session", async () => {
  await using bed = testBed({ limits: { maxSessions: 1, dataAcceptTimeoutMs: 400 } });
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    bed.log.clear();
    using session = await welcomed(bed.server);
    await bed.log.sessionOpened(session.control);
    using plain = await bed.connect();
    await plain.sendCommand("ls");
    await plain.assertEnds();
    using tandem = await bed.connect();
    await tandem.send(framed("ls"));
    await tandem.assertEnds();
    using silent = await bed.connect();
    using data = await RawConnection.open("127.0.0.1", bed.server.addr.port);
    await data.send(joined(ticketMessage(session.ticket), command("get a.txt")));
    const raw = new RawTandem(session.control, data);
    assertEquals(await raw.file(), toWire("content"));
    await silent.assertEnds();
    await raw.quit();
    await bed.log.sessionClosed(session.control);
    const opened = bed.log.untaken.filter(({ event }) => event === "session-opened");
    assertEquals(opened, [], "connections without a ticket were told as sessions");
  });
});

Deno.test({
  name: "R2 the last session that fits of an address gets its data connection, and others are not let in for it",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed({ limits: { maxSessionsPerAddress: 2 } });
    await bed.survives(async () => {
      using first = await RawTandem.open(bed.server);
      using second = await RawTandem.open(bed.server);
      using refused = await bed.connect();
      await refused.assertEnds();
      for (const session of [first, second]) {
        await session.quit();
        await bed.log.sessionClosed(session);
      }
      using third = await RawTandem.open(bed.server);
      assertEquals(await third.outcome("ping"), "ok");
    });
  },
});
