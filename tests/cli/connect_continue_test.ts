/**
 * `get -c` and `put -c` after the client was killed in the middle: they continue
 * where it ended, say how much was there, and never trust what was there.
 *
 * @module
 */

import { assertEquals, assertGreater, assertMatch, assertStringIncludes } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertCode, assertFails } from "./program.ts";
import { assertFiles, type Place, place, someBytes, writeFiles } from "./place.ts";

/** Far more than the system holds between the two ends: what was written before a kill arrives all the same. */
const CONTENT = someBytes(36_000_000);

/** Fast enough for a test, and slow enough to be killed in the middle. */
const SLOW = { limits: { bytesPerSecond: 24_000_000 } };

/** The names in a folder. */
function names(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
}

/** Starts a transfer of the file `large` and kills it once some of it is through. */
async function killInTheMiddle(shared: Place, verb: "get" | "put"): Promise<void> {
  await using program = shared.start(["--json", verb, "large"]);
  await program.stdout.until(/"bytes":[4-9]\d{6},/);
  program.kill("SIGKILL");
  assertEquals((await program.ended()).signal, "SIGKILL");
}

/** Checks that a transfer has taken up what was there: more than a megabyte, and less than all. */
function assertContinued(stderr: string, outcome: string): void {
  const match = new RegExp(`^${outcome} large \\(34\\.3 MiB, ([0-9.]+) MiB of it were there already, in `, "m").exec(
    stderr,
  );
  const there = Number(match?.[1]);
  assertGreater(there, 1, stderr);
  assertGreater(34, there, stderr);
}

Deno.test("get -c continues what a killed get has left, and then nothing of it is left", async () => {
  await using shared = place({ large: CONTENT }, SLOW);
  await killInTheMiddle(shared, "get");
  assertEquals(names(shared.here), [".tandem-large.partial"]);
  const ended = await shared.connect(["get", "-c", "large"]);
  assertCode(ended, 0);
  assertContinued(ended.stderr, "fetched");
  assertEquals(Deno.readFileSync(`${shared.here}/large`), CONTENT);
  assertEquals(names(shared.here), ["large"]);
});

Deno.test("put -c continues what a killed put has left at the server, and then nothing of it is left", async () => {
  const closed = Promise.withResolvers<void>();
  await using shared = place({}, {
    ...SLOW,
    onEvent: ({ event }) => event === "session-closed" ? closed.resolve() : undefined,
  });
  writeFiles(shared.here, { large: CONTENT });
  await killInTheMiddle(shared, "put");
  // Before the server has noticed that its client is gone, nobody else gets what it wrote.
  await within(closed.promise, PATIENCE_MS, "the end of the session");
  assertEquals(names(shared.root), [".tandem-large.partial"]);
  const ended = await shared.connect(["put", "-c", "large"]);
  assertCode(ended, 0);
  assertContinued(ended.stderr, "stored");
  assertEquals(Deno.readFileSync(`${shared.root}/large`), CONTENT);
  assertEquals(names(shared.root), ["large"]);
});

Deno.test("--verify compares all of a file that is continued, and not only what was missing", async (t) => {
  await using shared = place({ a: "the whole of it", b: "the whole", large: CONTENT });
  writeFiles(shared.here, {
    a: "the whole",
    b: "the whole of it",
    ".tandem-large.partial": CONTENT.slice(0, 4_000_000),
  });
  for (const args of [["put", "-c", "b"], ["get", "-c", "a"], ["get", "-c", "large"]]) {
    await t.step(args.join(" "), async () => {
      const ended = await shared.connect(["--verify", ...args]);
      assertCode(ended, 0);
      assertStringIncludes(ended.stderr, "of it were there already");
    });
  }
});

