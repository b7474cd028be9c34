/**
 * Safety rows P7 to P9 on the server's side: links out of the served folder,
 * links swapped in at the worst moment, and the folder itself swapped.
 *
 * P7 and P9 run twice: with all permissions, where paths are walked by
 * descriptors, and with fewer, where they are checked.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { type RawClient, toWire } from "./raw_client.ts";
import { startSwapping, type Swap } from "./swapper.ts";
import { LINUX, SECRET, SOAK, type TestBed, testBed } from "./test_bed.ts";

/** Permissions that are not all of them. */
const NARROW: Deno.PermissionOptions = {
  net: true,
  read: true,
  write: true,
  env: true,
  run: true,
};
const PERMISSIONS: readonly (readonly [string, Deno.PermissionOptions])[] = [
  ["with all permissions", "inherit"],
  ["with fewer permissions", NARROW],
];

/** Makes links of every kind in the served folder. */
function makeLinks(bed: TestBed): void {
  bed.write("plain.txt", "plain");
  bed.write("inside/a.txt", "inside");
  const links = {
    "to-file": `${bed.outside}/secret.txt`,
    "to-file-relative": "../outside/secret.txt",
    "to-folder": bed.outside,
    "to-nothing": `${bed.outside}/nothing`,
    "to-itself": "to-itself",
    "to-proc": "/proc/self",
    "to-root": "/",
    "to-inside": "inside",
    "to-plain": "plain.txt",
    "inside/up": "..",
    "inside/out": bed.outside,
  };
  for (const [name, target] of Object.entries(links)) {
    Deno.symlinkSync(target, `${bed.root}/${name}`);
  }
}

const THROUGH_LINKS: readonly string[] = [
  "to-file",
  "to-file-relative",
  "to-folder",
  "to-folder/secret.txt",
  "to-nothing",
  "to-nothing/x",
  "to-itself",
  "to-itself/to-itself",
  "to-proc",
  "to-proc/environ",
  "to-proc/cwd",
  "to-proc/root/etc/passwd",
  "to-root/etc/passwd",
  "to-inside",
  "to-inside/a.txt",
  "to-plain",
  "inside/up/plain.txt",
  "inside/out/secret.txt",
  "inside/out",
];

for (const [how, permissions] of PERMISSIONS) {
  Deno.test({
    name: `P7 links of every kind are refused for ls, get and put, ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      await using bed = testBed();
      makeLinks(bed);
      using client = await bed.connect();
      for (const path of THROUGH_LINKS) await refuses(bed, client, path);
      assertEquals(await client.list(), ["inside/", "plain.txt"]);
      assertEquals(await client.list("inside"), ["a.txt"]);
      assertEquals(await client.get("inside/a.txt"), toWire("inside"));
      assertEquals(await client.put("inside/b.txt", "x"), "closed");
      assertEquals([...Deno.readDirSync(bed.outside)].length, 1);
      assertEquals(bed.read("inside/a.txt"), "inside");
      assertEquals(bed.read("plain.txt"), "plain");
      assert(Deno.lstatSync(`${bed.root}/to-file`).isSymlink);
    },
  });

  Deno.test({
    name: `P9 a root that is replaced by a link is never the new one, ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      await using bed = testBed();
      bed.write("a.txt", "old");
      bed.write("sub/b.txt", "old");
      Deno.writeTextFileSync(`${bed.outside}/a.txt`, SECRET);
      Deno.mkdirSync(`${bed.outside}/sub`);
      Deno.writeTextFileSync(`${bed.outside}/sub/b.txt`, SECRET);
      using client = await bed.connect();
      assertEquals(await client.get("a.txt"), toWire("old"));
      Deno.renameSync(bed.root, `${bed.root}-moved`);
      Deno.symlinkSync(bed.outside, bed.root);
      await neverTheNewOne(client);
      // And a real folder in its place.
      Deno.removeSync(bed.root);
      Deno.renameSync(bed.outside, bed.root);
      await neverTheNewOne(client);
      assertEquals(bed.read("new.txt"), undefined);
      assertEquals(bed.read("a.txt"), SECRET);
    },
  });
}

async function neverTheNewOne(client: RawClient): Promise<void> {
  for (const name of ["a.txt", "sub/b.txt"]) {
    const content = await client.get(name);
    if (content !== undefined) assertEquals(content, toWire("old"));
    await client.put(name, "old");
  }
  assertEquals(await client.get("secret.txt"), undefined);
  const names = await client.list() ?? [];
  assertEquals(names.includes("secret.txt"), false);
  await client.put("new.txt", "x");
}

