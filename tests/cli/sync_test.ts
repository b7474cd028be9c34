/**
 * `sync`: only what differs is moved, in both directions, and what `--delete`
 * may not do: not for a source that is not all there, not most of what there is
 * without a word, not what a filter leaves out, not through links, and not
 * outside of the target.
 *
 * @module
 */

import { dirname } from "node:path";
import { DiskStore, type FileStore, MemoryStore, serve, type StoreEntry, TandemError } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotEquals, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { HookedStore } from "../server/hooked_store.ts";
import {
  assertClearError,
  assertCode,
  assertFails,
  assertNoTrace,
  type Ended,
  IS_UNIX,
  linesOf,
  NARROW,
  run,
  tandem,
} from "./program.ts";
import { assertFiles, type Files, place, textFiles, writeFiles } from "./place.ts";
import { ODD_FILES } from "./odd_files.ts";
import { tandemAtTerminal, Terminal, terminalTest } from "./terminal.ts";

/** Both directions: the words for a source `from` and a target `to`, and whether the source is here. */
const DIRECTIONS = [
  { about: "sync LOCAL REMOTE", up: true, words: (from: string, to: string) => [from, to] },
  { about: "sync --from REMOTE LOCAL", up: false, words: (from: string, to: string) => ["--from", from, to] },
] as const;

/** Two folders with a server between, one of them `a`, the source, and the other `b`, the target. */
function both({ up, words }: typeof DIRECTIONS[number], source: Files, target: Files = {}) {
  const shared = place();
  const [a, b] = up ? [`${shared.here}/a`, `${shared.root}/b`] : [`${shared.root}/a`, `${shared.here}/b`];
  Deno.mkdirSync(a);
  writeFiles(a, source);
  if (Object.keys(target).length > 0) {
    Deno.mkdirSync(b);
    writeFiles(b, target);
  }
  return {
    a,
    b,
    shared,
    sync: (...flags: string[]) => shared.connect(["sync", ...flags, ...words("a", "b")]),
    [Symbol.asyncDispose]: () => shared[Symbol.asyncDispose](),
  };
}

/** How many files a `sync` moved, by what it told of each. */
function moved({ stderr }: Ended): number {
  return linesOf(stderr).filter((line) => /^(stored|sent|fetched) /.test(line)).length;
}

/** As many small files. */
function numbered(count: number, prefix = "n"): Record<string, string> {
  return Object.fromEntries(
    Array.from({ length: count }, (_, i) => [`${prefix}${String(i).padStart(3, "0")}`, `${i}`]),
  );
}

function setTime(path: string, ms: number): void {
  Deno.utimeSync(path, new Date(ms), new Date(ms));
}

const SOME_TIME_MS = Date.UTC(2021, 1, 3, 4, 5, 6, 200);

