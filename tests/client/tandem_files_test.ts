/**
 * Tests of what only the tandem exchange has a word for, with our own server,
 * over files on disk and in memory: what is replaced, what is kept of a file
 * besides its bytes, and parts of files.
 *
 * @module
 */

import { type Client, type ErrorCode, MemoryStore, type ServeOptions } from "../../mod.ts";
import { assert, assertEquals, assertNotEquals, toBytes, toText } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { assertBytes } from "../net/bytes.ts";
import { assertFails } from "../net/failure.ts";
import { type BothEnds, openBoth } from "./both_ends.ts";
import { list, streamOf } from "./session.ts";

const STORES: Readonly<Record<string, () => ServeOptions>> = {
  "on disk": () => ({}),
  "in memory": () => ({ store: new MemoryStore() }),
};

/** Registers a test for each kind of store. */
function bothStores(name: string, run: (open: (options?: ServeOptions) => Promise<BothEnds>) => Promise<void>): void {
  for (const [where, options] of Object.entries(STORES)) {
    Deno.test(`${name} (${where})`, () => run((more = {}) => openBoth("tandem", { ...options(), ...more })));
  }
}

async function textOf(client: Client, path: string): Promise<string> {
  return await toText((await client.get(path)).readable);
}

const OLD = new Date(1_000_000_000_000);
const NEW = new Date(1_700_000_000_000);

type OnExist = "error" | "overwrite" | "newer" | undefined;

/** What a `put` comes to whose mtime is later, the same or earlier than that of the file that is there: TCM-13. */
const WHEN_THERE:
  readonly (readonly [OnExist, "may" | "may only add", "later" | "same" | "earlier", ErrorCode | "stored"])[] = [
    ["error", "may", "later", "exists"],
    ["error", "may only add", "later", "exists"],
    ["overwrite", "may", "earlier", "stored"],
    ["overwrite", "may only add", "later", "denied"],
    ["newer", "may", "later", "stored"],
    ["newer", "may", "same", "exists"],
    ["newer", "may", "earlier", "exists"],
    ["newer", "may only add", "later", "denied"],
    ["newer", "may only add", "earlier", "exists"],
    [undefined, "may", "earlier", "stored"],
    [undefined, "may only add", "later", "exists"],
  ];

const MTIMES = { later: new Date(NEW.getTime() + 1_000), same: NEW, earlier: OLD };

for (const [onExist, right, when, expected] of WHEN_THERE) {
  bothStores(
    `TCM-13 Client.put() with onExist ${onExist} of a ${when} file where it ${right}: ${expected}`,
    async (open) => {
      for (const size of [3, 400_000]) {
        const store = new MemoryStore();
        await using both = await open(
          right === "may" ? {} : { write: true, overwrite: false, ...(await seeded(open, store)) },
        );
        const { client, root, folder } = both;
        if (right === "may") await client.put("a", "old", { mtime: NEW });
        else if (await isEmpty(client)) {
          Deno.writeTextFileSync(`${root}/a`, "old");
          Deno.utimeSync(`${root}/a`, NEW, NEW);
        }
        const mtime = MTIMES[when];
        const asked = onExist === undefined ? {} : { onExist };
        const body = "n".repeat(size);
        const put = await client.put("a", body, { mtime, ...asked }).then(({ outcome }) => outcome, ({ code }) => code);
        assertEquals(put, expected);
        assertEquals(await textOf(client, "a"), expected === "stored" ? body : "old");
        await client.put("b", body, { mtime, ...asked });
        assertEquals(await list(client), ["a", "b"]);
        assertEquals([temporaries(root), temporaries(folder)], [[], []]);
      }
    },
  );
}

/** A store in memory with a file in it, where `open` is of those. */
async function seeded(open: (options?: ServeOptions) => Promise<BothEnds>, store: MemoryStore): Promise<ServeOptions> {
  await using trial = await open();
  await trial.client.put("a", "old", { mtime: NEW });
  if ([...Deno.readDirSync(trial.root)].length > 0) return {};
  await using filling = await open({ store });
  await filling.client.put("a", "old", { mtime: NEW });
  return { store };
}

async function isEmpty(client: Client): Promise<boolean> {
  return (await list(client)).length === 0;
}

bothStores("TCM-14 Client keeps when a file was changed, both ways", async (open) => {
  await using both = await open();
  const { client, folder } = both;
  const mtime = new Date(1_234_567_890_123);
  Deno.writeTextFileSync(`${folder}/up`, "x");
  Deno.utimeSync(`${folder}/up`, mtime, mtime);
  await client.upload(`${folder}/up`, "a");
  await client.put("b", "x", { mtime });
  await client.put("c", streamOf("x"), { mtime });
  for (const name of ["a", "b", "c"]) {
    assertEquals((await client.stat(name)).mtime, mtime);
    await client.download(name, `${folder}/${name}`);
    assertEquals(Deno.statSync(`${folder}/${name}`).mtime, mtime);
  }
});

Deno.test({
  name: "TCM-14 Client keeps a file's permissions as far as new files may have them, both ways",
  ignore: Deno.build.os === "windows",
  async fn() {
    await using both = await openBoth("tandem");
    const { client, folder, root } = both;
    const usual = 0o666 & ~Deno.umask();
    for (const mode of [0o600, 0o640, 0o644, 0o700, 0o755, 0o4777, 0o444]) {
      Deno.writeTextFileSync(`${folder}/up`, "x");
      Deno.chmodSync(`${folder}/up`, mode);
      await client.upload(`${folder}/up`, "a");
      // Whoever may read a new file may run it, if it is a program.
      const expected = mode & (usual | (usual & 0o444) >> 2);
      assertEquals((Deno.statSync(`${root}/a`).mode ?? 0) & 0o7777, expected);
      assertEquals((await client.stat("a")).mode, expected);
      await client.download("a", `${folder}/down`, { overwrite: true });
      assertEquals((Deno.statSync(`${folder}/down`).mode ?? 0) & 0o7777, expected);
      Deno.removeSync(`${folder}/up`);
    }
  },
});

