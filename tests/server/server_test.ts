/**
 * Tests of `serve()` itself: how it begins, how it ends, and what its options
 * do. What peers may do to it is in the files named after the safety rows.
 *
 * @module
 */

import { MemoryStore, type PortRange, serve, type ServeOptions, TandemError, type TandemServer } from "../../mod.ts";
import {
  assert,
  assertEquals,
  assertGreater,
  assertLess,
  assertMatch,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "../deps.ts";
import { serveForTest, tempFolder } from "../helpers.ts";
import { begun, eventually, pause, within } from "./deadline.ts";
import { HookedStore } from "./hooked_store.ts";
import { header, isRefusal, message, RawClient, RawConnection, toWire } from "./raw_client.ts";
import { LINUX, pattern, testBed } from "./test_bed.ts";

/** Whether anything listens at a server's port. */
async function listens({ addr }: TandemServer): Promise<boolean> {
  try {
    (await RawConnection.open(addr.hostname, addr.port)).close();
    return true;
  } catch (error) {
    if (isRefusal(error)) return false;
    throw error;
  }
}

/** How long `work` takes, in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

Deno.test("serve() listens when it returns, and calls onListen() once with the real port", async () => {
  using folder = tempFolder();
  const heard: Deno.NetAddr[] = [];
  await using server = serveForTest(folder.path, {
    onListen: (addr) => heard.push(addr),
  });
  assertGreater(server.addr.port, 0);
  assertEquals(server.addr.hostname, "127.0.0.1");
  assertEquals(heard, [server.addr]);
  assert(await listens(server));
});

Deno.test("serve() throws a connect error with a hint when the port is taken, and lets go of the store", async () => {
  using folder = tempFolder();
  await using first = serveForTest(folder.path);
  const store = new HookedStore(new MemoryStore(), () => {});
  const error = assertThrows(
    () => serve({ store, port: first.addr.port }),
    TandemError,
  );
  assertEquals(error.code, "connect");
  assertStringIncludes(error.message, `:${first.addr.port}`);
  assertMatch(error.hint ?? "", /another program has that port/);
  assert(store.closed);
});

Deno.test("serve() throws when its folder is missing or is a file", () => {
  using folder = tempFolder();
  Deno.writeTextFileSync(`${folder.path}/file`, "x");
  const cases = { "missing": "not-found", "file": "not-directory" };
  for (const [name, code] of Object.entries(cases)) {
    const error = assertThrows(
      () => serve({ root: `${folder.path}/${name}`, port: 0 }),
      TandemError,
    );
    assertEquals(error.code, code);
  }
});

Deno.test("serve() throws when its options make no sense", () => {
  using folder = tempFolder();
  const ranges = [
    { from: 0, to: 10 },
    { from: 10, to: 9 },
    { from: 1, to: 65_536 },
    { from: 1.5, to: 10 },
    { from: NaN, to: 10 },
  ];
  for (const dataPorts of ranges) {
    const error = assertThrows(
      () => serve({ root: folder.path, port: 0, dataPorts }),
      TandemError,
    );
    assertEquals(error.code, "usage");
  }
});

Deno.test("serve() leaves nothing open when onListen() throws", async () => {
  using folder = tempFolder();
  let port = 0;
  assertThrows(
    () =>
      serve({
        root: folder.path,
        port: 0,
        onListen: (addr) => {
          port = addr.port;
          throw new Error("from onListen");
        },
      }),
    Error,
    "from onListen",
  );
  const error = await assertRejects(
    async () => (await RawConnection.open("127.0.0.1", port)).close(),
    Error,
  );
  assert(isRefusal(error), String(error));
});

for (const hostname of ["0.0.0.0", "::1", "::", "localhost"]) {
  Deno.test({
    name: `serve() opens data ports where the client came in when it listens on ${hostname}`,
    ignore: hostname.startsWith(":") && !hasIpv6(),
    async fn() {
      await using bed = testBed({ hostname });
      bed.write("a.txt", "content");
      using client = await bed.connect();
      assertEquals(await client.get("a.txt"), toWire("content"));
      assertEquals(await client.put("b.txt", "x"), "closed");
      await client.quit();
    },
  });
}

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

Deno.test("shutdown() ends idle sessions at once and takes no more clients", async () => {
  await using bed = testBed({ limits: { shutdownGraceMs: 5_000 } });
  using silent = await bed.connect();
  using used = await bed.connect();
  assertEquals(await used.list(), []);
  // Connections are taken in order: the silent one is in, too.
  assertLess(await timed(() => within("the end", bed.server.shutdown())), 1_000);
  await silent.assertEnds();
  await used.assertEnds();
  assertEquals(await listens(bed.server), false);
  await within("the end", bed.server.finished);
});

Deno.test("shutdown() lets running transfers end, and then the sessions", async () => {
  await using bed = testBed({ limits: { shutdownGraceMs: 5_000 } });
  const big = pattern(16 << 20);
  bed.write("big.bin", big);
  using reader = await bed.connect();
  using download = await reader.ask("get big.bin");
  await download.read(10);
  using writer = await bed.connect();
  using upload = await writer.ask("put new.txt");
  await upload.send(`${header(7)}con`);
  let over = false;
  const down = begun(bed.server.shutdown().finally(() => over = true));
  assertEquals(await listens(bed.server), false);
  await upload.send("tent");
  await upload.closeWrite();
  await upload.assertEnds();
  await writer.assertEnds();
  assertEquals(bed.read("new.txt"), "content");
  assertEquals(over, false);
  assertEquals(await download.readToEnd(), big);
  await reader.assertEnds();
  await within("the end", down);
});

Deno.test("shutdown() ends what is left when the grace is over, and leaves nothing of it", async () => {
  const shutdownGraceMs = 200;
  await using bed = testBed({ limits: { shutdownGraceMs } });
  bed.write("big.bin", pattern(16 << 20));
  using reader = await bed.connect();
  using download = await reader.ask("get big.bin");
  await download.read(10);
  using writer = await bed.connect();
  using upload = await writer.ask("put new.txt");
  await upload.send(`${header(7)}con`);
  using waiting = await bed.connect();
  await waiting.sendCommand("put other.txt");
  await waiting.receivePort();
  const tookMs = await timed(() => within("the end", bed.server.shutdown()));
  assertGreater(tookMs, shutdownGraceMs * 0.8);
  assertLess(tookMs, shutdownGraceMs * 6);
  await upload.assertEnds();
  assertLess((await download.readToEnd()).length, 16 << 20);
  assertEquals([...Deno.readDirSync(bed.root)].length, 1);
});

Deno.test("shutdown() twice, and disposing after it, is one shutdown", async () => {
  await using bed = testBed();
  using client = await bed.connect();
  assertEquals(await client.list(), []);
  await Promise.all([bed.server.shutdown(), bed.server.shutdown()]);
  await within("the end", bed.server.shutdown());
  await bed.server[Symbol.asyncDispose]();
});

Deno.test("serve() stops at once when its signal is aborted, also during a shutdown", async () => {
  for (const shutsDown of [false, true]) {
    const controller = new AbortController();
    await using bed = testBed({
      signal: controller.signal,
      limits: { shutdownGraceMs: 60_000 },
    });
    using client = await bed.connect();
    using upload = await client.ask("put a.txt");
    await upload.send(`${header(7)}con`);
    const down = shutsDown ? bed.server.shutdown() : undefined;
    assertLess(
      await timed(async () => {
        controller.abort();
        await within("the end", bed.server.finished);
        await down;
      }),
      1_000,
    );
    await upload.assertEnds();
    await client.assertEnds();
    assertEquals([...Deno.readDirSync(bed.root)], []);
    assertEquals(await listens(bed.server), false);
  }
});

Deno.test("serve() with a signal that is aborted already stops at once", async () => {
  using folder = tempFolder();
  const server = serveForTest(folder.path, { signal: AbortSignal.abort() });
  await within("the end", server.finished);
  assertEquals(await listens(server), false);
});

Deno.test("finished is resolved when the server has ended, and not before", async () => {
  const store = new HookedStore(new MemoryStore(), () => {});
  await using bed = testBed({ store });
  let over = false;
  const end = bed.server.finished.then(() => over = true);
  using client = await bed.connect();
  assertEquals(await client.list(), []);
  assertEquals(over, false);
  assertEquals(store.closed, false);
  await within("the end", bed.server.shutdown());
  await within("the end", end);
  assert(store.closed);
});

Deno.test("unref() lets a process end although its server runs", async () => {
  using folder = tempFolder();
  const code = `
    import { serve } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
    const server = serve({ root: ${JSON.stringify(folder.path)}, port: 0 });
    server.unref();
    console.log("listens");
  `;
  const script = `${folder.path}/script.ts`;
  Deno.writeTextFileSync(script, code);
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "--no-config", "-A", script],
    stdout: "piped",
    stderr: "inherit",
  }).spawn();
  const { code: exitCode, stdout } = await within("its end", child.output(), {
    onLate: () => child.kill("SIGKILL"),
  });
  assertEquals(new TextDecoder().decode(stdout), "listens\n");
  assertEquals(exitCode, 0);
});

/** As many free ports in a row as are asked for, below those that systems choose themselves. */
function freePorts(count: number): PortRange {
  for (let tries = 0; tries < 100; tries++) {
    const from = 20_000 + Math.floor(Math.random() * 10_000);
    using stack = new DisposableStack();
    try {
      for (let i = 0; i < count; i++) {
        stack.use(Deno.listen({ hostname: "127.0.0.1", port: from + i }));
      }
      return { from, to: from + count - 1 };
    } catch {
      // One of them is taken: from somewhere else then.
    }
  }
  throw new Error(`no ${count} free ports in a row`);
}

Deno.test("dataPorts: every command gets a port in the range", async () => {
  const dataPorts = freePorts(12);
  await using bed = testBed({ dataPorts });
  bed.write("a.txt", "content");
  using client = await bed.connect();
  const seen = new Set<number>();
  for (let i = 0; i < 5; i++) {
    for (const command of ["ls", "get a.txt", "get no", "put b.txt", "x"]) {
      await client.sendCommand(command);
      const port = await client.receivePort();
      assert(port >= dataPorts.from && port <= dataPorts.to, `${port}`);
      seen.add(port);
      using data = await client.connectData(port);
      if (command.startsWith("put")) await data.send(message("x"));
      await data.closeWrite();
      await data.readToEnd();
    }
    for (const command of ["put ../x", "quit"]) {
      using another = await bed.connect();
      await another.sendCommand(command);
      const port = await another.receivePort();
      assert(port >= dataPorts.from && port <= dataPorts.to, `${port}`);
    }
  }
  assertGreater(seen.size, 1);
});

Deno.test("dataPorts: a command waits for a port of an exhausted range", async () => {
  const dataPorts = freePorts(1);
  await using bed = testBed({ dataPorts });
  bed.write("a.txt", "content");
  using first = await bed.connect();
  using second = await bed.connect();
  await first.sendCommand("get a.txt");
  const port = await first.receivePort();
  assertEquals(port, dataPorts.from);
  // The second one's port comes when the first one's is free again.
  let came = false;
  await second.sendCommand("get a.txt");
  const next = begun(second.receivePort().finally(() => came = true));
  for (let i = 0; i < 3; i++) {
    using another = await bed.connect();
    await another.send("x".repeat(10));
    await another.assertEnds();
  }
  assertEquals(came, false);
  using data = await first.connectData(port);
  assertEquals(await data.readAnswer(), toWire("content"));
  using later = await second.connectData(await next);
  assertEquals(await later.readAnswer(), toWire("content"));
});

Deno.test("dataPorts: refused puts do not keep a small range from other clients", async () => {
  const dataPorts = freePorts(2);
  await using bed = testBed({ dataPorts });
  using attacker = await bed.connect();
  using honest = await bed.connect();
  assertEquals(await honest.list(), []);
  for (let i = 0; i < 2; i++) {
    assertEquals(await attacker.put("../x", "x"), "refused");
    await bed.log.commandOf(attacker);
  }
  const tookMs = await timed(async () => assertEquals(await honest.list(), []));
  assertLess(tookMs, 1_000);
});

Deno.test("dataPorts: a range that stays taken ends the session as busy, and the server recovers", async () => {
  const dataPorts = freePorts(1);
  await using bed = testBed({ dataPorts });
  using client = await bed.connect();
  {
    using _taken = Deno.listen({ hostname: "127.0.0.1", port: dataPorts.from });
    await client.sendCommand("ls");
    // Not for as long as the server would wait: a client that leaves ends it too.
    await client.closeWrite();
    await client.assertEnds();
    assertEquals((await bed.log.sessionClosed(client)).outcome, "busy");
  }
  using next = await bed.connect();
  assertEquals(await next.list(), []);
});

Deno.test("limits.bytesPerSecond holds each transfer to its rate, both ways", async () => {
  const limits = { bytesPerSecond: 200_000 };
  await using bed = testBed({ limits });
  const content = pattern(80_000);
  bed.write("a.bin", content);
  using reader = await bed.connect();
  using second = await bed.connect();
  using writer = await bed.connect();
  const times = await Promise.all([
    timed(async () => assertEquals(await reader.get("a.bin"), content)),
    timed(async () => assertEquals(await second.get("a.bin"), content)),
    timed(async () => {
      assertEquals(await writer.put("b.bin", content), "closed");
    }),
  ]);
  // 400 ms each; the last piece need not be waited for.
  for (const tookMs of times) {
    assertGreater(tookMs, 250);
    assertLess(tookMs, 1_200);
  }
  assertEquals(Deno.readFileSync(`${bed.root}/b.bin`), content);
});

Deno.test("limits.maxFileBytes refuses a larger put at its header, and takes one of that size", async () => {
  await using bed = testBed({ limits: { maxFileBytes: 1_000 } });
  await bed.survives(async () => {
    using client = await bed.connect();
    using data = await client.ask("put a.bin");
    await data.send(header(1_001));
    assertEquals(await data.endOfPut(), "told");
    assertEquals((await bed.log.commandOf(client)).outcome, "too-large");
    assertEquals(await client.list(), []);
    assertEquals(await client.put("a.bin", pattern(1_000)), "closed");
    assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), pattern(1_000));
  });
});

