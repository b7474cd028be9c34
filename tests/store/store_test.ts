/**
 * One suite over every store that comes with the project.
 *
 * @module
 */

import { temporaries } from "../helpers.ts";
import { assertEquals } from "../deps.ts";
import { diskPlace, memoryPlace, quickFolder } from "./places.ts";
import { MANY_ENTRIES_CASE } from "./reading_cases.ts";
import { STORE_CASES } from "./store_suite.ts";

for (const { name, run } of STORE_CASES) {
  Deno.test(`DiskStore: ${name}`, async () => {
    using place = diskPlace();
    await run(place);
    assertEquals(temporaries(place.path), []);
  });

  Deno.test(`MemoryStore: ${name}`, async () => {
    using place = memoryPlace();
    await run(place);
  });
}

Deno.test(`DiskStore: ${MANY_ENTRIES_CASE.name}`, async () => {
  using place = diskPlace(quickFolder());
  await MANY_ENTRIES_CASE.run(place);
});

Deno.test(`MemoryStore: ${MANY_ENTRIES_CASE.name}`, async () => {
  using place = memoryPlace();
  await MANY_ENTRIES_CASE.run(place);
});
