/**
 * Names that are taken: what `--on-exist` makes of them on both sides, and that
 * links, folders and FIFOs in the way are left as they are.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, assertNoTrace, IS_UNIX } from "./program.ts";
import { assertFiles, type Place, place, textFiles, writeFiles } from "./place.ts";

interface Taken {
  /** The value of `--on-exist`; undefined where it is not given. */
  readonly onExist: string | undefined;
  /** What is in the file afterwards. */
  readonly kept: "old" | "new";
  /** The exit code. */
  readonly code: number;
}

const TAKEN: readonly Taken[] = [
  { onExist: undefined, kept: "old", code: 10 },
  { onExist: "ask", kept: "old", code: 10 },
  { onExist: "error", kept: "old", code: 10 },
  { onExist: "skip", kept: "old", code: 0 },
  { onExist: "overwrite", kept: "new", code: 0 },
  { onExist: "rename", kept: "old", code: 0 },
  // Made last, it is the newer one.
  { onExist: "newer", kept: "old", code: 0 },
  { onExist: "resume", kept: "old", code: 10 },
];

/** The same with a plain server, which tells no times and cannot continue. */
const TAKEN_PLAIN: readonly Taken[] = TAKEN.map((taken) => {
  return taken.onExist === "newer" || taken.onExist === "resume" ? { ...taken, code: 7 } : taken;
});

/** Checks what became of the file `x` in a folder, and that a renamed one is beside it. */
function assertKept(folder: string, { onExist, kept }: Taken): void {
  const { x, ...others } = textFiles(folder);
  assertEquals(x, kept);
  assertEquals(Object.values(others), onExist === "rename" ? ["new"] : []);
  for (const name of Object.keys(others)) assertStringIncludes(name, "x");
}

for (const taken of TAKEN) {
  const { onExist, code } = taken;
  const flags = onExist === undefined ? [] : ["--on-exist", onExist];
  const shown = onExist === undefined ? "no --on-exist" : `--on-exist ${onExist}`;

  Deno.test(`K8 get with ${shown}, where the local name is taken, is exit ${code}`, async () => {
    await using shared = place({ x: "new" });
    writeFiles(shared.here, { x: "old" });
    const ended = await shared.connect([...flags, "get", "x"]);
    assertCode(ended, code);
    if (code !== 0) assertClearError(ended);
    assertKept(shared.here, taken);
  });

  Deno.test(`put with ${shown}, where the remote name is taken, is exit ${code}`, async () => {
    await using shared = place();
    writeFiles(shared.here, { x: "new" });
    writeFiles(shared.root, { x: "old" });
    const ended = await shared.connect([...flags, "put", "x"]);
    assertCode(ended, code);
    if (code !== 0) assertClearError(ended);
    assertKept(shared.root, taken);
  });
}

for (const verb of ["get", "put"] as const) {
  Deno.test(`${verb} from and to a plain server, where the name is taken, does what --on-exist says`, async (t) => {
    for (const taken of TAKEN_PLAIN) {
      const { onExist, code } = taken;
      await t.step(`${onExist}: exit ${code}`, async () => {
        await using shared = place({}, { mode: "plain" });
        const [from, to] = verb === "get" ? [shared.root, shared.here] : [shared.here, shared.root];
        writeFiles(from, { x: "new" });
        writeFiles(to, { x: "old" });
        const ended = await shared.connect([...onExist === undefined ? [] : ["--on-exist", onExist], verb, "x"]);
        assertCode(ended, code);
        assertKept(to, taken);
      });
    }
  });
}

Deno.test("--on-exist newer replaces what is older, keeps what is as new, and fetches and stores what is not there", async () => {
  const dates = { older: 1, same: 2, later: 3 };
  const names = Object.keys(dates);
  await using shared = place(Object.fromEntries([...names, "missing"].map((name) => [name, `remote ${name}`])));
  writeFiles(shared.here, Object.fromEntries([...names, "added"].map((name) => [name, `local ${name}`])));
  for (const [name, day] of Object.entries(dates)) {
    const [local, remote] = [new Date(2020, 0, day, 1, 2, 3, 456), new Date(2020, 0, 2, 1, 2, 3, 456)];
    Deno.utimeSync(`${shared.here}/${name}`, local, local);
    Deno.utimeSync(`${shared.root}/${name}`, remote, remote);
  }
  const put = await shared.connect(["--on-exist", "newer", "put", ...names, "added", "."]);
  assertCode(put, 0);
  assertEquals(put.stderr.match(/^skipped/gm)?.length, 2, put.stderr);
  assertFiles(shared.root, {
    older: "remote older",
    same: "remote same",
    later: "local later",
    added: "local added",
    missing: "remote missing",
  });
  const get = await shared.connect(["--on-exist", "newer", "get", ...names, "missing", "."]);
  assertCode(get, 0);
  assertEquals(get.stderr.match(/^skipped/gm)?.length, 2, get.stderr);
  assertFiles(shared.here, {
    older: "remote older",
    same: "local same",
    later: "local later",
    added: "local added",
    missing: "remote missing",
  });
});