Deno.test("limits.minFreeBytes refuses a put where too little is free, before its port is accepted", async () => {
  await using bed = testBed({
    limits: { minFreeBytes: Number.MAX_SAFE_INTEGER },
  });
  await bed.survives(async () => {
    using client = await bed.connect();
    assertEquals(await client.put("a.bin", "x"), "refused");
    assertEquals((await bed.log.commandOf(client)).outcome, "no-space");
    assertEquals(await client.list(), []);
  });
});

Deno.test("limits.minFreeBytes refuses a put that would leave too little, at its header", async () => {
  const store = new MemoryStore({ capacityBytes: 10_000 });
  await using bed = testBed({ store, limits: { minFreeBytes: 4_000 } });
  using client = await bed.connect();
  using data = await client.ask("put a.bin");
  await data.send(header(6_001));
  assertEquals(await data.endOfPut(), "told");
  assertEquals((await bed.log.commandOf(client)).outcome, "no-space");
  assertEquals(await client.put("a.bin", pattern(6_000)), "closed");
  assertEquals(await client.list(), ["a.bin"]);
  assertEquals(await client.put("b.bin", "x"), "told");
  assertEquals(await client.list(), ["a.bin"]);
});

Deno.test("onEvent() may throw without ending anything", async () => {
  const complaints: unknown[] = [];
  const original = console.error;
  console.error = (...args: unknown[]) => complaints.push(args);
  try {
    const onEvent: ServeOptions["onEvent"] = () => {
      throw new Error("from onEvent");
    };
    await using bed = testBed({ onEvent });
    using client = await bed.connect();
    assertEquals(await client.put("a.txt", "x"), "closed");
    assertEquals(await client.get("a.txt"), toWire("x"));
    assertEquals(await client.get("no"), undefined);
    await client.quit();
    await within("the end", bed.server.shutdown());
  } finally {
    console.error = original;
  }
  assertGreater(complaints.length, 4);
});