for (const direction of DIRECTIONS) {
  const { about, up } = direction;

  Deno.test(`${about} makes the target what the source is, empty folders and awkward names too; once more moves nothing`, async () => {
    const tree: Files = {
      ...ODD_FILES,
      "hollow/": "",
      "sub/deep er/hollow/": "",
      'sub/[brackets] {and} $HOME/it\'s "quoted".txt': "q",
      ...IS_UNIX ? { "sub/?*[x]": "glob", ["ü".repeat(127) + "/-"]: "255 bytes" } : {},
      "sub/.hidden": "hidden",
    };
    await using sides = both(direction, tree);
    assertCode(await sides.sync(), 0);
    const { "hollow/": _, "sub/deep er/hollow/": __, ...files } = tree;
    assertFiles(sides.b, { ...files as Record<string, string>, "hollow/": "", "sub/deep er/hollow/": "" });
    const again = await sides.sync("--delete");
    assertCode(again, 0);
    assertEquals(again.stdout, "");
    assertEquals(moved(again), 0, again.stderr);
    const dry = await sides.sync("--dry-run", "--delete", "--checksum");
    assertCode(dry, 0);
    assertEquals(dry.stdout, "");
  });

  Deno.test(`${about} moves what differs by size, or by time to the second, and nothing else`, async () => {
    const names = ["same", "fraction", "newer", "older", "longer"];
    const files = Object.fromEntries(names.map((name) => [name, name]));
    await using sides = both(direction, { ...files, longer: "longer and longer", added: "added" }, {
      ...Object.fromEntries(names.map((name) => [name, name.toUpperCase()])),
      extra: "extra",
    });
    for (const name of names) {
      setTime(`${sides.a}/${name}`, SOME_TIME_MS);
      setTime(`${sides.b}/${name}`, SOME_TIME_MS);
    }
    setTime(`${sides.b}/fraction`, SOME_TIME_MS + 700);
    setTime(`${sides.b}/newer`, SOME_TIME_MS + 1_000);
    setTime(`${sides.b}/older`, SOME_TIME_MS - 1_000);
    const dry = await sides.sync("--dry-run");
    assertCode(dry, 0);
    const shown = linesOf(dry.stdout).sort();
    assertEquals(shown.map((line) => line.split(" ").at(-1)), ["added", "longer", "newer", "older"]);
    assertNotEquals(shown[0]?.split(" ")[0], shown[1]?.split(" ")[0], "what is new and what is replaced look the same");
    const ended = await sides.sync();
    assertCode(ended, 0);
    assertEquals(moved(ended), 4, ended.stderr);
    assertFiles(sides.b, {
      added: "added",
      extra: "extra",
      fraction: "FRACTION",
      longer: "longer and longer",
      newer: "newer",
      older: "older",
      same: "SAME",
    });
    const again = await sides.sync();
    assertEquals(moved(again), 0, again.stderr);
  });

  Deno.test(`${about} --checksum compares contents and not times`, async () => {
    await using sides = both(direction, { same: "same", other: "abcd" }, { same: "same", other: "abcX" });
    setTime(`${sides.a}/other`, SOME_TIME_MS);
    setTime(`${sides.b}/other`, SOME_TIME_MS);
    setTime(`${sides.a}/same`, SOME_TIME_MS);
    setTime(`${sides.b}/same`, SOME_TIME_MS + 3_600_000);
    const ended = await sides.sync("--checksum");
    assertCode(ended, 0);
    assertEquals(moved(ended), 1, ended.stderr);
    assertFiles(sides.b, { same: "same", other: "abcd" });
    assertEquals(moved(await sides.sync("--checksum")), 0);
  });

  Deno.test(`${about} --dry-run changes nothing on either side, and tells all of it`, async () => {
    await using sides = both(direction, { "sub/new": "1", "empty/": "", kept: "2", changed: "much longer" }, {
      kept: "2",
      changed: "short",
      "gone/x": "3",
    });
    setTime(`${sides.a}/kept`, SOME_TIME_MS);
    setTime(`${sides.b}/kept`, SOME_TIME_MS);
    const [before, beforeA] = [textFiles(sides.b), textFiles(sides.a)];
    for (const flag of ["--dry-run", "-n"]) {
      const ended = await sides.sync(flag, "--delete");
      assertCode(ended, 0);
      for (const name of ["sub", "sub/new", "empty", "changed", "gone", "gone/x"]) {
        assertMatch(ended.stdout, new RegExp(`^[a-z]+ ${name}/?$`, "m"));
      }
      assertNotMatch(ended.stdout, /kept/);
      const lines = linesOf(ended.stdout);
      const at = (name: string) => lines.findIndex((line) => line.replace(/\/$/, "").endsWith(` ${name}`));
      assertEquals(at("gone/x") < at("gone"), true, "the deepest goes first");
    }
    assertEquals(textFiles(sides.b), before);
    assertEquals(textFiles(sides.a), beforeA);
  });

  Deno.test(`${about} --dry-run makes no target`, async () => {
    await using sides = both(direction, { "sub/a": "a" });
    const ended = await sides.sync("--dry-run");
    assertCode(ended, 0);
    assertStringIncludes(ended.stdout, "sub/a");
    assertEquals(Object.keys(textFiles(dirname(sides.b))), []);
  });

  Deno.test(`${about} --dry-run --delete shows deletions of any number: that is what it is for`, async () => {
    await using sides = both(direction, { kept: "k" }, { kept: "k", ...numbered(30) });
    const ended = await sides.sync("--dry-run", "--delete");
    assertCode(ended, 0);
    assertEquals(linesOf(ended.stdout).filter((line) => line.startsWith("delete ")).length, 30);
    assertEquals(Object.keys(textFiles(sides.b)).length, 31);
  });

  Deno.test(`${about} --delete removes what only the target has, the deepest first; without it nothing goes`, async () => {
    const source = { a: "a", "sub/b": "b", c: "c", d: "d", e: "e", f: "f", g: "g" };
    await using sides = both(direction, source, {
      ...source,
      x: "x",
      "sub/x": "x",
      "old/y": "y",
      "old/deep/z": "z",
      "old-/w": "w",
    });
    writeFiles(sides.b, { "old/hollow/": "" });
    assertCode(await sides.sync(), 0);
    assertEquals(Object.keys(textFiles(sides.b)).length, 13);
    const ended = await sides.sync("--delete", "--max-delete", "10");
    assertCode(ended, 0);
    assertFiles(sides.b, source);
    assertFiles(sides.a, source);
  });

  Deno.test(`${about} --delete: never for a source that is missing, or empty`, async () => {
    await using sides = both(direction, { "sub/": "" }, { x: "x", "y/z": "z" });
    Deno.removeSync(`${sides.a}/sub`);
    assertFails(await sides.sync("--delete"), 5, "empty");
    assertFiles(sides.b, { x: "x", "y/z": "z" });
    // What a filter leaves out of the source leaves it as empty.
    writeFiles(sides.a, { left: "out" });
    assertFails(await sides.sync("--delete", "--exclude", "left"), 5, "empty");
    Deno.removeSync(sides.a, { recursive: true });
    assertFails(await sides.sync("--delete"), 4);
    assertFails(await sides.sync("--delete", "--max-delete", "1000"), 4);
    assertFiles(sides.b, { x: "x", "y/z": "z" });
  });

  Deno.test(`${about} --delete: never more than half without --max-delete, and then no more than that`, async () => {
    await using small = both(direction, numbered(1), numbered(8));
    assertFails(await small.sync("--delete"), 5, "7", "8", "--max-delete");
    assertFiles(small.b, numbered(8));
    await using sides = both(direction, numbered(11), numbered(24));
    const refused = await sides.sync("--delete");
    assertFails(refused, 5, "13", "24", "--max-delete");
    assertFails(await sides.sync("--delete", "--max-delete", "12"), 5);
    assertFails(await sides.sync("--delete", "--max-delete", "-1"), 2);
    assertFails(await sides.sync("--delete", "--max-delete", "many"), 2);
    assertFiles(sides.b, numbered(24));
    assertCode(await sides.sync("--delete", "--max-delete", "13"), 0);
    assertFiles(sides.b, numbered(11));
    // Half of it is not more than half.
    writeFiles(sides.b, numbered(11, "x"));
    assertCode(await sides.sync("--delete"), 0);
    assertFiles(sides.b, numbered(11));
  });

  Deno.test(`${about} with filters: what they leave out is neither moved nor deleted, nor is a folder that holds it`, async () => {
    const source = { "a.txt": "a", "b.log": "b", "sub/c.txt": "c", "skip/d.txt": "d", "1": "1", "2": "2" };
    await using sides = both(direction, source, {
      "1": "1",
      "2": "2",
      "own.log": "kept",
      "own.txt": "goes",
      "gone/e.txt": "goes",
      "gone/f.log": "kept",
      "gone/deep/g.txt": "goes",
      "skip/h.txt": "kept",
    });
    const ended = await sides.sync("--delete", "--max-delete", "4", "--exclude", "*.log", "--exclude", "skip");
    assertCode(ended, 0);
    assertFiles(sides.b, {
      "1": "1",
      "2": "2",
      "a.txt": "a",
      "own.log": "kept",
      "gone/f.log": "kept",
      "skip/h.txt": "kept",
      "sub/c.txt": "c",
    });
  });

  Deno.test(`${about} --include: files that do not match stay as they are on both sides`, async () => {
    await using sides = both(direction, { "a.txt": "a", "b.md": "b", c: "c", "s/d.txt": "d" }, {
      "x.txt": "goes",
      "y.md": "goes",
      z: "kept",
      "t/x.txt": "goes",
      "t/z": "kept",
    });
    assertCode(await sides.sync("--delete", "--max-delete", "3", "--include", "*.txt", "--include", "*.md"), 0);
    assertFiles(sides.b, { "a.txt": "a", "b.md": "b", "s/d.txt": "d", z: "kept", "t/z": "kept" });
  });

  Deno.test(`${about}: a file where there is to be a folder is a conflict; with --delete it goes`, async () => {
    const source = { "a/b": "b", "a/c/d": "d", e: "e", f: "f", g: "g" };
    await using sides = both(direction, source, { a: "in the way", e: "e", f: "f", g: "g" });
    const dry = await sides.sync("--dry-run");
    assertMatch(dry.stdout, /conflict a$/m);
    const ended = await sides.sync();
    assertNotEquals(ended.code, 0);
    assertClearError(ended);
    assertStringIncludes(ended.stderr, '"a"');
    assertStringIncludes(ended.stderr, "--delete");
    assertFiles(sides.b, { a: "in the way", e: "e", f: "f", g: "g" });
    assertCode(await sides.sync("--delete"), 0);
    assertFiles(sides.b, source);
  });

  Deno.test(`${about}: a folder where there is to be a file is a conflict; with --delete it goes, but for what is left out`, async () => {
    const source = { a: "file", b: "b", c: "c", d: "d", e: "e", f: "f" };
    const target = { "a/x": "x", "a/y/z": "z", b: "b", c: "c", d: "d", e: "e" };
    await using sides = both(direction, source, target);
    const ended = await sides.sync();
    assertCode(ended, 9);
    assertClearError(ended);
    assertFiles(sides.b, { ...target, f: "f" });
    const filtered = await sides.sync("--delete", "--exclude", "z");
    assertNotEquals(filtered.code, 0);
    assertClearError(filtered);
    assertEquals(Deno.readTextFileSync(`${sides.b}/a/y/z`), "z");
    assertCode(await sides.sync("--delete"), 0);
    assertFiles(sides.b, source);
  });

  Deno.test({
    name: `${about} does not follow links of the source, and never deletes or writes through one of the target`,
    ignore: !IS_UNIX,
    async fn() {
      const source = { a: "a", "inside/new": "new", b: "b", c: "c", d: "d" };
      await using sides = both(direction, source, { a: "a", b: "b", c: "c", d: "d", "old/x": "x" });
      const outside = `${sides.b}/../outside`;
      writeFiles(outside, { precious: "precious", new2: "2" });
      Deno.symlinkSync(outside, `${sides.a}/followed`);
      Deno.symlinkSync(outside, `${sides.b}/linked`);
      Deno.symlinkSync(outside, `${sides.b}/old/linked`);
      const ended = await sides.sync("--delete");
      assertNoTrace(ended.stderr);
      assertEquals(textFiles(outside), { precious: "precious", new2: "2" });
      assertEquals(Deno.lstatSync(`${sides.b}/linked`).isSymlink, true);
      assertEquals([...Deno.readDirSync(sides.b)].some(({ name }) => name === "followed"), false);
    },
  });

  Deno.test({
    name: `${about} does not write through a link of the target that has the name of a folder`,
    ignore: !IS_UNIX,
    async fn() {
      await using sides = both(direction, { "a/new": "new", b: "b" }, { b: "b" });
      const outside = `${sides.b}/../outside`;
      writeFiles(outside, { precious: "precious" });
      Deno.symlinkSync(outside, `${sides.b}/a`);
      for (const flags of [[], ["--delete"]]) {
        const ended = await sides.sync(...flags);
        assertEquals(textFiles(outside), { precious: "precious" });
        assertNotEquals(ended.code, 0);
        assertClearError(ended);
      }
    },
  });

  Deno.test(`${about} works with more than one session, quietly, and as JSON`, async () => {
    await using sides = both(direction, { ...numbered(40), "sub/": "" });
    const shown = await sides.shared.connect(["--json", "sync", "-n", ...direction.words("a", "b")]);
    assertCode(shown, 0);
    const result = linesOf(shown.stdout).map((line) => JSON.parse(line)).at(-1);
    assertEquals([result.event, result.lines?.length], ["result", 41]);
    const ended = await sides.shared.connect(["-q", "-P", "3", "sync", ...direction.words("a", "b")]);
    assertCode(ended, 0);
    assertEquals([ended.stdout, ended.stderr], ["", ""]);
    assertFiles(sides.b, { ...numbered(40), "sub/": "" });
  });

  Deno.test(`${about} needs a tandem peer: exit 7, and nothing is made`, async () => {
    await using sides = both(direction, { a: "a" });
    const words = direction.words("a", "b");
    assertFails(await sides.shared.connect(["--plain", "sync", ...words]), 7, "tandem");
    await using old = place({ "a/x": "x" }, { mode: "plain" });
    writeFiles(old.here, { "a/x": "x" });
    assertFails(await old.connect(["sync", ...words]), 7, "tandem");
    assertEquals(Object.keys(textFiles(up ? sides.shared.root : sides.shared.here)).length, 0);
    assertEquals(Object.keys(textFiles(up ? old.root : old.here)), ["a/x"]);
  });
}

