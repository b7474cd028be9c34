/**
 * The commands that only a tandem peer answers: `stat`, `hash`, `mkdir`, `rm`,
 * `mv` and `ping`, for people, for programs and in scripts.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, assertFails, type Ended, IS_UNIX, linesOf, run } from "./program.ts";
import { assertFiles, place, someBytes, writeFiles } from "./place.ts";
import { ODD_FILES } from "./odd_files.ts";

/** A command that went well and has nothing to say. */
function assertSilent(ended: Ended): void {
  assertCode(ended, 0);
  assertEquals([ended.stdout, ended.stderr], ["", ""]);
}

const CHANGED = new Date("2021-02-03T04:05:06.789Z");

Deno.test("stat prints name, kind, size, mtime and mode, a line each", async () => {
  await using shared = place({ "sub/with space": "twelve bytes", "-rf": "x" });
  for (const path of ["sub/with space", "sub", "-rf"]) Deno.utimeSync(`${shared.root}/${path}`, CHANGED, CHANGED);
  if (IS_UNIX) {
    Deno.chmodSync(`${shared.root}/sub/with space`, 0o640);
    Deno.chmodSync(`${shared.root}/sub`, 0o750);
  }
  const mode = (text: string) => IS_UNIX ? [`mode: ${text}`] : [];
  const mtime = "mtime: 2021-02-03T04:05:06Z";
  const file = ["name: with space", "kind: file", "size: 12", mtime, ...mode("0640")];
  const [one, folder, two, root, script] = await Promise.all([
    shared.connect(["stat", "sub/with space"]),
    shared.connect(["stat", "sub/"]),
    shared.connect(["stat", "--", "sub/with space", "-rf"]),
    shared.connect(["stat"]),
    shared.connect([], { stdin: "cd sub\nstat 'with space'\nstat\n" }),
  ]);
  for (const ended of [one, folder, two, root, script]) assertCode(ended, 0);
  assertEquals(linesOf(one.stdout), file);
  assertEquals(linesOf(folder.stdout), ["name: sub", "kind: directory", mtime, ...mode("0750")]);
  assertEquals(linesOf(two.stdout).slice(0, file.length), file);
  assertEquals(linesOf(two.stdout).slice(file.length, file.length + 3), ["name: -rf", "kind: file", "size: 1"]);
  assertEquals(linesOf(root.stdout).slice(0, 2), ["name: /", "kind: directory"]);
  assertEquals(linesOf(script.stdout), [...file, ...linesOf(folder.stdout)]);
});

Deno.test({
  name: "hash prints what sha256sum prints, and sha256sum --check takes it",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = place({ ...ODD_FILES, "sub/large.bin": someBytes(700_001) });
    const names = [...Object.keys(ODD_FILES), "sub/large.bin"];
    const ended = await shared.connect(["hash", "--", ...names]);
    assertCode(ended, 0);
    const own = await run(["sha256sum", "--", ...names], { cwd: shared.root });
    assertEquals(ended.stdout, own.stdout);
    const checked = await run(["sha256sum", "--check", "--strict"], { cwd: shared.root, stdin: ended.stdout });
    assertCode(checked, 0);
    assertEquals(linesOf(checked.stdout), names.map((name) => `${name}: OK`));
    const root = await shared.connect(["hash", "/sub/../sub/large.bin"]);
    assertStringIncludes(root.stdout, createHash("sha256").update(someBytes(700_001)).digest("hex"));
  },
});

Deno.test("mkdir makes folders, with -p those above and none where there is one", async () => {
  await using shared = place({ file: "" });
  assertSilent(await shared.connect(["mkdir", "one", "two words"]));
  assertSilent(await shared.connect(["mkdir", "-p", "a/b/c", "one", "a/b/d"]));
  assertFails(await shared.connect(["mkdir", "x/y"]), 4, "x");
  const some = await shared.connect(["mkdir", "three", "one"]);
  assertFails(some, 9, "1 of 2", "one");
  assertFiles(shared.root, { file: "", "one/": "", "two words/": "", "three/": "", "a/b/c/": "", "a/b/d/": "" });
});

Deno.test("rm removes files, and with -r folders with all that is in them, but never what is outside", async () => {
  await using shared = place({ a: "", b: "", c: "", "sub/x": "", "sub/deep/y": "", "keep/z": "z" });
  if (IS_UNIX) {
    writeFiles(shared.here, { outside: "kept", "folder/x": "kept" });
    Deno.symlinkSync(`${shared.here}/folder`, `${shared.root}/sub/link`);
  }
  assertSilent(await shared.connect(["rm", "a"]));
  assertFails(await shared.connect(["rm", "b", "none", "keep", "c"]), 9, "2 of 4", "none", "keep");
  assertFails(await shared.connect(["rm", "sub"]), 1, "sub");
  assertSilent(await shared.connect(["rm", "-r", "sub"]));
  assertFails(await shared.connect(["rm", "-r", "../here"]), 5, "../here");
  const all = await shared.connect(["rm", "-r", "/"]);
  assertNotMatch(`${all.code}`, /^0$/);
  assertClearError(all);
  assertFiles(shared.root, { "keep/z": "z" });
  if (IS_UNIX) assertFiles(shared.here, { outside: "kept", "folder/x": "kept" });
});