for (const how of ["shutdown()", "a signal"]) {
  Deno.test(`a store whose close() throws does not keep the server from ending by ${how}, nor end the process`, async () => {
    class Unclosable extends MemoryStore {
      override close(): void {
        throw new Error("from close()");
      }
    }
    const unhandled: unknown[] = [];
    const onUnhandled = (event: PromiseRejectionEvent) => {
      event.preventDefault();
      unhandled.push(event.reason);
    };
    addEventListener("unhandledrejection", onUnhandled);
    try {
      using folder = tempFolder();
      const controller = new AbortController();
      const { signal } = controller;
      const server = serveForTest(folder.path, { store: new Unclosable(), signal });
      using client = await RawClient.connect(server);
      assertEquals(await client.list(), []);
      // That its own caller is told is as good as that nobody is.
      if (how === "a signal") controller.abort();
      else await within("the end", server.shutdown().catch(() => {}));
      await client.assertEnds();
      assertEquals(await listens(server), false);
      await pause(10);
    } finally {
      removeEventListener("unhandledrejection", onUnhandled);
    }
    assertEquals(unhandled, []);
  });
}

/** A name that a temporary file may have. */
function leftover(digit: string): string {
  return `.tandem-${digit.repeat(32)}.part`;
}

Deno.test("serve() sweeps what killed writers have left, and nothing that is locked or has another name", async () => {
  using folder = tempFolder();
  const { path: root } = folder;
  Deno.mkdirSync(`${root}/sub/deep`, { recursive: true });
  const left = [leftover("0"), `sub/${leftover("1")}`, `sub/deep/${leftover("2")}`];
  const stay = [leftover("3"), "sub/a.part", "sub/.tandem.part", ".tandem-x"];
  for (const name of [...left, ...stay]) {
    Deno.writeTextFileSync(`${root}/${name}`, name);
  }
  // Another handle's lock is as good as another process's.
  using locked = Deno.openSync(`${root}/${leftover("3")}`, { write: true });
  assert(await locked.tryLock(true));
  await using server = serveForTest(root);
  await eventually("all is swept", () => !left.some((name) => exists(`${root}/${name}`)));
  await within("the end", server.shutdown());
  assertEquals(stay.filter((name) => exists(`${root}/${name}`)), stay);
});

