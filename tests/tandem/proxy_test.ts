/**
 * Tests of the proxy itself: a test that it damages, delays or cuts nothing
 * would pass for the wrong reason.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "../deps.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { pattern } from "../server/test_bed.ts";
import { Proxy, type ProxyOptions } from "./proxy.ts";

/** A connection through a proxy to a listener. */
interface Line extends AsyncDisposable {
  readonly proxy: Proxy;
  readonly near: Deno.TcpConn;
  readonly far: Deno.TcpConn;
}

async function openLine(options: ProxyOptions = {}): Promise<Line> {
  await using stack = new AsyncDisposableStack();
  const listener = stack.use(Deno.listen({ hostname: "127.0.0.1", port: 0 }));
  const proxy = stack.use(await Proxy.open(listener.addr.port, options));
  const near = stack.use(await Deno.connect({ hostname: "127.0.0.1", port: proxy.port }));
  const far = stack.use(await within(listener.accept(), PATIENCE_MS, "the proxy"));
  const open = stack.move();
  return { proxy, near, far, [Symbol.asyncDispose]: () => open.disposeAsync() };
}

async function sendAll(conn: Deno.TcpConn, bytes: Uint8Array): Promise<void> {
  for (let rest = bytes; rest.length > 0;) rest = rest.subarray(await conn.write(rest));
  await conn.closeWrite();
}

/** All that comes, and whether it ended in order. */
async function readAll(conn: Deno.TcpConn): Promise<{ readonly bytes: Uint8Array; readonly outcome: "end" | "reset" }> {
  const whole: number[][] = [];
  const buffer = new Uint8Array(65_536);
  try {
    for (;;) {
      const count = await within(conn.read(buffer), PATIENCE_MS, "more bytes");
      if (count === null) return { bytes: Uint8Array.from(whole.flat()), outcome: "end" };
      whole.push([...buffer.subarray(0, count)]);
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.ConnectionReset)) throw error;
    return { bytes: Uint8Array.from(whole.flat()), outcome: "reset" };
  }
}

Deno.test("Proxy moves bytes both ways, half-closes and counts", async () => {
  await using line = await openLine();
  const { proxy, near, far } = line;
  const [up, down] = [pattern(100_000, 1), pattern(70_000, 2)];
  const [, came] = await Promise.all([sendAll(near, up), readAll(far)]);
  assertBytes(came.bytes, up);
  const [, answered] = await Promise.all([sendAll(far, down), readAll(near)]);
  assertBytes(answered.bytes, down);
  assertEquals([proxy.bytes("up"), proxy.bytes("down"), proxy.connections.length], [100_000, 70_000, 1]);
});

Deno.test("Proxy delays each byte and still moves many at a time", async () => {
  await using line = await openLine({ delayMs: 50 });
  const { near, far } = line;
  const buffer = new Uint8Array(65_536);
  const startedMs = performance.now();
  await near.write(buffer.subarray(0, 1));
  await far.read(buffer);
  const tookMs = performance.now() - startedMs;
  assert(tookMs >= 49, `${tookMs} ms`);
  // A line that waited for each piece would need a second for every megabyte.
  const sending = sendAll(near, new Uint8Array(32 * 1024 ** 2));
  const againMs = performance.now();
  while (await far.read(buffer) !== null);
  await sending;
  assertLess(performance.now() - againMs, 3_000);
});

Deno.test("Proxy turns over one bit of one place", async () => {
  for (const direction of ["up", "down"] as const) {
    const flip = { connection: 0, direction, offset: 65_537, bit: 3 };
    await using line = await openLine({ flip, record: true });
    const { proxy, near, far } = line;
    const bytes = pattern(100_000);
    const [from, to] = direction === "up" ? [near, far] : [far, near];
    const [, came] = await Promise.all([sendAll(from, bytes.slice()), readAll(to)]);
    assertBytes(proxy.connections[0]?.[direction].recorded() ?? new Uint8Array(), bytes);
    bytes[65_537] = (bytes[65_537] ?? 0) ^ 8;
    assertBytes(came.bytes, bytes);
  }
});

Deno.test("Proxy cuts after some bytes, with an end or with a reset", async () => {
  for (const [how, outcome] of [["fin", "end"], ["rst", "reset"]] as const) {
    await using line = await openLine({ cut: { connection: 0, direction: "up", offset: 10, how } });
    const { near, far } = line;
    await near.write(new Uint8Array(25));
    const [came, answered] = await Promise.all([readAll(far), readAll(near)]);
    assertEquals([came.outcome, answered.outcome], [outcome, outcome]);
    if (how === "fin") assertEquals(came.bytes.length, 10);
  }
});

Deno.test("Proxy stands still after some bytes until it cuts all", async () => {
  await using line = await openLine();
  const { proxy, near, far } = line;
  const stopped = proxy.stopAfter({ direction: "up", bytes: 70_000 });
  await near.write(pattern(65_536));
  await near.write(pattern(65_536));
  await within(stopped, PATIENCE_MS, "the stop");
  let came = 0;
  const buffer = new Uint8Array(65_536);
  while (came < 70_000) came += await within(far.read(buffer), PATIENCE_MS, "more bytes") ?? 0;
  assertEquals(came, 70_000);
  await proxy.cutAll();
  assertEquals((await readAll(near)).outcome, "reset");
});
