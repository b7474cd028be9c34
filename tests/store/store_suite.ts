/**
 * What every {@linkcode FileStore} promises, as cases that run over any of
 * them, in this process or in one with fewer rights.
 *
 * @module
 */

import { MAX_LISTED_ENTRIES } from "../../src/limits.ts";
import { resolveRemotePath, ROOT } from "../../src/protocol/path.ts";
import type { RemotePath } from "../../src/protocol/path.ts";
import type { FileStore } from "../../src/store/file_store.ts";
import { assert, assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";

/** A store, and a way to fill it behind its back. */
export interface Place {
  /** The store. */
  readonly store: FileStore;
  /** Puts a file there at once. */
  addFile(path: string, text: string): void;
  /** Makes a folder, and those that it is in. */
  addFolder(path: string): void;
}

/** Something that a store promises. */
export interface StoreCase {
  /** What it does, worded so that the store's name can stand before it. */
  readonly name: string;
  /** Checks it in an empty place. */
  run(place: Place): Promise<void>;
}

const encoder = new TextEncoder();
const REPLACE = { replace: true };
const NEW_ONLY = { replace: false };

/** A checked path. */
export function at(path: string): RemotePath {
  return resolveRemotePath(ROOT, path);
}

/** The whole text of a file in a store. */
export async function textAt(store: FileStore, path: string): Promise<string> {
  await using file = await store.open(at(path));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(7);
  let text = "";
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

/** Stores a whole file. */
export async function land(
  store: FileStore,
  path: string,
  text: string,
  options = REPLACE,
): Promise<void> {
  await using landing = await store.create(at(path), options);
  await landing.write(encoder.encode(text));
  await landing.commit();
}

/** The names in a folder as a listing shows them. */
export async function namesIn(store: FileStore, path = "/"): Promise<string[]> {
  const entries = await store.list(at(path));
  return entries.map(({ name, kind }) => kind === "file" ? name : `${name}/`);
}

const LISTING: StoreCase[] = [
  {
    name: "list() gives nothing for an empty folder",
    async run({ store, addFolder }) {
      assertEquals(await namesIn(store), []);
      addFolder("empty");
      assertEquals(await namesIn(store, "empty"), []);
    },
  },
  {
    name: "list() gives files and folders by name in the order of UTF-16",
    async run({ store, addFile, addFolder }) {
      for (const name of ["b", "a", "B", "10", "9", "é", "z", "-x"]) {
        addFile(name, name);
      }
      addFolder("ab");
      addFolder("c");
      assertEquals(
        await namesIn(store),
        ["-x", "10", "9", "B", "a", "ab/", "b", "c/", "z", "é"],
      );
    },
  },
  {
    name: "list() gives only what is in the folder itself",
    async run({ store, addFile, addFolder }) {
      addFile("a/b/deep.txt", "deep");
      addFile("a/x.txt", "x");
      addFolder("a/c");
      addFile("top.txt", "top");
      assertEquals(await namesIn(store), ["a/", "top.txt"]);
      assertEquals(await namesIn(store, "a"), ["b/", "c/", "x.txt"]);
      assertEquals(await namesIn(store, "a/b"), ["deep.txt"]);
    },
  },
  {
    name: "list() fails with not-found when there is no such folder",
    async run({ store, addFolder }) {
      addFolder("a");
      await assertFails(store.list(at("b")), "not-found");
      await assertFails(store.list(at("a/b/c")), "not-found");
    },
  },
  {
    name: "list() fails with not-directory when it is, or leads through, a file",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      await assertFails(store.list(at("a.txt")), "not-directory");
      await assertFails(store.list(at("a.txt/b")), "not-directory");
    },
  },
];

const READING: StoreCase[] = [
  {
    name: "open() reads a file whole, with its size",
    async run({ store, addFile }) {
      addFile("a/b.txt", "some text");
      assertEquals(await textAt(store, "a/b.txt"), "some text");
      await using file = await store.open(at("a/b.txt"));
      assertEquals(file.sizeBytes, 9);
    },
  },
  {
    name: "open() reads an empty file",
    async run({ store, addFile }) {
      addFile("empty", "");
      await using file = await store.open(at("empty"));
      assertEquals(file.sizeBytes, 0);
      assertEquals(await file.read(new Uint8Array(5)), null);
    },
  },
  {
    name: "open() fails with not-found when there is no such file or folder",
    async run({ store, addFolder }) {
      addFolder("a");
      await assertFails(store.open(at("b")), "not-found");
      await assertFails(store.open(at("a/b")), "not-found");
      await assertFails(store.open(at("b/c")), "not-found");
    },
  },
  {
    name: "open() fails with is-directory when it is a folder",
    async run({ store, addFolder }) {
      addFolder("a/b");
      await assertFails(store.open(at("a")), "is-directory");
      await assertFails(store.open(at("a/b")), "is-directory");
      await assertFails(store.open(ROOT), "is-directory");
    },
  },
  {
    name: "open() fails with not-directory when the path leads through a file",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      await assertFails(store.open(at("a.txt/b")), "not-directory");
    },
  },
  {
    name: "F6 open() keeps the old content whole when the file is replaced",
    async run({ store, addFile }) {
      addFile("a.txt", "the old content");
      await using file = await store.open(at("a.txt"));
      const buffer = new Uint8Array(7);
      const first = await file.read(buffer) ?? 0;
      const start = new TextDecoder().decode(buffer.subarray(0, first));
      await land(store, "a.txt", "new");
      let rest = "";
      for (;;) {
        const count = await file.read(buffer);
        if (count === null) break;
        rest += new TextDecoder().decode(buffer.subarray(0, count));
      }
      assertEquals(start + rest, "the old content");
      assertEquals(await textAt(store, "a.txt"), "new");
    },
  },
];

