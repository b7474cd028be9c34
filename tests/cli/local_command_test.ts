/**
 * `!CMD`: a command of this machine's own shell, from a pipe, a script and the
 * prompt.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, type Ended, IS_UNIX, linesOf, NARROW, run, Running, tandem } from "./program.ts";
import { assertFiles, type Place, place, writeFiles } from "./place.ts";
import { PROMPT, tandemAtTerminal, Terminal, terminalTest } from "./terminal.ts";

const WITH_RUN: readonly string[] = [...NARROW, "--allow-run"];
const CTRL_C = "\x03";
const CTRL_D = "\x04";

/** Runs a script from a pipe, in the place's folder. */
function piped(shared: Place, lines: readonly string[], flags: readonly string[] = []): Promise<Ended> {
  const words = tandem(["connect", ...flags, shared.address], WITH_RUN);
  return run(words, { cwd: shared.here, stdin: lines.map((line) => `${line}\n`).join("") });
}

/** Runs a script from a file, in the place's folder. */
function scripted(shared: Place, lines: readonly string[], flags: readonly string[] = []): Promise<Ended> {
  const file = `${shared.root}/../script`;
  Deno.writeTextFileSync(file, lines.join("\n"));
  return run(tandem(["connect", ...flags, "-f", file, shared.address], WITH_RUN), { cwd: shared.here });
}

/** A test that needs a POSIX shell. */
function unixTest(name: string, fn: (t: Deno.TestContext) => Promise<void>): void {
  Deno.test({ name, ignore: !IS_UNIX, fn });
}

for (const [how, start] of [["a pipe", piped], ["a script", scripted]] as const) {
  unixTest(`!CMD from ${how} runs in the local folder, which lcd changes, with all that a shell has`, async () => {
    await using shared = place({ a: "content" });
    writeFiles(shared.here, { "sub/": "" });
    const ended = await start(
      shared,
      [
        "!pwd",
        "  !  echo one | tr a-z A-Z; echo 'two  words' $((1 + 2)) \"#\"",
        "lcd sub",
        "!pwd > where",
        "-q",
        "get a",
        "!cat a",
        "!rm where",
        "ls",
      ].filter((line) => line !== "-q"),
    );
    assertCode(ended, 0);
    assertEquals(linesOf(ended.stdout.replace("content", "content\n")), [
      shared.here,
      "ONE",
      "two  words 3 #",
      "content",
      "a",
    ]);
    assertFiles(shared.here, { "sub/a": "content" });
  });

  unixTest(`!CMD from ${how} that fails ends it with exit 6 and says what the command ended with`, async () => {
    await using shared = place({ a: "" });
    for (
      const [line, says] of [["!exit 3", "3"], ["!false", "1"], ["!kill -9 $$", "137"], ["!no-such-command", "127"]]
    ) {
      const ended = await start(shared, [line ?? "", "ls"]);
      assertCode(ended, 6);
      assertClearError(ended);
      assertMatch(ended.stderr, new RegExp(`exit code ${says}\\b`));
      assertEquals(ended.stdout, "");
    }
  });

  unixTest(`!CMD from ${how} behind a - may fail`, async () => {
    await using shared = place({ a: "" });
    const ended = await start(shared, ["-!false", "- !exit 3", "  - ! exit 4", "ls"]);
    assertCode(ended, 0);
    assertEquals(ended.stdout, "a\n");
    assertEquals([...ended.stderr.matchAll(/exit code (\d)/g)].map(([, code]) => code), ["1", "3", "4"]);
  });

  unixTest(`!CMD from ${how} without the right to run programs is exit 7 and says what it takes`, async () => {
    await using shared = place({ a: "" });
    const lines = ["!touch made", "ls"].map((line) => `${line}\n`).join("");
    const file = `${shared.root}/../script`;
    Deno.writeTextFileSync(file, lines);
    const from = start === piped ? { stdin: lines } : {};
    const words = tandem(["connect", ...start === piped ? [] : ["-f", file], shared.address]);
    const ended = await run(words, { cwd: shared.here, ...from });
    assertCode(ended, 7);
    assertClearError(ended);
    assertStringIncludes(ended.stderr, "not available");
    assertMatch(ended.stderr, /hint: .*--allow-run/);
    assertEquals(ended.stdout, "");
    assertFiles(shared.here, {});
  });

  unixTest(`! without a command, from ${how}, is exit 2`, async () => {
    await using shared = place({ a: "" });
    for (const line of ["!", " !  "]) {
      const ended = await start(shared, [line, "ls"]);
      assertCode(ended, 2);
      assertStringIncludes(ended.stderr, "!CMD");
    }
  });

  unixTest(`!CMD from ${how} that cannot be started is an error, and no crash`, async (t) => {
    const rows: Readonly<Record<string, readonly string[]>> = {
      "a folder that is gone": ["lcd gone", "!rmdir ../gone", "!pwd"],
      "a NUL": ["!echo a\0b"],
    };
    for (const [about, lines] of Object.entries(rows)) {
      await t.step(about, async () => {
        await using shared = place({ a: "" });
        writeFiles(shared.here, { "gone/": "" });
        const ended = await start(shared, [...lines, "ls"]);
        assertClearError(ended);
        assertEquals([2, 6].includes(ended.code), true, `exit code ${ended.code}`);
      });
    }
  });

  unixTest(`!CMD from ${how} with --json leaves stdout one object a line, with a result`, async () => {
    await using shared = place({ a: "" });
    const ended = await start(shared, ["!echo hello", "ls", "!exit 3"], ["--json"]);
    assertCode(ended, 6);
    const objects = linesOf(ended.stdout).map((line) => {
      assertEquals(line.startsWith("{"), true, `no JSON: ${line}`);
      return JSON.parse(line);
    });
    assertEquals(objects.at(-1).event, "error");
    assertEquals(objects.at(-1).code, "local-io");
    assertEquals(objects.filter(({ event }) => event === "result").map(({ command }) => command), [
      "!echo hello",
      "ls",
    ]);
  });
}

