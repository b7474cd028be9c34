/**
 * Tests of the data port from both ends: who is let in, and how long somebody
 * knocks.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { type AcceptOptions, dial, openDataPort } from "../../src/net/data_port.ts";
import { assert, assertEquals, assertLess, assertMatch, assertThrows } from "../deps.ts";
import { connectFrom } from "./other_address.ts";
import { spyOnConnect } from "./connect_spy.ts";
import { PATIENCE_MS, timed, within } from "./deadline.ts";
import { closedPort, fullPort, openDoor } from "./door.ts";
import { assertFails } from "./failure.ts";
import { connectWire } from "./wire.ts";

const HOST = "127.0.0.1";

/** What a port is told that waits long; strangers are written down. */
function patient(strangers: string[] = []): AcceptOptions {
  return {
    timeoutMs: PATIENCE_MS,
    signal: new AbortController().signal,
    onStranger: (address) => strangers.push(address),
  };
}

Deno.test("DataPort listens before its number is known, and is closed when its peer is in", async () => {
  const port = openDataPort(HOST);
  using wire = await connectWire(port.port);
  using _channel = await port.accept(HOST, patient());
  assertEquals((await wire.takeEnd(0)).ending, "silence");
  await assertRefused(port.port);
});

Deno.test({
  name: "D2 DataPort.accept() closes a stranger, tells of it, and waits on",
  ignore: Deno.build.os !== "linux",
  async fn() {
    const strangers: string[] = [];
    const port = openDataPort(HOST);
    const accepting = port.accept(HOST, patient(strangers));
    using stranger = await connectFrom("127.0.0.2", port.port);
    assertEquals((await stranger.takeEnd()).ending, "EOF");
    using _wire = await connectWire(port.port);
    using _channel = await within(accepting, PATIENCE_MS, "the right peer");
    assertEquals(strangers.length, 1);
    assertMatch(strangers[0] ?? "", /^127\.0\.0\.2:\d+$/);
  },
});

Deno.test("D2 DataPort.accept() tells of whoever stands at the door when its peer is in", async () => {
  const strangers: string[] = [];
  const told = Promise.withResolvers<void>();
  const port = openDataPort(HOST);
  using _first = await connectWire(port.port);
  using second = await connectWire(port.port);
  using _channel = await port.accept(HOST, {
    ...patient(),
    onStranger(address) {
      strangers.push(address);
      told.resolve();
    },
  });
  await within(told.promise, PATIENCE_MS, "a warning");
  assertEquals(strangers.length, 1);
  assert((await second.takeEnd()).ending !== "silence");
});

Deno.test("D3 DataPort.accept() fails with timeout when nobody comes, and closes the port", async () => {
  const port = openDataPort(HOST);
  await assertFails(port.accept(HOST, { ...patient(), timeoutMs: 50 }), "timeout");
  await assertRefused(port.port);
});

Deno.test("D4 DataPort.accept() fails with its signal's reason, and closes the port", async () => {
  const reason = new TandemError("disconnected", "the control connection ended");
  for (const early of [true, false]) {
    const controller = new AbortController();
    const port = openDataPort(HOST);
    if (early) controller.abort(reason);
    const failing = assertFails(port.accept(HOST, { ...patient(), signal: controller.signal }), "disconnected");
    controller.abort(reason);
    assertEquals(await failing, reason);
    await assertRefused(port.port);
  }
});

Deno.test("openDataPort() takes ports of a range, and fails with busy when none is free", () => {
  const { from, to } = freeRange(3);
  using stack = new DisposableStack();
  const ports = [1, 2, 3].map(() => stack.use(openDataPort(HOST, { from, to })).port);
  assertEquals(ports.sort(), [from, from + 1, to]);
  const failure = assertThrows(() => openDataPort(HOST, { from, to }), TandemError);
  assertEquals([failure.code, failure.message], ["busy", `there is no free data port from ${from} to ${to}`]);
});

