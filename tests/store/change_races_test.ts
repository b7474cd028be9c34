/**
 * Safety row P8 for what changes folders: nothing outside of the shared folder
 * is removed, renamed or made while somebody lets a folder and a link out of it
 * change places. With all permissions on Linux, where no race is left.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { assert, assertEquals, assertGreater } from "../deps.ts";
import { type TempFolder, tempFolder } from "../helpers.ts";
import { Program } from "./program.ts";
import { at, NEW_ONLY, REPLACE } from "./store_case.ts";

const SWAPPER = new URL("./swapper.ts", import.meta.url).href;
const TREE_SWAPPER = new URL("./tree_swapper.ts", import.meta.url).href;

const TRIES = Deno.env.get("SOAK") === "1" ? 20_000 : 400;

/** A shared folder beside one that is not, which has files that may be neither removed nor joined by others. */
function sharedAndOutside(): TempFolder {
  const parent = tempFolder();
  Deno.mkdirSync(`${parent.path}/outside/full`, { recursive: true });
  Deno.writeTextFileSync(`${parent.path}/outside/a.txt`, "secret");
  Deno.writeTextFileSync(`${parent.path}/outside/full/b.txt`, "secret");
  Deno.mkdirSync(`${parent.path}/shared/sub/full`, { recursive: true });
  return parent;
}

function assertOutsideIsAsBefore({ path }: TempFolder): void {
  const names = (folder: string) => [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assertEquals(names(`${path}/outside`), ["a.txt", "full"]);
  assertEquals(names(`${path}/outside/full`), ["b.txt"]);
  assertEquals(Deno.readTextFileSync(`${path}/outside/a.txt`), "secret");
}

/** Tries `change` often; returns how often it succeeded. It may fail only in one of our own ways. */
async function tryOften(change: (i: number) => Promise<unknown>): Promise<number> {
  let done = 0;
  for (let i = 0; i < TRIES; i++) {
    try {
      await change(i);
      done++;
    } catch (error) {
      assert(error instanceof TandemError, String(error));
      assert(
        ["denied", "not-found", "exists", "not-directory"].includes(error.code),
        `${error.code}: ${error.message}`,
      );
    }
  }
  return done;
}

const CHANGES: readonly (readonly [string, (store: DiskStore, i: number) => Promise<unknown>])[] = [
  ["makeFolder()", async (store, i) => {
    await store.makeFolder(at(`sub/new${i}/deep`), { recursive: true });
  }],
  ["remove()", async (store) => {
    await using landing = await store.create(at("sub/a.txt"), REPLACE);
    await landing.commit();
    await store.remove(at("sub/a.txt"), { recursive: false });
  }],
  ["remove() of a folder", async (store) => {
    await store.makeFolder(at("sub/full"), { recursive: false }).catch(() => {});
    await store.remove(at("sub/full"), { recursive: true });
  }],
  ["rename() out of it", async (store) => {
    await using landing = await store.create(at("sub/a.txt"), REPLACE);
    await landing.commit();
    await store.rename(at("sub/a.txt"), at("mine.txt"), REPLACE);
  }],
  ["rename() into it", async (store) => {
    await using landing = await store.create(at("mine.txt"), REPLACE);
    await landing.commit();
    await store.rename(at("mine.txt"), at("sub/a.txt"), REPLACE);
    await store.rename(at("sub/a.txt"), at("sub/b.txt"), NEW_ONLY).finally(async () => {
      await store.remove(at("sub/b.txt"), { recursive: false }).catch(() => {});
    });
  }],
];

for (const [what, change] of CHANGES) {
  Deno.test({
    name: `P8 ${what} changes nothing outside while a folder and a link change places`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      using parent = sharedAndOutside();
      await using swapper = new Program("-A", SWAPPER, `${parent.path}/shared`, "../outside");
      await swapper.untilReady();
      const store = new DiskStore(`${parent.path}/shared`);
      try {
        assertGreater(await tryOften((i) => change(store, i)), 0);
      } finally {
        store.close();
      }
      assertOutsideIsAsBefore(parent);
    },
  });
}

Deno.test({
  name: "P8 remove() of a tree removes nothing outside while a folder in it and a link change places",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using parent = sharedAndOutside();
    const { path } = parent;
    await using swapper = new Program("-A", TREE_SWAPPER, `${path}/shared`, `${path}/outside`);
    await swapper.untilReady();
    const store = new DiskStore(`${path}/shared`);
    try {
      let done = 0;
      for (let i = 0; i < TRIES; i++) {
        // What appears in the tree while it is removed is in the way: that is no fault.
        await store.remove(at("tree"), { recursive: true }).then(() => done++, () => {});
      }
      assertGreater(done, 0);
    } finally {
      store.close();
    }
    assertOutsideIsAsBefore(parent);
  },
});
