/**
 * Tests of parts that are kept on disk to be continued: whose they are, what may
 * lie under their foreseeable names, and when they are swept. Twice, with all
 * permissions and with fewer.
 *
 * @module
 */

import { KEPT_PART_AGE_MS } from "../../src/limits.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { assert, assertEquals, assertLess } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { type DiskPlace, diskPlace } from "./places.ts";
import { Program } from "./program.ts";
import { leavePart, RESUMABLE, RESUME, textOf } from "./resuming_cases.ts";
import { makeFifo } from "./special_files.ts";
import { at, bytesOf, namesIn, textAt } from "./store_case.ts";

const PART_WRITER = new URL("./part_writer.ts", import.meta.url).href;

const FEWER: Deno.PermissionOptions = { read: true, write: true, run: true, env: true };
const PERMISSIONS: readonly (readonly [string, Deno.PermissionOptions])[] = [
  ["with all permissions", "inherit"],
  ["with fewer permissions", FEWER],
];

/** Registers a test both ways. */
function bothWays(name: string, run: () => Promise<void>): void {
  for (const [how, permissions] of PERMISSIONS) {
    Deno.test({
      name: `${name}, ${how}`,
      ignore: Deno.build.os === "windows",
      permissions,
      fn: () => within(run(), 4 * PATIENCE_MS, name),
    });
  }
}

/** Where a part of `name` is kept: found out, since it is nobody's business. */
async function partPath(place: DiskPlace, name: string): Promise<string> {
  await leavePart(place.store, name, "x");
  const [part = ""] = temporaries(place.path);
  Deno.removeSync(`${place.path}/${part}`);
  return `${place.path}/${part}`;
}

/** Continues `name` with `text` and lands it; returns what was continued. */
async function continueWith(place: DiskPlace, name: string, text: string): Promise<string | undefined> {
  await using landing = await place.store.create(at(name), RESUME);
  const kept = await textOf(landing.kept);
  await landing.write(bytesOf(text));
  await landing.commit();
  return kept;
}

bothWays("a part of a name of up to 255 bytes is kept under a name that fits, and no other's", async () => {
  using place = diskPlace();
  const names = [
    "a",
    "a.partial",
    "x".repeat(239),
    "x".repeat(240),
    "x".repeat(254) + "1",
    "x".repeat(254) + "2",
    "é".repeat(127) + "1",
    "é".repeat(127) + "2",
    "\u{1f600}".repeat(63),
    "\u{1f600}".repeat(63) + "1",
  ];
  for (const name of names) await leavePart(place.store, name, `part of ${name}`);
  assertEquals(temporaries(place.path).length, names.length);
  assertEquals(await namesIn(place.store), []);
  for (const name of names) {
    assertEquals(await continueWith(place, name, "."), `part of ${name}`);
    assertEquals(await textAt(place.store, name), `part of ${name}.`);
  }
  assertEquals(temporaries(place.path), []);
});

bothWays("a part is in a file that only its owner can open", async () => {
  using place = diskPlace();
  await using landing = await place.store.create(at("a.txt"), RESUMABLE);
  await landing.write(bytesOf("part"));
  const [part = ""] = temporaries(place.path);
  assertEquals((Deno.lstatSync(`${place.path}/${part}`).mode ?? 0) & 0o777, 0o600);
});

for (const target of ["../secret.txt", "../nothing", "../outside", "a.txt"]) {
  bothWays(`F3 a link to ${target} where a part would be is not followed`, async () => {
    using parent = tempFolder();
    const { path } = parent;
    Deno.mkdirSync(`${path}/shared`);
    Deno.mkdirSync(`${path}/outside`);
    Deno.writeTextFileSync(`${path}/secret.txt`, "secret");
    using place = diskPlace({ path: `${path}/shared`, [Symbol.dispose]: () => {} });
    for (const options of [RESUME, RESUMABLE]) {
      const part = await partPath(place, "a.txt");
      Deno.symlinkSync(target, part);
      {
        await using landing = await place.store.create(at("a.txt"), options);
        const kept = await textOf(landing.kept);
        assert(kept === undefined || kept === "new", kept);
        if (kept !== undefined) await landing.restart();
        await landing.write(bytesOf("new"));
        await landing.commit();
      }
      assertEquals(await textAt(place.store, "a.txt"), "new");
      assert(Deno.lstatSync(`${place.path}/a.txt`).isFile);
    }
    assertEquals(Deno.readTextFileSync(`${path}/secret.txt`), "secret");
    const names = [...Deno.readDirSync(path)].map(({ name }) => name).sort();
    assertEquals(names, ["outside", "secret.txt", "shared"]);
    assertEquals([...Deno.readDirSync(`${path}/outside`)], []);
  });
}

bothWays("F3 another name of a file where a part would be is not written through", async () => {
  using place = diskPlace();
  for (const options of [RESUME, RESUMABLE]) {
    const part = await partPath(place, "a.txt");
    place.addFile("other.txt", "other");
    Deno.linkSync(`${place.path}/other.txt`, part);
    {
      await using landing = await place.store.create(at("a.txt"), options);
      assertEquals(landing.kept?.isPresentFile ?? true, true);
      await landing.restart();
      await landing.write(bytesOf("new"));
      await landing.commit();
    }
    assertEquals(await textAt(place.store, "other.txt"), "other");
    assertEquals(await textAt(place.store, "a.txt"), "new");
  }
});

