/**
 * Safety rows T10, D1, D5, R2 and R5 for a server with a secret: whose data
 * connection it is, who is let in, and how long anybody may take.
 *
 * @module
 */

import { connect, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects, assertStringIncludes } from "../deps.ts";
import { openDescriptors } from "../helpers.ts";
import { begun, eventually, pause, repeatUntil } from "./deadline.ts";
import { isReset, joined, RawConnection, toWire } from "./raw_client.ts";
import { command, framed, MessageReader, RawTandem, sealed, ticketMessage, type Welcomed } from "./raw_tandem.ts";

import { openTls, RawSecret, relayFrom } from "./raw_tls.ts";
import { LINUX, SOAK, type TestBed, testBed } from "./test_bed.ts";

/** A server with a secret on the usual address. */
function secretBed(options: Parameters<typeof testBed>[0] = {}) {
  const raw = new RawSecret();
  const bed = testBed({ secret: raw.secret, hostname: "127.0.0.1", ...options });
  bed.write("a.txt", "content");
  return { bed, raw, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
}

/** Shows the right ticket and the right proof, and wants a file for it. */
async function assertServed(bed: TestBed, raw: RawSecret, { control, ticket, nonce }: Welcomed): Promise<void> {
  using data = await raw.openAt(bed.server.addr);
  await data.send(joined(ticketMessage(ticket), command("auth", raw.proof(nonce))));
  using session = new RawTandem(control, data);
  assert("proof" in await session.object());
  assertEquals(await session.get("a.txt"), toWire("content"));
  await session.quit();
}

Deno.test({
  name: "T10 a data connection with another session's ticket gets nothing from it, whoever's nonce it proves over",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await bed.survives(async () => {
      using victim = await raw.welcomed(bed.server);
      await using far = await relayFrom("127.0.6.1", bed.server.addr.port);
      for (const whose of ["the victim's", "the thief's"]) {
        using own = await raw.welcomed(far);
        using thief = await raw.openAt(far.addr);
        const nonce = whose === "the victim's" ? victim.nonce : own.nonce;
        await thief.send(joined(ticketMessage(victim.ticket), command("auth", raw.proof(nonce)), command("get a.txt")));
        await thief.assertEnds();
        const { peer } = await bed.log.warning("ticket-refused");
        assertStringIncludes(peer ?? "", "127.0.6.1:");
      }
      await assertServed(bed, raw, victim);
    });
  },
});

Deno.test("T10 a proof is good for the session only whose nonce it is over, at the same address too", async () => {
  await using setting = secretBed();
  const { bed, raw } = setting;
  using first = await raw.welcomed(bed.server);
  using second = await raw.welcomed(bed.server);
  using data = await raw.openAt(bed.server.addr);
  await data.send(joined(ticketMessage(first.ticket), command("auth", raw.proof(second.nonce))));
  assertEquals(await new MessageReader(data).answer(), { code: "auth-failed", workingSigns: 0 });
  await data.assertEnds();
  await first.control.assertEnds();
  await assertServed(bed, raw, second);
});

Deno.test({
  name:
    "D5 a ticket that is wrong, short, long, damaged or used up is refused inside TLS, and the right one still works",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await bed.survives(async () => {
      using session = await raw.welcomed(bed.server);
      const { ticket, nonce } = session;
      const damaged = ticketMessage(ticket);
      damaged[20] = (damaged[20] ?? 0) ^ 1;
      using used = await raw.open(bed.server);
      using spent = await raw.begin(bed.server, (nonce) => command("auth", raw.proof(nonce)));
      await spent.object();
      const wrong = [
        ticketMessage(spent.ticket),
        command(`data ${ticket.slice(1)}`, { tandem: 1 }),
        command(`data ${ticket}0`, { tandem: 1 }),
        command("data ", { tandem: 1 }),
        command(`data ${"f".repeat(32)}`, { tandem: 1 }),
        framed(sealed(`data ${ticket}`)),
        damaged,
      ];
      for (const [i, bytes] of wrong.entries()) {
        // From the ticket's own address, as far as the wait that the failures cost allows, and from others.
        const relay = i < 2 ? undefined : await relayFrom(`127.0.7.${i}`, bed.server.addr.port);
        await using _relay = relay;
        using thief = await raw.openAt((relay ?? bed.server).addr);
        await thief.send(joined(bytes, command("auth", raw.proof(nonce)), command("get a.txt")));
        await thief.assertEnds();
        await bed.log.warning("ticket-refused");
      }
      await assertServed(bed, raw, session);
      assertEquals(await used.get("a.txt"), toWire("content"));
      assertEquals(await spent.get("a.txt"), toWire("content"));
    });
  },
});

