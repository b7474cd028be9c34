/**
 * Tests of the wall around the shared folder, both ways: by descriptors, as
 * with all permissions on Linux, and by checks, as everywhere else.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { ROOT } from "../../src/protocol/path.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { Jail } from "../../src/store/jail.ts";
import { assertEquals, assertGreater } from "../deps.ts";
import { type TempFolder, tempFolder } from "../helpers.ts";
import { Program } from "./program.ts";
import { at, land, namesIn, textAt } from "./store_case.ts";
import { STORE_CASES } from "./store_suite.ts";

const NOT_LINUX = Deno.build.os !== "linux";
const NARROW_STORE = new URL("./narrow_store.ts", import.meta.url).href;
const REPLACER = new URL("./replacer.ts", import.meta.url).href;
const SWAPPER = new URL("./swapper.ts", import.meta.url).href;

/** A shared folder with links in it, beside a folder that is not shared. */
function sharedAndOutside(): TempFolder {
  const parent = tempFolder();
  const { path } = parent;
  Deno.mkdirSync(`${path}/outside`);
  Deno.writeTextFileSync(`${path}/outside/a.txt`, "secret");
  Deno.mkdirSync(`${path}/shared/folder`, { recursive: true });
  Deno.writeTextFileSync(`${path}/shared/folder/a.txt`, "a");
  Deno.symlinkSync("../outside", `${path}/shared/link`);
  Deno.symlinkSync("../outside/a.txt", `${path}/shared/file-link`);
  Deno.symlinkSync("../../outside", `${path}/shared/folder/link`);
  return parent;
}

/** Lets `sub` in `folder` change places with a link to `target`. */
function swap(folder: string, target: string): Program {
  return new Program("-A", SWAPPER, folder, target);
}

/** A program whose store has access to no more than `folders`. */
function narrowStore(...folders: string[]): Program {
  return new Program(
    "--no-prompt",
    `--allow-read=${folders}`,
    `--allow-write=${folders}`,
    NARROW_STORE,
    ...folders,
  );
}

/** Puts a link to what is not shared where the shared folder was. */
function replaceRoot(parent: string): void {
  Deno.renameSync(`${parent}/shared`, `${parent}/moved`);
  Deno.symlinkSync("outside", `${parent}/shared`);
}

Deno.test({
  name: "Jail walks by descriptors with all permissions",
  ignore: NOT_LINUX,
  async fn() {
    using parent = sharedAndOutside();
    using jail = new Jail(`${parent.path}/shared`);
    assertEquals(jail.raceFree, true);
    using folder = await jail.enter(at("folder"));
    assertEquals(Deno.readTextFileSync(`${folder.base}/a.txt`), "a");
  },
});

Deno.test({
  name: "P9 Jail goes on with the old folder when its root was replaced",
  ignore: NOT_LINUX,
  async fn() {
    using parent = sharedAndOutside();
    const store = new DiskStore(`${parent.path}/shared`);
    try {
      replaceRoot(parent.path);
      assertEquals(await namesIn(store), ["folder/"]);
      await land(store, "b.txt", "b");
    } finally {
      store.close();
    }
    assertEquals(Deno.readTextFileSync(`${parent.path}/moved/b.txt`), "b");
    const outside = [...Deno.readDirSync(`${parent.path}/outside`)];
    assertEquals(outside.map(({ name }) => name), ["a.txt"]);
  },
});

Deno.test({
  name: "Jail keeps a landing in its folder when that is moved meanwhile",
  ignore: NOT_LINUX,
  async fn() {
    using parent = sharedAndOutside();
    const { path } = parent;
    const store = new DiskStore(`${path}/shared`);
    try {
      await using landing = await store.create(at("folder/b.txt"), {
        replace: false,
      });
      Deno.renameSync(`${path}/shared/folder`, `${path}/shared/renamed`);
      Deno.symlinkSync("../outside", `${path}/shared/folder`);
      await landing.write(new TextEncoder().encode("b"));
      await landing.commit();
      assertEquals(await textAt(store, "renamed/b.txt"), "b");
    } finally {
      store.close();
    }
    assertEquals([...Deno.readDirSync(`${path}/outside`)].length, 1);
  },
});