Deno.test("sync of the shared folder itself, and of the folder one is in", async () => {
  await using shared = place({ one: "1" });
  writeFiles(shared.here, { two: "2", "three/four": "4" });
  assertCode(await shared.connect(["sync", ".", "/"]), 0);
  assertFiles(shared.root, { one: "1", two: "2", "three/four": "4" });
  assertCode(await shared.connect(["sync", "--from", ".", "."]), 0);
  assertFiles(shared.here, { one: "1", two: "2", "three/four": "4" });
  assertCode(await shared.connect(["sync", "--from", "three", "new/er"]), 0);
  assertEquals(Deno.readTextFileSync(`${shared.here}/new/er/four`), "4");
  const script = await shared.connect([], { stdin: "cd three\nlcd three\nsync . five\n" });
  assertCode(script, 0);
  assertEquals(Deno.readTextFileSync(`${shared.root}/three/five/four`), "4");
});

Deno.test("sync takes two folders: exit 2 for anything else, and files are no folders", async () => {
  await using shared = place({ file: "f", "folder/": "" });
  writeFiles(shared.here, { file: "f", "folder/x": "" });
  for (const args of [[], ["folder"], ["a", "b", "c"], ["--from"], ["--from", "folder"]]) {
    assertFails(await shared.connect(["sync", ...args]), 2);
  }
  for (const args of [["file", "new"], ["folder", "file"], ["--from", "file", "new"], ["--from", "folder", "file"]]) {
    const ended = await shared.connect(["sync", ...args]);
    assertNotEquals(ended.code, 0, args.join(" "));
    assertClearError(ended);
  }
  assertFails(await shared.connect(["sync", "folder", "../out"]), 5);
  assertFiles(shared.root, { file: "f", "folder/": "" });
  assertFiles(shared.here, { file: "f", "folder/x": "" });
});