Deno.test("D5 a slow ticket and a silent connection do not hold up the right one", async () => {
  await using setting = secretBed();
  const { bed, raw } = setting;
  await bed.survives(async () => {
    using session = await raw.welcomed(bed.server);
    using silent = await raw.openAt(bed.server.addr);
    using slow = await raw.openAt(bed.server.addr);
    await slow.send(ticketMessage(session.ticket).subarray(0, 30));
    await assertServed(bed, raw, session);
    await slow.send(ticketMessage(session.ticket).subarray(30));
    await slow.assertEnds();
    await silent.closeWrite();
    await silent.assertEnds();
  });
});

Deno.test({
  name: "D5 the right ticket and the right proof without TLS are answered by an alert, and still work with it",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await bed.survives(async () => {
      using session = await raw.welcomed(bed.server);
      await using far = await relayFrom("127.0.6.2", bed.server.addr.port);
      using plain = await RawConnection.open(far.addr.hostname, far.addr.port);
      await plain.send(joined(ticketMessage(session.ticket), command("auth", raw.proof(session.nonce))));
      const came = await plain.readToEnd();
      assertEquals([came.length, came[0], came[1]], [7, 0x15, 0x03]);
      await assertServed(bed, raw, session);
    });
  },
});

const ROUNDS = SOAK ? 200 : 10;

Deno.test({
  name:
    `D1 with a secret ${ROUNDS} strangers who race for the data connection get nothing, and every session is served`,
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await bed.survives(async () => {
      for (let round = 0; round < ROUNDS; round++) {
        using session = await raw.welcomed(bed.server);
        await using far = await relayFrom(`127.0.8.${round + 1}`, bed.server.addr.port);
        using thief = await raw.openAt(far.addr);
        const stealing = thief.send(joined(ticketMessage(session.ticket), command("auth", raw.proof(session.nonce))));
        await Promise.all([stealing, assertServed(bed, raw, session)]);
        await thief.assertEnds();
      }
    });
  },
});

/** The message in place of a welcome. */
async function refusalOf(connection: RawConnection): Promise<{ readonly code: string; readonly message: string }> {
  const reader = new MessageReader(connection);
  const { sign, value } = await reader.header();
  assertEquals(sign, "-");
  const { code, message } = await reader.unseal(value);
  await connection.assertEnds();
  return { code: String(code), message: String(message) };
}

