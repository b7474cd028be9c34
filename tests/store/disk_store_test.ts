/**
 * Tests of what only a store on disk can be asked: temporary files, permissions
 * and the names that it hides; links and special files are in
 * `special_files_test.ts`.
 *
 * @module
 */

import { ROOT } from "../../src/protocol/path.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { assertEquals, assertThrows } from "../deps.ts";
import { TandemError } from "../../src/errors.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { assertFails } from "../net/failure.ts";
import { diskPlace } from "./places.ts";
import { unixTest } from "./special_files.ts";
import { at, land, namesIn, NEW_ONLY, REPLACE, textAt } from "./store_case.ts";

/** The permissions of a file. */
function modeOf(path: string): string {
  return ((Deno.lstatSync(path).mode ?? 0) & 0o7777).toString(8);
}

Deno.test("DiskStore() fails with not-found when the folder is not there", () => {
  using folder = tempFolder();
  const failure = assertThrows(
    () => new DiskStore(`${folder.path}/nothing`),
    TandemError,
  );
  assertEquals(failure.code, "not-found");
});

Deno.test("DiskStore() fails with not-directory when it is a file", () => {
  using folder = tempFolder();
  Deno.writeTextFileSync(`${folder.path}/a.txt`, "a");
  const failure = assertThrows(
    () => new DiskStore(`${folder.path}/a.txt`),
    TandemError,
  );
  assertEquals(failure.code, "not-directory");
});

unixTest(
  "DiskStore() serves what a link leads to when its user gives one",
  async () => {
    using folder = tempFolder();
    Deno.mkdirSync(`${folder.path}/real`);
    Deno.writeTextFileSync(`${folder.path}/real/a.txt`, "a");
    Deno.symlinkSync("real", `${folder.path}/link`);
    const store = new DiskStore(`${folder.path}/link`);
    try {
      assertEquals(store.root, `${folder.path}/real`);
      assertEquals(await namesIn(store), ["a.txt"]);
    } finally {
      store.close();
    }
  },
);

Deno.test("list() hides temporary files, of others too", async () => {
  using place = diskPlace();
  place.addFile(".tandem-left-by-another.part", "x");
  place.addFile(".TANDEM-upper.part", "x");
  place.addFile("a.txt", "a");
  await using _landing = await place.store.create(at("b.txt"), NEW_ONLY);
  assertEquals(temporaries(place.path).length, 2);
  assertEquals(await namesIn(place.store), ["a.txt"]);
});

unixTest("list() hides names that no path may hold", async () => {
  using place = diskPlace();
  const names = ["a\\b", "line\nfeed", "escape\x1b[31m", "bell\x07"];
  for (const name of names) {
    Deno.writeTextFileSync(`${place.path}/${name}`, "x");
  }
  new Deno.Command("sh", {
    args: ["-c", "touch \"$(printf 'not-utf8-\\377')\""],
    cwd: place.path,
  }).outputSync();
  place.addFile("a.txt", "a");
  assertEquals([...Deno.readDirSync(place.path)].length, 6);
  assertEquals(await namesIn(place.store), ["a.txt"]);
});

unixTest(
  "create() writes into a file that only its owner can open",
  async () => {
    using place = diskPlace();
    place.addFile("a.txt", "a");
    Deno.chmodSync(`${place.path}/a.txt`, 0o666);
    await using _landing = await place.store.create(at("a.txt"), REPLACE);
    const [temporary = ""] = temporaries(place.path);
    assertEquals(modeOf(`${place.path}/${temporary}`), "600");
  },
);

unixTest("commit() gives a new file what the umask leaves", async () => {
  using place = diskPlace();
  const before = Deno.umask(0o027);
  try {
    await land(place.store, "narrow", "x");
    Deno.umask(0o002);
    await land(place.store, "wide", "x");
  } finally {
    Deno.umask(before);
  }
  assertEquals(modeOf(`${place.path}/narrow`), "640");
  assertEquals(modeOf(`${place.path}/wide`), "664");
});

unixTest(
  "commit() gives a replaced file the permissions it had, and no more",
  async () => {
    using place = diskPlace();
    for (
      const [had, has] of [["600", "600"], ["755", "755"], ["4755", "755"]]
    ) {
      place.addFile("a.txt", "old");
      Deno.chmodSync(`${place.path}/a.txt`, parseInt(had ?? "", 8));
      await land(place.store, "a.txt", "new");
      assertEquals(modeOf(`${place.path}/a.txt`), has);
    }
  },
);

Deno.test("sweep() removes what killed writers have left, in every folder", async () => {
  using place = diskPlace();
  place.addFile(".tandem-1.part", "left");
  place.addFile("a/b/.tandem-2.part", "left");
  place.addFile("a/b/kept.part", "kept");
  place.addFile("a/.tandem-notes", "kept");
  place.addFolder(".tandem-folder.part");
  assertEquals(await place.store.sweep(), 2);
  const kept = [".tandem-folder.part", ".tandem-notes"];
  assertEquals(temporaries(place.path).sort(), kept);
  assertEquals(await namesIn(place.store, "a/b"), ["kept.part"]);
});

Deno.test("Q3 sweep() leaves the file that somebody is writing", async () => {
  using place = diskPlace();
  const other = new DiskStore(place.path);
  try {
    await using landing = await place.store.create(at("a.txt"), NEW_ONLY);
    await landing.write(new TextEncoder().encode("whole"));
    place.addFile(".tandem-left.part", "left");
    assertEquals(await other.sweep(), 1);
    assertEquals(await place.store.sweep(), 0);
    await landing.commit();
  } finally {
    other.close();
  }
  assertEquals(await textAt(place.store, "a.txt"), "whole");
});

Deno.test("open() reads a file of 9,999,999,999 bytes by its size", async () => {
  using place = diskPlace();
  place.addFile("sparse", "");
  Deno.truncateSync(`${place.path}/sparse`, 9_999_999_999);
  await using file = await place.store.open(at("sparse"));
  assertEquals(file.sizeBytes, 9_999_999_999);
});

Deno.test("errors name the path as it was asked for, and not where it is on disk", async () => {
  using place = diskPlace();
  place.addFile("a/b.txt", "b");
  const failures = await Promise.all([
    assertFails(place.store.open(at("a/c.txt")), "not-found"),
    assertFails(place.store.list(at("c")), "not-found"),
    assertFails(place.store.create(at("a/b.txt"), NEW_ONLY), "exists"),
    assertFails(place.store.create(at("c/d"), NEW_ONLY), "not-found"),
  ]);
  for (const { message } of failures) {
    assertEquals(message.includes(place.path), false, message);
    assertEquals(message.includes("/proc/"), false, message);
  }
  await assertFails(place.store.list(at("a/b.txt")), "not-directory");
  assertEquals((await place.store.list(ROOT)).length, 1);
});
