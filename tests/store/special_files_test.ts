/**
 * Tests of what a store on disk makes of links, FIFOs, sockets and devices:
 * nothing.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { type DiskPlace, diskPlace } from "./places.ts";
import { makeDevice, makeFifo, makeSocket, unixTest } from "./special_files.ts";
import { at, namesIn, NEW_ONLY, REPLACE, textAt } from "./store_case.ts";

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

unixTest("sweep() follows no link", async () => {
  using place = placeWithLinks();
  const left = `${place.path}/../outside/.tandem-left.part`;
  Deno.writeTextFileSync(left, "left");
  Deno.symlinkSync(left, `${place.path}/.tandem-link.part`);
  assertEquals(await place.store.sweep(), 0);
  assertEquals(Deno.readTextFileSync(left), "left");
});
