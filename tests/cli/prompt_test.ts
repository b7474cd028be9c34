/**
 * The prompt of `connect`: a session at a terminal, from the first line to
 * Ctrl-D.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { within } from "../net/deadline.ts";
import { assertCode } from "./program.ts";
import { type Place, place, textFiles } from "./place.ts";
import { PROMPT, tandemAtTerminal, Terminal, terminalTest } from "./terminal.ts";

const CTRL_C = "\x03";
const CTRL_D = "\x04";
const UP = "\x1b[A";

/** Opens a prompt in the place's folder and waits for it. */
async function openPrompt(shared: Place): Promise<Terminal> {
  const terminal = new Terminal(tandemAtTerminal(["connect", shared.address]), { cwd: shared.here });
  const first = await terminal.until(PROMPT);
  assertStringIncludes(first, "127.0.0.1");
  return terminal;
}

/** Leaves with Ctrl-D; returns the exit code. */
async function leave(terminal: Terminal): Promise<number> {
  await terminal.type(CTRL_D);
  return (await terminal.ended()).code;
}

terminalTest("a session: ls, cd, pwd, get, lls, a wrong command, and Ctrl-D ends it with exit 0", async () => {
  await using shared = place({ "a.txt": "a", "sub/b.txt": "b" });
  await using terminal = await openPrompt(shared);
  assertEquals(await terminal.ask("ls"), ["a.txt", "sub/"]);
  assertEquals(await terminal.ask("pwd"), ["/"]);
  assertEquals(await terminal.ask("cd sub"), []);
  assertStringIncludes(terminal.text, "/sub> ");
  assertEquals(await terminal.ask("pwd"), ["/sub"]);
  assertMatch((await terminal.ask("get b.txt")).join("\n"), /^fetched sub\/b\.txt/);
  assertEquals(await terminal.ask("lls"), ["b.txt"]);
  assertMatch((await terminal.ask("cat 'b.txt'")).join(), /^b/);
  const wrong = await terminal.ask("gett b.txt");
  assertEquals(wrong, ['tandem: unknown command "gett"', "  hint: did you mean get?"]);
  assertMatch((await terminal.ask("get none")).join("\n"), /^tandem: .*none/);
  assertMatch((await terminal.ask("get 'open")).join("\n"), /^tandem: .*quote/);
  assertEquals(await terminal.ask(""), []);
  assertEquals(await terminal.ask("ls ."), ["b.txt"]);
  assertEquals(await leave(terminal), 0);
  assertEquals(textFiles(shared.here), { "b.txt": "b" });
});

terminalTest(
  "the prompt finds out at once what the server speaks, so that it does not wait in vain for a command",
  async (t) => {
    for (const mode of ["tandem", "plain"] as const) {
      await t.step(mode, async () => {
        const ended: string[] = [];
        await using shared = place({ a: "a" }, {
          ...mode === "plain" ? { mode } : {},
          limits: { firstCommandTimeoutMs: 400 },
          onEvent: (event) => {
            if (event.event === "session-closed") ended.push(event.outcome);
          },
        });
        const words = tandemAtTerminal(["connect", "-v", shared.address]);
        await using terminal = new Terminal(words, { cwd: shared.here });
        assertStringIncludes(await terminal.until(PROMPT), `connected to ${shared.address}, ${mode} exchange`);
        // Longer than a server waits for a first command.
        await new Promise((resolve) => setTimeout(resolve, 500));
        assertEquals(ended, []);
        assertEquals(await terminal.ask("ls"), ["a"]);
        assertEquals(await leave(terminal), 0);
      });
    }
  },
);