/** Wants `path` refused by every command, as one that leads through a link. */
async function refuses(
  bed: TestBed,
  client: RawClient,
  path: string,
): Promise<void> {
  for (const verb of ["get", "ls"]) {
    const answer = await client.answerTo(`${verb} ${path}`);
    assertEquals(answer, undefined, `${verb} ${path}`);
  }
  assertEquals(await client.put(path, "changed"), "refused", `put ${path}`);
  for (const verb of ["get", "ls", "put"]) {
    const { outcome } = await bed.log.command(`${verb} ${path}`);
    const asWanted = ["denied", "not-directory", "not-found"].includes(outcome);
    assert(asWanted, `${verb} ${path}: ${outcome}`);
  }
}

const GETS = SOAK ? 100_000 : 3_000;
const PUTS = SOAK ? 100_000 : 1_000;

/**
 * Runs `step` `count` times, by four clients at once, while something is
 * swapped; it tells whether it was served. Both must have been seen, else
 * nothing was raced.
 */
async function race(
  bed: TestBed,
  swap: Swap,
  count: number,
  step: (client: RawClient) => Promise<boolean>,
): Promise<void> {
  await using swapper = await startSwapping(swap);
  const seen = { served: 0, refused: 0 };
  await surviving(bed, async () => {
    let left = count;
    await Promise.all(Array.from({ length: 4 }, async () => {
      using client = await bed.connect();
      while (left-- > 0) {
        seen[await step(client) ? "served" : "refused"]++;
        bed.log.clear();
      }
    }));
  });
  assertGreater(await swapper.stop(), count / 4, "swaps");
  assertGreater(seen.served, 0, "served");
  assertGreater(seen.refused, 0, "refused");
}

/** The survival check; without it where it may not count this process's descriptors. */
async function surviving(
  bed: TestBed,
  attack: () => Promise<void>,
): Promise<void> {
  const { state } = await Deno.permissions.query({ name: "ffi" });
  if (state === "granted") return await bed.survives(attack);
  await attack();
  assertEquals(temporaries(bed.root), []);
}

/** Swaps a file, or a folder with a file, with a link to the one outside. */
function exchange(bed: TestBed, name: string, target: string): Swap {
  const link = `${bed.root}/link`;
  Deno.symlinkSync(target, link);
  return { way: "exchange", a: `${bed.root}/${name}`, b: link };
}

function assertOutsideUntouched(bed: TestBed): void {
  assertEquals(Deno.readTextFileSync(`${bed.outside}/secret.txt`), SECRET);
  assertEquals([...Deno.readDirSync(bed.outside)].length, 1);
}

for (const [how, permissions] of PERMISSIONS) {
  Deno.test({
    name: `P8 a file swapped with a link never escapes in ${GETS} gets, ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      await using bed = testBed();
      bed.write("a.txt", "plain");
      const swap = exchange(bed, "a.txt", `${bed.outside}/secret.txt`);
      await race(bed, swap, GETS, async (client) => {
        const content = await client.get("a.txt");
        if (content === undefined) return false;
        assertEquals(content, toWire("plain"));
        return true;
      });
    },
  });

  Deno.test({
    name: `P8 a file swapped with a link never escapes in ${PUTS} puts, ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      await using bed = testBed();
      const workshop = `${bed.root}/../workshop`;
      Deno.mkdirSync(workshop);
      const swap: Swap = {
        way: "replace",
        path: `${bed.root}/a.txt`,
        target: `${bed.outside}/secret.txt`,
        content: "swapped in",
        workshop,
      };
      await race(bed, swap, PUTS, async (client) => {
        const outcome = await client.put("a.txt", "put");
        assertOutsideUntouched(bed);
        return outcome === "closed";
      });
    },
  });
}

// With fewer permissions a folder that is swapped can win, which the
// documentation says: safety.md 3.2 has no way around it.
Deno.test({
  name: `P8 a folder swapped with a link never escapes in ${GETS} gets and lists`,
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    bed.write("sub/secret.txt", "plain");
    Deno.writeTextFileSync(`${bed.outside}/outside.txt`, SECRET);
    const swap = exchange(bed, "sub", bed.outside);
    await race(bed, swap, GETS / 2, async (client) => {
      const names = await client.list("sub");
      if (names !== undefined) assertEquals(names, ["secret.txt"]);
      const content = await client.get("sub/secret.txt");
      if (content === undefined) return false;
      assertEquals(content, toWire("plain"));
      return true;
    });
  },
});

Deno.test({
  name: `P8 a folder swapped with a link never escapes in ${PUTS} puts`,
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    bed.write("sub/secret.txt", "plain");
    const swap = exchange(bed, "sub", bed.outside);
    await race(bed, swap, PUTS, async (client) => {
      const outcome = await client.put("sub/secret.txt", "put");
      assertOutsideUntouched(bed);
      return outcome === "closed";
    });
  },
});
