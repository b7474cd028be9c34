/**
 * Unit tests of the server's side of handshakes (R7), on connections that are
 * none: what becomes of each is what the test says.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { MAX_UNFINISHED_HANDSHAKES } from "../../src/limits.ts";
import { Handshakes } from "../../src/server/handshakes.ts";
import { assert, assertEquals, assertGreater, assertLess, assertRejects } from "../deps.ts";
import { begun, within } from "./deadline.ts";

/** A connection whose handshake ends when the test says so, or is closed; as Deno does it, closing one that is over changes nothing. */
class FakeConn {
  readonly remoteAddr: Deno.NetAddr = { transport: "tcp", hostname: "::ffff:192.0.2.7", port: 4321 };
  readonly shaken = Promise.withResolvers<Deno.TlsHandshakeInfo>();
  closed = 0;

  handshake(): Promise<Deno.TlsHandshakeInfo> {
    return this.shaken.promise;
  }

  close(): void {
    this.closed++;
    this.shaken.reject(new Deno.errors.Interrupted("operation canceled"));
  }

  get asConn(): Deno.TlsConn {
    return this as unknown as Deno.TlsConn;
  }
}

const LONG_MS = 60_000;

/** Whether a promise is settled once all that can happen has. */
async function isSettled(promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  begun(promise).then(() => settled = true, () => settled = true);
  for (let i = 0; i < 3; i++) await new Promise((resolve) => setTimeout(resolve, 0));
  return settled;
}

/** How a handshake was refused. */
async function refusalOf(finishing: Promise<void>): Promise<TandemError> {
  return await assertRejects(() => within("a refusal", finishing), TandemError) as TandemError;
}

Deno.test("Handshakes.finish() ends with the handshake, and leaves the connection open", async () => {
  const conn = new FakeConn();
  const finishing = new Handshakes().finish(conn.asConn, LONG_MS);
  assertEquals(await isSettled(finishing), false);
  conn.shaken.resolve({ alpnProtocol: "tandem/1" });
  await within("the handshake", finishing);
  assertEquals(conn.closed, 0);
});

for (const alpnProtocol of [null, "h2", "tandem/2", ""]) {
  Deno.test(`Handshakes.finish() refuses who speaks ${JSON.stringify(alpnProtocol)}, and closes`, async () => {
    const conn = new FakeConn();
    const finishing = begun(new Handshakes().finish(conn.asConn, LONG_MS));
    conn.shaken.resolve({ alpnProtocol });
    const { code } = await refusalOf(finishing);
    assertEquals(code, "auth-required");
    assertEquals(conn.closed, 1);
  });
}

Deno.test("Handshakes.finish() tells who does not trust the server from who went away, and closes both", async () => {
  const FAILURES: readonly (readonly [Error, string])[] = [
    [new Deno.errors.InvalidData("received fatal alert: UnknownCA"), "auth-failed"],
    [new Deno.errors.InvalidData("received fatal alert: BadCertificate"), "auth-failed"],
    [new Deno.errors.InvalidData("received corrupt message of type InvalidContentType"), "auth-required"],
    [new Deno.errors.UnexpectedEof("tls handshake eof"), "disconnected"],
    [new Deno.errors.ConnectionReset("reset"), "disconnected"],
  ];
  for (const [error, expected] of FAILURES) {
    const conn = new FakeConn();
    const finishing = begun(new Handshakes().finish(conn.asConn, LONG_MS));
    conn.shaken.reject(error);
    const { code } = await refusalOf(finishing);
    assertEquals([error.message, code, conn.closed], [error.message, expected, 1]);
  }
});

Deno.test("R7 Handshakes.finish() gives up in time, and closes what ends its handshake later all the same", async () => {
  const handshakes = new Handshakes();
  for (const late of ["succeeds", "fails"]) {
    const conn = new FakeConn();
    const startedMs = performance.now();
    const { code, message } = await refusalOf(handshakes.finish(conn.asConn, 50));
    const tookMs = performance.now() - startedMs;
    assertGreater(tookMs, 40);
    assertLess(tookMs, 1_000);
    assertEquals(code, "timeout");
    assert(message.includes("192.0.2.7:4321") && !message.includes("ffff"), message);
    if (late === "succeeds") conn.shaken.resolve({ alpnProtocol: "tandem/1" });
    else conn.shaken.reject(new Deno.errors.UnexpectedEof("tls handshake eof"));
    await isSettled(conn.shaken.promise);
    assert(conn.closed >= 1, `it ${late} and is left open`);
  }
});

/** Fills all the room there is. */
function fill(handshakes: Handshakes, timeoutMs: number): FakeConn[] {
  return Array.from({ length: MAX_UNFINISHED_HANDSHAKES }, () => {
    const conn = new FakeConn();
    begun(handshakes.finish(conn.asConn, timeoutMs));
    return conn;
  });
}

/** Lets the rest end, for the timers of the test are looked after. */
async function empty(conns: readonly FakeConn[]): Promise<void> {
  for (const conn of conns) conn.shaken.reject(new Deno.errors.UnexpectedEof("tls handshake eof"));
  await isSettled(Promise.resolve());
}

Deno.test("R7 Handshakes.room() waits while too many are unfinished, and for one of them only", async () => {
  const handshakes = new Handshakes();
  assertEquals(await isSettled(handshakes.room()), true);
  const conns = fill(handshakes, LONG_MS);
  const last = conns.pop();
  const room = handshakes.room();
  assertEquals(await isSettled(room), false);
  last?.shaken.resolve({ alpnProtocol: "tandem/1" });
  await within("room", room);
  const another = new FakeConn();
  begun(handshakes.finish(another.asConn, LONG_MS));
  const next = handshakes.room();
  assertEquals(await isSettled(next), false);
  another.shaken.reject(new Deno.errors.UnexpectedEof("tls handshake eof"));
  await within("room", next);
  await empty(conns);
});

Deno.test("R7 Handshakes.room() counts those that were given up until they are really over", async () => {
  const handshakes = new Handshakes();
  const conns = fill(handshakes, 1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  const room = handshakes.room();
  assertEquals(await isSettled(room), false);
  await empty(conns);
  await within("room", room);
});

Deno.test("Handshakes.close() closes what is unfinished, and nobody waits for room any longer", async () => {
  const handshakes = new Handshakes();
  const conns = fill(handshakes, LONG_MS);
  const room = handshakes.room();
  assertEquals(await isSettled(room), false);
  handshakes.close();
  assert(conns.every(({ closed }) => closed === 1));
  try {
    await within("the end of the wait for room", room, { deadlineMs: 1_000 });
  } finally {
    await empty(conns);
  }
  assert(conns.every(({ closed }) => closed === 1), "closed twice");
});