const LANDING: StoreCase[] = [
  {
    name: "create() makes a file visible whole with commit()",
    async run({ store }) {
      await land(store, "a.txt", "some text", NEW_ONLY);
      assertEquals(await namesIn(store), ["a.txt"]);
      assertEquals(await textAt(store, "a.txt"), "some text");
    },
  },
  {
    name: "create() makes an empty file when nothing was written",
    async run({ store }) {
      await land(store, "empty", "", NEW_ONLY);
      assertEquals(await textAt(store, "empty"), "");
    },
  },
  {
    name: "create() appends what is written in several pieces",
    async run({ store }) {
      {
        await using landing = await store.create(at("a.txt"), NEW_ONLY);
        const buffer = new Uint8Array(3_000);
        for (const letter of "abc") {
          await landing.write(buffer.fill(letter.charCodeAt(0)));
        }
        await landing.commit();
      }
      const expected = ["a", "b", "c"].map((one) => one.repeat(3_000)).join("");
      assertEquals(await textAt(store, "a.txt"), expected);
    },
  },
  {
    name: "create() leaves nothing without a commit()",
    async run({ store, addFile }) {
      addFile("old.txt", "old");
      for (const name of ["new.txt", "old.txt"]) {
        await using landing = await store.create(at(name), REPLACE);
        await landing.write(encoder.encode("half"));
      }
      assertEquals(await namesIn(store), ["old.txt"]);
      assertEquals(await textAt(store, "old.txt"), "old");
    },
  },
  {
    name: "F8 create() shows no half file before its commit()",
    async run({ store, addFile }) {
      addFile("old.txt", "old");
      for (const [name, before] of [["new.txt"], ["old.txt", "old"]] as const) {
        await using landing = await store.create(at(name), REPLACE);
        for (const piece of ["first ", "second ", "third"]) {
          await landing.write(encoder.encode(piece));
          assertEquals(await seen(store, name), before);
        }
        await landing.commit();
        assertEquals(await seen(store, name), "first second third");
      }
    },
  },
  {
    name: "F9 create() fails with exists when it may not replace a file",
    async run({ store, addFile }) {
      addFile("a.txt", "old");
      await assertFails(store.create(at("a.txt"), NEW_ONLY), "exists");
      assertEquals(await textAt(store, "a.txt"), "old");
    },
  },
  {
    name: "F9 create() replaces a file when it may",
    async run({ store, addFile }) {
      addFile("a/b.txt", "the old content");
      await land(store, "a/b.txt", "new");
      assertEquals(await textAt(store, "a/b.txt"), "new");
      assertEquals(await namesIn(store, "a"), ["b.txt"]);
    },
  },
  {
    name: "F3 create() fails with is-directory when the name is a folder's",
    async run({ store, addFile }) {
      addFile("a/b.txt", "b");
      for (const options of [REPLACE, NEW_ONLY]) {
        await assertFails(store.create(at("a"), options), "is-directory");
        await assertFails(store.create(ROOT, options), "is-directory");
      }
      assertEquals(await textAt(store, "a/b.txt"), "b");
    },
  },
  {
    name: "create() fails with not-found when its folder is not there",
    async run({ store }) {
      await assertFails(store.create(at("a/b"), NEW_ONLY), "not-found");
      assertEquals(await namesIn(store), []);
    },
  },
  {
    name: "create() fails with not-directory when its folder is a file",
    async run({ store, addFile }) {
      addFile("a.txt", "a");
      await assertFails(store.create(at("a.txt/b"), NEW_ONLY), "not-directory");
      await assertFails(
        store.create(at("a.txt/b/c"), REPLACE),
        "not-directory",
      );
    },
  },
];