Deno.test({
  name: "serve() does not sweep what another process has locked",
  ignore: !LINUX,
  async fn() {
    using folder = tempFolder();
    const { path: root } = folder;
    for (const digit of ["0", "1"]) {
      Deno.writeTextFileSync(`${root}/${leftover(digit)}`, "left over");
    }
    const path = `${root}/${leftover("1")}`;
    const holder = new Deno.Command(Deno.execPath(), {
      args: [
        "eval",
        "--no-config",
        `using file = Deno.openSync(${JSON.stringify(path)}, { write: true });
         console.log(await file.tryLock(true));
         await Deno.stdin.read(new Uint8Array(1));`,
      ],
      stdin: "piped",
      stdout: "piped",
    }).spawn();
    const lines = holder.stdout.pipeThrough(new TextDecoderStream()).getReader();
    const options = { onLate: () => holder.kill("SIGKILL") };
    const { value } = await within("a lock", lines.read(), options);
    assertEquals(value, "true\n");
    await using server = serveForTest(root);
    await eventually("one is swept", () => !exists(`${root}/${leftover("0")}`));
    await within("the end", server.shutdown());
    assert(exists(path));
    await holder.stdin.close();
    while (!(await within("its end", lines.read(), options)).done);
    await within("its exit", holder.status, options);
    // Now that nobody holds it.
    await using next = serveForTest(root);
    await eventually("the other is swept", () => !exists(path));
    await within("the end", next.shutdown());
  },
});