Deno.test("sync to a read-only server: exit 5, and nothing changes; from it all goes", async () => {
  await using shared = place({ "b/x": "x" }, { write: false, overwrite: false });
  writeFiles(shared.here, { "a/y": "y" });
  assertFails(await shared.connect(["sync", "--delete", "a", "b"]), 5);
  assertFiles(shared.root, { "b/x": "x" });
  assertCode(await shared.connect(["sync", "--from", "b", "got"]), 0);
  assertEquals(Deno.readTextFileSync(`${shared.here}/got/x`), "x");
});

Deno.test("sync to a server that only lets add: new files go, nothing is replaced or deleted, and the exit code says so", async () => {
  await using shared = place({ "b/changed": "old", "b/extra": "extra" }, { write: true, overwrite: false });
  writeFiles(shared.here, { "a/changed": "newer", "a/new": "new", "a/sub/new": "new" });
  const ended = await shared.connect(["sync", "--delete", "a", "b"]);
  assertCode(ended, 9);
  assertClearError(ended);
  assertStringIncludes(ended.stderr, "changed");
  assertStringIncludes(ended.stderr, "extra");
  assertFiles(shared.root, { "b/changed": "old", "b/extra": "extra", "b/new": "new", "b/sub/new": "new" });
});

Deno.test("exit 9: sync of a folder with one in it that cannot be read moves the rest and deletes nothing", async () => {
  await using shared = place({ "b/locked/kept": "kept", "b/other": "kept", "b/a": "a" });
  writeFiles(shared.here, { "a/a": "aa", "a/locked/x": "x", "a/z/c": "c" });
  const rights = [...NARROW, `--deny-read=${shared.here}/a/locked`];
  const sync = (...flags: string[]) =>
    run(tandem(["connect", shared.address, "sync", ...flags, "a", "b"], rights), { cwd: shared.here });
  assertFails(await sync("--delete"), 5, "locked", "nothing is deleted");
  assertFails(await sync("--delete", "--max-delete", "100"), 5, "locked");
  assertFiles(shared.root, { "b/locked/kept": "kept", "b/other": "kept", "b/a": "a" });
  const ended = await sync();
  assertFiles(shared.root, { "b/locked/kept": "kept", "b/other": "kept", "b/a": "aa", "b/z/c": "c" });
  assertClearError(ended);
  assertStringIncludes(ended.stderr, "locked");
  assertCode(ended, 9);
});