const RACES: StoreCase[] = [
  {
    name: "Q1 commit() of one of two landings wins when neither may replace",
    async run({ store }) {
      await using first = await store.create(at("a.txt"), NEW_ONLY);
      await using second = await store.create(at("a.txt"), NEW_ONLY);
      await first.write(encoder.encode("from the first"));
      await second.write(encoder.encode("from the second"));
      const outcomes = await Promise.allSettled([
        first.commit(),
        second.commit(),
      ]);
      const lost = outcomes.filter(({ status }) => status === "rejected");
      assertEquals(lost.length, 1);
      const loser = outcomes[0].status === "rejected" ? first : second;
      const winner = loser === first ? "from the second" : "from the first";
      await assertFails(loser.commit(), "exists");
      assertEquals(await textAt(store, "a.txt"), winner);
    },
  },
  {
    name: "Q1 commit() of one of two landings is the last when both may replace",
    async run({ store }) {
      await using first = await store.create(at("a.txt"), REPLACE);
      await using second = await store.create(at("a.txt"), REPLACE);
      await second.write(encoder.encode("second"));
      await first.write(encoder.encode("first"));
      await second.commit();
      assertEquals(await textAt(store, "a.txt"), "second");
      await first.commit();
      assertEquals(await textAt(store, "a.txt"), "first");
    },
  },
  {
    name: "commit() fails with exists when the name was taken meanwhile",
    async run({ store, addFile }) {
      {
        await using landing = await store.create(at("a.txt"), NEW_ONLY);
        await landing.write(encoder.encode("late"));
        addFile("a.txt", "early");
        await assertFails(landing.commit(), "exists");
      }
      assertEquals(await namesIn(store), ["a.txt"]);
      assertEquals(await textAt(store, "a.txt"), "early");
    },
  },
  {
    name: "commit() fails with is-directory when the name became a folder's",
    async run({ store, addFolder }) {
      {
        await using landing = await store.create(at("a"), REPLACE);
        await landing.write(encoder.encode("late"));
        addFolder("a");
        await assertFails(landing.commit(), "is-directory");
      }
      assertEquals(await namesIn(store), ["a/"]);
    },
  },
  {
    name: "commit() fails with exists when a new name became a folder's",
    async run({ store, addFolder }) {
      await using landing = await store.create(at("a"), NEW_ONLY);
      addFolder("a");
      await assertFails(landing.commit(), "exists");
    },
  },
];

const ROOM: StoreCase[] = [
  {
    name: "space() tells how much is free of how much",
    async run({ store }) {
      const space = await store.space();
      if (space === undefined) return;
      assert(space.freeBytes > 0 && space.freeBytes <= space.totalBytes);
    },
  },
];

/** All that every store promises. */
export const STORE_CASES: readonly StoreCase[] = [
  ...LISTING,
  ...READING,
  ...LANDING,
  ...RACES,
  ...ROOM,
];

/** A promise that takes a hundred thousand files to check. */
export const MANY_ENTRIES_CASE: StoreCase = {
  name: "list() fails with too-large when there are over 100,000 entries",
  async run({ store, addFile }) {
    for (let i = 0; i < MAX_LISTED_ENTRIES; i++) addFile(`n${i}`, "");
    assertEquals((await store.list(ROOT)).length, MAX_LISTED_ENTRIES);
    addFile("one-more", "");
    await assertFails(store.list(ROOT), "too-large");
  },
};

/** What a reader sees under a name: a text, or undefined where there is no file. */
async function seen(
  store: FileStore,
  name: string,
): Promise<string | undefined> {
  const names = await namesIn(store);
  return names.includes(name) ? await textAt(store, name) : undefined;
}
