/**
 * K7 with a secret: no handshake is waited for without an end, on neither of the
 * two connections, and whoever gives up is heard at once.
 *
 * @module
 */

import { connect, TandemError } from "../../mod.ts";
import { assertEquals, assertGreaterOrEqual, assertLess } from "../deps.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { openDoor } from "../net/door.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { SECRET } from "../net/secrets.ts";
import { recordsOf } from "../net/tls_records.ts";
import type { Wire } from "../net/wire.ts";
import { eventually } from "../server/deadline.ts";
import { type Bed, connectTo, openBed } from "../tandem/bed.ts";
import type { Place, ProxyOptions } from "../tandem/proxy.ts";
import { quickFolder } from "../store/places.ts";

const LIMIT_MS = 300;

const LIMITS = { timeoutMs: LIMIT_MS, quitTimeoutMs: 200 };

/** How long giving up may take, in milliseconds: far less than any limit. */
const AT_ONCE_MS = 1_000;

function openSecretBed(proxy: ProxyOptions = {}): Promise<Bed> {
  return openBed({ secret: SECRET, makeFolder: quickFolder, proxy });
}

/** How many bytes go each way in a handshake, by connection: to stop inside it. */
async function handshakeBytes(): Promise<number[]> {
  await using bed = await openSecretBed({ record: true });
  const client = await bed.connect();
  await client.ping();
  await client.close();
  return bed.proxy.connections.map(({ down }) =>
    recordsOf(down.recorded()).slice(0, 3).reduce((sum, { bytes }) => sum + bytes.length, 0)
  );
}

const [controlBytes = 0, dataBytes = 0] = await handshakeBytes();

/** Places in the handshakes after which nothing more comes through. */
const MUTES: Readonly<Record<string, Place>> = {
  "says nothing on the control connection": { connection: 0, direction: "down", offset: 0 },
  "says a part of a record on the control connection": { connection: 0, direction: "down", offset: 40 },
  "says half of its handshake on the control connection": {
    connection: 0,
    direction: "down",
    offset: controlBytes / 2,
  },
  "hears nothing on the control connection": { connection: 0, direction: "up", offset: 0 },
  "says nothing on the data connection": { connection: 1, direction: "down", offset: 0 },
  "says half of its handshake on the data connection": { connection: 1, direction: "down", offset: dataBytes / 2 },
  "hears nothing on the data connection": { connection: 1, direction: "up", offset: 0 },
};

for (const [what, mute] of Object.entries(MUTES)) {
  Deno.test(`K7 Client with a secret times out when the server ${what}`, async () => {
    await using bed = await openSecretBed({ mute });
    const attempt = async () => {
      const client = await bed.connect({ limits: LIMITS });
      await client.put("a", "x");
    };
    const tookMs = await timed(() => assertFails(attempt(), "timeout"), PATIENCE_MS, "a timeout");
    assertGreaterOrEqual(tookMs, LIMIT_MS * 0.8);
    assertLess(tookMs, LIMIT_MS * 1.2 + 1_000);
    assertEquals([...Deno.readDirSync(bed.root)], []);
    // The server goes on for others meanwhile.
    const other = await connectTo(bed.server.addr.port, { secret: SECRET });
    await within(other.ping(), PATIENCE_MS, "an answer to somebody else");
    await other.close();
  });

  Deno.test(`Client with a secret gives up at once while the server ${what}`, async () => {
    await using bed = await openSecretBed({ mute });
    const stop = new AbortController();
    const { signal } = stop;
    const attempt = async () => {
      const client = await connectTo(bed.proxy.port, { secret: SECRET, signal, limits: LIMITS_OF_NONE });
      const working = client.put("a", "x", { signal });
      // What is given up at once is settled later, or ended by this.
      await working.finally(() => void client.close());
    };
    const failing = failureOf(attempt());
    await eventually("it has come that far", () => (bed.proxy.connections[mute.connection]?.up.bytes ?? 0) > 0);
    // A moment later it waits for what does not come.
    await new Promise((resolve) => setTimeout(resolve, 30));
    const tookMs = await timed(
      () => {
        stop.abort();
        return failing;
      },
      AT_ONCE_MS,
      "the end",
    );
    assertEquals((await failing).code, "aborted");
    assertLess(tookMs, AT_ONCE_MS);
  });
}

