/**
 * What every store promises to those who write.
 *
 * @module
 */

import { ROOT } from "../../src/protocol/path.ts";
import type { FileStore } from "../../src/store/file_store.ts";
import { assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { at, bytesOf, land, namesIn, NEW_ONLY, REPLACE, type StoreCase, textAt } from "./store_case.ts";

const LANDING: readonly StoreCase[] = [
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
        await landing.write(bytesOf("half"));
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
          await landing.write(bytesOf(piece));
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

const RACES: readonly StoreCase[] = [
  {
    name: "Q1 commit() of one of two landings wins when neither may replace",
    async run({ store }) {
      await using first = await store.create(at("a.txt"), NEW_ONLY);
      await using second = await store.create(at("a.txt"), NEW_ONLY);
      await first.write(bytesOf("from the first"));
      await second.write(bytesOf("from the second"));
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
      await second.write(bytesOf("second"));
      await first.write(bytesOf("first"));
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
        await landing.write(bytesOf("late"));
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
        await landing.write(bytesOf("late"));
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

/** All of them. */
export const LANDING_CASES: readonly StoreCase[] = [...LANDING, ...RACES];

/** What a reader sees under a name: a text, or undefined where there is no file. */
async function seen(
  store: FileStore,
  name: string,
): Promise<string | undefined> {
  const names = await namesIn(store);
  return names.includes(name) ? await textAt(store, name) : undefined;
}
