/**
 * `connect` at a terminal: nothing that a server sent reaches it raw, and there
 * is a progress line for as long as something moves.
 *
 * @module
 */

import type { ServeOptions } from "../../mod.ts";
import { assertEquals, assertGreater, assertLess, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import {
  answers,
  answersList,
  answersQuit,
  header,
  ScriptedServer,
  sends,
  type Step,
} from "../client/scripted_server.ts";
import { assertCode, NARROW } from "./program.ts";
import { assertFiles, type Place, place, writeFiles } from "./place.ts";
import { foundOut } from "./plain_script.ts";
import { runAtTerminal, screenOf, tandemAtTerminal, Terminal, terminalTest } from "./terminal.ts";

/** Names of a server that means harm, each with what must not reach a terminal. */
const HOSTILE_NAMES = [
  "esc\x1b[2J\x1b]0;owned\x07.txt",
  "cr\rfaked",
  "bell\x07",
  "backspace\b\b\b\b",
  "vt\x0b ff\x0c so\x0e nul\0",
  "del\x7f",
  "c1\u009b31m",
  "bidi\u202etxt.exe",
  "isolate\u2066x\u2069",
  "line\u2028separator",
  "plain.txt",
];

/** What a terminal obeys, line ends of its own (CR LF) left out. */
// deno-lint-ignore no-control-regex
const OBEYED = /(?!\r\n)[\0-\x09\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069]/;

/** Runs one command against a server that follows a script. */
async function showFrom(args: readonly string[], command: string, ...answers: readonly Step[]) {
  await using server = await ScriptedServer.start([...foundOut(command, answers), ...answersQuit()]);
  return await runAtTerminal(tandemAtTerminal(["connect", `127.0.0.1:${server.port}`, ...args]));
}

for (const args of [["ls"], ["ls", "-l"]]) {
  terminalTest(`P10 ${args.join(" ")} at a terminal shows hostile names escaped, one a line`, async () => {
    const ended = await showFrom(args, "ls", ...answersList(HOSTILE_NAMES.join("\n") + "\n"));
    assertCode(ended, 0);
    assertNotMatch(ended.stdout, OBEYED);
    const lines = ended.stdout.split("\r\n");
    assertEquals(lines.length, HOSTILE_NAMES.length + 1);
    assertStringIncludes(lines[0] ?? "", "esc\\x1b[2J");
    assertStringIncludes(lines.at(-2) ?? "", "plain.txt");
  });
}

terminalTest("P10 ls -R at a terminal shows a hostile folder escaped, and the error about it too", async () => {
  const ended = await showFrom(["ls", "-R"], "ls", ...answersList("a\nfol\x1b[2Jder\u202e/\n"));
  assertNotMatch(ended.stdout, OBEYED);
  assertCode(ended, 7);
  assertMatch(ended.stdout, /tandem: .*fol\\x1b/);
});

terminalTest("P10 names and hosts that were given on the command line are shown escaped as well", async () => {
  await using shared = place({ x: "x" });
  const commands = [
    ["connect", `tandem://${shared.address}/%1b%5b2J`, "ls"],
    ["connect", shared.address, "get", "a\x1b[2J\u202e"],
    ["connect", shared.address, "ls\x1b[2J\u202e"],
    ["connect", "host\x1b[2J\u202e name", "ls"],
    ["frob\x1b[2J\u202e"],
    ["serve", "--no\x1b[2J\u202e"],
  ];
  for (const ended of await Promise.all(commands.map((args) => runAtTerminal(tandemAtTerminal(args))))) {
    assertNotMatch(ended.stdout, OBEYED);
    assertStringIncludes(ended.stdout, "\\x1b[2J");
  }
});

terminalTest("P10 cat at a terminal writes a file as it is, because that was asked for", async () => {
  const content = "colour \x1b[31mred\x1b[m";
  const ended = await showFrom(["cat", "x"], "get x", ...answers("get x", sends(header(content.length), content)));
  assertEquals(ended.stdout.slice(0, content.length), content);
});

const MIB = 1024 * 1024;
const LARGE_BYTES = 3 * MIB;
const BYTES_PER_SECOND = 6 * MIB;

/** A place with files that take half a second each, and one of twice their size to put. */
function slowPlace(options: ServeOptions = {}): Place {
  const shared = place({ large: new Uint8Array(LARGE_BYTES), other: new Uint8Array(LARGE_BYTES) }, {
    ...options,
    limits: { bytesPerSecond: BYTES_PER_SECOND },
  });
  writeFiles(shared.here, { upload: new Uint8Array(2 * LARGE_BYTES) });
  return shared;
}

/** The progress lines, which were drawn one over the other. */
function drawn(text: string): string[] {
  // deno-lint-ignore no-control-regex
  return [...text.matchAll(/\r([^\r\n\x1b]*%[^\r\n\x1b]*)/g)].map(([, line = ""]) => line);
}

terminalTest("get draws progress on stderr for as long as it runs", async (t) => {
  await using shared = slowPlace();
  const stdoutFile = `${shared.here}/stdout`;
  const words = tandemAtTerminal(["connect", shared.address, "get", "large", "other", "."]);
  const ended = await runAtTerminal(words, { cwd: shared.here, stdoutFile });
  assertCode(ended, 0);
  const lines = drawn(ended.stdout);
  for (const name of ["large", "other"]) {
    const own = lines.filter((line) => line.startsWith(name));
    await t.step(`${name}: it goes forwards`, () => {
      assertGreater(own.length, 1, lines.join("\n"));
      const percents = own.map((line) => Number(/(\d+)%/.exec(line)?.[1]));
      assertEquals(percents.toSorted((a, b) => a - b), percents);
      assertLess(percents[0] ?? 100, 70);
    });
    await t.step(`${name}: it shows about the rate that the server keeps to`, () => {
      const rates = own.map((line) => Number(/([0-9.]+) MiB\/s/.exec(line)?.[1] ?? 0) * MIB);
      for (const rate of rates) assertLess(rate, 1.5 * BYTES_PER_SECOND, own.join("\n"));
      // What a transfer waits for at its beginning counts less and less.
      assertGreater(rates.at(-1) ?? 0, 0.65 * BYTES_PER_SECOND, own.join("\n"));
    });
  }
  await t.step("it is gone at the end, when lines say what became of the files", () => {
    const screen = screenOf(ended.stdout);
    assertEquals(screen.length, 2, screen.join("\n"));
    assertMatch(screen[0] ?? "", /^fetched large \(3 MiB/);
    assertMatch(screen[1] ?? "", /^fetched other \(3 MiB/);
  });
  await t.step("stdout has nothing", () => assertEquals(Deno.readTextFileSync(stdoutFile), ""));
});

terminalTest("get draws progress for a small file on a slow line too", async () => {
  await using shared = place({ small: new Uint8Array(300_000) }, { limits: { bytesPerSecond: 300_000 } });
  const words = tandemAtTerminal(["connect", shared.address, "get", "small"]);
  const ended = await runAtTerminal(words, { cwd: shared.here });
  assertCode(ended, 0);
  const percents = drawn(ended.stdout).map((line) => Number(/(\d+)%/.exec(line)?.[1]));
  assertGreater(percents.filter((percent) => percent < 100).length, 1, `${percents}`);
});

terminalTest("put draws progress too, which fits into a narrow terminal", async () => {
  await using shared = slowPlace();
  const words = tandemAtTerminal(["connect", shared.address, "put", "upload"]);
  const ended = await runAtTerminal(words, { cwd: shared.here, columns: 34 });
  assertCode(ended, 0);
  const lines = drawn(ended.stdout);
  assertGreater(lines.length, 1);
  for (const line of lines) assertLess(line.length, 34, line);
  assertNotMatch(screenOf(ended.stdout).join("\n"), /%/);
});

terminalTest("get draws no progress where it was told not to, or the terminal is dumb", async (t) => {
  await using shared = slowPlace();
  // The narrow rights do not let the program see which terminal it has.
  const rights = [...NARROW, "--allow-env=TERM"];
  const all = ["--no-progress", "-q", "--json", "TERM=dumb"].map((how, i) => {
    const cwd = `${shared.here}/${i}`;
    Deno.mkdirSync(cwd);
    const flags = how.startsWith("-") ? [how] : [];
    const words = tandemAtTerminal(["connect", shared.address, ...flags, "get", "large"], rights);
    return { how, ended: runAtTerminal(words, { cwd, env: { TERM: how.startsWith("-") ? "xterm" : "dumb" } }) };
  });
  await Promise.all(all.map(({ ended }) => ended));
  for (const { how, ended } of all) {
    await t.step(how, async () => {
      assertCode(await ended, 0);
      assertNotMatch((await ended).stdout, OBEYED);
      assertEquals(drawn((await ended).stdout), []);
    });
  }
});

terminalTest("an error takes the progress line away", async () => {
  const stop = new AbortController();
  await using shared = slowPlace({ signal: stop.signal });
  const words = tandemAtTerminal(["connect", shared.address, "get", "large"]);
  await using terminal = new Terminal(words, { cwd: shared.here });
  await terminal.until(/%/);
  stop.abort();
  const ended = await terminal.ended();
  assertCode(ended, 7);
  const screen = screenOf(ended.stdout);
  assertNotMatch(screen.join("\n"), /%/);
  assertMatch(screen[0] ?? "", /^tandem: incomplete/);
});

const ANSWERS: readonly (readonly [typed: string, files: Readonly<Record<string, string>>])[] = [
  ["s", { a: "old", b: "old" }],
  ["o", { a: "new a", b: "old" }],
  ["r", { a: "old", "a.1": "new a", b: "old" }],
  ["O", { a: "new a", b: "new b" }],
  ["", { a: "old", b: "old" }],
];

for (const [typed, files] of ANSWERS) {
  terminalTest(`get asks at a terminal where a name is taken; ${JSON.stringify(typed)} is an answer`, async () => {
    await using shared = place({ a: "new a", b: "new b" });
    writeFiles(shared.here, { a: "old", b: "old" });
    await using terminal = new Terminal(tandemAtTerminal(["connect", shared.address, "get", "a", "b", "."]), {
      cwd: shared.here,
    });
    await terminal.until(/a exists.*\?/);
    await terminal.type(`${typed}\r`);
    if (typed !== "O") {
      await terminal.until(/b exists.*\?/);
      await terminal.type("skip\r");
    }
    const ended = await terminal.ended();
    assertCode(ended, 0);
    const found = [...Deno.readDirSync(shared.here)].map((
      { name },
    ) => [name, Deno.readTextFileSync(`${shared.here}/${name}`)]);
    assertEquals(Object.fromEntries(found), { ...files });
  });
}

for (const mode of ["tandem", "plain"] as const) {
  terminalTest(`put asks at a terminal where the remote name is taken, in the ${mode} exchange`, async () => {
    await using shared = place({ a: "old", b: "old", c: "old" }, mode === "plain" ? { mode } : {});
    writeFiles(shared.here, { a: "new a", b: "new b", c: "new c" });
    const words = tandemAtTerminal(["connect", shared.address, "--on-exist", "ask", "put", "a", "b", "c", "."]);
    await using terminal = new Terminal(words, { cwd: shared.here });
    // They are under way at one time, and it is not said which is asked about first.
    const answers: Record<string, string> = { a: "s", b: "o", c: "r" };
    for (let i = 0; i < 3; i++) {
      const [, name = ""] = /([abc]) exists.*\?/.exec(await terminal.until(/[abc] exists.*\?/)) ?? [];
      await terminal.type(`${answers[name]}\r`);
    }
    assertCode(await terminal.ended(), 0);
    assertFiles(shared.root, { a: "old", b: "new b", c: "old", "c.1": "new c" });
  });
}

terminalTest("get --no-input never asks", async () => {
  await using shared = place({ a: "new" });
  writeFiles(shared.here, { a: "old" });
  const words = tandemAtTerminal(["connect", shared.address, "--no-input", "get", "a"]);
  const ended = await runAtTerminal(words, { cwd: shared.here });
  assertCode(ended, 10);
  assertEquals(Deno.readTextFileSync(`${shared.here}/a`), "old");
});