/** Limits that end nothing here. */
const LIMITS_OF_NONE = { timeoutMs: 60_000, quitTimeoutMs: 200 };

Deno.test("Client with a secret is closed in time while the handshake of its data connection does not end", async () => {
  await using bed = await openSecretBed({ mute: { connection: 1, direction: "down", offset: 0 } });
  const client = await bed.connect({ limits: LIMITS_OF_NONE });
  const failing = failureOf(client.ping());
  await eventually("it has come that far", () => (bed.proxy.connections[1]?.up.bytes ?? 0) > 0);
  const tookMs = await timed(() => client.close(), AT_ONCE_MS * 2, "close()");
  assertLess(tookMs, AT_ONCE_MS * 2);
  const { code } = await failing;
  assertEquals(["aborted", "disconnected"].includes(code), true, code);
});

Deno.test("Client with a secret tells an abort from a deadline by the signal's own reason", async () => {
  const silent = { mute: { connection: 0, direction: "down", offset: 0 } } as const;
  await using bed = await openSecretBed(silent);
  await using other = await openSecretBed(silent);
  const told = { secret: SECRET, limits: LIMITS_OF_NONE };
  const aborted = AbortSignal.abort();
  await assertFails(connectTo(bed.proxy.port, { ...told, signal: aborted }), "aborted");
  assertEquals(bed.proxy.connections.length, 0);
  await assertFails(connectTo(bed.proxy.port, { ...told, signal: AbortSignal.timeout(100) }), "timeout");
  const reason = new TandemError("changed", "for a reason of one's own");
  const stop = new AbortController();
  const failing = assertFails(connectTo(other.proxy.port, { ...told, signal: stop.signal }), "changed");
  await eventually("it has connected", () => (other.proxy.connections[0]?.up.bytes ?? 0) > 0);
  stop.abort(reason);
  await failing;
});

/** A server that says a byte now and then, as long as it is listened to. */
async function drip(wire: Wire, isOver: () => boolean): Promise<void> {
  await wire.takePiece();
  // The beginning of a large record of a handshake, and then its bytes one by one.
  await wire.send(Uint8Array.of(22, 3, 3, 0x40, 0, 2, 0, 0x3f, 0xfc));
  while (!isOver() && await wire.send(new Uint8Array(1))) await new Promise((resolve) => setTimeout(resolve, 20));
}

Deno.test("K7 Client with a secret times out when a server shakes hands a byte at a time", async () => {
  using door = await openDoor();
  let isOver = false;
  const dripping = door.accept().then(async (wire) => {
    using _wire = wire;
    await drip(wire, () => isOver);
  });
  const attempt = async () => {
    await using _client = await connect({ port: door.port, secret: SECRET, limits: LIMITS });
  };
  try {
    const tookMs = await timed(() => assertFails(attempt(), "timeout"), PATIENCE_MS, "a timeout");
    assertGreaterOrEqual(tookMs, LIMIT_MS * 0.8);
    assertLess(tookMs, LIMIT_MS * 1.2 + 1_000);
  } finally {
    isOver = true;
    await dripping;
  }
});

Deno.test("Client with a secret goes on after its first operation was given up at any moment", async () => {
  await using bed = await openSecretBed({ delayMs: 2 });
  const content = new Uint8Array(300_000);
  for (let ms = 0; ms < 40; ms += 2) {
    Deno.writeTextFileSync(`${bed.root}/a`, "old");
    const client = await bed.connect();
    const stop = new AbortController();
    const working = client.put("a", content, { signal: stop.signal }).then(() => "done", (error) => error.code);
    await new Promise((resolve) => setTimeout(resolve, ms));
    stop.abort();
    assertEquals(["done", "aborted"].includes(await within(working, AT_ONCE_MS, "its end")), true);
    const { size } = await within(client.stat("a"), PATIENCE_MS, `the next answer after ${ms} ms`);
    assertEquals([3, content.length].includes(size ?? -1), true, `${size}`);
    await client.close();
  }
});
