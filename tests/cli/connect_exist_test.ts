/**
 * Names that are taken: what `--on-exist` makes of them on both sides, and that
 * links, folders and FIFOs in the way are left as they are.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, IS_UNIX } from "./program.ts";
import { type Place, place, textFiles, writeFiles } from "./place.ts";

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
  { onExist: "newer", kept: "old", code: 7 },
  { onExist: "resume", kept: "old", code: 7 },
];

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
    await using shared = place({ x: "old" });
    writeFiles(shared.here, { x: "new" });
    const ended = await shared.connect([...flags, "put", "x"]);
    assertCode(ended, code);
    if (code !== 0) assertClearError(ended);
    assertKept(shared.root, taken);
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
