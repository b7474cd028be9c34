/**
 * Tests of `connect()`: what it says when there is no session to be had, and
 * where it connects to when there is.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { TandemError } from "../../src/errors.ts";
import { assertEquals, assertInstanceOf, assertLess, assertStringIncludes } from "../deps.ts";
import { serveForTest, tempFolder } from "../helpers.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, timed } from "../net/deadline.ts";
import { closedPort, fullPort } from "../net/door.ts";
import { assertFails } from "../net/failure.ts";
import { answersGet, answersQuit } from "./scripted_server.ts";
import { bothModes, connectedIn, servedIn } from "./modes.ts";
import { attempt, list } from "./session.ts";

const FULL_PORTS_HANG = Deno.build.os === "linux";

Deno.test("connect() fails with connect when nobody listens, and asks whether a server runs", async () => {
  const port = closedPort();
  const { message, hint, cause } = await assertFails(
    connect({ port }),
    "connect",
  );
  assertEquals(message, `the server 127.0.0.1:${port} refused the connection`);
  assertStringIncludes(hint ?? "", "is a server running there");
  assertInstanceOf(cause, Deno.errors.ConnectionRefused);
});

Deno.test("connect() tries a refused port once", async () => {
  using spy = spyOnConnect();
  await assertFails(connect({ port: closedPort() }), "connect");
  assertEquals(spy.attempts.length, 1);
});

Deno.test("connect() fails with connect when an address cannot be reached, and names the network", async () => {
  const { message, hint } = await assertFails(
    connect({ hostname: "255.255.255.255", port: 2121 }),
    "connect",
  );
  assertStringIncludes(message, "cannot connect to the server 255.255");
  assertEquals(hint, "check the name and the network");
});

Deno.test({
  name: "connect() fails with timeout when nobody answers in time",
  ignore: !FULL_PORTS_HANG,
  async fn() {
    using full = await fullPort();
    const { port } = full;
    const limits = { timeoutMs: 200 };
    const tookMs = await timed(
      async () => {
        const { message } = await assertFails(
          connect({ port, limits }),
          "timeout",
        );
        assertEquals(
          message,
          `waited 0.2 s for the server from 127.0.0.1:${port}`,
        );
      },
      PATIENCE_MS,
      "a timeout",
    );
    assertLess(tookMs, 500);
  },
});

Deno.test({
  name: "connect() fails at once with the reason of its signal when that is aborted",
  ignore: !FULL_PORTS_HANG,
  async fn() {
    using full = await fullPort();
    const { port } = full;
    const given = new TandemError("busy", "given up");
    const reasons = [
      [new DOMException("enough", "AbortError"), "aborted"],
      [new DOMException("late", "TimeoutError"), "timeout"],
      ["a text", "aborted"],
      [given, "busy"],
    ] as const;
    for (const [reason, code] of reasons) {
      const controller = new AbortController();
      const connecting = connect({ port, signal: controller.signal });
      const failing = assertFails(connecting, code);
      await new Promise((resolve) => setTimeout(resolve));
      controller.abort(reason);
      const tookMs = await timed(() => failing, PATIENCE_MS, "an abort");
      assertLess(tookMs, 500);
    }
  },
});

Deno.test("connect() opens nothing when its signal is aborted already", async () => {
  using folder = tempFolder();
  const sessions: string[] = [];
  await using server = serveForTest(folder.path, {
    onEvent: ({ event }) => sessions.push(event),
  });
  const { port } = server.addr;
  const signal = AbortSignal.abort();
  await assertFails(connect({ port, signal }), "aborted");
  await server.shutdown();
  assertEquals(sessions.filter((event) => event === "command"), []);
});

Deno.test("connect() fails with usage when the port is none", async () => {
  for (const port of [0, -1, 65_536, 1.5, NaN, Infinity]) {
    await assertFails(connect({ port }), "usage");
  }
});

Deno.test("connect() tells the hint of another protocol when the answer is none of ours", async () => {
  await attempt([
    {
      about: "answers as a mail server does",
      async run({ control }) {
        await control.send(new TextEncoder().encode("220 mail.example\r\n"));
        await control.takePiece();
      },
    },
  ], async ({ client }) => {
    const { hint } = await assertFails(list(client), "protocol");
    assertStringIncludes(hint ?? "", "another protocol");
  }, { sessionEnds: true });
});

Deno.test("Client connects to data ports at the address of the control connection", async () => {
  await attempt(
    answersGet("a", "x"),
    async ({ client, folder }) => {
      await client.download("a", `${folder}/a`);
    },
    { hostname: "127.0.0.2" },
  );
});

bothModes("Client does not look a name up again for its data connections", async ({ mode, spoken, connections }) => {
  using folder = tempFolder();
  await using server = serveForTest(folder.path, servedIn(mode));
  const { port } = server.addr;
  using spy = spyOnConnect();
  {
    await using client = await connect({ hostname: "localhost", port, ...connectedIn(mode) });
    await list(client);
    assertEquals(client.mode, spoken);
  }
  const others = Array(connections - 1).fill("127.0.0.1");
  assertEquals(spy.attempts.map(({ hostname }) => hostname), ["localhost", ...others]);
});

Deno.test("connect() sends nothing before the first command", async () => {
  await attempt(answersQuit(), async ({ client }) => {
    await client.close();
  }, { sessionEnds: true });
});

Deno.test("connect() leaves no connection open when onEvent throws", async () => {
  using folder = tempFolder();
  await using server = serveForTest(folder.path);
  const onEvent = () => {
    throw new Error("a bug of the caller's");
  };
  // Whether that ends the attempt or not, the leak check sees what it left.
  const connecting = connect({ port: server.addr.port, onEvent });
  await connecting.then((client) => client.close(), () => {});
});