Deno.test("exit 9: sync of a folder with one file in it that cannot be read moves the rest", async () => {
  await using shared = place();
  writeFiles(shared.here, { "a/a": "a", "a/locked": "x", "a/z/c": "c" });
  const rights = [...NARROW, `--deny-read=${shared.here}/a/locked`];
  const ended = await run(tandem(["connect", shared.address, "sync", "a", "b"], rights), { cwd: shared.here });
  assertCode(ended, 9);
  assertClearError(ended);
  assertStringIncludes(ended.stderr, "locked");
  assertFiles(shared.root, { "b/a": "a", "b/z/c": "c" });
});

/** A server for a store, and `sync` in a folder that has these files. */
function storeSide(store: FileStore, files: Files) {
  const folder = tempFolder();
  const here = `${folder.path}/here`;
  writeFiles(folder.path, { "here/": "", outside: "kept" });
  writeFiles(here, files);
  const server = serve({ store, port: 0, overwrite: true });
  const words = (args: readonly string[]) => tandem(["connect", `127.0.0.1:${server.addr.port}`, ...args]);
  return {
    here,
    folder: folder.path,
    run: (...args: string[]) => run(words(args), { cwd: here }),
    sync: (...args: string[]) => run(words(["sync", ...args]), { cwd: here }),
    async [Symbol.asyncDispose]() {
      using _folder = folder;
      await server.shutdown();
    },
  };
}

