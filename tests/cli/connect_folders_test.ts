/**
 * `get -r` and `put -r`: whole folders, with names that shells and parsers
 * dislike, and what becomes of links and of folders that cannot be read.
 *
 * @module
 */

import { DiskStore, serve, TandemError } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { HookedStore } from "../server/hooked_store.ts";
import { assertClearError, assertCode, IS_UNIX, linesOf, NARROW, run, tandem } from "./program.ts";
import { type Files, place, writeFiles } from "./place.ts";
import { ODD_FILES } from "./odd_files.ts";

/** Names of folders that are no easier than those of files. */
const ODD_FOLDERS = ["-r", "sub folder", 'it\'s "quoted"', "日本語 🚲", "7", "#", ...IS_UNIX ? ["n".repeat(255)] : []];

/** A folder with everything in it that gives trouble, three levels deep. */
const TREE: Files = Object.fromEntries([
  ...Object.entries(ODD_FILES),
  ...ODD_FOLDERS.map((name) => [`${name}/file in it`, `in ${name}`]),
  ...Object.entries(ODD_FILES).map(([name, content]) => [`sub folder/-deep/${name}`, content]),
  ["hollow/", ""],
  ["sub folder/hollow/", ""],
  ["sub folder/large.bin", new Uint8Array(700_000).fill(7)],
]);

/** Makes the folder, with a time and permissions of its own for each file. */
function makeTree(folder: string): void {
  writeFiles(folder, TREE);
  for (const [i, path] of filesOf(folder).entries()) {
    const changed = new Date(Date.UTC(2020, 0, 1 + i, 2, 3, 4, 5));
    if (IS_UNIX) Deno.chmodSync(`${folder}/${path}`, [0o644, 0o600, 0o755, 0o444][i % 4] ?? 0);
    Deno.utimeSync(`${folder}/${path}`, changed, changed);
  }
}

function filesOf(folder: string): string[] {
  return Object.entries(treeOf(folder)).filter(([, { isFile }]) => isFile).map(([name]) => name);
}

interface Node {
  readonly isFile: boolean;
  readonly size?: number;
  readonly text?: string;
  readonly mtimeMs?: number | undefined;
  readonly mode?: number | undefined;
}

/** All that is in a folder: content, time and permissions of files, and that the folders are there. */
function treeOf(folder: string, attributes = true, prefix = ""): Record<string, Node> {
  const nodes: Record<string, Node> = {};
  for (const { name } of [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1)) {
    const path = `${folder}/${name}`;
    const { isFile, isDirectory, mtime, mode, size } = Deno.lstatSync(path);
    const text = isFile ? Deno.readTextFileSync(path) : "";
    const known = { mtimeMs: mtime?.getTime(), mode: mode === null ? undefined : mode & 0o777 };
    nodes[prefix + name] = isFile ? { isFile, size, text, ...attributes ? known : {} } : { isFile };
    if (isDirectory) Object.assign(nodes, treeOf(path, attributes, `${prefix}${name}/`));
  }
  return nodes;
}

/** Checks that two folders have the same in them. */
function assertSameTree(actual: string, expected: string, attributes = true): void {
  assertEquals(temporaries(actual), []);
  const [one, other] = [treeOf(actual, attributes), treeOf(expected, attributes)];
  assertEquals(Object.keys(one), Object.keys(other));
  for (const [name, node] of Object.entries(other)) assertEquals(one[name], node, name);
}

Deno.test("get -r fetches a folder with all that is in it, times and permissions too", async () => {
  await using shared = place();
  makeTree(`${shared.root}/tree`);
  const [whole, named, into, slash] = await Promise.all([
    shared.connect(["get", "-r", "tree"]),
    shared.connect(["get", "-r", "tree", "new name"]),
    shared.connect(["-P", "3", "get", "-r", "tree", "tree/7", "."], { cwd: inside(shared.here, "into") }),
    shared.connect(["get", "-r", "/", "all/"]),
  ]);
  for (const ended of [whole, named, into, slash]) {
    assertCode(ended, 0);
    assertEquals(ended.stdout, "");
  }
  assertEquals(linesOf(whole.stderr).length, filesOf(`${shared.root}/tree`).length);
  assertSameTree(`${shared.here}/tree`, `${shared.root}/tree`);
  assertSameTree(`${shared.here}/new name`, `${shared.root}/tree`);
  assertSameTree(`${shared.here}/into/tree`, `${shared.root}/tree`);
  assertSameTree(`${shared.here}/into/7`, `${shared.root}/tree/7`);
  assertSameTree(`${shared.here}/all`, shared.root);
});

/** Makes a folder in another one. */
function inside(folder: string, name: string): string {
  Deno.mkdirSync(`${folder}/${name}`);
  return `${folder}/${name}`;
}

Deno.test("get -r fetches a folder of a plain server, folder by folder", async () => {
  await using shared = place({}, { mode: "plain" });
  makeTree(`${shared.root}/tree`);
  const [found, forced] = await Promise.all([
    shared.connect(["get", "-r", "tree"]),
    shared.connect(["--plain", "get", "-r", "/", "forced"]),
  ]);
  for (const ended of [found, forced]) assertCode(ended, 0);
  assertSameTree(`${shared.here}/tree`, `${shared.root}/tree`, false);
  assertSameTree(`${shared.here}/forced`, shared.root, false);
});

