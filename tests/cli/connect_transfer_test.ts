/**
 * `get` and `put`: every byte, under any name, to where `cp` would put it.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertCode, type Ended } from "./program.ts";
import { assertFiles, type Files, place, someBytes, writeFiles } from "./place.ts";
import { ODD_FILES } from "./odd_files.ts";

/** A transfer that went well: nothing on stdout, and nothing on stderr that only a terminal wants. */
function assertDone(ended: Ended): void {
  assertCode(ended, 0);
  assertEquals(ended.stdout, "");
  // deno-lint-ignore no-control-regex
  assertEquals(/[\r\x1b%]/.exec(ended.stderr)?.[0], undefined, ended.stderr);
}

interface Rule {
  /** What the rule says. */
  readonly rule: string;
  /** The command. */
  readonly args: readonly string[];
  /** What is in the folder before. */
  readonly before?: Files;
  /** The files that are there afterwards, beside those. */
  readonly after: Readonly<Record<string, string>>;
  /** Its exit code. Default: 0. */
  readonly code?: number;
}

/** Checks that a transfer went as its rule says, in the folder that it should have gone to. */
function assertKeeps({ before = {}, after, code = 0 }: Rule, ended: Ended | undefined, folder: string): void {
  if (ended === undefined) throw new Error("it did not run");
  if (code === 0) assertDone(ended);
  else assertCode(ended, code);
  const texts = Object.entries({ ...before, ...after }).map(([name, content]) => [name, String(content)]);
  assertFiles(folder, Object.fromEntries(texts));
}

const REMOTE: Files = { "a.txt": "remote a", "b.txt": "remote b", "sub/c.txt": "remote c", "007": "seven" };

const GET_RULES: readonly Rule[] = [
  { rule: "one name goes into the current folder", args: ["a.txt"], after: { "a.txt": "remote a" } },
  { rule: "one name in a folder goes into the current folder", args: ["sub/c.txt"], after: { "c.txt": "remote c" } },
  { rule: "of two names the second is its new name", args: ["a.txt", "b.txt"], after: { "b.txt": "remote a" } },
  { rule: "a number is a name", args: ["007", "008"], after: { "008": "seven" } },
  {
    rule: "into a folder where the second is one",
    args: ["sub/c.txt", "in"],
    before: { "in/x": "x" },
    after: { "in/c.txt": "remote c" },
  },
  {
    rule: "into a folder with a slash behind it",
    args: ["a.txt", "in/"],
    before: { "in/x": "x" },
    after: { "in/a.txt": "remote a" },
  },
  {
    rule: "under a new name in a folder",
    args: ["a.txt", "in/new.txt"],
    before: { "in/x": "x" },
    after: { "in/new.txt": "remote a" },
  },
  { rule: "into the current folder as .", args: ["a.txt", "."], after: { "a.txt": "remote a" } },
  {
    rule: "several into a folder",
    args: ["a.txt", "b.txt", "sub/c.txt", "in"],
    before: { "in/x": "x" },
    after: { "in/a.txt": "remote a", "in/b.txt": "remote b", "in/c.txt": "remote c" },
  },
  { rule: "several into .", args: ["a.txt", "b.txt", "."], after: { "a.txt": "remote a", "b.txt": "remote b" } },
  { rule: "several where the last is nothing is a usage error", args: ["a.txt", "b.txt", "none"], after: {}, code: 2 },
  {
    rule: "several where the last is no existing folder is a usage error, with a slash too",
    args: ["a.txt", "b.txt", "none/"],
    after: {},
    code: 2,
  },
  {
    rule: "several where the last is a file is a usage error",
    args: ["a.txt", "b.txt", "x"],
    before: { x: "x" },
    after: {},
    code: 2,
  },
  { rule: "into a folder that is not there, nothing is made", args: ["a.txt", "none/new.txt"], after: {}, code: 6 },
  { rule: "without a name is a usage error", args: [], after: {}, code: 2 },
  {
    rule: "onto a folder of that name is refused",
    args: ["a.txt"],
    before: { "a.txt/x": "x" },
    after: {},
    code: 1,
  },
];

Deno.test("get puts files where cp would", async (t) => {
  await using shared = place(REMOTE);
  const all = await Promise.all(GET_RULES.map(({ args, before = {} }, i) => {
    const cwd = `${shared.here}/${i}`;
    Deno.mkdirSync(cwd);
    writeFiles(cwd, before);
    return shared.connect(["get", ...args], { cwd });
  }));
  for (const [i, rule] of GET_RULES.entries()) {
    await t.step(`get ${rule.args.join(" ")}: ${rule.rule}`, () => assertKeeps(rule, all[i], `${shared.here}/${i}`));
  }
});

const LOCAL: Files = { "a.txt": "local a", "b.txt": "local b", "down/c.txt": "local c" };