unixTest("!CMD from a pipe does not read the lines that follow it", async () => {
  await using shared = place({ a: "" });
  const words = tandem(["connect", shared.address], WITH_RUN);
  // More than is read ahead, so that something is left for whoever reads next.
  const rest = "ls\n".repeat(200_000);
  const ended = await run(words, { cwd: shared.here, stdin: `!cat > eaten\nquit\n${rest}` });
  assertCode(ended, 0);
  assertEquals(Deno.statSync(`${shared.here}/eaten`).size, 0);
});

unixTest("a signal to the program ends the command of !CMD with it", async () => {
  await using shared = place({ a: "" });
  for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
    const words = tandem(["connect", shared.address], WITH_RUN);
    await using program = new Running(words, { cwd: shared.here, stdin: "open" });
    await program.type("!echo $$; exec sleep 50\nls\n");
    const pid = (await program.stdout.until(/\n/)).trim();
    program.kill(signal);
    const ended = await program.ended();
    assertCode(ended, code);
    assertEquals(ended.stdout, `${pid}\n`);
    // What is gone has no entry.
    assertEquals((await run(["ps", "-o", "stat=", "-p", pid])).stdout.replace(/^Z.*/, "").trim(), "");
  }
});

unixTest("!CMD with the right to run the shell and nothing else works as well", async () => {
  await using shared = place({ a: "" });
  const words = tandem(["connect", shared.address], [...NARROW, "--allow-run=/bin/sh"]);
  const ended = await run(words, { cwd: shared.here, stdin: "!echo hello\nls\n" });
  assertEquals([ended.code, ended.stdout], [0, "hello\na\n"], ended.stderr);
});

unixTest("help has a line about !CMD", async () => {
  await using shared = place();
  const [inside, outside] = await Promise.all([
    piped(shared, ["help"]),
    run(tandem(["help", "connect"], ["--no-prompt"])),
  ]);
  for (const { stdout } of [inside, outside]) assertMatch(stdout, /^ *!CMD +\w/m);
});

