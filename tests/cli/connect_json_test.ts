/**
 * `--json`: every line of stdout is an object of one versioned union, whatever
 * happens, and stderr has nothing.
 *
 * @module
 */

import { assertEquals, assertGreater, assertMatch, assertNotMatch } from "../deps.ts";
import { closedPort } from "../net/door.ts";
import { assertCode, type Ended, linesOf, run, tandem } from "./program.ts";
import { place, writeFiles } from "./place.ts";

/** The kinds of objects that were promised. */
const EVENTS = ["hello", "progress", "file", "entry", "result", "error"];

type Line = Readonly<Record<string, unknown>> & { readonly event: string };

/** The objects on stdout, each checked for what they have in common. */
function objectsOf(ended: Ended): Line[] {
  assertEquals(ended.stderr, "");
  return linesOf(ended.stdout).map((line) => {
    // deno-lint-ignore no-control-regex
    assertNotMatch(line, /[\0-\x1f\x7f-\x9f\u202e]/);
    const object = JSON.parse(line);
    assertEquals(object.v, 1, line);
    assertEquals(EVENTS.includes(object.event), true, line);
    return object;
  });
}

function events(objects: readonly Line[]): string {
  return objects.map(({ event }) => event).join(" ");
}

Deno.test("--json ls prints an entry for each name", async () => {
  await using shared = place({ "with space": "", "sub/deep": "", "\u202ebidi": "" });
  const ended = await shared.connect(["--json", "ls", "-R"]);
  assertCode(ended, 0);
  const objects = objectsOf(ended);
  assertEquals(events(objects), "hello entry entry entry entry result");
  const [hello] = objects;
  assertEquals([hello?.mode, hello?.hostname, hello?.port], ["tandem", "127.0.0.1", shared.server.addr.port]);
  const entries = objects.filter(({ event }) => event === "entry").map(({ name, kind }) => `${kind} ${name}`);
  assertEquals(entries.sort(), ["directory sub", "file sub/deep", "file with space", "file \u202ebidi"]);
});

Deno.test("--json get and put print what became of the file", async () => {
  await using shared = place({ a: "content" });
  for (const [flags, outcome] of [[[], "stored"], [["--plain"], "sent"]] as const) {
    const all = await shared.connect(["--json", "--on-exist", "overwrite", ...flags], { stdin: "get a\nput a b\n" });
    assertCode(all, 0);
    const objects = objectsOf(all).filter(({ event }) => event !== "progress");
    assertEquals(events(objects), "hello file result file result");
    const files = objects.filter(({ event }) => event === "file");
    assertEquals(files.map(({ path, bytes }) => [path, bytes]), [["a", 7], ["b", 7]]);
    assertEquals(files.map(({ outcome }) => outcome), ["fetched", outcome]);
    for (const { durationMs } of files) assertEquals(typeof durationMs, "number");
  }
});

Deno.test("--json tells of progress now and then, not of every piece", async () => {
  await using shared = place({ a: new Uint8Array(12_000_000) }, { limits: { bytesPerSecond: 24_000_000 } });
  const progress = objectsOf(await shared.connect(["--json", "get", "a"])).filter(({ event }) => event === "progress");
  assertGreater(progress.length, 0);
  assertEquals(progress.length < 12, true, `${progress.length} lines`);
  let last = 0;
  for (const { path, bytes, totalBytes } of progress) {
    assertEquals([path, totalBytes], ["a", 12_000_000]);
    assertGreater(Number(bytes), last);
    last = Number(bytes);
  }
});

Deno.test("--json prints errors as objects, with the code words", async () => {
  await using shared = place({ a: "new", "sub/": "" });
  writeFiles(shared.here, { a: "old" });
  const cases: readonly (readonly [args: readonly string[], exit: number, code: string])[] = [
    [["get", "none"], 4, "not-found"],
    [["get", "../a"], 5, "outside-root"],
    [["put", "none"], 6, "local-io"],
    [["hash", "sub"], 1, "is-directory"],
    [["mkdir", "a"], 10, "exists"],
    [["--plain", "stat", "a"], 7, "unsupported"],
    [["get", "a"], 10, "exists"],
    [["frobnicate"], 2, "usage"],
    [["get", "a", "-"], 2, "usage"],
    [["cat", "a"], 2, "usage"],
  ];
  const all = await Promise.all(cases.map(([args]) => shared.connect(["--json", ...args])));
  for (const [i, [args, exit, code]] of cases.entries()) {
    const ended = all[i];
    if (ended === undefined) throw new Error("it did not run");
    assertCode(ended, exit);
    const objects = objectsOf(ended);
    // Some are wrong before the server is asked for anything.
    assertMatch(events(objects), /^(hello )?error$/, args.join(" "));
    const error = objects.at(-1);
    assertEquals([error?.code, error?.command], [code, args.filter((word) => word !== "--plain").join(" ")]);
    assertMatch(String(error?.message), /\w/);
  }
});

Deno.test("--json prints an error where there is no server", async () => {
  const ended = await run(tandem(["connect", "--json", `127.0.0.1:${closedPort()}`, "ls"]));
  assertCode(ended, 3);
  const [error, ...more] = objectsOf(ended);
  assertEquals([error?.event, error?.code, more.length], ["error", "connect", 0]);
});

Deno.test("--json tells of each file that failed, and then of all", async () => {
  await using shared = place({ a: "a" });
  const ended = await shared.connect(["--json", "get", "a", "none", "."]);
  assertCode(ended, 9);
  const objects = objectsOf(ended).filter(({ event }) => event !== "progress");
  // The two were under way at one time.
  assertEquals(events(objects).replace("error file", "file error"), "hello file error error");
  const errors = objects.filter(({ event }) => event === "error");
  assertEquals(errors.map(({ code }) => code), ["not-found", "partial"]);
});

Deno.test("--json says nothing on stderr about a file that is skipped or renamed", async () => {
  await using shared = place({ a: "new" });
  writeFiles(shared.here, { a: "old" });
  const ended = await shared.connect(["--json", "--on-exist", "skip"], { stdin: "get a\nput a\n" });
  assertCode(ended, 0);
  assertEquals(objectsOf(ended).filter(({ event }) => event === "file"), []);
  const renamed = await shared.connect(["--json", "--on-exist", "rename", "get", "a"]);
  assertEquals(objectsOf(renamed).filter(({ event }) => event === "file").length, 1);
});

Deno.test("--json in a script prints a result or an error for each line", async () => {
  await using shared = place({ a: "a" });
  const ended = await shared.connect(["--json"], { stdin: "ls\n-get none\n# nothing\ncd /\n" });
  assertCode(ended, 0);
  assertEquals(events(objectsOf(ended)), "hello entry result error result");
});

Deno.test("--json prints what pwd, lpwd, lls and help say as objects of the union too", async () => {
  await using shared = place();
  writeFiles(shared.here, { x: "x" });
  const ended = await shared.connect(["--json"], { stdin: "pwd\nlpwd\nlls\nhelp\n" });
  assertCode(ended, 0);
  objectsOf(ended);
});
