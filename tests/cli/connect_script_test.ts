/**
 * Commands from a pipe and from a file: one a line, quoted as in a shell, and the
 * first failure ends them.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, type Ended, linesOf } from "./program.ts";
import { assertFiles, type Place, place, writeFiles } from "./place.ts";

/** Runs a script from a pipe, in the folder `pipe`. */
function runPiped(shared: Place, script: string): Promise<Ended> {
  return shared.connect([], { stdin: script, cwd: `${shared.here}/pipe` });
}

/** Runs a script from a file, in the folder `file`. */
function runFile(shared: Place, script: string): Promise<Ended> {
  Deno.writeTextFileSync(`${shared.here}/script`, script);
  return shared.connect(["-f", "../script"], { cwd: `${shared.here}/file` });
}

/** Runs a script both ways, which must make no difference. */
async function runBoth(shared: Place, script: string): Promise<Ended> {
  const [piped, fromFile] = await Promise.all([runPiped(shared, script), runFile(shared, script)]);
  assertEquals([fromFile.code, fromFile.stdout], [piped.code, piped.stdout]);
  return piped;
}

/** A place with a folder for each way to give a script. */
function scriptPlace(): Place {
  const shared = place({ "a": "a", "with space": "space", "it's": "quote", "sub/b": "b" });
  for (const name of ["pipe", "file"]) writeFiles(shared.here, { [`${name}/`]: "" });
  return shared;
}

Deno.test("a script runs its lines in order, with comments, quotes and empty lines", async () => {
  await using shared = scriptPlace();
  const ended = await runBoth(
    shared,
    [
      "# what it does",
      "",
      "pwd   # a comment behind a command",
      "  cat 'with space'  ",
      'cat "it\'s"',
      "cat with\\ space it\\'s\r",
      "\t",
      "cd sub",
      "get b 'new name'",
      "ls",
    ].join("\n"),
  );
  assertCode(ended, 0);
  assertEquals(ended.stdout, "/\nspacequotespacequoteb\n");
  for (const name of ["pipe", "file"]) assertFiles(`${shared.here}/${name}`, { "new name": "b" });
});

Deno.test("a script that is empty does nothing", async () => {
  await using shared = scriptPlace();
  for (const script of ["", "\n\n# nothing\n"]) {
    const ended = await runBoth(shared, script);
    assertEquals([ended.code, ended.stdout, ended.stderr], [0, "", ""]);
  }
});

for (
  const [what, line, code] of [
    ["a file that is not there", "get none", 4],
    ["a name outside of the folder", "get ../a", 5],
    ["a folder that is there", "mkdir sub", 10],
    ["a command that is none", "frobnicate", 2],
    ["a quote that is open", "get 'a", 2],
    ["a local name that is taken", "get sub/b a", 10],
  ] as const
) {
  Deno.test(`a script ends at its first failure, here ${what}, with its exit code`, async () => {
    await using shared = scriptPlace();
    const ended = await runPiped(shared, `get a\n${line}\nget sub/b later\n`);
    assertCode(ended, code);
    assertClearError(ended);
    assertFiles(`${shared.here}/pipe`, { a: "a" });
  });

  Deno.test(`a script goes on after ${what} where the line begins with a dash`, async () => {
    await using shared = scriptPlace();
    const ended = await runFile(shared, `get a\n  -${line}\nget sub/b later\n`);
    assertCode(ended, 0);
    assertClearError(ended);
    assertFiles(`${shared.here}/file`, { a: "a", later: "b" });
  });
}

Deno.test("quit, exit and bye end a script", async () => {
  await using shared = scriptPlace();
  for (const word of ["quit", "exit", "bye"]) {
    const ended = await runPiped(shared, `pwd\n${word}\nget none\n`);
    assertEquals([ended.code, ended.stdout], [0, "/\n"]);
  }
});

Deno.test("help and help COMMAND tell of every command in a session", async () => {
  await using shared = scriptPlace();
  const { stdout, code } = await runPiped(shared, "help\nhelp get\n");
  assertEquals(code, 0);
  for (const name of "ls get put cat cd pwd lcd lls lpwd help quit".split(" ")) {
    assertEquals(linesOf(stdout).some((line) => line.split(" ")[0] === name), true, name);
  }
  assertStringIncludes(stdout, "--recursive");
});

Deno.test("put - cannot take its bytes from where the commands come from, and says so", async () => {
  await using shared = place();
  const ended = await shared.connect([], { stdin: "put - x\nmore\n" });
  assertCode(ended, 2);
  assertClearError(ended);
  assertFiles(shared.root, {});
});

Deno.test("put - in a script of a file takes stdin", async () => {
  await using shared = place();
  writeFiles(shared.here, { script: "put - x\nls\n" });
  const ended = await shared.connect(["-f", "script"], { stdin: "from stdin" });
  assertCode(ended, 0);
  assertEquals(ended.stdout, "x\n");
  assertFiles(shared.root, { x: "from stdin" });
});