const PUT_RULES: readonly Rule[] = [
  { rule: "one name keeps it", args: ["a.txt"], after: { "a.txt": "local a" } },
  {
    rule: "one name in a folder goes into the current remote folder",
    args: ["down/c.txt"],
    after: { "c.txt": "local c" },
  },
  { rule: "of two names the second is its new name", args: ["a.txt", "new.txt"], after: { "new.txt": "local a" } },
  {
    rule: "into a folder with a slash behind it",
    args: ["a.txt", "in/"],
    before: { "in/x": "x" },
    after: { "in/a.txt": "local a" },
  },
  {
    rule: "into a folder where the second is one",
    args: ["a.txt", "in"],
    before: { "in/x": "x" },
    after: { "in/a.txt": "local a" },
  },
  {
    rule: "under a new name in a folder",
    args: ["a.txt", "in/new.txt"],
    before: { "in/x": "x" },
    after: { "in/new.txt": "local a" },
  },
  { rule: "into the shared folder as /", args: ["down/c.txt", "/"], after: { "c.txt": "local c" } },
  { rule: "into the current folder as .", args: ["a.txt", "."], after: { "a.txt": "local a" } },
  {
    rule: "several into a folder with a slash behind it",
    args: ["a.txt", "b.txt", "down/c.txt", "in/"],
    before: { "in/x": "x" },
    after: { "in/a.txt": "local a", "in/b.txt": "local b", "in/c.txt": "local c" },
  },
  {
    rule: "several into a folder",
    args: ["a.txt", "b.txt", "in"],
    before: { "in/x": "x" },
    after: { "in/a.txt": "local a", "in/b.txt": "local b" },
  },
  { rule: "several where the last is nothing is a usage error", args: ["a.txt", "b.txt", "none"], after: {}, code: 2 },
  { rule: "a folder is not sent as a file", args: ["down", "new"], after: {}, code: 1 },
  { rule: "a file that is not there is local trouble", args: ["nothing.txt"], after: {}, code: 6 },
  { rule: "out of the shared folder is denied", args: ["a.txt", "../a.txt"], after: {}, code: 5 },
  { rule: "without a name is a usage error", args: [], after: {}, code: 2 },
  { rule: "stdin without a name is a usage error", args: ["-"], after: {}, code: 2 },
];

Deno.test("put puts files where cp would", async (t) => {
  await using stack = new AsyncDisposableStack();
  const places = PUT_RULES.map(({ before }) => stack.use(place(before)));
  const all = await Promise.all(places.map((shared, i) => {
    writeFiles(shared.here, LOCAL);
    return shared.connect(["put", ...PUT_RULES[i]?.args ?? []]);
  }));
  for (const [i, rule] of PUT_RULES.entries()) {
    await t.step(`put ${rule.args.join(" ")}: ${rule.rule}`, () => assertKeeps(rule, all[i], places[i]?.root ?? ""));
  }
});

Deno.test("get and put take any name: dashes, spaces, numbers, UTF-8, 255 bytes", async () => {
  await using shared = place({ ...ODD_FILES, "inbox/": "" });
  const names = Object.keys(ODD_FILES);
  assertDone(await shared.connect(["get", "--", ...names, "."]));
  assertFiles(shared.here, ODD_FILES);
  assertDone(await shared.connect(["put", "--", ...names, "inbox/"]));
  assertFiles(`${shared.root}/inbox`, ODD_FILES);
});

Deno.test("put - stores stdin, get - writes to stdout", async () => {
  const bytes = someBytes(300_000);
  await using shared = place();
  const [stored, empty] = await Promise.all([
    shared.connect(["put", "-", "piped.bin"], { stdin: bytes }),
    shared.connect(["put", "-", "empty"]),
  ]);
  assertDone(stored);
  assertDone(empty);
  assertEquals(Deno.readFileSync(`${shared.root}/piped.bin`), bytes);
  assertEquals(Deno.readFileSync(`${shared.root}/empty`).length, 0);
  const ended = await shared.connect(["get", "piped.bin", "-"]);
  assertEquals(ended.stdoutBytes, bytes);
  assertFiles(shared.here, {});
});

Deno.test("put - stores what comes through a pipe piece by piece, of a length that nobody knows", async () => {
  await using shared = place();
  await using program = shared.start(["put", "-", "piped"], { stdin: "open" });
  const pieces = ["first", "", "second".repeat(100_000), "third"];
  for (const piece of pieces) await program.type(piece);
  assertEquals([...Deno.readDirSync(shared.root)].filter(({ name }) => name === "piped"), []);
  await program.closeInput();
  assertDone(await program.ended());
  assertFiles(shared.root, { piped: pieces.join("") });
});

Deno.test("put - leaves nothing under the name when the client is killed in the middle", async () => {
  const closed = Promise.withResolvers<void>();
  await using shared = place({}, { onEvent: ({ event }) => event === "session-closed" ? closed.resolve() : undefined });
  await using program = shared.start(["--json", "put", "-", "piped"], { stdin: "open" });
  // Progress is told of ten times a second, and a pipe may be slow.
  for (let pieces = 0; pieces < 2_000 && !/"progress"/.test(program.stdout.text); pieces++) {
    await program.type("x".repeat(64 * 1024));
  }
  await program.stdout.until(/"progress"/);
  program.kill("SIGKILL");
  await within(closed.promise, PATIENCE_MS, "the end of the session");
  assertEquals([...Deno.readDirSync(shared.root)].filter(({ name }) => name === "piped"), []);
});

Deno.test("get and put move every byte of large and of empty files", async () => {
  const bytes = someBytes(5_000_001);
  await using shared = place({ "large.bin": bytes, "empty": "" });
  assertDone(await shared.connect(["get", "large.bin", "empty", "."]));
  assertEquals(Deno.readFileSync(`${shared.here}/large.bin`), bytes);
  assertEquals(Deno.readFileSync(`${shared.here}/empty`).length, 0);
  assertDone(await shared.connect(["put", "large.bin", "again.bin"]));
  assertEquals(Deno.readFileSync(`${shared.root}/again.bin`), bytes);
});
