/**
 * The progress line as a pure function of what is known and of the width.
 *
 * @module
 */

import { type ProgressState, renderProgress, size } from "../../src/cli/progress.ts";
import { assertEquals, assertLessOrEqual, assertMatch, assertNotMatch, assertStringIncludes, fc } from "../deps.ts";
import { columnsOf } from "./columns.ts";
import { anyText } from "./texts.ts";

const MIB = 1024 ** 2;
const HALF: ProgressState = { name: "a.bin", bytes: 5 * MIB, totalBytes: 10 * MIB, elapsedMs: 5_000 };

const widths = fc.integer({ min: 10, max: 200 });

/** States of a transfer, from its first byte to its last, with any name. */
function states(names: fc.Arbitrary<string>): fc.Arbitrary<ProgressState> {
  return fc.tuple(names, fc.nat({ max: 9_999_999_999 }), fc.double({ min: 0, max: 1, noNaN: true }), fc.nat()).map(
    ([name, totalBytes, done, elapsedMs]) => ({ name, bytes: Math.floor(totalBytes * done), totalBytes, elapsedMs }),
  );
}

/** The percent that a line shows. */
function percentOf(line: string): number {
  return Number(/(\d+)%/.exec(line)?.[1] ?? NaN);
}

Deno.test("renderProgress() is never over the width, for names of any length", () => {
  const names = fc.oneof(fc.string(), fc.string({ minLength: 30, maxLength: 255 }));
  fc.assert(
    fc.property(states(names), widths, (state, columns) => {
      assertLessOrEqual(renderProgress(state, columns).length, columns);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("renderProgress() is never over the width, for names in wide letters", () => {
  const names = fc.array(fc.constantFrom("日", "本", "語", "한", "🚲", "a", "ü"), { maxLength: 40 })
    .map((letters) => letters.join(""));
  fc.assert(
    fc.property(states(names), widths, (state, columns) => {
      const line = renderProgress(state, columns);
      assertLessOrEqual(columnsOf(line), columns, line);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("renderProgress() shows the right percent at every width, and 100 only at the end", () => {
  fc.assert(
    fc.property(states(fc.string()), widths, (state, columns) => {
      // A name may have a percent sign of its own.
      const line = renderProgress({ ...state, name: "a" }, columns);
      const { bytes, totalBytes } = state;
      assertEquals(percentOf(line), totalBytes === 0 ? 100 : Math.floor(bytes / totalBytes * 100), line);
      if (bytes < totalBytes) assertNotMatch(line, /100%/);
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("renderProgress() has no control character, whatever the name has", () => {
  fc.assert(fc.property(states(anyText), widths, (state, columns) => {
    // deno-lint-ignore no-control-regex
    assertNotMatch(renderProgress({ ...state, name: `\x1b[2J\r\n${state.name}` }, columns), /[\0-\x1f\x7f-\x9f]/);
  }));
});

Deno.test("renderProgress() shows name, percent, amounts, rate and time left where there is room", () => {
  const line = renderProgress(HALF, 120);
  for (const part of ["a.bin", " 50%", "5 MiB", "10 MiB", "1 MiB/s", "0:05"]) assertStringIncludes(line, part);
});

Deno.test("renderProgress() leaves parts out where there is no room, and percent last of all", () => {
  const lengths = [120, 80, 50, 40, 20, 10].map((columns) => renderProgress(HALF, columns).length);
  assertEquals(lengths.toSorted((a, b) => b - a), lengths);
  assertStringIncludes(renderProgress(HALF, 20), "a.bin");
  assertEquals(renderProgress({ ...HALF, name: "n".repeat(255) }, 10).trim(), "50%");
  assertEquals(renderProgress(HALF, 1), "");
  assertEquals(renderProgress(HALF, 0), "");
});

Deno.test("renderProgress() shows an empty file as done", () => {
  const line = renderProgress({ name: "empty", bytes: 0, totalBytes: 0, elapsedMs: 0 }, 120);
  assertEquals(percentOf(line), 100);
  assertNotMatch(line, /NaN|Infinity|undefined/);
});

Deno.test("renderProgress() shows no made-up rate or time where nothing is known yet", () => {
  for (const elapsedMs of [0, 0.5, 1_000]) {
    const line = renderProgress({ name: "a", bytes: 0, totalBytes: 10 * MIB, elapsedMs }, 120);
    assertEquals(percentOf(line), 0);
    assertNotMatch(line, /NaN|Infinity|undefined/);
    assertStringIncludes(line, "-:--");
  }
  assertStringIncludes(renderProgress({ ...HALF, elapsedMs: 0 }, 120), "-:--");
});

Deno.test("renderProgress() shows hours where there are some", () => {
  const line = renderProgress({ name: "a", bytes: MIB, totalBytes: 4 * 3_600 * MIB, elapsedMs: 1_000 }, 120);
  assertMatch(line, /\b[34]:\d\d:\d\d\b/);
});

Deno.test("renderProgress() does not go over 100 percent, nor below no time left, when more comes than was said", () => {
  const line = renderProgress({ ...HALF, bytes: 20 * MIB }, 120);
  assertEquals(percentOf(line), 100);
  assertNotMatch(line, /-\d/);
});

Deno.test("size() shows bytes as people read them", () => {
  assertEquals(size(0), "0 B");
  assertEquals(size(999), "999 B");
  assertMatch(size(1_536), /^1\.5 [kK]iB$/);
  assertEquals(size(10 * MIB), "10 MiB");
  assertEquals(size(1024 ** 3 * 2.5), "2.5 GiB");
  assertEquals(size(0.4), "0 B");
});