Deno.test({
  name: "serve() sweeps what it may although there are folders that it may not read",
  ignore: !LINUX,
  async fn() {
    using folder = tempFolder();
    const root = `${folder.path}/pub`;
    const left: string[] = [];
    // Enough of both that no order has all the closed ones last.
    for (let i = 0; i < 8; i++) {
      Deno.mkdirSync(`${root}/open${i}`, { recursive: true });
      left.push(`${root}/open${i}/${leftover("0")}`);
      Deno.mkdirSync(`${root}/closed${i}`);
    }
    for (const path of left) Deno.writeTextFileSync(path, "left over");
    const script = `${folder.path}/script.ts`;
    Deno.writeTextFileSync(
      script,
      `import { serve } from ${JSON.stringify(new URL("../../mod.ts", import.meta.url).href)};
       const onEvent = (event) => console.log(JSON.stringify(event));
       const server = serve({ root: ${JSON.stringify(root)}, port: 0, overwrite: true, onEvent });
       await server.shutdown();`,
    );
    // No folder is closed to root, so that it has to be somebody else.
    const nobody = 65_534;
    const asNobody = Deno.uid() === 0 ? { uid: nobody, gid: nobody } : {};
    if (Deno.uid() === 0) giveTo(nobody, folder.path);
    const closeAll = (mode: number) => {
      for (let i = 0; i < 8; i++) Deno.chmodSync(`${root}/closed${i}`, mode);
    };
    closeAll(0o000);
    using _reopened = { [Symbol.dispose]: () => closeAll(0o700) };
    const child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--no-check", "--no-config", "-A", script],
      cwd: folder.path,
      env: { DENO_DIR: `${folder.path}/deno`, HOME: folder.path },
      stdout: "piped",
      stderr: "inherit",
      ...asNobody,
    }).spawn();
    const { stdout } = await within("its end", child.output(), { onLate: () => child.kill("SIGKILL") });
    assertEquals(new TextDecoder().decode(stdout), "");
    assertEquals(left.filter(exists), []);
  },
});

function giveTo(uid: number, path: string): void {
  Deno.chownSync(path, uid, uid);
  if (!Deno.lstatSync(path).isDirectory) return;
  for (const { name } of Deno.readDirSync(path)) giveTo(uid, `${path}/${name}`);
}

Deno.test("serve() sweeps nothing where it may not write", async () => {
  using folder = tempFolder();
  const path = `${folder.path}/${leftover("0")}`;
  Deno.writeTextFileSync(path, "left over");
  const server = serve({ root: folder.path, port: 0 });
  using client = await RawClient.connect(server);
  assertEquals(await client.list(), []);
  await pause(20);
  await within("the end", server.shutdown());
  assert(exists(path));
});

function exists(path: string): boolean {
  try {
    Deno.lstatSync(path);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
