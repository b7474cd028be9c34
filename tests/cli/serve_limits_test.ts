/**
 * The limits of `serve` as flags: each is seen to hold.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { assertEquals, assertGreater, assertLess, assertRejects, assertStringIncludes } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { within } from "../net/deadline.ts";
import { RawClient } from "../server/raw_client.ts";
import { NARROW, type ServeProgram, startServe, tandem } from "./program.ts";
import { writeFiles } from "./place.ts";

/** Starts a server of a folder, with these flags. */
function serveWith(folder: string, flags: readonly string[], rights = NARROW): Promise<ServeProgram> {
  return startServe(tandem(["serve", "-vp0", "--overwrite", "--log=json", ...flags, folder], rights));
}

async function rawClient({ port }: ServeProgram): Promise<RawClient> {
  return new RawClient(await Deno.connect({ hostname: "127.0.0.1", port }));
}

/** Waits for a log line of an event with an outcome. */
async function untilLogged({ process }: ServeProgram, event: string, outcome: string): Promise<string> {
  return await process.stderr.until(new RegExp(`"event":"${event}"[^\\n]*"outcome":"${outcome}"`));
}

/** The first of `count` ports in a row that are free at this moment. */
function freePorts(count: number): number {
  for (let from = 21_000 + Math.floor(Math.random() * 9_000);; from = from + count) {
    using stack = new DisposableStack();
    try {
      for (let i = 0; i < count; i++) stack.use(Deno.listen({ hostname: "127.0.0.1", port: from + i }));
      return from;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

Deno.test("--data-ports: every data port is in the range, both ends included", async () => {
  using folder = tempFolder();
  const from = freePorts(2);
  await using server = await serveWith(folder.path, ["--data-ports", `${from}-${from + 1}`]);
  using client = await rawClient(server);
  const seen = new Set<number>();
  for (let i = 0; i < 30; i++) {
    await client.sendCommand("ls");
    const port = await client.receivePort();
    seen.add(port);
    using data = await client.connectData(port);
    await data.readAnswer();
  }
  assertEquals([...seen].sort(), [from, from + 1]);
});

Deno.test("--max-file: a larger file is refused and not stored, a file of that size is taken", async () => {
  using folder = tempFolder();
  await using server = await serveWith(folder.path, ["--max-file", "1K"]);
  await using client = await connect({ port: server.port });
  await client.put("fits", new Uint8Array(1_024));
  await assertRejects(() => client.put("large", new Uint8Array(20_000_000)), Error);
  await untilLogged(server, "command", "too-large");
  assertEquals([...Deno.readDirSync(folder.path)].map(({ name }) => name), ["fits"]);
});

Deno.test("--max-per-ip and --max-sessions: one session more is closed at once", async () => {
  using folder = tempFolder();
  await Promise.all(["--max-per-ip", "--max-sessions"].map(async (flag) => {
    await using server = await serveWith(folder.path, [flag, "1"]);
    using first = await rawClient(server);
    assertEquals(await first.list(), []);
    using second = await rawClient(server);
    await second.assertEnds();
    await untilLogged(server, "warning", "session-refused");
    assertEquals(await first.list(), []);
  }));
});

Deno.test("--rate: a transfer is not faster", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { file: new Uint8Array(128 * 1024) });
  await using server = await serveWith(folder.path, ["--rate", "256K"]);
  using client = await rawClient(server);
  const startedMs = performance.now();
  assertEquals((await client.get("file"))?.length, 128 * 1024);
  // Half a second, but for the first piece, which is sent at once.
  assertGreater(performance.now() - startedMs, 300);
});

Deno.test("--idle-timeout: who says nothing is closed, and the log says why", async () => {
  using folder = tempFolder();
  await using server = await serveWith(folder.path, ["--idle-timeout", "0.3"]);
  using client = await rawClient(server);
  assertEquals(await client.list(), []);
  const startedMs = performance.now();
  await client.assertEnds();
  assertGreater(performance.now() - startedMs, 200);
  await untilLogged(server, "session-closed", "timeout");
});

Deno.test("--stall-timeout: a put that stands still is ended, and nothing is left of it", async () => {
  using folder = tempFolder();
  await using server = await serveWith(folder.path, ["--stall-timeout", "0.3"]);
  using client = await rawClient(server);
  using data = await client.ask("put file");
  await data.send("0000001000begin");
  await data.assertEnds();
  await untilLogged(server, "command", "timeout");
  assertEquals(await client.list(), []);
  assertEquals(temporaries(folder.path), []);
});

Deno.test("--min-free: a put that would leave too little room is refused", async () => {
  using folder = tempFolder();
  // To ask a disk how much is free takes a right of its own.
  const rights = [...NARROW, "--allow-sys=statfs"];
  await using server = await serveWith(folder.path, ["--min-free", "1000T"], rights);
  await using client = await connect({ port: server.port });
  await assertRejects(() => client.put("file", "x"), Error);
  await untilLogged(server, "command", "no-space");
  assertEquals([...Deno.readDirSync(folder.path)], []);
});

Deno.test("a timeout of weeks is not over at once", async () => {
  using folder = tempFolder();
  let server: ServeProgram;
  try {
    server = await serveWith(folder.path, ["--idle-timeout", "3000000", "--stall-timeout", "3000000"]);
  } catch (error) {
    // To refuse it is as good.
    assertStringIncludes(String(error), "-timeout 3000000");
    return;
  }
  await using _server = server;
  using client = await rawClient(server);
  for (let i = 0; i < 3; i++) {
    assertEquals(await client.list(), []);
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
});

Deno.test("without limits on the command line none of them is in the way", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { file: new Uint8Array(3_000_000) });
  await using server = await serveWith(folder.path, []);
  const startedMs = performance.now();
  await within(
    Promise.all(Array.from({ length: 20 }, async () => {
      using client = await rawClient(server);
      assertEquals((await client.get("file"))?.length, 3_000_000);
    })),
    20_000,
    "twenty clients",
  );
  assertLess(performance.now() - startedMs, 20_000);
});
