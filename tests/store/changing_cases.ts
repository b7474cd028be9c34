/**
 * What every store promises to those who look at files one by one, make folders,
 * remove and rename.
 *
 * @module
 */

import { ROOT } from "../../src/protocol/path.ts";
import type { FileStore } from "../../src/store/file_store.ts";
import { assert, assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { at, land, namesIn, NEW_ONLY, REPLACE, type StoreCase, textAt } from "./store_case.ts";

const DEEP = { recursive: true };
const FLAT = { recursive: false };

/** A time that is a round number of milliseconds, long ago. */
const THEN_MS = Date.UTC(2001, 1, 3, 4, 5, 6, 789);

/** Stores a file that was changed last at a time. */
async function landAt(store: FileStore, path: string, text: string, mtimeMs: number, mode?: number): Promise<void> {
  await using landing = await store.create(at(path), REPLACE);
  await landing.write(new TextEncoder().encode(text));
  await landing.commit({ mtimeMs, mode });
}

const LOOKING: readonly StoreCase[] = [
  {
    name: "stat() tells a file's name, kind, size, time and permissions",
    async run({ store, addFolder }) {
      addFolder("a");
      await landAt(store, "a/b.txt", "12345", THEN_MS, 0o640);
      const { mode, ...rest } = await store.stat(at("a/b.txt"));
      assertEquals(rest, { name: "b.txt", kind: "file", sizeBytes: 5, mtimeMs: THEN_MS });
      if (mode !== undefined) assertEquals(mode, 0o640);
    },
  },
  {
    name: "stat() tells a folder, and the shared one by no name",
    async run({ store, addFolder }) {
      addFolder("a/b");
      for (const [path, name] of [[at("a"), "a"], [at("a/b"), "b"], [ROOT, ""]] as const) {
        const entry = await store.stat(path);
        assertEquals([entry.name, entry.kind, entry.sizeBytes], [name, "directory", undefined]);
        assert(entry.mtimeMs !== undefined && Math.abs(entry.mtimeMs - Date.now()) < 60_000);
      }
    },
  },
  {
    name: "stat() fails with not-found, and with not-directory through a file",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      await assertFails(store.stat(at("b")), "not-found");
      await assertFails(store.stat(at("b/c")), "not-found");
      await assertFails(store.stat(at("a.txt/b")), "not-directory");
    },
  },
  {
    name: "list() gives with details what stat() tells, and without them only names and kinds",
    async run({ store, addFile, addFolder }) {
      addFile("b/c.txt", "c");
      addFolder("b/a");
      await landAt(store, "b/d.txt", "some text", THEN_MS);
      const entries = await store.list(at("b"), { details: true });
      assertEquals(entries.map(({ name }) => name), ["a", "c.txt", "d.txt"]);
      for (const entry of entries) assertEquals(entry, await store.stat(at(`b/${entry.name}`)));
      const [first] = await store.list(at("b"));
      assertEquals({ ...first }, { name: "a", kind: "directory" });
    },
  },
];

const FOLDERS: readonly StoreCase[] = [
  {
    name: "makeFolder() makes a folder that can be used",
    async run({ store }) {
      await store.makeFolder(at("a"), FLAT);
      await store.makeFolder(at("a/b"), FLAT);
      await land(store, "a/b/c.txt", "c", NEW_ONLY);
      assertEquals(await namesIn(store, "a"), ["b/"]);
    },
  },
  {
    name: "makeFolder() makes those above too when it is recursive, and does not mind that they are there",
    async run({ store, addFile }) {
      addFile("a/x.txt", "x");
      for (let i = 0; i < 2; i++) await store.makeFolder(at("a/b/c/d"), DEEP);
      await store.makeFolder(at("a"), DEEP);
      assertEquals(await namesIn(store, "a/b/c"), ["d/"]);
      assertEquals(await textAt(store, "a/x.txt"), "x");
    },
  },
  {
    name: "makeFolder() fails with exists, not-found and not-directory",
    async run({ store, addFile, addFolder }) {
      addFile("a.txt", "a");
      addFolder("b");
      await assertFails(store.makeFolder(at("b"), FLAT), "exists");
      for (const options of [FLAT, DEEP]) await assertFails(store.makeFolder(at("a.txt"), options), "exists");
      await assertFails(store.makeFolder(at("c/d"), FLAT), "not-found");
      await assertFails(store.makeFolder(at("a.txt/d"), FLAT), "not-directory");
      assertEquals(await namesIn(store), ["a.txt", "b/"]);
    },
  },
  {
    name: "makeFolder() fails with not-directory when a recursive one leads through a file",
    async run({ store, addFile }) {
      addFile("a/b.txt", "b");
      await assertFails(store.makeFolder(at("a/b.txt/c"), DEEP), "not-directory");
      await assertFails(store.makeFolder(at("a/b.txt/c/d"), DEEP), "not-directory");
      assertEquals(await textAt(store, "a/b.txt"), "b");
    },
  },
];