Deno.test("put -r stores a folder with all that is in it, times and permissions too", async () => {
  await using shared = place({ "into/": "" });
  makeTree(`${shared.here}/tree`);
  for (const args of [["tree"], ["tree", "new name"], ["tree", "tree/7", "into"], ["-c", "tree", "again"]]) {
    const ended = await shared.connect(["-P", "2", "put", "-r", ...args]);
    assertCode(ended, 0);
    assertEquals(ended.stdout, "");
  }
  for (const name of ["tree", "new name", "into/tree", "again"]) {
    assertSameTree(`${shared.root}/${name}`, `${shared.here}/tree`);
  }
  assertSameTree(`${shared.root}/into/7`, `${shared.here}/tree/7`);
});

Deno.test("put -r into a folder that is there adds to it, and keeps what it has", async () => {
  await using shared = place({ "tree/a": "old", "tree/b": "kept" });
  writeFiles(shared.here, { "tree/a": "new", "tree/c/d": "added" });
  const ended = await shared.connect(["put", "-r", "tree"]);
  assertCode(ended, 9);
  assertStringIncludes(ended.stderr, "exists");
  const texts = Object.entries(treeOf(`${shared.root}/tree`, false)).map(([name, { text }]) => [name, text]);
  assertEquals(Object.fromEntries(texts), { a: "old", b: "kept", c: undefined, "c/d": "added" });
});

Deno.test({
  name: "put -r leaves out links and special files, says so, and stores the rest",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = place();
    writeFiles(shared.here, { "tree/a": "a", "tree/sub/b": "b", secret: "secret", "away/x": "x" });
    Deno.symlinkSync("../secret", `${shared.here}/tree/link to a file`);
    Deno.symlinkSync("../../away", `${shared.here}/tree/sub/link to a folder`);
    Deno.symlinkSync("nowhere", `${shared.here}/tree/dangling`);
    assertCode(await run(["mkfifo", `${shared.here}/tree/fifo`]), 0);
    const ended = await shared.connect(["put", "-r", "tree"]);
    assertCode(ended, 0);
    for (const name of ["tree/link to a file", "tree/sub/link to a folder", "tree/dangling", "tree/fifo"]) {
      assertStringIncludes(ended.stderr, `left out ${shared.here}/${name}`);
    }
    assertEquals(Object.keys(treeOf(shared.root)), ["tree", "tree/a", "tree/sub", "tree/sub/b"]);
  },
});

Deno.test("exit 9: put -r of a folder with one in it that cannot be read stores the rest", async () => {
  await using shared = place();
  writeFiles(shared.here, { "tree/a": "a", "tree/locked/b": "b", "tree/z/c": "c" });
  // Whoever runs the tests may be allowed to read everything; this program is not.
  const rights = [...NARROW, `--deny-read=${shared.here}/tree/locked`];
  const ended = await run(tandem(["connect", shared.address, "put", "-r", "tree"], rights), { cwd: shared.here });
  assertCode(ended, 9);
  assertClearError(ended);
  assertMatch(ended.stderr, /tandem: .*locked/);
  assertMatch(ended.stderr, /^tandem: 1 of 3 .*locked/m);
  const names = Object.keys(treeOf(shared.root));
  assertEquals(names.filter((name) => name !== "tree/locked"), ["tree", "tree/a", "tree/z", "tree/z/c"]);
});

Deno.test("exit 9: get -r and ls -R of a folder with one in it that the server cannot read", async () => {
  using folder = tempFolder();
  const [root, here] = [inside(folder.path, "root"), inside(folder.path, "here")];
  writeFiles(root, { "tree/a": "a", "tree/locked/b": "b", "tree/z/c": "c" });
  const store = new HookedStore(new DiskStore(root), (step, path) => {
    if (step === "list" && path === "tree/locked") throw new TandemError("denied", "no access");
  });
  await using server = serve({ store, port: 0 });
  const address = `127.0.0.1:${server.addr.port}`;
  const get = await run(tandem(["connect", address, "get", "-r", "tree"]), { cwd: here });
  assertCode(get, 9);
  assertClearError(get);
  assertMatch(get.stderr, /^tandem: 1 of 3 .*locked/m);
  const names = Object.keys(treeOf(here)).filter((name) => name !== "tree/locked");
  assertEquals(names, ["tree", "tree/a", "tree/z", "tree/z/c"]);
  const ls = await run(tandem(["connect", address, "ls", "-R"]));
  assertEquals(linesOf(ls.stdout), ["tree/", "tree/a", "tree/locked/", "tree/z/", "tree/z/c"]);
  assertClearError(ls);
  assertStringIncludes(ls.stderr, "tree/locked");
  assertCode(ls, 9);
});

Deno.test("get and put without -r refuse a folder, and say what would fetch it", async () => {
  await using shared = place({ "sub/a": "a" });
  writeFiles(shared.here, { "own/b": "b" });
  for (const args of [["get", "sub"], ["put", "own"]]) {
    const ended = await shared.connect(args);
    assertCode(ended, 1);
    assertClearError(ended);
    assertNotMatch(ended.stderr, /fetched|stored/);
  }
  assertEquals(Object.keys(treeOf(shared.root)), ["sub", "sub/a"]);
  assertEquals(Object.keys(treeOf(shared.here)), ["own", "own/b"]);
});