Deno.test("get -c and put -c of a file that has changed since begin anew, and say so", async () => {
  await using shared = place({ large: CONTENT }, {});
  // As a killed get and put would have left them, of another version.
  const part = CONTENT.slice(0, 3_000_000).fill(1, 1_000_000, 1_000_001);
  writeFiles(shared.here, { ".tandem-large.partial": part, "other": CONTENT });
  writeFiles(shared.root, { ".tandem-other.partial": part });
  const get = await shared.connect(["get", "-c", "large"]);
  assertCode(get, 0);
  assertMatch(get.stderr, /^started large over: .*\nfetched large \(34\.3 MiB, in /);
  assertEquals(Deno.readFileSync(`${shared.here}/large`), CONTENT);
  const put = await shared.connect(["put", "-c", "other"]);
  assertCode(put, 0);
  assertMatch(put.stderr, /^stored other \(34\.3 MiB, in /m);
  assertEquals(Deno.readFileSync(`${shared.root}/other`), CONTENT);
  assertEquals([names(shared.here), names(shared.root)], [["large", "other"], ["large", "other"]]);
});

Deno.test("get -c and put -c of a file that is there in part under its own name add what is missing", async () => {
  await using shared = place({ a: "the whole of it", b: "the whole" });
  writeFiles(shared.here, { a: "the whole", b: "the whole of it" });
  const [get, put] = [await shared.connect(["get", "-c", "a"]), await shared.connect(["put", "-c", "b"])];
  assertCode(get, 0);
  assertMatch(get.stderr, /^fetched a \(15 B, 9 B of it were there already/);
  assertCode(put, 0);
  assertMatch(put.stderr, /^stored b \(15 B, 9 B of it were there already/);
  for (const folder of [shared.here, shared.root]) {
    for (const name of names(folder)) assertEquals(Deno.readTextFileSync(`${folder}/${name}`), "the whole of it");
  }
});

Deno.test("get -c and put -c of a file that is there as a whole move nothing", async (t) => {
  await using shared = place({ a: "all of it", empty: "" });
  writeFiles(shared.here, { a: "all of it", empty: "" });
  for (const args of [["get", "-c", "a"], ["put", "-c", "a"], ["get", "-c", "empty"], ["put", "-c", "empty"]]) {
    await t.step(args.join(" "), async () => assertCode(await shared.connect(args), 0));
  }
  assertStringIncludes((await shared.connect(["get", "-c", "a"])).stderr, "9 B of it were there already");
  for (const folder of [shared.here, shared.root]) {
    assertEquals(names(folder), ["a", "empty"]);
    assertEquals(Deno.readTextFileSync(`${folder}/a`), "all of it");
  }
});

Deno.test("get -rc and put -rc of a folder of which all but the last file is there move that one", async (t) => {
  for (const [verb, outcome] of [["get", "fetched"], ["put", "stored"]] as const) {
    await t.step(verb, async () => {
      await using shared = place();
      const [from, to] = verb === "get" ? [shared.root, shared.here] : [shared.here, shared.root];
      const whole = { "tree/a": "a", "tree/empty": "", "tree/sub/b": "b", "tree/sub/last": "last" };
      writeFiles(from, whole);
      writeFiles(to, { "tree/a": "a", "tree/empty": "", "tree/sub/b": "b" });
      const ended = await shared.connect([verb, "-rc", "tree"]);
      assertCode(ended, 0);
      assertMatch(ended.stderr, new RegExp(`^${outcome} tree/sub/last \\(4 B, in `, "m"));
      assertFiles(to, whole);
    });
  }
});

Deno.test("exit 10: get -c and put -c keep a file of that name that is not how the other one begins", async () => {
  await using shared = place({ a: "one thing", b: "one thing" });
  writeFiles(shared.here, { a: "another", b: "another, longer than it" });
  for (const name of ["a", "b"]) {
    for (const verb of ["get", "put"]) assertFails(await shared.connect([verb, "-c", name]), 10, "beginning");
    assertEquals(Deno.readTextFileSync(`${shared.root}/${name}`), "one thing");
    assertMatch(Deno.readTextFileSync(`${shared.here}/${name}`), /^another/);
  }
  const forced = ["--on-exist", "overwrite"];
  assertCode(await shared.connect([...forced, "get", "-c", "a"]), 0);
  assertCode(await shared.connect([...forced, "put", "-c", "b"]), 0);
  assertEquals(Deno.readTextFileSync(`${shared.here}/a`), "one thing");
  assertEquals(Deno.readTextFileSync(`${shared.root}/b`), "another, longer than it");
});