bothWays("F3 a FIFO where a part would be holds nothing up", async () => {
  using place = diskPlace();
  for (const options of [RESUME, RESUMABLE]) {
    const part = await partPath(place, "a.txt");
    using fifo = makeFifo(part);
    const tookMs = await timed(
      async () => {
        await using landing = await place.store.create(at("a.txt"), options);
        if (landing.kept !== undefined) await landing.restart();
        await landing.write(bytesOf("new"));
        await landing.commit();
      },
      2_000,
      "a landing",
    );
    assertLess(tookMs, 1_000);
    assertEquals(await textAt(place.store, "a.txt"), "new");
    // So that the FIFO's end finds something.
    if (!temporaries(place.path).length) Deno.symlinkSync("a.txt", part);
    fifo[Symbol.dispose]();
    Deno.removeSync(part);
    place.addFile("unused", "");
    Deno.symlinkSync("unused", part);
  }
});

bothWays("F3 a folder where a part would be keeps nobody from landing the file", async () => {
  using place = diskPlace();
  const part = await partPath(place, "a.txt");
  Deno.mkdirSync(part);
  Deno.writeTextFileSync(`${part}/inside`, "inside");
  assertEquals(await continueWith(place, "a.txt", "new"), undefined);
  assertEquals(await textAt(place.store, "a.txt"), "new");
  assertEquals(Deno.readTextFileSync(`${part}/inside`), "inside");
});

bothWays(
  "Q3 a part that another process is writing is left to it, and what a killed one has left is continued",
  async () => {
    using place = diskPlace();
    {
      await using writer = new Program("-A", PART_WRITER, place.path, "a.txt", "from another");
      await writer.untilReady();
      assertEquals(await continueWith(place, "a.txt", "mine"), undefined);
      assertEquals(await textAt(place.store, "a.txt"), "mine");
      assertEquals(temporaries(place.path).length, 1);
      assertEquals(await place.store.sweep(), 0);
      await place.store.remove(at("a.txt"), { recursive: false });
    }
    assertEquals(await continueWith(place, "a.txt", ", and mine"), "from another");
    assertEquals(await textAt(place.store, "a.txt"), "from another, and mine");
    assertEquals(temporaries(place.path), []);
  },
);

/** Lets a file have been changed last so long ago. */
function age(path: string, ageMs: number): void {
  const then = new Date(Date.now() - ageMs);
  Deno.utimeSync(path, then, then);
}

bothWays("sweep() removes parts that are older than a week, in every folder, and no younger ones", async () => {
  using place = diskPlace();
  place.addFolder("a/b");
  for (const folder of ["", "a/", "a/b/"]) {
    for (const [name, ageMs] of [["old", KEPT_PART_AGE_MS + 60_000], ["young", KEPT_PART_AGE_MS - 60_000]] as const) {
      await leavePart(place.store, `${folder}${name}`, name);
      const found = temporaries(`${place.path}/${folder}`).find((part) => part.includes(name));
      age(`${place.path}/${folder}${found}`, ageMs);
    }
  }
  assertEquals(await place.store.sweep(), 3);
  assertEquals(temporaries(place.path).length, 3);
  assertEquals(await continueWith(place, "a/b/young", ""), "young");
  assertEquals(await continueWith(place, "a/b/old", "new"), undefined);
});

bothWays("Q3 sweep() leaves an old part that somebody has gone on with", async () => {
  using place = diskPlace();
  await leavePart(place.store, "a.txt", "part");
  const [part = ""] = temporaries(place.path);
  age(`${place.path}/${part}`, KEPT_PART_AGE_MS * 2);
  const other = new DiskStore(place.path);
  try {
    await using landing = await place.store.create(at("a.txt"), RESUME);
    assertEquals(await other.sweep(), 0);
    assertEquals(await textOf(landing.kept), "part");
    await landing.commit();
  } finally {
    other.close();
  }
  assertEquals(await textAt(place.store, "a.txt"), "part");
});

bothWays("sweep() removes what is anonymous whatever its age, and follows no link with a part's name", async () => {
  using parent = tempFolder();
  Deno.mkdirSync(`${parent.path}/shared`);
  Deno.writeTextFileSync(`${parent.path}/secret.txt`, "secret");
  age(`${parent.path}/secret.txt`, KEPT_PART_AGE_MS * 2);
  using place = diskPlace({ path: `${parent.path}/shared`, [Symbol.dispose]: () => {} });
  const part = await partPath(place, "a.txt");
  Deno.symlinkSync("../secret.txt", part);
  place.addFile(`.tandem-${"0".repeat(32)}.part`, "left");
  assertEquals(await place.store.sweep(), 1);
  assertEquals(Deno.readTextFileSync(`${parent.path}/secret.txt`), "secret");
  assert(Deno.lstatSync(part).isSymlink);
});

Deno.test({
  name: "commit() gives of the permissions that it is told those that the umask leaves",
  ignore: Deno.build.os === "windows",
  async fn() {
    using place = diskPlace();
    const before = Deno.umask();
    try {
      for (const umask of [0o022, 0o027, 0o077, 0o002]) {
        Deno.umask(umask);
        for (const mode of [0o777, 0o755, 0o666, 0o644, 0o600, 0o711, 0o4755, 0o1777]) {
          for (const options of [RESUMABLE, { replace: true }]) {
            await using landing = await place.store.create(at("a.bin"), options);
            await landing.commit({ mode });
            const has = (Deno.lstatSync(`${place.path}/a.bin`).mode ?? 0) & 0o7777;
            assertEquals(has.toString(8), (mode & 0o777 & ~umask).toString(8), `${mode.toString(8)}`);
          }
        }
      }
    } finally {
      Deno.umask(before);
    }
  },
});