Deno.test("R2 the sessions that are the last to fit get their data connections, and one more is told busy inside TLS", async () => {
  const maxSessions = 3;
  await using setting = secretBed({ limits: { maxSessions } });
  const { bed, raw } = setting;
  await bed.survives(async () => {
    using stack = new DisposableStack();
    for (let round = 0; round < 2; round++) {
      const sessions: RawTandem[] = [];
      for (let i = 0; i < maxSessions; i++) sessions.push(stack.use(await raw.open(bed.server)));
      for (let i = 0; i < 5; i++) {
        using refused = await raw.openAt(bed.server.addr);
        // Some send before they hear of it, as programs do.
        if (i % 2 === 0) await refused.send(framed("auth"));
        assertEquals((await refusalOf(refused)).code, "busy");
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

Deno.test("R2 a client of ours is told busy, every time", async () => {
  await using setting = secretBed({ limits: { maxSessions: 1 } });
  const { bed, raw } = setting;
  using _only = await raw.open(bed.server);
  for (let i = 0; i < 20; i++) {
    await using client = await connect({ ...bed.server.addr, secret: raw.secret });
    const { code } = await assertRejects(() => client.ping(), TandemError) as TandemError;
    assertEquals(code, "busy");
  }
});

Deno.test({
  name: "R2 one session over the limit of an address is told busy inside TLS, and other addresses are served",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed({ limits: { maxSessionsPerAddress: 2 } });
    const { bed, raw } = setting;
    await bed.survives(async () => {
      await using far = await relayFrom("127.0.6.3", bed.server.addr.port);
      using first = await raw.open(far);
      using second = await raw.open(far);
      using refused = await raw.openAt(far.addr);
      const { code, message } = await refusalOf(refused);
      assertEquals(code, "busy");
      assertStringIncludes(message, "127.0.6.3");
      using near = await raw.open(bed.server);
      for (const session of [first, second, near]) {
        assertEquals(await session.get("a.txt"), toWire("content"));
        await session.quit();
      }
    });
  },
});

Deno.test("R2 an extra connection with TLS may only bring a ticket: anything else is refused, and is no session", async () => {
  await using setting = secretBed({ limits: { maxSessions: 1, dataAcceptTimeoutMs: 2_000 } });
  const { bed, raw } = setting;
  await bed.survives(async () => {
    bed.log.clear();
    using session = await raw.welcomed(bed.server);
    await bed.log.sessionOpened(session.control);
    using other = await raw.openAt(bed.server.addr);
    await other.send(framed("auth"));
    // It gets no ticket; it may be told why.
    const came = new TextDecoder().decode(await other.readToEnd());
    assert(!came.includes("ticket") && !came.startsWith("+"), came);
    using silent = await raw.openAt(bed.server.addr);
    await assertServed(bed, raw, session);
    await silent.assertEnds();
    await bed.log.sessionClosed(session.control);
    assertEquals(bed.log.untaken.filter(({ event }) => event === "session-opened"), []);
  });
});

Deno.test({
  name: "R2 a crowd at one address does not keep the last sessions that fit of others from their data connections",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed({ limits: { maxSessions: 2 } });
    const { bed, raw } = setting;
    await bed.survives(async () => {
      await using far = await relayFrom("127.0.6.4", bed.server.addr.port);
      using stack = new DisposableStack();
      // Nobody here has to have the secret.
      stack.use(await raw.welcomed(far));
      using session = await raw.welcomed(bed.server);
      await Promise.all(Array.from({ length: 70 }, async () => stack.use(await raw.openAt(far.addr))));
      await assertServed(bed, raw, session);
    });
  },
});

Deno.test("R2 handshakes count: who has not finished one takes the place of a session until it is given up", async () => {
  await using setting = secretBed({ limits: { maxSessions: 2, handshakeTimeoutMs: 700 } });
  const { bed, raw } = setting;
  const { hostname, port } = bed.server.addr;
  using _a = await RawConnection.open(hostname, port);
  using _b = await RawConnection.open(hostname, port);
  {
    using refused = await raw.openAt(bed.server.addr);
    assertEquals((await refusalOf(refused)).code, "busy");
  }
  await bed.log.warning("handshake-failed");
  await bed.log.warning("handshake-failed");
  // Both still have their connection open.
  using session = await raw.open(bed.server);
  await session.quit();
});

Deno.test("the first command is due within its deadline counted from accept: a slow handshake eats of it", async () => {
  const firstCommandTimeoutMs = 2_000;
  await using setting = secretBed({ limits: { firstCommandTimeoutMs, handshakeTimeoutMs: 5_000 } });
  const { bed, raw } = setting;
  await bed.survives(async () => {
    const startedMs = performance.now();
    using late = await openTls(bed.server.addr, raw.secret.authorityCert, { beforehand: pause(1_400) });
    assertGreater(performance.now() - startedMs, 1_300);
    await late.assertEnds();
    const tookMs = performance.now() - startedMs;
    assertGreater(tookMs, firstCommandTimeoutMs * 0.9);
    assertLess(tookMs, firstCommandTimeoutMs + 1_000);
    assertEquals((await bed.log.sessionClosed(late)).outcome, "timeout");
  });
});

Deno.test("R5 a client that sends a byte now and then inside TLS is cut off in time, and an honest one is served", async () => {
  const commandTimeoutMs = 600;
  await using setting = secretBed({ limits: { commandTimeoutMs } });
  const { bed, raw } = setting;
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const slow = await Promise.all(
      Array.from({ length: 30 }, async () => stack.use(await raw.openAt(bed.server.addr))),
    );
    using honest = await raw.open(bed.server);
    const attacks = Promise.all(slow.map(async (connection) => {
      const startedMs = performance.now();
      const bytes = "+000000004auth"[Symbol.iterator]();
      await repeatUntil(connection.assertEnds(), async () => {
        await connection.send(bytes.next().value ?? "").catch((error) => assert(isReset(error)));
        await pause(150);
      });
      return performance.now() - startedMs;
    }));
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
    for (const connection of slow) assertEquals((await bed.log.sessionClosed(connection)).outcome, "timeout");
    await honest.quit();
  });
});

Deno.test("R5 after the ticket the proof must be whole in time, byte by byte or not", async () => {
  await using setting = secretBed({ limits: { commandTimeoutMs: 600 } });
  const { bed, raw } = setting;
  await bed.survives(async () => {
    using session = await raw.begin(bed.server, () => new Uint8Array());
    const startedMs = performance.now();
    const bytes = command("auth", raw.proof(session.nonce));
    let sent = 0;
    await repeatUntil(session.data.assertEnds(), async () => {
      await session.data.send(bytes.subarray(sent, ++sent)).catch((error) => assert(isReset(error)));
      await pause(100);
    });
    assertLess(performance.now() - startedMs, 3_000);
    await session.control.assertEnds();
    assertEquals((await bed.log.sessionClosed(session.control)).outcome, "timeout");
  });
});

/** Has `count` sessions ask for a large file that they never read, until the server has given them up. */
async function stall(bed: TestBed, raw: RawSecret, stack: DisposableStack, count: number): Promise<void> {
  const sessions: RawTandem[] = [];
  while (sessions.length < count) {
    const session = stack.use(await raw.open(bed.server));
    await session.send("get big.bin");
    sessions.push(session);
  }
  for (const session of sessions) assertEquals((await bed.log.sessionClosed(session)).outcome, "timeout");
}

Deno.test("D7 clients that never read are cut off inside TLS too: others are served, and all descriptors are back when they go", async () => {
  await using setting = secretBed({ limits: { stallTimeoutMs: 600, maxSessions: 5 } });
  const { bed, raw } = setting;
  bed.write("big.bin", new Uint8Array(48 << 20));
  await bed.survives(async () => {
    using stack = new DisposableStack();
    await stall(bed, raw, stack, 5);
    using honest = await raw.open(bed.server);
    assertEquals(await honest.get("a.txt"), toWire("content"));
    await honest.quit();
  });
});

Deno.test("a session with a secret that rests too long ends, and a client that stays connected keeps no descriptor", async () => {
  await using setting = secretBed({ limits: { idleTimeoutMs: 300 } });
  const { bed, raw } = setting;
  await bed.survives(async () => {
    const before = openDescriptors();
    using session = await raw.open(bed.server);
    assertEquals((await bed.log.sessionClosed(session)).outcome, "timeout");
    if (LINUX) await eventually("the server's ends are closed", () => openDescriptors() <= before + 2);
    await session.control.assertEnds();
    await session.data.assertEnds();
  });
});

Deno.test("shutdown() ends sessions at once that have not authenticated, wherever they stand", async () => {
  await using setting = secretBed({ limits: { shutdownGraceMs: 4_000 } });
  const { bed, raw } = setting;
  const { hostname, port } = bed.server.addr;
  using silent = await raw.openAt(bed.server.addr);
  using waiting = await raw.welcomed(bed.server);
  using failing = await raw.begin(bed.server, () => command("ping"));
  using unfinished = await RawConnection.open(hostname, port);
  using open = await raw.open(bed.server);
  await eventually("all are known", () => bed.log.untaken.length >= 3);
  const startedMs = performance.now();
  const down = begun(bed.server.shutdown());
  for (const connection of [silent, waiting.control, open.control, open.data]) {
    await connection.assertEnds();
  }
  await down;
  const tookMs = performance.now() - startedMs;
  assertLess(tookMs, 3_000);
  await failing.data.readToEnd();
  await failing.control.assertEnds();
  // Its end cannot be seen: Deno keeps the socket until this side goes.
  unfinished.close();
});

Deno.test("shutdown() does not wait for a client that has shown its ticket and says nothing more", async () => {
  await using setting = secretBed({ limits: { shutdownGraceMs: 4_000 } });
  const { bed, raw } = setting;
  using session = await raw.begin(bed.server, () => new Uint8Array());
  // Time enough for the ticket to be taken, of which no event tells.
  await pause(300);
  const startedMs = performance.now();
  await bed.server.shutdown();
  assertLess(performance.now() - startedMs, 3_000);
  await session.data.readToEnd();
});

Deno.test("shutdown() does not wait for handshakes, and frees what they held once their peers have gone", async () => {
  const before = openDescriptors();
  {
    await using setting = secretBed();
    const { bed } = setting;
    const { hostname, port } = bed.server.addr;
    using stack = new DisposableStack();
    for (let i = 0; i < 20; i++) stack.use(await RawConnection.open(hostname, port));
    const startedMs = performance.now();
    await bed.server.shutdown();
    assertLess(performance.now() - startedMs, 2_000);
    await assertRejects(() => RawConnection.open(hostname, port), Deno.errors.ConnectionRefused);
  }
  if (LINUX) await eventually("all descriptors are back", () => openDescriptors() <= before);
});

Deno.test("shutdown() lets transfers end that run inside TLS, and refuses whoever comes meanwhile", async () => {
  await using setting = secretBed({ limits: { shutdownGraceMs: 5_000, bytesPerSecond: 2_000_000 } });
  const { bed, raw } = setting;
  const content = new Uint8Array(2_000_000).fill(7);
  bed.write("big.bin", content);
  using reader = await raw.open(bed.server);
  using idle = await raw.open(bed.server);
  await reader.send("get big.bin");
  await reader.object();
  const down = begun(bed.server.shutdown());
  await idle.control.assertEnds();
  await assertRejects(() => raw.openAt(bed.server.addr), Deno.errors.ConnectionRefused);
  assertEquals((await reader.checkedBody()).content, content);
  await reader.control.assertEnds();
  await down;
});

Deno.test("a server with a secret that speaks the plain exchange only is refused at start, as is a short secret", async () => {
  for (const options of [{ secret: new RawSecret().text, mode: "plain" as const }, { secret: "too short" }]) {
    const { code } = await assertRejects(async () => {
      await using _bed = testBed({ hostname: "127.0.0.1", ...options });
    }, TandemError) as TandemError;
    assertEquals(code, "usage");
  }
});
