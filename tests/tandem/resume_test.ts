/**
 * Tests of what is continued and what is begun anew: never on trust, and never
 * with anything left of what was there before.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { begun } from "../server/deadline.ts";
import { pattern, SOAK } from "../server/test_bed.ts";
import { keptName } from "../../src/store/temporary.ts";
import { quickFolder } from "../store/places.ts";
import { openBed } from "./bed.ts";

const CONTENT = pattern(700_000, 1);
const OTHER = pattern(900_000, 3);

/** What there may be before: with how much of it is then continued. */
const BEFORE: Readonly<Record<string, readonly [present: Uint8Array | undefined, continued: number]>> = {
  "nothing": [undefined, 0],
  "nothing in it": [new Uint8Array(), 0],
  "its beginning": [CONTENT.slice(0, 400_000), 400_000],
  "its first byte": [CONTENT.slice(0, 1), 1],
  "all of it": [CONTENT, CONTENT.length],
  "all of it and more": [Uint8Array.from([...CONTENT, 1]), 0],
  "something else": [OTHER.slice(0, 400_000), 0],
  "something else, and longer": [OTHER, 0],
  "its beginning with a bit turned over": [
    CONTENT.slice(0, 400_000).map((byte, i) => i === 200_000 ? byte ^ 1 : byte),
    0,
  ],
};

for (const [what, [present, continued]] of Object.entries(BEFORE)) {
  for (const where of ["part", "file"] as const) {
    const there = where === "part" ? keptName("a") : "a";
    Deno.test(`Client.upload() continues ${continued} bytes where the server has ${what} as a ${where}`, async () => {
      await using bed = await openBed();
      const { root, folder } = bed;
      Deno.writeFileSync(`${folder}/from`, CONTENT);
      if (present !== undefined) Deno.writeFileSync(`${root}/${there}`, present);
      const client = await bed.connect();
      const working = client.upload(`${folder}/from`, "a", { resume: true, onExist: "overwrite" });
      const result = await within(working, PATIENCE_MS, "upload()");
      assertEquals([result.outcome, result.bytes, result.resumedBytes], ["stored", CONTENT.length, continued]);
      assertBytes(Deno.readFileSync(`${root}/a`), CONTENT);
      assertEquals(temporaries(root), []);
      await within(client.ping(), PATIENCE_MS, "the next answer");
    });

    Deno.test(`Client.download() continues ${continued} bytes where there is ${what} as a ${where}`, async () => {
      await using bed = await openBed();
      const { root, folder } = bed;
      Deno.writeFileSync(`${root}/a`, CONTENT);
      if (present !== undefined) Deno.writeFileSync(`${folder}/${there}`, present);
      const client = await bed.connect();
      const working = client.download("a", `${folder}/a`, { resume: true, overwrite: true });
      const result = await within(working, PATIENCE_MS, "download()");
      assertEquals([result.outcome, result.bytes, result.resumedBytes], ["fetched", CONTENT.length, continued]);
      assertBytes(Deno.readFileSync(`${folder}/a`), CONTENT);
      assertEquals(temporaries(folder), []);
      await within(client.ping(), PATIENCE_MS, "the next answer");
    });
  }
}

Deno.test("Client.upload() begins anew, and takes nothing of a part, without resume", async () => {
  await using bed = await openBed();
  const { root, folder } = bed;
  Deno.writeFileSync(`${folder}/from`, CONTENT);
  Deno.writeFileSync(`${root}/${keptName("a")}`, CONTENT.slice(0, 400_000));
  const client = await bed.connect();
  assertEquals((await client.upload(`${folder}/from`, "a")).resumedBytes, 0);
  assertBytes(Deno.readFileSync(`${root}/a`), CONTENT);
  assertEquals(temporaries(root), []);
});

Deno.test("Client with resume keeps a file that is not the beginning, where it may not be replaced", async () => {
  await using bed = await openBed();
  const { root, folder } = bed;
  for (const place of [`${root}/a`, `${folder}/a`]) Deno.writeTextFileSync(place, place);
  Deno.writeFileSync(`${folder}/from`, CONTENT);
  Deno.writeFileSync(`${root}/b`, CONTENT);
  const client = await bed.connect();
  await assertFails(client.upload(`${folder}/from`, "a", { resume: true, onExist: "error" }), "exists");
  await assertFails(client.download("b", `${folder}/a`, { resume: true }), "exists");
  for (const place of [`${root}/a`, `${folder}/a`]) assertEquals(Deno.readTextFileSync(place), place);
  assertEquals([...temporaries(root), ...temporaries(folder)], []);
  await within(client.ping(), PATIENCE_MS, "the next answer");
});

Deno.test("Client.upload() with resume stores a file whose name another client takes away meanwhile", async () => {
  await using bed = await openBed({ makeFolder: quickFolder });
  const { root, folder } = bed;
  Deno.writeFileSync(`${folder}/from`, CONTENT);
  const [one, other] = [await bed.connect(), await bed.connect()];
  for (let i = 0; i < (SOAK ? 1_000 : 150); i++) {
    Deno.writeFileSync(`${root}/a`, OTHER.subarray(0, 10));
    const removing = begun(other.remove("a"));
    const result = await within(one.upload(`${folder}/from`, "a", { resume: true }), PATIENCE_MS, "upload()");
    assertEquals(result.outcome, "stored");
    await removing;
  }
});