bothStores("BDY-1 Client.put() sends streams of unknown size, of any length and in any pieces", async (open) => {
  await using both = await open();
  const { client } = both;
  for (
    const pieces of [[], [""], ["a"], ["", "a", "", "b"], ["x".repeat(300_000)], Array(40).fill("y".repeat(50_000))]
  ) {
    const text = pieces.join("");
    const { outcome, bytes } = await client.put("a", streamOf(...pieces), { verify: pieces.length % 2 === 0 });
    assertEquals([outcome, bytes], ["stored", text.length]);
    assertEquals(await textOf(client, "a") === text, true);
  }
});

const CONTENT = new Uint8Array(700_000).map((_, i) => i * 31 + (i >> 8) * 7);

bothStores("TCM-6 Client.get() fetches any part of a file", async (open) => {
  await using both = await open();
  const { client } = both;
  await client.put("a", CONTENT);
  const size = CONTENT.length;
  const parts: readonly (readonly [number | undefined, number | undefined])[] = [
    ...[[undefined, undefined], [0, 0], [0, 1], [1, 1], [size - 1, 1], [size - 1, 100], [size, undefined]] as const,
    ...[[size, 10], [0, size], [0, size + 1], [undefined, 10], [300_000, undefined], [262_143, 2], [
      1,
      size - 2,
    ]] as const,
  ];
  for (const [offset, length] of parts) {
    const from = offset ?? 0;
    const expected = CONTENT.subarray(from, length === undefined ? size : from + length);
    const asked = { ...(offset === undefined ? {} : { offset }), ...(length === undefined ? {} : { length }) };
    await using download = await client.get("a", { ...asked, verify: length === 10 });
    assertBytes(await toBytes(download.readable), expected, `${offset} ${length}`);
    assertEquals(download.size, expected.length);
  }
  await assertFails(client.get("a", { offset: size + 1 }), "bad-request");
  for (const wrong of [{ offset: -1 }, { offset: 1.5 }, { length: -1 }, { length: 0.5 }]) {
    await assertFails(client.get("a", wrong), "bad-request");
    await assertFails(client.hash("a", wrong), "bad-request");
  }
  assertEquals(await list(client), ["a"]);
});

bothStores(
  "TCM-8 Client.get() fails with changed when the file is not the version that was asked for",
  async (open) => {
    await using both = await open();
    const { client } = both;
    await client.put("a", "one", { mtime: OLD });
    const first = await client.get("a");
    await toText(first.readable);
    const { version } = first;
    assert(version !== undefined);
    assertEquals(await toText((await client.get("a", { ifUnchanged: version, offset: 1 })).readable), "ne");
    await client.put("a", "two", { mtime: NEW });
    await assertFails(client.get("a", { ifUnchanged: version }), "changed");
    const second = await client.get("a");
    assertNotEquals(second.version, version);
    assertEquals(await toText(second.readable), "two");
  },
);

bothStores("TCM-17 Client.hash() is the SHA-256 of a file or a part of it", async (open) => {
  await using both = await open();
  const { client } = both;
  await client.put("a", CONTENT);
  for (const [from, to] of [[0, CONTENT.length], [0, 0], [1, 2], [100_000, 600_000]] as const) {
    const digest = await crypto.subtle.digest("SHA-256", CONTENT.slice(from, to));
    const hex = [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    assertEquals(await client.hash("a", { offset: from, length: to - from }), hex);
  }
  await assertFails(client.hash("a", { offset: CONTENT.length + 1 }), "bad-request");
  await assertFails(client.hash("b"), "not-found");
});

bothStores("TCM-15 Client makes, renames and removes files and folders", async (open) => {
  await using both = await open();
  const { client } = both;
  await client.mkdir("x/y/z", { recursive: true });
  await client.mkdir("x/y", { recursive: true });
  await assertFails(client.mkdir("x"), "exists");
  await assertFails(client.mkdir("n/m"), "not-found");
  await client.put("x/y/f", "f");
  await client.put("g", "g");
  await assertFails(client.mkdir("g", { recursive: true }), "exists");
  await assertFails(client.rename("g", "x/y/f"), "exists");
  await assertFails(client.rename("g", "x", { overwrite: true }), "exists");
  await client.rename("g", "x/y/f", { overwrite: true });
  assertEquals(await textOf(client, "x/y/f"), "g");
  await assertFails(client.remove("x"), "is-directory");
  const tree = (await Array.fromAsync(client.list("/", { recursive: true }))).map(({ name }) => name);
  assertEquals(tree, ["x", "x/y", "x/y/f", "x/y/z"]);
  await client.rename("x/y", "moved");
  await client.remove("x", { recursive: true });
  await client.remove("moved/f");
  await assertFails(client.remove("moved/f"), "not-found");
  assertEquals(await list(client), ["moved/"]);
});

bothStores("Client.download() and put() with verify carry a file, and tell of it once", async (open) => {
  await using both = await open();
  const { client, folder } = both;
  for (const size of [0, 1, 262_143, 262_144, 700_000]) {
    await client.put("a", CONTENT.subarray(0, size), { verify: true });
    await client.download("a", `${folder}/a`, { verify: true, overwrite: true });
    assertBytes(Deno.readFileSync(`${folder}/a`), CONTENT.subarray(0, size));
    await client.upload(`${folder}/a`, "b", { verify: true });
    assertEquals((await client.stat("b")).size, size);
  }
});
