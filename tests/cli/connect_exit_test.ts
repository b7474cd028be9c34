/**
 * Every exit code that can occur, with what leads to it.
 *
 * @module
 */

import { assertEquals, assertLess, assertNotEquals, assertStringIncludes } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import {
  acceptsData,
  answers,
  closesControl,
  header,
  isLeft,
  ScriptedServer,
  sends,
  sendsOnControl,
  sendsPort,
  type Step,
  takesCommand,
} from "../client/scripted_server.ts";
import { closedPort } from "../net/door.ts";
import { mountTest, smallDisk } from "../store/mounts.ts";
import { assertClearError, assertCode, type Ended, NARROW, run, tandem } from "./program.ts";
import { place, writeFiles } from "./place.ts";

/** An error as a script meets it: its exit code, something to read on stderr, nothing on stdout. */
function assertFails(ended: Ended, code: number, ...says: readonly string[]): void {
  assertCode(ended, code);
  assertClearError(ended);
  assertEquals(ended.stdout, "");
  for (const text of says) assertStringIncludes(ended.stderr, text);
}

/** Runs `connect` against a server that follows a script. */
async function connectToScript(steps: readonly Step[], args: readonly string[], cwd?: string): Promise<Ended> {
  await using server = await ScriptedServer.start(steps);
  const words = tandem(["connect", `127.0.0.1:${server.port}`, ...args]);
  return await run(words, cwd === undefined ? {} : { cwd });
}

Deno.test("exit 1: a folder is where a file should go, or a file is no folder", async () => {
  await using shared = place({ x: "x" });
  writeFiles(shared.here, { "x/y": "", "file": "" });
  const [get, put] = await Promise.all([shared.connect(["get", "x"]), shared.connect(["put", "x", "new"])]);
  assertFails(get, 1, "x", "folder");
  assertFails(put, 1, "x", "folder");
});

Deno.test("exit 2: a command that is none, or has too few or too many words", async () => {
  await using shared = place();
  const lines = [["gett", "a"], ["get"], ["ls", "a", "b"], ["pwd", "x"], ["ls", "-x"], ["cat"], ["lls", "a", "b"]];
  const all = await Promise.all(lines.map((args) => shared.connect(args)));
  for (const ended of all) assertFails(ended, 2, "hint:");
  assertStringIncludes(all[0]?.stderr ?? "", "did you mean get?");
});