/** Opens a prompt in the place's folder. */
async function openPrompt(shared: Place, rights: readonly string[] = WITH_RUN): Promise<Terminal> {
  const terminal = new Terminal(tandemAtTerminal(["connect", shared.address], rights), { cwd: shared.here });
  await terminal.until(PROMPT);
  return terminal;
}

terminalTest("!CMD at the prompt has the terminal for itself, both ways, and what fails is told", async () => {
  await using shared = place({ a: "" });
  await using terminal = await openPrompt(shared);
  assertEquals(await terminal.ask("!echo hello"), ["hello"]);
  assertEquals(await terminal.ask("!test -t 0 && test -t 1 && test -t 2 && echo a terminal"), ["a terminal"]);
  assertEquals(await terminal.ask("!exit 5"), ["tandem: the command ended with exit code 5"]);
  for (let i = 0; i < 3; i++) {
    await terminal.type('!echo ready; read line; echo "got [$line]"\r');
    await terminal.until(/ready\r\n/);
    await terminal.type("typed in\r");
    await terminal.until(/got \[typed in\]\r\n/);
    await terminal.until(PROMPT);
  }
  // As a shell leaves it: lines, echo and signals.
  assertEquals(await terminal.ask("!stty -a | grep -ow -- '-*icanon\\|-*echo\\|-*isig' | sort"), [
    "echo",
    "icanon",
    "isig",
  ]);
  assertEquals(await terminal.ask("ls"), ["a"]);
  await terminal.type(CTRL_D);
  assertCode(await terminal.ended(), 0);
});

terminalTest("!CMD at the prompt without the right is told of, and the session goes on", async () => {
  await using shared = place({ a: "" });
  // Without --no-prompt as well: Deno must not ask.
  await using terminal = await openPrompt(shared, NARROW.filter((flag) => flag !== "--no-prompt"));
  const told = await terminal.ask("!touch made");
  assertMatch(told[0] ?? "", /^tandem: .*not available/);
  assertEquals(await terminal.ask("ls"), ["a"]);
  await terminal.type(CTRL_D);
  assertCode(await terminal.ended(), 0);
  assertFiles(shared.here, {});
});

terminalTest("Ctrl-C ends a command of !CMD, and not the session", async () => {
  await using shared = place({ a: "" });
  await using terminal = await openPrompt(shared);
  for (let i = 0; i < 2; i++) {
    // One process: a shell takes no notice of a Ctrl-C that comes before its child has begun.
    await terminal.type("!echo ready; exec sleep 50; echo not this\r");
    await terminal.until(/ready\r\n/);
    await terminal.type(CTRL_C);
    assertNotMatch(await terminal.until(PROMPT), /not this/);
    assertEquals(await terminal.ask("ls"), ["a"]);
  }
  await terminal.type(CTRL_D);
  assertCode(await terminal.ended(), 0);
});

terminalTest(
  "Ctrl-C, once and again, is the business of a command that takes it, and the session goes on",
  async () => {
    await using shared = place({ a: "" });
    await using terminal = await openPrompt(shared);
    const catching = "trap 'echo caught' INT; echo ready; read line; read line; echo \"at its own end: $line\"";
    writeFiles(shared.here, { catching: `#!/bin/bash\n${catching}\n` });
    await terminal.type("!bash catching\r");
    await terminal.until(/ready\r\n/);
    for (let i = 0; i < 2; i++) {
      await terminal.type(CTRL_C);
      await terminal.until(/caught\r\n/);
    }
    await terminal.type("one\rtwo\r");
    await terminal.until(/at its own end/);
    await terminal.until(PROMPT);
    assertEquals(await terminal.ask("ls"), ["a"]);
    await terminal.type(CTRL_D);
    assertCode(await terminal.ended(), 0);
  },
);
