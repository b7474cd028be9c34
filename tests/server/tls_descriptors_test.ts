/**
 * Safety rows R3 and R4 with a secret: a server that has few descriptors, in a
 * process of its own.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { assert, assertEquals, assertLess } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { begun, DEADLINE_MS, eventually, within } from "./deadline.ts";
import { EventLog } from "./event_log.ts";
import { joined, RawConnection } from "./raw_client.ts";
import { object, upload } from "./raw_tandem.ts";
import { type AtAddress, clientHello, RawSecret } from "./raw_tls.ts";
import { LINUX, pattern } from "./test_bed.ts";

const PROGRAM = new URL("../../main.ts", import.meta.url).pathname;
const DESCRIPTORS = 64;

/** A server in another process. Disposing of it ends it, and fails if it did not end well. */
interface FarServer extends AtAddress, AsyncDisposable {
  readonly log: EventLog;
}

/** Starts the program with so many descriptors and no more. */
async function startServer(secret: string, ...args: string[]): Promise<FarServer> {
  const child = new Deno.Command("bash", {
    args: [
      ...["-c", 'ulimit -n "$0" && exec "$@"', String(DESCRIPTORS)],
      ...[Deno.execPath(), "run", "-A", "--quiet", PROGRAM, "serve", "--host", "127.0.0.1", "--port", "0"],
      ...["--log", "json", ...args],
    ],
    env: { TANDEM_SECRET: secret },
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const log = new EventLog();
  const ready = Promise.withResolvers<number>();
  const telling = readLines(child.stdout, (line) => {
    ready.resolve(Number(/^listening 127\.0\.0\.1:(\d+)$/.exec(line)?.[1]));
  });
  const logging = readLines(child.stderr, (line) => log.record(JSON.parse(line)));
  const reading = Promise.all([telling, logging]).finally(() => ready.reject(new Error("the server ended")));
  begun(ready.promise);
  begun(reading);
  const port = await within("a server", ready.promise, { deadlineMs: 4 * DEADLINE_MS });
  return {
    addr: { hostname: "127.0.0.1", port },
    log,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      const ended = within("the end of the server", child.status, { onLate: () => child.kill("SIGKILL") });
      const { code } = await ended;
      await reading;
      assertEquals(code, 0);
    },
  };
}

/** Hands over each line. */
async function readLines(stream: ReadableStream<Uint8Array<ArrayBuffer>>, take: (line: string) => void): Promise<void> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + piece).split("\n");
    text = lines.pop() ?? "";
    for (const line of lines) take(line);
  }
}

/** Lists within a time, counted from now, however often it has to be tried. */
async function listsWithin(server: AtAddress, raw: RawSecret, deadlineMs: number): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    try {
      await using client = await connect({ ...server.addr, secret: raw.secret, limits: { timeoutMs: deadlineMs } });
      for await (const _ of client.list("/"));
      return performance.now() - startedMs;
    } catch (error) {
      if (performance.now() - startedMs > deadlineMs) throw error;
    }
  }
}

/** Connects until the server cannot accept any more. */
async function exhaust(server: FarServer, stack: DisposableStack, count: number): Promise<void> {
  const hello = await clientHello();
  for (let i = 0; i < count; i++) {
    const connection = stack.use(await RawConnection.open(server.addr.hostname, server.addr.port));
    if (i % 2 === 0) await connection.send(hello);
  }
  await server.log.warning("accept-failed");
}

Deno.test({
  name:
    `R3 with ${DESCRIPTORS} descriptors and 200 connections a server with a secret accepts again within a second after they have gone`,
  ignore: !LINUX,
  async fn() {
    using folder = tempFolder();
    const raw = new RawSecret();
    await using server = await startServer(raw.text, folder.path);
    await listsWithin(server, raw, 10_000);
    for (let round = 0; round < 2; round++) {
      using stack = new DisposableStack();
      for (let i = 0; i < 10; i++) stack.use(await raw.openAt(server.addr));
      await exhaust(server, stack, 190);
      stack.dispose();
      assertLess(await listsWithin(server, raw, 5_000), 1_000, "ms until it lists again");
      server.log.clear();
    }
  },
});

for (const direction of ["get", "put"] as const) {
  Deno.test({
    name:
      `R4 with a secret a ${direction} that runs when the descriptors are used up ends whole, and others are served later`,
    ignore: !LINUX,
    async fn() {
      using folder = tempFolder();
      const raw = new RawSecret();
      const content = pattern(1_000_000);
      Deno.writeFileSync(`${folder.path}/big.bin`, content);
      await using server = await startServer(raw.text, "--overwrite", "--rate", "1M", folder.path);
      await listsWithin(server, raw, 10_000);
      using session = await raw.open(server);
      await session.send(
        direction === "get" ? "get big.bin" : "put new.bin",
        direction === "get" ? {} : { ready: true },
      );
      assert("object" in await session.answer());
      {
        using stack = new DisposableStack();
        await exhaust(server, stack, 190);
        if (direction === "get") {
          assertEquals((await session.checkedBody()).content, content);
        } else {
          await session.data.send(joined(object({ offset: 0 }), upload(content)));
          assertEquals(await session.stored(content), "stored");
          assertEquals(Deno.readFileSync(`${folder.path}/new.bin`), content);
        }
      }
      assertLess(await listsWithin(server, raw, 5_000), 2_000, "ms until it lists again");
      assertEquals(await session.get("big.bin"), content);
      await eventually("no temporary file is left", () => temporaries(folder.path).length === 0);
    },
  });
}
