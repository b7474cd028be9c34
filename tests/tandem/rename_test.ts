/**
 * Tests of renaming while others work on the same names: whatever the order, one
 * must explain what all were told and what there is at the end.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assert, assertEquals } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { SOAK } from "../server/test_bed.ts";
import { quickFolder } from "../store/places.ts";
import { openBed } from "./bed.ts";

const ROUNDS = SOAK ? 3_000 : 100;

/** What an operation was told: `ok`, or the code of its failure. */
function told(work: Promise<unknown>): Promise<string> {
  return work.then(() => "ok", (error) => String(error.code));
}

/** What another client does while `b` is renamed to `a`; and what may be then, each as what both were told, `a` and `b`. */
const MEANWHILE: Readonly<Record<string, readonly [run: (client: Client) => Promise<unknown>, outcomes: string[]]>> = {
  "puts something under the old name": [
    (client) => client.put("b", "new", { onExist: "overwrite" }),
    ["ok ok, a: old, b: new", "ok ok, a: new, b: -"],
  ],
  "puts something under the new name": [
    (client) => client.put("a", "new", { onExist: "overwrite" }),
    ["ok ok, a: new, b: -", "exists ok, a: new, b: old"],
  ],
  "adds something under the new name": [
    (client) => client.put("a", "new", { onExist: "error" }),
    ["ok exists, a: old, b: -", "exists ok, a: new, b: old"],
  ],
  "removes the old name": [
    (client) => client.remove("b"),
    ["ok not-found, a: old, b: -", "not-found ok, a: -, b: -"],
  ],
  "removes the new name": [
    (client) => client.remove("a"),
    ["ok ok, a: -, b: -", "ok not-found, a: old, b: -"],
  ],
  "renames it to a third name": [
    (client) => client.rename("b", "c"),
    ["ok not-found, a: old, b: -", "not-found ok, a: -, b: -, c: old"],
  ],
  "renames the new name back": [
    (client) => client.rename("a", "b", { overwrite: true }),
    ["ok ok, a: -, b: old", "ok not-found, a: old, b: -"],
  ],
};

for (const [what, [run, outcomes]] of Object.entries(MEANWHILE)) {
  Deno.test(`Client.rename() has an outcome that can be when another client ${what} meanwhile`, async () => {
    await using bed = await openBed({ makeFolder: quickFolder });
    const { root } = bed;
    const [one, other] = [await bed.connect(), await bed.connect()];
    await Promise.all([one.ping(), other.ping()]);
    const seen = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of ["a", "c"]) await Deno.remove(`${root}/${name}`).catch(() => {});
      Deno.writeTextFileSync(`${root}/b`, "old");
      const works = [() => told(one.rename("b", "a")), () => told(run(other))];
      // Each is the first one as often as the other.
      const order = round % 2 === 0 ? works : works.toReversed();
      const results = await within(Promise.all(order.map((work) => work())), PATIENCE_MS, "both");
      const shown = Object.entries({ a: true, b: true, c: what.includes("third") })
        .filter(([, isMeant]) => isMeant)
        .map(([name]) => `${name}: ${contentOf(`${root}/${name}`)}`)
        .filter((text) => text !== "c: -");
      const outcome = `${(round % 2 === 0 ? results : results.toReversed()).join(" ")}, ${shown.join(", ")}`;
      assert(outcomes.includes(outcome), `round ${round}: ${outcome}`);
      seen.add(outcome);
    }
    assertEquals(seen.size > 0, true);
  });
}

function contentOf(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return "-";
    throw error;
  }
}