const REMOVING: readonly StoreCase[] = [
  {
    name: "remove() removes a file, and nothing beside it",
    async run({ store, addFile }) {
      for (const name of ["a/b", "a/bc", "ab", "a/c"]) addFile(name, name);
      await store.remove(at("a/b"), FLAT);
      await store.remove(at("ab"), DEEP);
      assertEquals([await namesIn(store), await namesIn(store, "a")], [["a/"], ["bc", "c"]]);
    },
  },
  {
    name: "remove() removes a folder and all in it when it is recursive, and nothing beside it",
    async run({ store, addFile, addFolder }) {
      for (const name of ["a/b/c", "a/b/d/e", "a/bc/x", "ab/x"]) addFile(name, name);
      addFolder("a/b/empty");
      await store.remove(at("a/b"), DEEP);
      assertEquals([await namesIn(store), await namesIn(store, "a")], [["a/", "ab/"], ["bc/"]]);
      await assertFails(store.open(at("a/b/c")), "not-found");
    },
  },
  {
    name: "remove() fails with is-directory for a folder, also an empty one, when it is not recursive",
    async run({ store, addFile, addFolder }) {
      addFile("a/b", "b");
      addFolder("c");
      for (const name of ["a", "c"]) await assertFails(store.remove(at(name), FLAT), "is-directory");
      assertEquals(await namesIn(store), ["a/", "c/"]);
    },
  },
  {
    name: "remove() fails with not-found, and with not-directory through a file",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      for (const options of [FLAT, DEEP]) {
        await assertFails(store.remove(at("b"), options), "not-found");
        await assertFails(store.remove(at("b/c"), options), "not-found");
        await assertFails(store.remove(at("a.txt/b"), options), "not-directory");
      }
    },
  },
  {
    name: "remove() leaves a reader its file whole",
    async run({ store, addFile }) {
      addFile("a.txt", "some text");
      await using file = await store.open(at("a.txt"));
      await store.remove(at("a.txt"), FLAT);
      const buffer = new Uint8Array(20);
      assertEquals(await file.read(buffer), 9);
      assertEquals(new TextDecoder().decode(buffer.subarray(0, 9)), "some text");
      assertEquals(await file.isUnchanged(), true);
    },
  },
];