Deno.test("exit 3: nobody listens, the name has no address, or the server is full", async () => {
  await using shared = place({}, { limits: { maxSessionsPerAddress: 1 } });
  await using held = shared.start([], { stdin: "open" });
  await held.type("pwd\n");
  await held.stdout.until(/\//);
  const nameRights = [...NARROW, "--allow-net=nowhere.invalid:2121"];
  const [nobody, noName, full] = await Promise.all([
    run(tandem(["connect", `127.0.0.1:${closedPort()}`, "ls"])),
    run(tandem(["connect", "nowhere.invalid", "ls"], nameRights)),
    shared.connect(["ls"]),
  ]);
  assertFails(nobody, 3, "refused", "hint:");
  assertFails(noName, 3, "nowhere.invalid", "hint:");
  assertFails(full, 3, "full");
  await held.closeInput();
  assertCode(await held.ended(), 0);
});

Deno.test("exit 4: the server does not have it, or does not say", async () => {
  await using shared = place({ "sub/a": "a" });
  const commands = [["get", "none"], ["cat", "none"], ["ls", "none"], ["get", "sub"], ["get", "sub/none", "new"]];
  const all = await Promise.all(commands.map((args) => shared.connect(args)));
  for (const ended of all) assertFails(ended, 4, "hint:");
  assertFails(await shared.connect([], { stdin: "cd none\n" }), 4, "none");
  assertEquals([...Deno.readDirSync(shared.here)], []);
});

Deno.test("exit 4: --zero-is-missing takes an empty file for one that is not there", async () => {
  await using shared = place({ empty: "", full: "full" });
  const flags = ["--zero-is-missing", "get"];
  assertFails(await shared.connect([...flags, "empty"]), 4, "empty");
  assertEquals([...Deno.readDirSync(shared.here)], []);
  assertCode(await shared.connect([...flags, "full"]), 0);
  assertCode(await shared.connect(["get", "empty"]), 0);
  assertEquals(Deno.statSync(`${shared.here}/empty`).size, 0);
});

Deno.test("exit 5: outside of the shared folder, read-only, or a name that may not be replaced", async () => {
  await using readOnly = place({ x: "old" }, { overwrite: false });
  await using addOnly = place({ x: "old" }, { overwrite: false, write: true });
  for (const { here } of [readOnly, addOnly]) writeFiles(here, { x: "new" });
  const outside = ["get", "ls", "cat"].map((verb) => readOnly.connect([verb, "../x"]));
  for (const ended of await Promise.all(outside)) assertFails(ended, 5, "../x");
  const [denied, kept] = await Promise.all([
    readOnly.connect(["put", "x", "y"]),
    addOnly.connect(["--on-exist", "overwrite", "put", "x"]),
  ]);
  assertFails(denied, 5, "y", "hint:");
  assertFails(kept, 5, "x", "hint:");
  assertEquals(Deno.readTextFileSync(`${addOnly.root}/x`), "old");
});

Deno.test("exit 6: local files that are not there or cannot be, and listings that are too large", async () => {
  await using shared = place({ x: "x" });
  const commands = [["put", "none"], ["get", "x", "none/x"], ["-f", "none"]];
  const all = await Promise.all(commands.map((args) => shared.connect(args)));
  for (const ended of all) assertFails(ended, 6, "none");
  const tooLarge = answers("ls", sends(header(16 * 1024 * 1024 + 1)), isLeft());
  assertFails(await connectToScript(tooLarge, ["ls"]), 6, "16777217");
});

Deno.test("a put that the server refuses once it knows the size is no success, however small the file is", async () => {
  await using shared = place({}, { limits: { maxFileBytes: 1_000 } });
  writeFiles(shared.here, { small: "x".repeat(1_001), large: new Uint8Array(20_000_000) });
  for (const name of ["large", "small"]) {
    const ended = await shared.connect(["put", name]);
    assertEquals([...Deno.readDirSync(shared.root)], []);
    assertNotEquals(ended.code, 0, `${name}: ${ended.stderr}`);
    assertClearError(ended);
  }
});

mountTest("K9 exit 6: the local disk is full or read-only: a clear error, and no temporary file", async () => {
  using disk = smallDisk("size=1m");
  const cwd = disk.path;
  await using shared = place({ large: new Uint8Array(3_000_000), small: "new" });
  writeFiles(cwd, { "small": "old" });
  assertFails(await shared.connect(["get", "large"], { cwd }), 6, "large", "full");
  assertFails(await shared.connect(["--on-exist", "overwrite", "get", "large", "small"], { cwd }), 6, "full");
  assertEquals(temporaries(cwd), []);
  disk.makeReadOnly();
  assertFails(await shared.connect(["get", "small", "other"], { cwd }), 6, "other");
  assertEquals([...Deno.readDirSync(cwd)].map(({ name }) => name), ["small"]);
  assertEquals(Deno.readTextFileSync(`${cwd}/small`), "old");
});

Deno.test("exit 7: what only a tandem peer can do", async () => {
  await using shared = place({ x: "x" });
  writeFiles(shared.here, { x: "y" });
  const commands = [
    ["stat", "x"],
    ["hash", "x"],
    ["mkdir", "-p", "new"],
    ["rm", "-r", "x"],
    ["mv", "x", "y"],
    ["sync", ".", "/"],
    ["get", "-r", "x"],
    ["get", "-c", "x"],
    ["put", "-r", "x"],
    ["put", "-c", "x"],
  ];
  const all = await Promise.all(commands.map((args) => shared.connect(args)));
  for (const ended of all) assertFails(ended, 7, "tandem exchange");
  assertEquals(Deno.readTextFileSync(`${shared.root}/x`), "x");
});

/** What no server should send. */
const BROKEN: Readonly<Record<string, readonly Step[]>> = {
  "a port that is no number": [takesCommand("get x"), sendsOnControl("not a port")],
  "port zero": [takesCommand("get x"), sendsOnControl(header(0))],
  "a port over 65535": [takesCommand("get x"), sendsOnControl(header(65_536))],
  "half a port": [takesCommand("get x"), sendsOnControl("00000"), closesControl()],
  "a size that is no number": answers("get x", sends("0x00000010", "content"), isLeft()),
  "a file that ends short": answers("get x", sends(header(100), "content")),
  "a file with more bytes than announced": answers("get x", sends(header(3), "content"), isLeft()),
  "a negative size": answers("get x", sends("-000000003", "abc"), isLeft()),
};

Deno.test("exit 7: the server breaks the protocol or breaks off, and no file is left", async (t) => {
  using folder = tempFolder();
  const all = Object.entries(BROKEN).map(([what, steps], i) => {
    const cwd = `${folder.path}/${i}`;
    Deno.mkdirSync(cwd);
    return { what, cwd, ended: connectToScript(steps, ["get", "x"], cwd) };
  });
  await Promise.all(all.map(({ ended }) => ended));
  for (const { what, cwd, ended } of all) {
    await t.step(what, async () => {
      assertFails(await ended, 7);
      assertEquals([...Deno.readDirSync(cwd)], []);
    });
  }
});

Deno.test("F7 exit 7: ten digits cannot say 10,000,000,000 bytes, and nothing is sent", async () => {
  const commands: string[] = [];
  await using shared = place({}, {
    onEvent: (event) => {
      if (event.event === "command") commands.push(event.command);
    },
  });
  {
    using file = Deno.createSync(`${shared.here}/sparse`);
    file.truncateSync(10_000_000_000);
  }
  const ended = await shared.connect(["put", "sparse"]);
  assertFails(ended, 7, "10000000000", "hint:");
  await shared.server.shutdown();
  assertEquals(commands.filter((command) => command.startsWith("put")), []);
});

Deno.test("exit 8: a file shrinks while it is sent, and the server keeps none of it", async () => {
  await using shared = place({}, { limits: { bytesPerSecond: 8_000_000 } });
  const path = `${shared.here}/large`;
  {
    using file = Deno.createSync(path);
    file.truncateSync(64_000_000);
  }
  await using program = shared.start(["--json", "put", "large"]);
  await program.stdout.until(/"progress"/);
  Deno.truncateSync(path, 10);
  const ended = await program.ended();
  assertCode(ended, 8);
  assertStringIncludes(ended.stdout, '"code":"changed"');
  await shared.server.shutdown();
  assertEquals([...Deno.readDirSync(shared.root)], []);
});

Deno.test("exit 9: some of several files failed, and the others were moved", async () => {
  await using shared = place({ a: "a", c: "c" });
  writeFiles(shared.here, { x: "x", z: "z" });
  const [get, put] = await Promise.all([
    shared.connect(["get", "a", "b", "c", "."]),
    shared.connect(["put", "x", "y", "z", "./"]),
  ]);
  assertFails(get, 9, "b", "1 of 3");
  assertFails(put, 9, "y", "1 of 3");
  for (const folder of [shared.root, shared.here]) {
    assertEquals([...Deno.readDirSync(folder)].map(({ name }) => name).sort(), ["a", "c", "x", "z"]);
  }
});

Deno.test("exit 10: the local target exists", async () => {
  await using shared = place({ x: "new" });
  writeFiles(shared.here, { x: "old" });
  assertFails(await shared.connect(["get", "x"]), 10, "exists", "--on-exist");
  assertEquals(Deno.readTextFileSync(`${shared.here}/x`), "old");
});

const SILENT: Readonly<Record<string, readonly Step[]>> = {
  "instead of a size": [takesCommand("get x"), sendsPort(), acceptsData(), isLeft()],
  "within a file": answers("get x", sends(header(100), "content"), isLeft()),
};

Deno.test("exit 11: the server falls silent, and --timeout says how long that is waited for", async (t) => {
  for (const [when, steps] of Object.entries(SILENT)) {
    await t.step(when, async () => {
      using folder = tempFolder();
      const startedMs = performance.now();
      assertFails(await connectToScript(steps, ["--timeout", "0.3", "get", "x"], folder.path), 11, "0.3 s");
      assertLess(performance.now() - startedMs, 10_000);
      assertEquals([...Deno.readDirSync(folder.path)], []);
    });
  }
  await t.step("from the beginning", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const words = tandem(["connect", `127.0.0.1:${listener.addr.port}`, "--timeout", "0.3", "ls"]);
    assertFails(await run(words), 11, "0.3 s");
  });
});

Deno.test("a --timeout of weeks does not time out at once", async () => {
  await using shared = place({ x: "x" });
  const ended = await shared.connect(["--timeout", "3000000", "ls"]);
  if (ended.code === 2) return; // To refuse it is as good.
  assertCode(ended, 0);
  assertEquals(ended.stdout, "x\n");
});
