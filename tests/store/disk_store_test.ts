/**
 * Tests of what only a store on disk can be asked: links, special files,
 * temporary files and permissions.
 *
 * @module
 */

import { ROOT } from "../../src/protocol/path.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { assert, assertEquals, assertLess, assertThrows } from "../deps.ts";
import { TandemError } from "../../src/errors.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { type DiskPlace, diskPlace } from "./places.ts";
import { makeDevice, makeFifo, makeSocket } from "./special_files.ts";
import { at, land, namesIn, textAt } from "./store_suite.ts";

const REPLACE = { replace: true };
const NEW_ONLY = { replace: false };

/** Registers a test of what Windows does not have. */
function unixTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn: run });
}

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

// What stands in the folder, and what it leads to.
const LINKS: Readonly<Record<string, string>> = {
  "to-file": "inside.txt",
  "to-folder": "folder",
  "out-to-file": "../outside/secret.txt",
  "out-to-folder": "../outside",
  "nowhere": "../outside/new.txt",
  "itself": "itself",
  "process": "/proc/self",
  "root": "/",
};

/** A store whose folder has links of every kind, beside a folder that is not shared. */
function placeWithLinks(): DiskPlace {
  const parent = tempFolder();
  const path = `${parent.path}/shared`;
  Deno.mkdirSync(`${parent.path}/outside`);
  Deno.writeTextFileSync(`${parent.path}/outside/secret.txt`, "secret");
  Deno.mkdirSync(`${path}/folder`, { recursive: true });
  Deno.writeTextFileSync(`${path}/folder/a.txt`, "a");
  Deno.writeTextFileSync(`${path}/inside.txt`, "inside");
  for (const [name, target] of Object.entries(LINKS)) {
    Deno.symlinkSync(target, `${path}/${name}`);
  }
  return diskPlace({ path, [Symbol.dispose]: () => parent[Symbol.dispose]() });
}

unixTest("P7 list() leaves links out, whatever they lead to", async () => {
  using place = placeWithLinks();
  assertEquals(await namesIn(place.store), ["folder/", "inside.txt"]);
});

unixTest("P7 open() fails with denied when the file is a link", async () => {
  using place = placeWithLinks();
  for (const name of Object.keys(LINKS)) {
    await assertFails(place.store.open(at(name)), "denied");
  }
});

unixTest(
  "P7 list(), open() and create() fail with denied when a folder on the way is a link",
  async () => {
    using place = placeWithLinks();
    const { store } = place;
    for (const name of ["to-folder", "out-to-folder", "nowhere", "itself"]) {
      await assertFails(store.list(at(name)), "denied");
      await assertFails(store.open(at(`${name}/a.txt`)), "denied");
      await assertFails(store.create(at(`${name}/new`), REPLACE), "denied");
    }
    assertEquals(temporaries(`${place.path}/..`), []);
  },
);

unixTest("F3 create() leaves a link and what it leads to alone", async () => {
  using place = placeWithLinks();
  const { store, path } = place;
  for (const [name, target] of Object.entries(LINKS)) {
    await assertFails(store.create(at(name), NEW_ONLY), "exists");
    await assertFails(store.create(at(name), REPLACE), "denied");
    assertEquals(Deno.readLinkSync(`${path}/${name}`), target);
  }
  const outside = [...Deno.readDirSync(`${path}/../outside`)];
  assertEquals(outside.map(({ name }) => name), ["secret.txt"]);
  assertEquals(await textAt(store, "inside.txt"), "inside");
});

unixTest(
  "F3 commit() replaces a link that came meanwhile, and not what it leads to",
  async () => {
    using place = diskPlace();
    place.addFile("other.txt", "other");
    {
      await using landing = await place.store.create(at("a.txt"), REPLACE);
      await landing.write(new TextEncoder().encode("new"));
      Deno.symlinkSync("other.txt", `${place.path}/a.txt`);
      await landing.commit();
    }
    assertEquals(await textAt(place.store, "a.txt"), "new");
    assertEquals(await textAt(place.store, "other.txt"), "other");
  },
);

unixTest(
  "F1 open() refuses a FIFO, a socket and a device in under 100 ms",
  async () => {
    using place = diskPlace();
    using _fifo = makeFifo(`${place.path}/fifo`);
    using _socket = makeSocket(`${place.path}/socket`);
    const names = ["fifo", "socket"];
    if (makeDevice(`${place.path}/device`)) names.push("device");
    for (const name of names) {
      const tookMs = await timed(
        () => assertFails(place.store.open(at(name)), "denied"),
        PATIENCE_MS,
        name,
      );
      assertLess(tookMs, 100);
    }
    assertEquals(await namesIn(place.store), []);
  },
);

unixTest(
  "F1 open() goes on serving others while 64 FIFOs are asked for",
  async () => {
    using place = diskPlace();
    place.addFile("a.txt", "a");
    using _fifo = makeFifo(`${place.path}/fifo`);
    const { store } = place;
    const refused = Array.from(
      { length: 64 },
      () => assertFails(store.open(at("fifo")), "denied"),
    );
    assertEquals(await within(textAt(store, "a.txt"), 1_000, "a file"), "a");
    await within(Promise.all(refused), 1_000, "64 refusals");
  },
);

unixTest(
  "F2 open() refuses a FIFO that took a file's place after list()",
  async () => {
    using place = diskPlace();
    place.addFile("a.txt", "a");
    assertEquals(await namesIn(place.store), ["a.txt"]);
    using _fifo = makeFifo(`${place.path}/fifo`);
    Deno.renameSync(`${place.path}/fifo`, `${place.path}/a.txt`);
    // So that the FIFO's end finds it.
    Deno.symlinkSync("a.txt", `${place.path}/fifo`);
    await assertFails(place.store.open(at("a.txt")), "denied");
  },
);

unixTest("F3 create() leaves a FIFO, a socket and a device alone", async () => {
  using place = diskPlace();
  const { store, path } = place;
  using _fifo = makeFifo(`${path}/fifo`);
  using _socket = makeSocket(`${path}/socket`);
  const names = ["fifo", "socket"];
  if (makeDevice(`${path}/device`)) names.push("device");
  for (const name of names) {
    await assertFails(store.create(at(name), NEW_ONLY), "exists");
    await assertFails(store.create(at(name), REPLACE), "denied");
  }
  assert(Deno.lstatSync(`${path}/fifo`).isFifo);
  assert(Deno.lstatSync(`${path}/socket`).isSocket);
  assertEquals(temporaries(path), []);
});

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

unixTest("sweep() follows no link", async () => {
  using place = placeWithLinks();
  const left = `${place.path}/../outside/.tandem-left.part`;
  Deno.writeTextFileSync(left, "left");
  Deno.symlinkSync(left, `${place.path}/.tandem-link.part`);
  assertEquals(await place.store.sweep(), 0);
  assertEquals(Deno.readTextFileSync(left), "left");
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
