/**
 * `--parallel`: many files over several sessions, and one large file in ranges.
 *
 * @module
 */

import type { ServeOptions, ServerEvent } from "../../mod.ts";
import { assertEquals, assertGreater, assertLessOrEqual, assertStringIncludes } from "../deps.ts";
import { assertCode, assertFails, linesOf } from "./program.ts";
import { assertFiles, type Files, type Place, place, someBytes, writeFiles } from "./place.ts";

const MIB = 1024 * 1024;

/** A place whose server tells what happened in it. */
function watchedPlace(files: Files = {}, options: ServeOptions = {}): Place & { readonly events: ServerEvent[] } {
  const events: ServerEvent[] = [];
  return { ...place(files, { ...options, onEvent: (event) => events.push(event) }), events };
}

/** How many sessions there were, and the commands of each that was used. */
function sessionsOf(events: readonly ServerEvent[]): { opened: number; busy: number } {
  const opened = events.filter(({ event }) => event === "session-opened").length;
  const busy = new Set(events.flatMap((one) => {
    return one.event === "command" && /^(get|put) /.test(one.command) ? [one.session] : [];
  }));
  return { opened, busy: busy.size };
}

const FILES = Object.fromEntries(Array.from({ length: 120 }, (_, i) => [`file ${i}`, `content of ${i}\n`.repeat(i)]));

Deno.test("-P 3 moves many files over three sessions, each file once", async () => {
  await using shared = watchedPlace(FILES);
  const get = await shared.connect(["-P", "3", "get", ...Object.keys(FILES), "."]);
  assertCode(get, 0);
  assertEquals(sessionsOf(shared.events), { opened: 3, busy: 3 });
  assertFiles(shared.here, FILES);
  assertEquals(linesOf(get.stderr).length, 120);
  shared.events.length = 0;
  Deno.mkdirSync(`${shared.root}/in`);
  const put = await shared.connect(["--parallel=3", "put", ...Object.keys(FILES), "in"]);
  assertCode(put, 0);
  assertEquals(sessionsOf(shared.events), { opened: 3, busy: 3 });
  assertFiles(`${shared.root}/in`, FILES);
});

Deno.test("-P 3 opens no more sessions than there are files", async () => {
  await using shared = watchedPlace({ a: "a", b: "b" });
  assertCode(await shared.connect(["-P", "3", "get", "a"]), 0);
  assertEquals(sessionsOf(shared.events).busy, 1);
  shared.events.length = 0;
  assertCode(await shared.connect(["-P", "3", "--on-exist=overwrite", "get", "a", "b", "."]), 0);
  assertLessOrEqual(sessionsOf(shared.events).opened, 2);
});

Deno.test("-P 3 works with a plain server, too", async () => {
  const files = Object.fromEntries(Object.entries(FILES).slice(0, 12));
  await using shared = watchedPlace(files, { mode: "plain" });
  assertCode(await shared.connect(["-P", "3", "get", ...Object.keys(files), "."]), 0);
  assertEquals(sessionsOf(shared.events), { opened: 3, busy: 3 });
  assertFiles(shared.here, files);
});

Deno.test("exit 9: -P 3 tells which of many files failed", async () => {
  await using shared = watchedPlace(FILES);
  const ended = await shared.connect(["-P", "3", "get", ...Object.keys(FILES), "none", "neither", "."]);
  assertFails(ended, 9, "2 of 122", "none", "neither");
  assertFiles(shared.here, FILES);
});

Deno.test("-P 3 fetches one large file in ranges, byte for byte, with its time and permissions", async (t) => {
  const bytes = new Uint8Array(64 * MIB + 12_345);
  const pieces = someBytes(MIB);
  for (let at = 0; at + MIB <= bytes.length; at += 7 * MIB) bytes.set(pieces, at);
  bytes.set(pieces.subarray(0, 1_000), bytes.length - 1_000);
  await using shared = watchedPlace({ large: bytes });
  const changed = new Date("2020-01-02T03:04:05.678Z");
  Deno.utimeSync(`${shared.root}/large`, changed, changed);
  await t.step("to a new name", async () => {
    assertCode(await shared.connect(["-P", "3", "get", "large"]), 0);
    const ranges = shared.events.flatMap((one) => one.event === "command" && one.command === "get large" ? [one] : []);
    assertGreater(ranges.length, 2);
    assertEquals(sessionsOf(shared.events), { opened: 3, busy: 3 });
    assertEquals(ranges.reduce((sum, { bytes }) => sum + bytes, 0), bytes.length);
    assertEquals(sameBytes(Deno.readFileSync(`${shared.here}/large`), bytes), true);
    assertEquals(Deno.statSync(`${shared.here}/large`).mtime?.getTime(), changed.getTime());
    assertEquals([...Deno.readDirSync(shared.here)].length, 1);
  });
  await t.step("to one that is taken", async () => {
    Deno.writeTextFileSync(`${shared.here}/large`, "kept");
    assertFails(await shared.connect(["-P", "3", "get", "large"]), 10, "exists");
    assertEquals(Deno.readTextFileSync(`${shared.here}/large`), "kept");
    assertCode(await shared.connect(["-P", "3", "--on-exist", "overwrite", "get", "large"]), 0);
    assertEquals(sameBytes(Deno.readFileSync(`${shared.here}/large`), bytes), true);
  });
});

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

Deno.test("-P refuses what is no number of sessions", async () => {
  await using shared = place();
  writeFiles(shared.here, {});
  for (const value of ["0", "65", "-1", "many"]) {
    const ended = await shared.connect([`--parallel=${value}`, "ls"]);
    assertFails(ended, 2, "--parallel");
    assertStringIncludes(ended.stderr, "hint:");
  }
});