Deno.test("--on-exist resume continues what is there in part, and fetches and stores what is not there", async () => {
  await using shared = place({ a: "the whole of it", b: "the wh", c: "c" });
  writeFiles(shared.here, { a: "the wh", b: "the whole of it", d: "d" });
  const get = await shared.connect(["--on-exist=resume", "get", "a", "c", "."]);
  assertCode(get, 0);
  assertStringIncludes(get.stderr, "6 B of it were there already");
  assertFiles(shared.here, { a: "the whole of it", b: "the whole of it", c: "c", d: "d" });
  const put = await shared.connect(["--on-exist=resume", "put", "b", "d", "."]);
  assertCode(put, 0);
  assertStringIncludes(put.stderr, "6 B of it were there already");
  assertFiles(shared.root, { a: "the whole of it", b: "the whole of it", c: "c", d: "d" });
});

for (const mode of ["tandem", "plain"] as const) {
  Deno.test(`put of several names that are all taken keeps all of them, in the ${mode} exchange`, async (t) => {
    const names = ["a", "b", "c", "d"];
    const old = Object.fromEntries(names.map((name) => [name, `old ${name}`]));
    const rows: readonly (readonly [onExist: string, code: number, added: Readonly<Record<string, string>>])[] = [
      ["error", 10, {}],
      ["skip", 0, {}],
      ["rename", 0, { "a.1": "new a", "b.2": "new b", "c.2": "new c", "d.1": "new d" }],
    ];
    for (const [onExist, code, added] of rows) {
      await t.step(onExist, async () => {
        const there = { ...old, "b.1": "old b.1", "c.1": "old c.1" };
        await using shared = place(there, mode === "plain" ? { mode } : {});
        writeFiles(shared.here, Object.fromEntries(names.map((name) => [name, `new ${name}`])));
        const ended = await shared.connect(["--on-exist", onExist, "put", ...names, "."]);
        assertFiles(shared.root, { ...there, ...added });
        assertCode(ended, code);
      });
    }
  });
}

for (const mode of ["tandem", "plain"] as const) {
  Deno.test(`put - where the name is taken does what --on-exist says, in the ${mode} exchange`, async (t) => {
    const rows: readonly (readonly [onExist: string, code: number, after: Readonly<Record<string, string>>])[] = [
      ["error", 10, { x: "old" }],
      ["skip", 0, { x: "old" }],
      ["overwrite", 0, { x: "piped" }],
      ["rename", 0, { x: "old", "x.1": "piped" }],
    ];
    for (const [onExist, code, after] of rows) {
      await t.step(onExist, async () => {
        await using shared = place({ x: "old" }, mode === "plain" ? { mode } : {});
        const ended = await shared.connect(["--on-exist", onExist, "put", "-", "x"], { stdin: "piped" });
        assertNoTrace(ended.stderr);
        assertCode(ended, code);
        assertFiles(shared.root, after);
      });
    }
  });
}

Deno.test("--on-exist rename finds a free name each time", async () => {
  await using shared = place({ x: "new" });
  for (let i = 0; i < 3; i++) assertCode(await shared.connect(["--on-exist", "rename", "get", "x"]), 0);
  assertEquals(Object.values(textFiles(shared.here)), ["new", "new", "new"]);
  writeFiles(shared.here, { x: "newer" });
  for (let i = 0; i < 2; i++) assertCode(await shared.connect(["--on-exist", "rename", "put", "x"]), 0);
  assertEquals(Object.values(textFiles(shared.root)), ["new", "newer", "newer"]);
});

/** What may be where a file is to go, and must stay. */
const IN_THE_WAY: Readonly<Record<string, (path: string) => Promise<void> | void>> = {
  "a link to a file": (path) => Deno.symlinkSync("target", path),
  "a dangling link": (path) => Deno.symlinkSync("nowhere", path),
  "a FIFO": async (path) => {
    await new Deno.Command("mkfifo", { args: [path] }).output();
  },
};

for (const [what, make] of Object.entries(IN_THE_WAY)) {
  Deno.test({
    name: `K8 get does not follow, replace or wait for ${what} with the local name`,
    ignore: !IS_UNIX,
    async fn() {
      await using shared = place({ x: "new" });
      writeFiles(shared.here, { target: "kept" });
      const path = `${shared.here}/x`;
      await make(path);
      const before = Deno.lstatSync(path);
      for (const [onExist, code] of [["error", 10], ["overwrite", 6]] as const) {
        const ended = await shared.connect(["--on-exist", onExist, "get", "x"]);
        assertCode(ended, code);
        assertClearError(ended);
      }
      assertSame(shared, path, before);
    },
  });
}

/** Checks that what was at a path is there still, and that nothing else was touched. */
function assertSame(shared: Place, path: string, before: Deno.FileInfo): void {
  const { ino, isSymlink, isFifo } = Deno.lstatSync(path);
  assertEquals([ino, isSymlink, isFifo], [before.ino, before.isSymlink, before.isFifo]);
  const names = [...Deno.readDirSync(shared.here)].map(({ name }) => name).sort();
  assertEquals(names, ["target", "x"]);
  assertEquals(Deno.readTextFileSync(`${shared.here}/target`), "kept");
}