Deno.test({
  name: "P8 Jail lets nothing out while a folder and a link change places",
  ignore: NOT_LINUX,
  async fn() {
    using parent = tempFolder();
    Deno.mkdirSync(`${parent.path}/outside`);
    Deno.writeTextFileSync(`${parent.path}/outside/a.txt`, "secret");
    Deno.mkdirSync(`${parent.path}/shared/sub`, { recursive: true });
    Deno.writeTextFileSync(`${parent.path}/shared/sub/a.txt`, "inside");
    await using swapper = swap(`${parent.path}/shared`, "../outside");
    await swapper.untilReady();
    const store = new DiskStore(`${parent.path}/shared`);
    const seen = new Map<string, number>();
    try {
      for (let i = 0; i < 3_000; i++) {
        const what = await textAt(store, "sub/a.txt").catch(codeOf);
        seen.set(what, (seen.get(what) ?? 0) + 1);
      }
    } finally {
      store.close();
    }
    assertEquals(seen.get("secret") ?? 0, 0);
    assertGreater(seen.get("inside") ?? 0, 0);
  },
});

Deno.test("Jail checks paths instead under narrow permissions", async (t) => {
  using parent = sharedAndOutside();
  const { path } = parent;
  Deno.mkdirSync(`${path}/spare`);
  await using narrow = narrowStore(`${path}/shared`, `${path}/spare`);
  const [raceFree, ...suite] = await narrow.untilReady();

  await t.step("Jail says that races are left", () => {
    assertEquals(raceFree, false);
  });

  await t.step("DiskStore keeps every promise of a store", () => {
    assertEquals(suite, STORE_CASES.map(({ name }) => [name, "ok"]));
  });

  await t.step("P7 DiskStore serves folders, and no links", async () => {
    await narrow.goOn();
    const [root, folder, text, stored, ...links] = await narrow.untilReady();
    assertEquals(root, ["folder/"]);
    assertEquals([folder, text, stored], [["a.txt"], "a", "ok"]);
    assertEquals(links, Array(12).fill("denied"));
    assertEquals(Deno.readTextFileSync(`${path}/shared/folder/b.txt`), "b");
  });

  await t.step(
    "P9 DiskStore serves nothing when its root was replaced",
    async () => {
      replaceRoot(path);
      await narrow.goOn();
      const told = [];
      for (let i = 0; i < 13; i++) told.push(await narrow.next());
      assertEquals(told, Array(13).fill("denied"));
      assertEquals([...Deno.readDirSync(`${path}/outside`)].length, 1);
    },
  );
});

Deno.test({
  name: "P8 DiskStore lets no file out under narrow permissions while a file and a link change places",
  ignore: Deno.build.os === "windows",
  async fn() {
    using parent = tempFolder();
    const shared = `${parent.path}/shared`;
    Deno.mkdirSync(shared);
    Deno.writeTextFileSync(`${parent.path}/secret.txt`, "secret");
    Deno.writeTextFileSync(`${shared}/sub`, "inside");
    await using swapper = swap(shared, "../secret.txt");
    await swapper.untilReady();
    await using narrow = narrowStore(shared);
    const seen = await narrow.next() as Record<string, number>;
    assertEquals(seen["secret"] ?? 0, 0);
    assertGreater(seen["inside"] ?? 0, 0);
  },
});

Deno.test("Q2 DiskStore opens a file under narrow permissions also while it is replaced again and again", async () => {
  using folder = tempFolder();
  Deno.writeTextFileSync(`${folder.path}/sub`, "inside");
  await using replacer = new Program("-A", REPLACER, folder.path);
  await replacer.untilReady();
  await using narrow = narrowStore(folder.path);
  const seen = await narrow.next() as Record<string, number>;
  assertEquals(Object.keys(seen), ["inside"]);
});

Deno.test("Jail.enter() gives the root for the empty path", async () => {
  using parent = sharedAndOutside();
  using jail = new Jail(`${parent.path}/shared`);
  using folder = await jail.enter(ROOT);
  const names = [...Deno.readDirSync(folder.base)].map(({ name }) => name);
  assertEquals(names.sort(), ["file-link", "folder", "link"]);
});

function codeOf(error: unknown): string {
  if (error instanceof TandemError) return error.code;
  throw error;
}
