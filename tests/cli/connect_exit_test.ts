/**
 * Exit codes and what leads to them, where the server speaks tandem and so can
 * say what was wrong, or where nobody needs to ask it.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { closedPort } from "../net/door.ts";
import { mountTest, smallDisk } from "../store/mounts.ts";
import { assertCode, assertFails, NARROW, run, tandem } from "./program.ts";
import { assertFiles, type Place, place, writeFiles } from "./place.ts";

/** Runs commands, all at once; each must fail with `code`, and say what was expected. */
async function assertAllFail(shared: Place, code: number, commands: Readonly<Record<string, string>>): Promise<void> {
  const all = Object.entries(commands).map(([command, says]) => {
    return { says, ended: shared.connect(command.split(" ")) };
  });
  await Promise.all(all.map(({ ended }) => ended));
  for (const { says, ended } of all) assertFails(await ended, code, says);
}

Deno.test("exit 1: a folder is where a file should go, or a file is no folder, on either side", async () => {
  await using shared = place({ x: "x", "sub/a": "a" });
  writeFiles(shared.here, { "x/y": "", "file": "" });
  await assertAllFail(shared, 1, {
    "get x": "folder",
    "put x new": "folder",
    "get sub there": "sub",
    "cat sub": "sub",
    "hash sub": "sub",
    "rm sub": "sub",
    "ls x": "x",
    "get x/a there": "x",
    "stat x/a": "x",
    "mkdir x/new": "x",
  });
  assertFiles(shared.root, { x: "x", "sub/a": "a" });
  assertFiles(shared.here, { "x/y": "", "file": "" });
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

Deno.test("exit 4: the server does not have it", async () => {
  await using shared = place({ "sub/a": "a" });
  writeFiles(shared.here, { x: "x" });
  await assertAllFail(shared, 4, {
    "get none": "none",
    "cat none": "none",
    "ls none": "none",
    "ls -R none": "none",
    "get sub/none new": "sub/none",
    "get -r none": "none",
    "stat none": "none",
    "hash none": "none",
    "rm none": "none",
    "rm -r none": "none",
    "mv none other": "none",
    "mkdir none/new": "none",
    "put x none/new": "none",
  });
  assertFails(await shared.connect([], { stdin: "cd none\n" }), 4, "none");
  assertFiles(shared.here, { x: "x" });
});

Deno.test("exit 5: outside of the shared folder, read-only, or a name that may not be changed", async () => {
  await using readOnly = place({ x: "old" }, { overwrite: false });
  await using addOnly = place({ x: "old" }, { overwrite: false, write: true });
  for (const { here } of [readOnly, addOnly]) writeFiles(here, { x: "new", "sub/a": "a" });
  await assertAllFail(readOnly, 5, {
    "get ../x": "../x",
    "ls ../x": "../x",
    "cat ../x": "../x",
    "stat sub/../../x": "../x",
    "mv x ../y": "../y",
    "put x y": "read-only",
    "put -r sub": "read-only",
    "mkdir new": "read-only",
    "rm x": "read-only",
    "mv x y": "read-only",
  });
  await assertAllFail(addOnly, 5, { "--on-exist=overwrite put x": "add", "rm x": "add", "mv x y": "add" });
  for (const { root } of [readOnly, addOnly]) assertFiles(root, { x: "old" });
});

Deno.test("exit 6: local files that are not there or cannot be, a full server, and one that takes no larger files", async () => {
  await using shared = place({ x: "x" }, { limits: { maxFileBytes: 1_000 } });
  await using full = place({}, { limits: { minFreeBytes: 2 ** 60 } });
  for (const { here } of [shared, full]) {
    writeFiles(here, { small: "x".repeat(1_001), large: new Uint8Array(5_000_000) });
  }
  await assertAllFail(shared, 6, {
    "put none": "none",
    "put -r none": "none",
    "get x none/x": "none",
    "-f none": "none",
    "put small": "1000",
    "put large": "1000",
  });
  await assertAllFail(full, 6, { "put small": "fit", "put large": "fit" });
  const piped = await shared.connect(["put", "-", "piped"], { stdin: new Uint8Array(2_000_000) });
  assertFails(piped, 6, "larger");
  assertFiles(shared.root, { x: "x" });
  assertFiles(full.root, {});
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

Deno.test("exit 8: a file shrinks while it is sent, and nobody keeps any of it", async () => {
  await using shared = place({}, { limits: { bytesPerSecond: 8_000_000 } });
  for (const [verb, folder, other] of [["put", "here", "root"], ["get", "root", "here"]] as const) {
    const path = `${shared[folder]}/large`;
    {
      using file = Deno.createSync(path);
      file.truncateSync(64_000_000);
    }
    await using program = shared.start(["--json", verb, "large"]);
    await program.stdout.until(/"progress"/);
    Deno.truncateSync(path, 10);
    const ended = await program.ended();
    assertCode(ended, 8);
    assertStringIncludes(ended.stdout, '"code":"changed"');
    assertEquals([...Deno.readDirSync(shared[other])], []);
    Deno.removeSync(path);
  }
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

Deno.test("exit 10: the target exists", async () => {
  await using shared = place({ x: "new", y: "y", "sub/a": "a" });
  writeFiles(shared.here, { x: "old" });
  await assertAllFail(shared, 10, {
    "get x": "--on-exist",
    "put x": "--on-exist",
    "mkdir x": "x",
    "mkdir sub": "sub",
    "mkdir -p x": "x",
    "mv x y": "y",
    "mv sub y": "y",
  });
  assertFiles(shared.here, { x: "old" });
  assertFiles(shared.root, { x: "new", y: "y", "sub/a": "a" });
});

Deno.test("a --timeout of weeks does not time out at once", async () => {
  await using shared = place({ x: "x" });
  const ended = await shared.connect(["--timeout", "3000000", "ls"]);
  if (ended.code === 2) return; // To refuse it is as good.
  assertCode(ended, 0);
  assertEquals(ended.stdout, "x\n");
});