/** A disk with a folder that cannot be listed, or with another step at a path that fails. */
function failing(root: string, failingStep: string, at: string): FileStore {
  return new HookedStore(new DiskStore(root), (step, path) => {
    if (step === failingStep && path === at) throw new TandemError("denied", "no access");
  });
}

Deno.test("sync --from a server that cannot list all of it: the rest comes, exit 9; with --delete nothing goes", async () => {
  using shared = tempFolder();
  writeFiles(shared.path, { "a/x": "x", "a/locked/b": "b", "a/z/c": "c" });
  await using side = storeSide(failing(shared.path, "list", "a/locked"), { "b/locked/b": "mine", "b/own": "own" });
  assertFails(await side.sync("--delete", "--from", "a", "b"), 5, "locked", "nothing is deleted");
  assertFiles(side.here, { "b/locked/b": "mine", "b/own": "own" });
  const ended = await side.sync("--from", "a", "b");
  assertFiles(side.here, { "b/locked/b": "mine", "b/own": "own", "b/x": "x", "b/z/c": "c" });
  assertStringIncludes(ended.stderr, "locked");
  assertCode(ended, 9);
});

Deno.test("sync --from a server that cannot list the folder at all: an error, and nothing goes", async () => {
  using shared = tempFolder();
  writeFiles(shared.path, { "a/x": "x" });
  await using side = storeSide(failing(shared.path, "list", "a"), { "b/own": "own" });
  assertFails(await side.sync("--delete", "--max-delete", "9", "--from", "a", "b"), 5);
  assertFiles(side.here, { "b/own": "own" });
});

