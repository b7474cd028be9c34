/**
 * What every store promises to those who read from the middle, ask whether a
 * file is still the same, give it a time and permissions, or go on with a part
 * of one.
 *
 * @module
 */

import type { CreateOptions, FileStore, KeptPart } from "../../src/store/file_store.ts";
import { assert, assertEquals, assertNotEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { at, bytesOf, land, namesIn, NEW_ONLY, REPLACE, type StoreCase, textAt } from "./store_case.ts";

/** A part of it is found again. */
export const RESUMABLE: CreateOptions = { replace: true, resumable: true };
/** What is there is continued. */
export const RESUME: CreateOptions = { replace: true, resumable: true, resume: true };

/** Writes the beginning of a file that is then cut off, and keeps it. */
export async function leavePart(store: FileStore, path: string, text: string, options = RESUMABLE): Promise<void> {
  await using landing = await store.create(at(path), options);
  await landing.write(bytesOf(text));
  landing.keep();
}

/** The whole text of what is continued. */
export async function textOf(kept: KeptPart | undefined): Promise<string | undefined> {
  if (kept === undefined) return undefined;
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(7);
  let text = "";
  let cameBytes = 0;
  for (;;) {
    const count = await kept.read(buffer);
    if (count === null) break;
    cameBytes += count;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
  assertEquals(cameBytes, kept.sizeBytes);
  return text;
}

/** What would be continued of a file, without doing so. */
async function keptOf(store: FileStore, path: string): Promise<string | undefined> {
  await using landing = await store.create(at(path), RESUME);
  return await textOf(landing.kept);
}

const READING: readonly StoreCase[] = [
  {
    name: "seek() lets the next read begin anywhere, also behind the end",
    async run({ store, addFile }) {
      addFile("a.txt", "0123456789");
      await using file = await store.open(at("a.txt"));
      const buffer = new Uint8Array(4);
      for (
        const [offset, text] of [[6, "6789"], [0, "0123"], [8, "89"], [10, null], [99, null], [3, "3456"]] as const
      ) {
        file.seek(offset);
        const count = await file.read(buffer);
        assertEquals(count === null ? null : new TextDecoder().decode(buffer.subarray(0, count)), text);
      }
      assertEquals(await file.read(buffer), 3);
    },
  },
  {
    name: "open() tells the same version of the same file, and another one of another",
    async run({ store, addFile }) {
      addFile("a.txt", "one");
      const versionOf = async (path: string) => {
        await using file = await store.open(at(path));
        return file.version;
      };
      const first = await versionOf("a.txt");
      assertEquals(await versionOf("a.txt"), first);
      await land(store, "a.txt", "two");
      const second = await versionOf("a.txt");
      assertNotEquals(second, first);
      addFile("b.txt", "two");
      assertNotEquals(await versionOf("b.txt"), second);
      await store.rename(at("a.txt"), at("c.txt"), REPLACE);
      assertEquals(await versionOf("c.txt"), second);
    },
  },
  {
    name: "isUnchanged() holds when a file's name is gone or another file's",
    async run({ store, addFile }) {
      addFile("a.txt", "one");
      await using file = await store.open(at("a.txt"));
      assertEquals(await file.isUnchanged(), true);
      await land(store, "a.txt", "another");
      assertEquals(await file.isUnchanged(), true);
      await store.remove(at("a.txt"), { recursive: false });
      assertEquals(await file.isUnchanged(), true);
    },
  },
];

const ATTRIBUTES: readonly StoreCase[] = [
  {
    name: "commit() gives a file its time, now if it is told none",
    async run({ store }) {
      for (const mtimeMs of [0, 1, 86_400_000 * 365 * 60, 1_234_567_890_123]) {
        {
          await using landing = await store.create(at("a.txt"), REPLACE);
          await landing.write(bytesOf("x"));
          await landing.commit({ mtimeMs });
        }
        assertEquals((await store.stat(at("a.txt"))).mtimeMs, mtimeMs);
        await using file = await store.open(at("a.txt"));
        assertEquals(file.mtimeMs, mtimeMs);
      }
      await land(store, "a.txt", "y");
      assert(Math.abs(((await store.stat(at("a.txt"))).mtimeMs ?? 0) - Date.now()) < 60_000);
    },
  },
  {
    name: "commit() gives a file the permissions that it is told",
    async run({ store }) {
      if ((await store.stat(at("/"))).mode === undefined) return;
      for (const mode of [0o600, 0o400, 0o644, 0o700]) {
        {
          await using landing = await store.create(at("a.txt"), REPLACE);
          await landing.commit({ mode });
        }
        assertEquals((await store.stat(at("a.txt"))).mode, mode);
      }
    },
  },
];

const RESUMING: readonly StoreCase[] = [
  {
    name: "keep() leaves a part to be continued, which is in no listing and under no name",
    async run({ store }) {
      await leavePart(store, "a.txt", "the begin");
      assertEquals(await namesIn(store), []);
      await assertFails(store.open(at("a.txt")), "not-found");
      {
        await using landing = await store.create(at("a.txt"), RESUME);
        assertEquals(landing.kept?.isPresentFile, false);
        assertEquals(await textOf(landing.kept), "the begin");
        await landing.write(bytesOf("ning"));
        await landing.commit();
      }
      assertEquals(await textAt(store, "a.txt"), "the beginning");
      assertEquals(await namesIn(store), ["a.txt"]);
      await store.remove(at("a.txt"), { recursive: false });
      assertEquals(await keptOf(store, "a.txt"), undefined);
    },
  },
  {
    name: "create() goes on with a part again and again, each time with all of it",
    async run({ store }) {
      let whole = "";
      for (const piece of ["one ", "two ", "three"]) {
        await using landing = await store.create(at("a.txt"), RESUME);
        assertEquals(await textOf(landing.kept) ?? "", whole);
        await landing.write(bytesOf(piece));
        whole += piece;
        landing.keep();
      }
      assertEquals(await keptOf(store, "a.txt"), whole);
    },
  },
  {
    name: "create() keeps nothing without keep(), nor what is continued then",
    async run({ store }) {
      await leavePart(store, "a.txt", "part");
      assertEquals(await keptOf(store, "a.txt"), "part");
      assertEquals(await keptOf(store, "a.txt"), undefined);
    },
  },
  {
    name: "keep() keeps nothing of what is not resumable, is empty or was committed",
    async run({ store }) {
      await leavePart(store, "a.txt", "part", REPLACE);
      assertEquals(await keptOf(store, "a.txt"), undefined);
      await leavePart(store, "a.txt", "");
      assertEquals(await keptOf(store, "a.txt"), undefined);
      {
        await using landing = await store.create(at("a.txt"), RESUMABLE);
        await landing.write(bytesOf("whole"));
        await landing.commit();
        landing.keep();
      }
      await store.remove(at("a.txt"), { recursive: false });
      assertEquals(await keptOf(store, "a.txt"), undefined);
    },
  },
  {
    name: "create() of a part that is not to be continued begins anew, and the part is gone",
    async run({ store }) {
      await leavePart(store, "a.txt", "a long old part");
      {
        await using landing = await store.create(at("a.txt"), RESUMABLE);
        assertEquals(landing.kept, undefined);
        await landing.write(bytesOf("new"));
        await landing.commit();
      }
      assertEquals(await textAt(store, "a.txt"), "new");
      await store.remove(at("a.txt"), { recursive: false });
      assertEquals(await keptOf(store, "a.txt"), undefined);
    },
  },
  {
    name: "create() continues the file that would be replaced where there is no part, and leaves it until commit()",
    async run({ store, addFile }) {
      addFile("a.txt", "some");
      {
        await using landing = await store.create(at("a.txt"), RESUME);
        assertEquals(landing.kept?.isPresentFile, true);
        assertEquals(await textOf(landing.kept), "some");
        await landing.write(bytesOf(" text"));
        assertEquals(await textAt(store, "a.txt"), "some");
        await landing.commit();
      }
      assertEquals(await textAt(store, "a.txt"), "some text");
      assertEquals(await keptOf(store, "a.txt"), "some text");
      assertEquals(await textAt(store, "a.txt"), "some text");
    },
  },
  {
    name: "create() continues a part before the file that would be replaced",
    async run({ store, addFile }) {
      addFile("a.txt", "old");
      await leavePart(store, "a.txt", "part");
      await using landing = await store.create(at("a.txt"), RESUME);
      assertEquals(landing.kept?.isPresentFile, false);
      assertEquals(await textOf(landing.kept), "part");
      assertEquals(await textAt(store, "a.txt"), "old");
    },
  },
  {
    name: "restart() forgets what is continued, whether it was read or not",
    async run({ store, addFile }) {
      addFile("present.txt", "a long present file");
      for (const name of ["part.txt", "present.txt"]) {
        for (const reads of [false, true]) {
          if (name === "part.txt") await leavePart(store, name, "a long old part");
          {
            await using landing = await store.create(at(name), RESUME);
            if (reads) await textOf(landing.kept);
            await landing.restart();
            assertEquals(landing.kept, undefined);
            await landing.write(bytesOf("new"));
            await landing.commit();
          }
          assertEquals(await textAt(store, name), "new");
        }
      }
    },
  },
  {
    name: "create() of a file that may not be replaced is refused, whatever part there is",
    async run({ store, addFile }) {
      await leavePart(store, "a.txt", "part", { ...RESUMABLE, replace: false });
      addFile("a.txt", "old");
      await assertFails(store.create(at("a.txt"), { ...RESUME, replace: false }), "exists");
      assertEquals(await textAt(store, "a.txt"), "old");
      await store.remove(at("a.txt"), { recursive: false });
      {
        await using landing = await store.create(at("a.txt"), { ...RESUME, replace: false });
        assertEquals(await textOf(landing.kept), "part");
        addFile("a.txt", "meanwhile");
        await assertFails(landing.commit(), "exists");
      }
      assertEquals(await textAt(store, "a.txt"), "meanwhile");
    },
  },
  {
    name: "create() of one file twice at a time gives the part to one, and lands both",
    async run({ store }) {
      await leavePart(store, "a.txt", "part");
      await using first = await store.create(at("a.txt"), RESUME);
      await using second = await store.create(at("a.txt"), RESUME);
      assertEquals(await textOf(first.kept), "part");
      assertEquals(second.kept, undefined);
      await second.write(bytesOf("second"));
      await first.write(bytesOf(" of the first"));
      await second.commit();
      assertEquals(await textAt(store, "a.txt"), "second");
      await first.commit();
      assertEquals(await textAt(store, "a.txt"), "part of the first");
    },
  },
  {
    name: "Q1 commit() of one of two resumable landings wins when neither may replace",
    async run({ store }) {
      await using first = await store.create(at("a.txt"), { ...NEW_ONLY, resumable: true });
      await using second = await store.create(at("a.txt"), { ...NEW_ONLY, resumable: true });
      await first.write(bytesOf("first"));
      await second.write(bytesOf("second"));
      await first.commit();
      await assertFails(second.commit(), "exists");
      assertEquals(await textAt(store, "a.txt"), "first");
    },
  },
];

/** All of them. */
export const RESUMING_CASES: readonly StoreCase[] = [...READING, ...ATTRIBUTES, ...RESUMING];