const RENAMING: readonly StoreCase[] = [
  {
    name: "rename() gives a file another name, in another folder too, and leaves its time",
    async run({ store, addFolder }) {
      addFolder("a");
      for (const options of [NEW_ONLY, REPLACE]) {
        await landAt(store, "x.txt", "x", THEN_MS);
        await store.rename(at("x.txt"), at("y.txt"), options);
        await store.rename(at("y.txt"), at("a/z.txt"), options);
        assertEquals([await namesIn(store), await namesIn(store, "a")], [["a/"], ["z.txt"]]);
        assertEquals(await textAt(store, "a/z.txt"), "x");
        assertEquals((await store.stat(at("a/z.txt"))).mtimeMs, THEN_MS);
        await store.remove(at("a/z.txt"), FLAT);
      }
    },
  },
  {
    name: "rename() moves a folder with all that is in it",
    async run({ store, addFile, addFolder }) {
      addFile("a/b/c.txt", "c");
      addFile("ab/x.txt", "x");
      addFolder("d");
      await store.rename(at("a"), at("d/e"), NEW_ONLY);
      assertEquals(await textAt(store, "d/e/b/c.txt"), "c");
      assertEquals(await namesIn(store), ["ab/", "d/"]);
    },
  },
  {
    name: "rename() replaces a file by a file where it may, else fails with exists",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      addFile("b.txt", "b");
      await assertFails(store.rename(at("a.txt"), at("b.txt"), NEW_ONLY), "exists");
      assertEquals([await textAt(store, "a.txt"), await textAt(store, "b.txt")], ["a", "b"]);
      await store.rename(at("a.txt"), at("b.txt"), REPLACE);
      assertEquals(await namesIn(store), ["b.txt"]);
      assertEquals(await textAt(store, "b.txt"), "a");
    },
  },
  {
    name: "rename() replaces no folder, and no file by a folder",
    async run({ store, addFile, addFolder }) {
      addFile("a.txt", "a");
      addFile("full/x.txt", "x");
      addFolder("empty");
      for (const options of [NEW_ONLY, REPLACE]) {
        for (
          const [from, to] of [["a.txt", "empty"], ["a.txt", "full"], ["full", "empty"], ["full", "a.txt"]] as const
        ) {
          await assertFails(store.rename(at(from), at(to), options), "exists");
        }
      }
      assertEquals(await namesIn(store), ["a.txt", "empty/", "full/"]);
      assertEquals(await namesIn(store, "full"), ["x.txt"]);
    },
  },
  {
    name: "rename() fails with not-found and not-directory, and changes nothing",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      for (const options of [NEW_ONLY, REPLACE]) {
        await assertFails(store.rename(at("b"), at("c"), options), "not-found");
        await assertFails(store.rename(at("a.txt"), at("b/c"), options), "not-found");
        await assertFails(store.rename(at("a.txt"), at("a.txt/c"), options), "not-directory");
        await assertFails(store.rename(at("a.txt/c"), at("b"), options), "not-directory");
      }
      assertEquals(await textAt(store, "a.txt"), "a");
      assertEquals(await namesIn(store), ["a.txt"]);
    },
  },
  {
    name: "rename() of a folder into itself fails, and changes nothing",
    async run({ store, addFile }) {
      addFile("a/b/c.txt", "c");
      for (const options of [NEW_ONLY, REPLACE]) {
        for (const to of ["a/x", "a/b/x"]) await assertFails(store.rename(at("a"), at(to), options), "bad-request");
        await assertFails(store.rename(at("a"), at("a"), options), "exists");
      }
      assertEquals(await textAt(store, "a/b/c.txt"), "c");
      assertEquals(await namesIn(store), ["a/"]);
    },
  },
  {
    name: "rename() of a file to the name that it has leaves it",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      await assertFails(store.rename(at("a.txt"), at("a.txt"), NEW_ONLY), "exists");
      await store.rename(at("a.txt"), at("a.txt"), REPLACE);
      assertEquals(await textAt(store, "a.txt"), "a");
      assertEquals(await namesIn(store), ["a.txt"]);
    },
  },
  {
    name: "Q1 rename() of one of two files to one new name wins",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      addFile("b.txt", "b");
      const outcomes = await Promise.allSettled(
        ["a.txt", "b.txt"].map((from) => store.rename(at(from), at("c.txt"), NEW_ONLY)),
      );
      assertEquals(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
      const loser = outcomes[0]?.status === "rejected" ? "a" : "b";
      assertEquals(await namesIn(store), [`${loser}.txt`, "c.txt"]);
      assertEquals(await textAt(store, "c.txt"), loser === "a" ? "b" : "a");
    },
  },
];

/** All of them. */
export const CHANGING_CASES: readonly StoreCase[] = [...LOOKING, ...FOLDERS, ...REMOVING, ...RENAMING];