Deno.test("sync --delete --from a server that stops in the middle of its listing deletes nothing", async () => {
  using shared = tempFolder();
  writeFiles(shared.path, { "a/x": "x", "a/z/c": "c" });
  const over = Promise.withResolvers<void>();
  const store = new HookedStore(new DiskStore(shared.path), (step, path) => {
    if (step === "list" && path === "a/z") return over.promise;
  });
  await using side = storeSide(store, { "b/own": "own", "b/x": "x", "b/z/c": "c" });
  try {
    for (const flags of [["--delete"], ["--delete", "--max-delete", "9"]]) {
      assertFails(await side.run("--timeout", "0.5", "sync", ...flags, "--from", "a", "b"), 11);
    }
  } finally {
    over.resolve();
  }
  assertFiles(side.here, { "b/own": "own", "b/x": "x", "b/z/c": "c" });
});

Deno.test("sync --checksum: one file that cannot be hashed does not keep the others from being moved, exit 9", async () => {
  using shared = tempFolder();
  writeFiles(shared.path, { "a/bad": "1", "a/good": "2", "a/new": "3" });
  await using side = storeSide(failing(shared.path, "open", "a/bad"), { "b/bad": "x", "b/good": "y" });
  const ended = await side.sync("--checksum", "--from", "a", "b");
  assertCode(ended, 9);
  assertStringIncludes(ended.stderr, "bad");
  assertFiles(side.here, { "b/bad": "x", "b/good": "2", "b/new": "3" });
});

Deno.test("sync --delete: a folder of the target that the server does not list is not removed with what is above it", async () => {
  using shared = tempFolder();
  writeFiles(shared.path, { "b/1": "1", "b/2": "2", "b/old/locked/precious": "precious", "b/old/goes": "x" });
  await using side = storeSide(failing(shared.path, "list", "b/old/locked"), { "a/1": "1", "a/2": "2" });
  const ended = await side.sync("--delete", "a", "b");
  assertNoTrace(ended.stderr);
  assertEquals(Deno.readTextFileSync(`${shared.path}/b/old/locked/precious`), "precious");
});

Deno.test("sync --delete removes only what it has listed: what came into a folder meanwhile stays", async () => {
  using shared = tempFolder();
  writeFiles(shared.path, { "b/1": "1", "b/2": "2", "b/old/goes": "x" });
  const store = new HookedStore(new DiskStore(shared.path), (step, path) => {
    if (step === "remove" && path === "b/old/goes") writeFiles(shared.path, { "b/old/came": "meanwhile" });
  });
  await using side = storeSide(store, { "a/1": "1", "a/2": "2" });
  const ended = await side.sync("--delete", "a", "b");
  assertNoTrace(ended.stderr);
  assertEquals(textFiles(`${shared.path}/b/old`), { came: "meanwhile" });
});

/** What a server may list that leads out of a folder, or is no name. */
const OUTSIDE = [
  "../x",
  "..",
  ".",
  "/tmp/tandem-test-hostile",
  "sub/../../x",
  "//x",
  "..\\x",
  "nul\0x",
  "esc\x1b[2Jx",
  "cr\rx",
];

/** A store that lists whatever it was told in its shared folder. */
class LyingStore extends MemoryStore {
  readonly #entries: StoreEntry[];

  constructor(entries: StoreEntry[]) {
    super();
    this.#entries = entries;
  }

  override async list(...args: Parameters<MemoryStore["list"]>): Promise<StoreEntry[]> {
    return args[0] === "" ? this.#entries : await super.list(...args);
  }
}

