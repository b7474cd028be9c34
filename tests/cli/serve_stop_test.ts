/**
 * How `serve` ends: on the first signal when what runs has ended, on the second
 * one at once.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { assertEquals, assertLess, assertNotMatch } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { RawClient } from "../server/raw_client.ts";
import { assertCode, assertNoTrace, IS_UNIX, linesOf, startServe, tandem } from "./program.ts";
import { someBytes, writeFiles } from "./place.ts";

/** Waits until nobody is let in any more: then the first signal has arrived. */
async function untilClosed(port: number): Promise<void> {
  for (let tries = 0; tries < 1_000; tries++) {
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
    } catch {
      return;
    }
  }
  throw new Error("new clients are still let in");
}

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
  Deno.test({
    name: `serve ends with exit 0 on ${signal}, whoever is connected`,
    ignore: !IS_UNIX,
    async fn() {
      using folder = tempFolder();
      await using server = await startServe(tandem(["serve", "-p0", folder.path]));
      using idle = new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
      assertEquals(await idle.list(), []);
      const startedMs = performance.now();
      server.process.kill(signal);
      await idle.assertEnds();
      const ended = await server.process.ended();
      assertCode(ended, 0);
      assertLess(performance.now() - startedMs, 5_000);
      assertEquals(linesOf(ended.stdout).length, 1);
      assertNoTrace(ended.stderr);
    },
  });

  Deno.test({
    name: `serve lets a running transfer end after ${signal}, and nobody else in`,
    ignore: !IS_UNIX,
    async fn() {
      using folder = tempFolder();
      const bytes = someBytes(1_000_000);
      writeFiles(folder.path, { file: bytes });
      await using server = await startServe(tandem(["serve", "-p0", "--rate", "2M", folder.path]));
      using client = new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
      using data = await client.ask("get file");
      assertEquals(new TextDecoder().decode(await data.read(10)), "0001000000");
      server.process.kill(signal);
      await untilClosed(server.port);
      assertEquals(await data.readToEnd(), bytes);
      const ended = await server.process.ended();
      assertCode(ended, 0);
      assertNoTrace(ended.stderr);
    },
  });
}

Deno.test({
  name: "serve lets a running put end after SIGTERM, and keeps the file",
  ignore: !IS_UNIX,
  async fn() {
    using folder = tempFolder();
    const bytes = someBytes(1_000_000);
    await using server = await startServe(tandem(["serve", "-p0", "--write", "--rate", "2M", folder.path]));
    using client = new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
    using data = await client.ask("put file");
    await data.send("0001000000");
    await data.send(bytes.subarray(0, 400_000));
    server.process.kill("SIGTERM");
    await data.send(bytes.subarray(400_000));
    await data.closeWrite();
    await data.assertEnds();
    assertCode(await server.process.ended(), 0);
    assertEquals(Deno.readFileSync(`${folder.path}/file`), bytes);
  },
});

Deno.test({
  name: "serve ends at once on a second signal, and half a file has no name",
  ignore: !IS_UNIX,
  async fn() {
    using folder = tempFolder();
    await using server = await startServe(tandem(["serve", "-p0", "--write", folder.path]));
    using client = new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
    using data = await client.ask("put file");
    await data.send("0001000000begin");
    server.process.kill("SIGTERM");
    await untilClosed(server.port);
    assertEquals(server.process.over, false, "it waits for the put");
    const startedMs = performance.now();
    server.process.kill("SIGINT");
    const ended = await server.process.ended();
    assertLess(performance.now() - startedMs, 3_000);
    assertEquals([0, 130, 143].includes(ended.code), true, `exit code ${ended.code}`);
    assertEquals(ended.signal, null);
    assertNoTrace(ended.stderr);
    const names = [...Deno.readDirSync(folder.path)].map(({ name }) => name);
    for (const name of names) assertNotMatch(name, /^file/);
    // The next server sweeps what this one has left.
    await using next = await startServe(tandem(["serve", "-p0", "--write", folder.path]));
    await using nextClient = await connect({ port: next.port });
    for (let tries = 0; tries < 50 && [...Deno.readDirSync(folder.path)].length > 0; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    assertEquals(await Array.fromAsync(nextClient.list()), []);
    assertEquals([...Deno.readDirSync(folder.path)], []);
  },
});