Deno.test("mv renames files and folders, and moves into a folder that exists", async () => {
  await using shared = place({ a: "a", "sub/b": "b", "into/x": "x", "from here/c": "c", y: "y", z: "z" });
  assertSilent(await shared.connect(["mv", "a", "new name"]));
  assertSilent(await shared.connect(["mv", "new name", "into"]));
  assertSilent(await shared.connect(["mv", "sub", "into/"]));
  assertSilent(await shared.connect(["mv", "from here", "renamed"]));
  assertSilent(await shared.connect([], { stdin: "cd into\nmv sub/b ..\n" }));
  assertSilent(await shared.connect(["mv", "into/x", "/"]));
  assertFails(await shared.connect(["mv", "y", "z"]), 10, "z");
  assertSilent(await shared.connect(["--on-exist", "overwrite", "mv", "y", "z"]));
  assertFails(await shared.connect(["mv", "none", "other"]), 4, "none");
  assertFails(await shared.connect(["mv", "z", "none/z"]), 4, "none");
  const inItself = await shared.connect(["mv", "into", "into/sub/deeper"]);
  assertNotMatch(`${inItself.code}`, /^0$/);
  assertClearError(inItself);
  assertFiles(shared.root, { "into/new name": "a", "into/sub/": "", "renamed/c": "c", b: "b", x: "x", z: "y" });
});

Deno.test("ping tells how long an answer takes", async () => {
  await using shared = place();
  const [text, json] = await Promise.all([shared.connect(["ping"]), shared.connect(["--json", "ping"])]);
  assertCode(text, 0);
  assertMatch(text.stdout, /^[0-9]+\.[0-9]{2} ms\n$/);
  const [, result] = linesOf(json.stdout).map((line) => JSON.parse(line));
  assertMatch(result.lines.join(), /^[0-9]+\.[0-9]{2} ms$/);
});

Deno.test("--json of the tandem commands prints entries and results of the union", async () => {
  await using shared = place({ "with space": "content", "sub/b": "b", gone: "" });
  Deno.utimeSync(`${shared.root}/with space`, CHANGED, CHANGED);
  const lines = [
    "stat 'with space'",
    "stat sub",
    "hash 'with space'",
    "mkdir -p new/er",
    "mv sub new",
    "rm -r gone new",
  ];
  const ended = await shared.connect(["--json"], { stdin: `${lines.join("\n")}\n` });
  assertCode(ended, 0);
  assertEquals(ended.stderr, "");
  const [hello, file, r1, folder, r2, hash, ...rest] = linesOf(ended.stdout).map((line) => JSON.parse(line));
  assertEquals([hello.event, hello.mode], ["hello", "tandem"]);
  assertEquals([file.v, file.event, file.name, file.kind, file.size], [1, "entry", "with space", "file", 7]);
  assertEquals(new Date(file.mtime).getTime(), CHANGED.getTime());
  if (IS_UNIX) assertEquals(file.mode, (Deno.statSync(`${shared.root}/with space`).mode ?? 0) & 0o777);
  assertEquals([folder.event, folder.name, folder.kind, folder.size], ["entry", "sub", "directory", undefined]);
  const digest = createHash("sha256").update("content").digest("hex");
  assertEquals(hash, { v: 1, event: "result", command: "hash with space", ok: true, lines: [`${digest}  with space`] });
  for (const result of [r1, r2, ...rest]) assertEquals([result.v, result.event, result.ok], [1, "result", true]);
  assertEquals(rest.map(({ command }) => command), ["mkdir -p new/er", "mv sub new", "rm -r gone new"]);
  assertFiles(shared.root, { "with space": "content" });
});

Deno.test("--json ls -R prints size, time and permissions of each entry", async () => {
  await using shared = place({ "a": "content", "sub/b": "" });
  for (const path of ["a", "sub/b"]) Deno.utimeSync(`${shared.root}/${path}`, CHANGED, CHANGED);
  const ended = await shared.connect(["--json", "ls", "-R"]);
  const entries = linesOf(ended.stdout).map((line) => JSON.parse(line)).filter(({ event }) => event === "entry");
  assertEquals(entries.map(({ name, kind, size }) => [name, kind, size]), [
    ["a", "file", 7],
    ["sub", "directory", undefined],
    ["sub/b", "file", 0],
  ]);
  for (const { kind, mtime, mode } of entries) {
    if (kind === "file") assertEquals(new Date(mtime).getTime(), CHANGED.getTime());
    if (IS_UNIX) assertEquals(typeof mode, "number");
  }
});

Deno.test("a script of a file does it all in one session", async () => {
  const sessions: number[] = [];
  await using shared = place({ old: "old" }, {
    onEvent: (event) => {
      if (event.event === "session-opened") sessions.push(event.session);
    },
  });
  writeFiles(shared.here, {
    "tree/a b": "a",
    "tree/sub/c": "c",
    script: [
      "mkdir -p 'in box'/deep",
      "put -r tree 'in box'",
      "-mkdir 'in box'",
      "mv old 'in box/deep'",
      "cd 'in box'",
      "ls -R",
      "hash deep/old",
      "rm -r tree/sub",
      "get -r tree back",
      "-rm none",
      "stat tree/sub",
      "rm -r deep",
    ].join("\n"),
  });
  const ended = await shared.connect(["-f", "script"]);
  assertCode(ended, 4);
  const digest = createHash("sha256").update("old").digest("hex");
  assertEquals(linesOf(ended.stdout), [
    "deep/",
    "deep/old",
    "tree/",
    "tree/a b",
    "tree/sub/",
    "tree/sub/c",
    `${digest}  deep/old`,
  ]);
  assertFiles(`${shared.here}/back`, { "a b": "a" });
  assertFiles(shared.root, { "in box/deep/old": "old", "in box/tree/a b": "a" });
  assertEquals(sessions, [1]);
});