for (const kind of ["file", "directory"] as const) {
  Deno.test(`K1 sync refuses every ${kind} of a server whose name leads elsewhere, and deletes nothing on its word`, async () => {
    const entries = OUTSIDE.map((name) => ({ name, kind, sizeBytes: 3, mtimeMs: 0, mode: 0o644 }));
    for (
      const flags of [["--delete"], ["--delete", "--max-delete", "9"], [], ["--checksum"], ["--dry-run", "--delete"]]
    ) {
      await using side = storeSide(new LyingStore(entries), { "in/b/own": "own", "in/b/x": "x", "in/x": "kept" });
      const ended = await side.sync(...flags, "--from", "/", "in/b");
      assertClearError(ended);
      // deno-lint-ignore no-control-regex
      assertNotMatch(ended.stderr + ended.stdout, /[\0-\x09\x0b-\x1f]/);
      const expected = { "here/in/b/own": "own", "here/in/b/x": "x", "here/in/x": "kept", outside: "kept" };
      assertEquals(textFiles(side.folder), expected);
      if (!flags.includes("--dry-run")) assertNotEquals(ended.code, 0, `${flags.join(" ")}: ${ended.stderr}`);
    }
  });
}

Deno.test("K1 sync --delete to a server that lists what is elsewhere deletes nothing here", async () => {
  const entries = OUTSIDE.map((name) => ({ name, kind: "file" as const, sizeBytes: 3, mtimeMs: 0, mode: 0o644 }));
  await using side = storeSide(new LyingStore(entries), { "a/own": "own", x: "kept" });
  const ended = await side.sync("--delete", "a", "/");
  assertNoTrace(ended.stderr);
  assertEquals(textFiles(side.folder), { "here/a/own": "own", "here/x": "kept", outside: "kept" });
});

Deno.test({
  name: "K1 sync --from a server that lists names below a link of the target writes nothing through it",
  ignore: !IS_UNIX,
  async fn() {
    const store = new MemoryStore();
    await store.makeFolder("link" as Parameters<MemoryStore["makeFolder"]>[0], { recursive: false });
    await store.makeFolder("link/.ssh" as Parameters<MemoryStore["makeFolder"]>[0], { recursive: false });
    await using side = storeSide(store, { "b/own": "own" });
    Deno.mkdirSync(`${side.folder}/home`);
    Deno.symlinkSync(`${side.folder}/home`, `${side.here}/b/link`);
    await side.sync("--from", "/", "b");
    assertEquals([...Deno.readDirSync(`${side.folder}/home`)], []);
  },
});

Deno.test("sync leaves alone what tandem keeps of a transfer that was cut off", async () => {
  await using shared = place({ "a/1": "1", "a/2": "2" });
  writeFiles(shared.here, { "b/1": "1", "b/2": "2", "b/.tandem-big.partial": "part" });
  assertCode(await shared.connect(["sync", "--delete", "--from", "a", "b"]), 0);
  assertEquals(Deno.readTextFileSync(`${shared.here}/b/.tandem-big.partial`), "part");
  assertCode(await shared.connect(["sync", "b", "c"]), 0);
});

terminalTest("sync --delete asks at a terminal for more than half: only a yes deletes", async () => {
  await using shared = place({});
  for (const [answer, code] of [["n", 5], ["", 5], ["yes", 0]] as const) {
    writeFiles(
      shared.root,
      Object.fromEntries(Object.entries(numbered(24)).map(([name, text]) => [`b/${name}`, text])),
    );
    writeFiles(shared.here, Object.fromEntries(Object.entries(numbered(3)).map(([name, text]) => [`a/${name}`, text])));
    const words = tandemAtTerminal(["connect", shared.address, "sync", "--delete", "a", "b"]);
    await using terminal = new Terminal(words, { cwd: shared.here });
    await terminal.until(/21 of 24[^]*\?/);
    await terminal.type(`${answer}\r`);
    assertCode(await terminal.ended(), code);
    assertEquals(Object.keys(textFiles(`${shared.root}/b`)).length, code === 0 ? 3 : 24);
  }
});

terminalTest("sync --delete --no-input does not ask", async () => {
  await using shared = place(Object.fromEntries(Object.keys(numbered(24)).map((name) => [`b/${name}`, ""])));
  writeFiles(shared.here, { "a/n000": "" });
  const words = tandemAtTerminal(["connect", "--no-input", shared.address, "sync", "--delete", "a", "b"]);
  await using terminal = new Terminal(words, { cwd: shared.here });
  assertCode(await terminal.ended(), 5);
  assertEquals(Object.keys(textFiles(`${shared.root}/b`)).length, 24);
});