terminalTest("the commands of the tandem exchange work at the prompt", async () => {
  await using shared = place({ "a.txt": "a", "sub/b": "b" });
  await using terminal = await openPrompt(shared);
  assertEquals((await terminal.ask("stat a.txt")).slice(0, 3), ["name: a.txt", "kind: file", "size: 1"]);
  assertEquals(await terminal.ask("mkdir -p new/er"), []);
  assertEquals(await terminal.ask("mv a.txt new"), []);
  assertEquals(await terminal.ask("rm sub"), ['tandem: "sub" is a folder', "  hint: folders are removed with -r"]);
  assertEquals(await terminal.ask("rm -r sub"), []);
  assertMatch((await terminal.ask("ping")).join("\n"), /^[0-9.]+ ms$/);
  assertMatch((await terminal.ask("get -r new")).join("\n"), /^fetched new\/a\.txt/);
  assertEquals(await terminal.ask("ls -R"), ["new/", "new/a.txt", "new/er/"]);
  assertEquals(await leave(terminal), 0);
  assertEquals(textFiles(shared.here), { "new/a.txt": "a", "new/er/": "" });
});

terminalTest("quit, exit and bye end a session with exit 0, after failures too", async () => {
  await using shared = place();
  for (const word of ["quit", "exit", "bye"]) {
    await using terminal = await openPrompt(shared);
    assertMatch((await terminal.ask("get none")).join("\n"), /^tandem: /);
    await terminal.type(`${word}\r`);
    assertCode(await terminal.ended(), 0);
  }
});

terminalTest("Ctrl-C at the prompt drops the line that was begun and keeps the session", async () => {
  await using shared = place({ a: "" });
  await using terminal = await openPrompt(shared);
  await terminal.type("get a line that nobody wants");
  await terminal.until(/wants/);
  await terminal.type(CTRL_C);
  await terminal.until(PROMPT);
  assertEquals(await terminal.ask("ls"), ["a"]);
  await terminal.type(CTRL_C);
  await terminal.until(PROMPT);
  assertEquals(await terminal.ask("pwd"), ["/"]);
  assertEquals(await leave(terminal), 0);
});

terminalTest("Ctrl-C during a slow get stops it, leaves no file, and keeps the session", async () => {
  const large = new Uint8Array(64_000_000);
  await using shared = place({ large, small: "small" }, { limits: { bytesPerSecond: 8_000_000 } });
  await using terminal = await openPrompt(shared);
  for (let i = 0; i < 2; i++) {
    await terminal.type("get large\r");
    await terminal.until(/%/);
    await terminal.type(CTRL_C);
    const text = await terminal.until(PROMPT);
    assertNotMatch(text, /fetched/);
    assertEquals(temporaries(shared.here), []);
  }
  assertMatch((await terminal.ask("get small")).join("\n"), /^fetched small/);
  assertEquals(await leave(terminal), 0);
  assertEquals(textFiles(shared.here), { small: "small" });
});

terminalTest("the arrow up brings back the lines before, across commands", async () => {
  await using shared = place({ a: "", "sub/b": "" });
  await using terminal = await openPrompt(shared);
  assertEquals(await terminal.ask("ls"), ["a", "sub/"]);
  assertEquals(await terminal.ask("pwd"), ["/"]);
  assertEquals(await terminal.ask(UP + UP), ["a", "sub/"]);
  assertEquals(await terminal.ask(`${UP} sub`), ["b"]);
  assertEquals(await leave(terminal), 0);
});

terminalTest("a line can be edited before it is sent", async () => {
  await using shared = place({ a: "" });
  await using terminal = await openPrompt(shared);
  assertEquals(await terminal.ask("lx\x7fs"), ["a"]);
  assertEquals(await terminal.ask("s\x01l"), ["a"]);
  await terminal.type("frobnicate\x15");
  // The prompt is drawn once more, without the line.
  await terminal.until(PROMPT);
  assertEquals(await terminal.ask("pwd"), ["/"]);
  assertEquals(await leave(terminal), 0);
});

terminalTest("a server that ends the session is told of, and Ctrl-D still works", async () => {
  const closed = Promise.withResolvers<void>();
  await using shared = place({ a: "" }, {
    limits: { idleTimeoutMs: 500 },
    onEvent: (event) => {
      if (event.event === "session-closed") closed.resolve();
    },
  });
  await using terminal = await openPrompt(shared);
  await within(closed.promise, 10_000, "the end of the session");
  assertMatch((await terminal.ask("ls")).join("\n"), /^tandem: /);
  assertEquals(await leave(terminal), 0);
});
