/**
 * Tests that the operations which both exchanges have give the same results in
 * both, as far as the plain one can tell them.
 *
 * @module
 */

import { type Client, connect, type Mode, TandemError } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { serveForTest, tempFolder } from "../helpers.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { pattern } from "../server/test_bed.ts";
import { sha256Of } from "./bed.ts";

const SIZES = [0, 1, 65_536, 262_143, 262_144, 1_000_003];
const NAMES = ["plain.txt", "é und 🚃", " leading", "-rf", "a:b=c%2e", "x".repeat(255)];

/** What an operation returned, or the code of its failure. */
async function outcomeOf(run: () => Promise<unknown>): Promise<unknown> {
  try {
    return await within(run(), PATIENCE_MS, "an operation");
  } catch (error) {
    if (error instanceof TandemError) return `failed: ${error.code}`;
    throw error;
  }
}

async function listed(client: Client, path: string): Promise<string[]> {
  const entries = await Array.fromAsync(client.list(path));
  return entries.map(({ name, kind }) => `${kind} ${name}`).sort();
}

async function got(client: Client, path: string): Promise<number[]> {
  const download = await client.get(path);
  const whole = new Uint8Array(await new Response(download.readable).arrayBuffer());
  return [download.size, whole.length, whole.reduce((sum, byte) => Math.imul(sum, 31) + byte | 0, 7)];
}

/** What a folder holds, with the content of each file. */
function treeOf(folder: string): string[] {
  return [...Deno.readDirSync(folder)].flatMap(({ name, isDirectory }) =>
    isDirectory
      ? [`${name}/`, ...treeOf(`${folder}/${name}`).map((below) => `${name}/${below}`)]
      : [`${name} ${sha256Of(`${folder}/${name}`)}`]
  ).sort();
}

/** Does the same in one of the exchanges: what came of each operation, and what is then on both sides. */
async function runIn(mode: Mode, rights: { readonly overwrite: boolean }): Promise<Record<string, unknown>> {
  using served = tempFolder();
  using own = tempFolder();
  const [root, folder] = [served.path, own.path];
  Deno.mkdirSync(`${root}/sub/empty`, { recursive: true });
  for (const [i, name] of NAMES.entries()) {
    Deno.writeFileSync(`${root}/${name}`, pattern(SIZES[i] ?? 0, i));
    Deno.writeFileSync(`${folder}/from ${i}`, pattern(SIZES[i] ?? 0, i + 50));
  }
  await using server = serveForTest(root, { write: true, ...rights });
  const results: Record<string, unknown> = {};
  const client = await connect({ port: server.addr.port, mode, limits: { dataPortRetryMs: 50 } });
  const operations: Record<string, () => Promise<unknown>> = {
    "ls": () => listed(client, "/"),
    "ls sub": () => listed(client, "sub"),
    "ls of an empty folder": () => listed(client, "sub/empty"),
    "ls of nothing": () => listed(client, "none"),
    "ls outside": () => listed(client, "../x"),
    "get of nothing": () => got(client, "none"),
    "get of a name that cannot be": () => got(client, "a//b"),
    "download over a file": () => client.download(NAMES[0] ?? "", `${folder}/from 0`),
    "put into a folder that is not there": async () => (await client.put("none/a", "x")).bytes,
  };
  for (const [i, name] of NAMES.entries()) {
    operations[`get ${i}`] = () => got(client, name);
    operations[`download ${i}`] = async () => (await client.download(name, `${folder}/to ${i}`)).bytes;
    operations[`put ${i}`] = async () => (await client.put(`put ${i}`, pattern(SIZES[i] ?? 0, i + 99))).bytes;
    operations[`upload ${i}`] = async () => (await client.upload(`${folder}/from ${i}`, `sub/up ${i}`)).bytes;
  }
  operations["put over a file"] = async () => (await client.put(NAMES[0] ?? "", "new")).bytes;
  operations["put over a folder"] = async () => (await client.put("sub", "new")).bytes;
  for (const [what, run] of Object.entries(operations)) results[what] = await outcomeOf(run);
  await client.close();
  return { ...results, root: treeOf(root), folder: treeOf(folder) };
}

for (const overwrite of [true, false]) {
  const may = overwrite ? "may replace" : "may only add";
  Deno.test(`Client has the same results in both exchanges where it ${may}`, async () => {
    const plain = await runIn("plain", { overwrite });
    const tandem = await runIn("tandem", { overwrite });
    for (const what of Object.keys(plain)) {
      // A refused put, or one that cannot be, has no reason in the plain exchange, only the one code for it.
      if (plain[what] === "failed: denied") {
        assertEquals(String(tandem[what]).startsWith("failed: "), true, what);
        continue;
      }
      assertEquals([what, tandem[what]], [what, plain[what]]);
    }
    assertEquals(Object.keys(tandem), Object.keys(plain));
  });
}
