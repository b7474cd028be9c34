/**
 * What every store promises to those who list and read.
 *
 * @module
 */

import { MAX_LISTED_ENTRIES } from "../../src/limits.ts";
import { ROOT } from "../../src/protocol/path.ts";
import { assert, assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { at, land, namesIn, type StoreCase, textAt } from "./store_case.ts";

const LISTING: readonly StoreCase[] = [
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

const READING: readonly StoreCase[] = [
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

const ROOM: readonly StoreCase[] = [
  {
    name: "space() tells how much is free of how much",
    async run({ store }) {
      const space = await store.space();
      if (space === undefined) return;
      assert(space.freeBytes > 0 && space.freeBytes <= space.totalBytes);
    },
  },
];

/** All of them. */
export const READING_CASES: readonly StoreCase[] = [...LISTING, ...READING, ...ROOM];

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
