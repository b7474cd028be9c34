/**
 * A program for `jail_test.ts`: a store with access to its own folder alone,
 * where paths cannot be walked by descriptors and are checked instead. Its
 * arguments are that folder and another one for the suite; it tells its results
 * line by line, in JSON, and goes on to the next part at each line on its
 * standard input. With the folder alone it only opens `sub` there, often.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { Jail } from "../../src/store/jail.ts";
import { diskPlace } from "./places.ts";
import { land, namesIn, textAt } from "./store_case.ts";
import { STORE_CASES } from "./store_suite.ts";

const [shared = "", spare] = Deno.args;

const OPENS = 3_000;

/** One part after the other, each when it is asked for. */
async function answerParts(spare: string): Promise<void> {
  {
    using jail = new Jail(shared);
    tell(jail.raceFree);
  }
  await runSuite(spare);
  const store = new DiskStore(shared);
  await nextPart();
  await askForEverything(store);
  await nextPart();
  await askForEverything(store);
  store.close();
}

/** What a session may ask for, each with what came of it. */
async function askForEverything(store: DiskStore): Promise<void> {
  tell(await outcome(namesIn(store)));
  tell(await outcome(namesIn(store, "folder")));
  tell(await outcome(textAt(store, "folder/a.txt")));
  tell(await outcome(land(store, "folder/b.txt", "b")));
  for (const path of ["link", "folder/link"]) {
    tell(await outcome(namesIn(store, path)));
    tell(await outcome(textAt(store, path)));
    tell(await outcome(textAt(store, `${path}/a.txt`)));
    tell(await outcome(land(store, path, "x")));
    tell(await outcome(land(store, `${path}/new`, "x")));
  }
  tell(await outcome(textAt(store, "file-link")));
  tell(await outcome(land(store, "file-link", "x")));
}

/** Opens `sub` while somebody exchanges it, and tells how often it was what. */
async function openOften(): Promise<void> {
  const store = new DiskStore(shared);
  const seen: Record<string, number> = {};
  for (let i = 0; i < OPENS; i++) {
    const what = String(await outcome(textAt(store, "sub")));
    seen[what] = (seen[what] ?? 0) + 1;
  }
  store.close();
  tell(seen);
}

async function runSuite(spare: string): Promise<void> {
  for (const { name, run } of STORE_CASES) {
    const path = Deno.makeTempDirSync({ dir: spare });
    const remove = () => Deno.removeSync(path, { recursive: true });
    using place = diskPlace({ path, [Symbol.dispose]: remove });
    tell([name, await outcome(run(place))]);
  }
}

/** What something came to: its value, or the code of its failure. */
async function outcome(promise: Promise<unknown>): Promise<unknown> {
  try {
    return await promise ?? "ok";
  } catch (error) {
    return error instanceof TandemError ? error.code : String(error);
  }
}

function tell(value: unknown): void {
  console.log(JSON.stringify(value));
}

async function nextPart(): Promise<void> {
  tell("ready");
  await Deno.stdin.read(new Uint8Array(1));
}

if (import.meta.main) {
  await (spare === undefined ? openOften() : answerParts(spare));
}