Deno.test("openDataPort() gives a refused port to somebody else only where there is no other", () => {
  for (let i = 0; i < 10; i++) {
    const range = freeRange(2);
    const refused = openDataPort(HOST, range);
    refused.refuse();
    using other = openDataPort(HOST, range);
    assert(other.port !== refused.port);
    using last = openDataPort(HOST, range);
    assertEquals(last.port, refused.port);
  }
});

Deno.test("dial() tries a refused port again until somebody listens", async () => {
  const port = closedPort();
  using spy = spyOnConnect();
  const dialling = dial(HOST, port, { timeoutMs: PATIENCE_MS, retryMs: PATIENCE_MS, what: "it" });
  dialling.catch(() => {});
  await spy.until((attempts) => attempts.filter(({ refused }) => refused).length === 3);
  using door = await openDoor({ port });
  using _channel = await within(dialling, PATIENCE_MS, "a connection");
  using _wire = await door.accept();
});

Deno.test("dial() gives a refused port up when its time is over", async () => {
  const dialling = () =>
    assertFails(dial(HOST, closedPort(), { timeoutMs: PATIENCE_MS, retryMs: 200, what: "the data port" }), "connect");
  const tookMs = await timed(dialling, PATIENCE_MS, "a refusal");
  assert(tookMs > 80 && tookMs < 1_000, `${tookMs} ms`);
});

Deno.test({
  name: "dial() fails with timeout when a port neither takes nor refuses, and at once when its signal is aborted",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using full = await fullPort();
    await assertFails(dial(HOST, full.port, { timeoutMs: 100, retryMs: 0, what: "it" }), "timeout");
    const controller = new AbortController();
    const { signal } = controller;
    const failing = assertFails(
      dial(HOST, full.port, { timeoutMs: PATIENCE_MS, retryMs: 0, what: "it", signal }),
      "aborted",
    );
    controller.abort();
    assertLess(await timed(() => failing, PATIENCE_MS, "an abort"), 500);
  },
});

const SELF_DIALLER = new URL("./self_dialler.ts", import.meta.url).href;

Deno.test({
  name: "dial() takes no connection to itself for one" + (canUnshare() ? "" : " (skipped: needs Linux and root)"),
  ignore: !canUnshare(),
  async fn() {
    // Where the system has one port for outgoing connections, whoever knocks there meets himself.
    const script = `ip link set lo up && sysctl -qw net.ipv4.ip_local_port_range="40001 40001" && exec "$@"`;
    const command = new Deno.Command("unshare", {
      args: ["-n", "sh", "-c", script, "sh", Deno.execPath(), "run", "--quiet", "-A", SELF_DIALLER],
    });
    const { stdout, stderr } = await within(command.output(), 4 * PATIENCE_MS, "the program");
    assertEquals(new TextDecoder().decode(stdout), "connect\n", new TextDecoder().decode(stderr));
  },
});

function canUnshare(): boolean {
  if (Deno.build.os !== "linux" || Deno.uid() !== 0) return false;
  const script = "ip link set lo up && sysctl -n net.ipv4.ip_local_port_range";
  const command = new Deno.Command("unshare", { args: ["-n", "sh", "-c", script], stdout: "null", stderr: "null" });
  try {
    return command.outputSync().success;
  } catch {
    return false;
  }
}

/** Ports in a row that are free now. */
function freeRange(count: number): { readonly from: number; readonly to: number } {
  for (;;) {
    const from = closedPort();
    try {
      using stack = new DisposableStack();
      for (let i = 0; i < count; i++) stack.use(Deno.listen({ hostname: HOST, port: from + i }));
      return { from, to: from + count - 1 };
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

async function assertRefused(port: number): Promise<void> {
  let refused = false;
  try {
    (await connectWire(port)).close();
  } catch (error) {
    refused = error instanceof Deno.errors.ConnectionRefused;
  }
  assert(refused, "somebody listens");
}
