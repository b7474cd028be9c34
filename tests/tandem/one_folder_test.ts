/**
 * Tests of several processes that land files under one name in one folder: each
 * has its own part of it, whatever becomes of those of the others.
 *
 * @module
 */

import { assertEquals, assertGreater } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { SOAK } from "../server/test_bed.ts";
import { Program } from "../store/program.ts";
import { quickFolder } from "../store/places.ts";
import { tell } from "./bed.ts";

const PROCESSES = 3;
const FOR_MS = SOAK ? 15_000 : 3_000;

Deno.test(`Q3 ${PROCESSES} processes that land files under one name in one folder land whole ones only`, async () => {
  using folder = quickFolder();
  const script = new URL("far_landing.ts", import.meta.url).href;
  await using stack = new AsyncDisposableStack();
  const programs = Array.from({ length: PROCESSES }, () => {
    return stack.use(new Program("-A", script, folder.path, String(FOR_MS)));
  });
  const sums: Record<string, number> = {};
  for (const counts of await Promise.all(programs.map((program) => program.next()))) {
    for (const [what, count] of Object.entries(counts as Record<string, number>)) {
      sums[what] = (sums[what] ?? 0) + count;
    }
  }
  tell(JSON.stringify(sums));
  const { landed = 0, kept: _kept, "given up": _givenUp, ...wrong } = sums;
  assertGreater(landed, 100);
  assertEquals(wrong, {});
  // At the most the last part that was kept.
  assertEquals(temporaries(folder.path).filter((name) => name !== ".tandem-a.partial"), []);
});
