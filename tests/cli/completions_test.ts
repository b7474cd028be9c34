/**
 * `completions`: scripts that their shells take, and what they complete when
 * those shells run them.
 *
 * @module
 */

import { COMMANDS } from "../../src/cli/commands.ts";
import { CONNECT_FLAGS } from "../../src/cli/connect_command.ts";
import type { Flag } from "../../src/cli/flags.ts";
import { SERVE_FLAGS } from "../../src/cli/serve_command.ts";
import { ON_EXIST } from "../../src/cli/shell.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { writeFiles } from "./place.ts";
import { assertCode, assertFails, linesOf, run, tandem } from "./program.ts";
import { NO_TERMINAL, Terminal } from "./terminal.ts";

/** The script needs no rights at all. */
const NO_RIGHTS = ["--no-prompt"];

const SUBCOMMANDS = ["completions", "connect", "help", "secret", "serve"];

type ShellName = "bash" | "zsh" | "fish";

/** Why a shell cannot be run here; undefined where it can. */
function whyNot(shell: ShellName): string | undefined {
  try {
    const { success } = new Deno.Command(shell, { args: ["-c", "true"], stdout: "null", stderr: "null" }).outputSync();
    return success ? undefined : `${shell} does not run here`;
  } catch {
    return `needs ${shell}`;
  }
}

const MISSING: Readonly<Record<ShellName, string | undefined>> = {
  bash: whyNot("bash"),
  zsh: whyNot("zsh"),
  fish: whyNot("fish"),
};

/** Registers a test with a shell; where that is missing it is skipped, and its name says why. */
function shellTest(shell: ShellName, name: string, fn: () => Promise<void>, why = MISSING[shell]): void {
  Deno.test({
    name: `${shell}: ${name}${why === undefined ? "" : ` (skipped: ${why})`}`,
    ignore: why !== undefined,
    fn,
  });
}

/** The script for a shell. */
async function scriptFor(shell: ShellName): Promise<string> {
  const ended = await run(tandem(["completions", shell], NO_RIGHTS));
  assertCode(ended, 0);
  assertEquals(ended.stderr, "");
  return ended.stdout;
}

/** Flags as they are typed. */
function spelled(flags: readonly Flag[]): string[] {
  return flags.flatMap(({ name, short }) => short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`]).sort();
}

const COMMAND_NAMES = COMMANDS.map(({ name }) => name).sort();

for (const shell of ["bash", "zsh", "fish"] as const) {
  shellTest(shell, "the script parses", async () => {
    const ended = await run([shell, "-n"], { stdin: await scriptFor(shell) });
    assertEquals([ended.code, ended.stdout, ended.stderr], [0, "", ""]);
  });
}

Deno.test("completions for no shell, an unknown one, or one in capitals is exit 2 with a hint", async () => {
  assertFails(await run(tandem(["completions"], NO_RIGHTS)), 2, "bash, zsh, fish", "hint: ");
  assertFails(await run(tandem(["completions", "tcsh"], NO_RIGHTS)), 2, "bash, zsh, fish", "hint: ");
  assertFails(await run(tandem(["completions", "fishh"], NO_RIGHTS)), 2, "did you mean fish?");
  assertFails(await run(tandem(["completions", "BASH"], NO_RIGHTS)), 2, "bash, zsh, fish", "hint: ");
  assertFails(await run(tandem(["completions", ""], NO_RIGHTS)), 2, "bash, zsh, fish", "hint: ");
});

Deno.test("completions for two shells, or with a flag, is exit 2", async () => {
  assertFails(await run(tandem(["completions", "bash", "zsh"], NO_RIGHTS)), 2);
  assertFails(await run(tandem(["completions", "bash", "--nope"], NO_RIGHTS)), 2);
});

/** What bash completes: `words` are the command line as bash splits it, the last one before the cursor. */
async function bashCompletes(words: readonly string[], cwd?: string): Promise<string[]> {
  const program = `set -u
eval "$1"
shift
COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE="$*" COMP_POINT=\${#COMP_LINE}
$(complete -p tandem | sed 's/.*-F \\([^ ]*\\).*/\\1/') tandem "\${COMP_WORDS[COMP_CWORD]}" "\${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' \${COMPREPLY[@]+"\${COMPREPLY[@]}"}`;
  const all = ["bash", "--norc", "-c", program, "bash", await scriptFor("bash"), "tandem", ...words];
  const ended = await run(all, cwd === undefined ? {} : { cwd });
  assertEquals([ended.code, ended.stderr], [0, ""], `${words}`);
  return linesOf(ended.stdout).filter((line) => line !== "").sort();
}

shellTest("bash", "every subcommand, flag and command, and no other", async () => {
  assertEquals(await bashCompletes([""]), [...SUBCOMMANDS, "--help", "--version"].sort());
  assertEquals(await bashCompletes(["serve", "-"]), spelled(SERVE_FLAGS));
  assertEquals(await bashCompletes(["connect", "-"]), spelled(CONNECT_FLAGS));
  assertEquals(await bashCompletes(["connect", "localhost", "-"]), spelled(CONNECT_FLAGS));
  assertEquals(await bashCompletes(["connect", "localhost", ""]), COMMAND_NAMES);
  assertEquals(await bashCompletes(["completions", ""]), ["bash", "fish", "zsh"]);
  assertEquals(await bashCompletes(["secret", ""]), []);
});

shellTest("bash", "what was begun is completed, and closed lists are offered as values", async () => {
  assertEquals(await bashCompletes(["se"]), ["secret", "serve"]);
  assertEquals(await bashCompletes(["connect", "--on-e"]), ["--on-exist"]);
  assertEquals(await bashCompletes(["connect", "--on-exist", ""]), [...ON_EXIST].sort());
  assertEquals(await bashCompletes(["connect", "--on-exist", "re"]), ["rename", "resume"]);
  assertEquals(await bashCompletes(["serve", "--log", ""]), ["json", "text"]);
  assertEquals(await bashCompletes(["serve", "--port", ""]), []);
  assertEquals(await bashCompletes(["connect", "localhost", "pi"]), ["ping"]);
});

shellTest("bash", "flags with values and a port before the cursor are no words of their own", async () => {
  for (
    const before of [
      ["--port", "2121", "localhost"],
      ["-q", "localhost"],
      ["localhost", ":", "2121"],
      ["localhost", "--timeout", "3"],
      ["tandem", ":", "//localhost", ":", "2121"],
      // As bash splits --port=2121.
      ["--port", "=", "2121", "localhost"],
    ]
  ) assertEquals(await bashCompletes(["connect", ...before, "pi"]), ["ping"], before.join(" "));
  assertEquals(await bashCompletes(["connect", "--port", "=", "2121", "pi"]), []);
  assertEquals(await bashCompletes(["connect", "--on-exist", "=", "sk"]), ["skip"]);
  assertEquals(await bashCompletes(["serve", "--log", "="]), ["json", "text"]);
});

shellTest("bash", "local names are completed whole, with their spaces and stars", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { "a b.txt": "", "a*c": "", "abc": "", "sub dir/x": "" });
  const names = ["a b.txt", "a*c", "abc"];
  assertEquals(await bashCompletes(["connect", "localhost", "put", "a"], folder.path), names);
  assertEquals(await bashCompletes(["connect", "--secret-file", "a"], folder.path), names);
  assertEquals(await bashCompletes(["serve", "su"], folder.path), ["sub dir"]);
});

/** What fish completes. */
async function fishCompletes(line: string, cwd?: string): Promise<string[]> {
  using folder = tempFolder();
  writeFiles(folder.path, { script: await scriptFor("fish"), "empty/": "" });
  const words = ["fish", "-N", "-c", "source $argv[1]; complete -C $argv[2]", `${folder.path}/script`, line];
  const { path } = folder;
  const env = { HOME: path, XDG_CONFIG_HOME: path, XDG_DATA_HOME: path, XDG_CACHE_HOME: path };
  const ended = await run(words, { cwd: cwd ?? `${path}/empty`, env });
  assertEquals([ended.code, ended.stderr], [0, ""], line);
  return linesOf(ended.stdout).map((text) => text.split("\t")[0] ?? "").sort();
}

shellTest("fish", "every subcommand, flag and command, and no other", async () => {
  assertEquals(await fishCompletes("tandem "), SUBCOMMANDS);
  assertEquals(await fishCompletes("tandem serve -"), spelled(SERVE_FLAGS));
  assertEquals(await fishCompletes("tandem connect -"), spelled(CONNECT_FLAGS));
  assertEquals(await fishCompletes("tandem connect localhost "), COMMAND_NAMES);
  assertEquals(await fishCompletes("tandem completions "), ["bash", "fish", "zsh"]);
  assertEquals(await fishCompletes("tandem secret "), []);
});

shellTest("fish", "what was begun is completed, and closed lists are offered as values", async () => {
  assertEquals(await fishCompletes("tandem ser"), ["serve"]);
  assertEquals(await fishCompletes("tandem connect --on-e"), ["--on-exist"]);
  assertEquals(await fishCompletes("tandem connect --on-exist "), [...ON_EXIST].sort());
  assertEquals(await fishCompletes("tandem serve --log "), ["json", "text"]);
  assertEquals(await fishCompletes("tandem serve --log=j"), ["--log=json"]);
  assertEquals(await fishCompletes("tandem serve --port "), []);
});

shellTest("fish", "commands are offered behind the host and nowhere else, files behind them", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { "p q": "", "pub/x": "" });
  assertEquals(await fishCompletes("tandem connect -p 2121 localhost pi", folder.path), ["ping"]);
  assertEquals(await fishCompletes("tandem connect -p 2121 pi", folder.path), []);
  assertEquals(await fishCompletes("tandem connect localhost put p", folder.path), ["p q", "pub/"]);
  assertEquals(await fishCompletes("tandem connect --secret-file p", folder.path), ["p q", "pub/"]);
  assertEquals(await fishCompletes("tandem serve p", folder.path), ["pub/"]);
});

for (const [shell, completes] of [["bash", bashCompletes], ["fish", fishCompletes]] as const) {
  shellTest(shell, "behind a command no flag of connect is offered, which would be refused there", async () => {
    const words = ["connect", "localhost", "get", "--re"];
    const offered = completes === bashCompletes
      ? await bashCompletes(words)
      : await fishCompletes(`tandem ${words.join(" ")}`);
    assertEquals(offered.filter((flag) => flag !== "--recursive"), []);
  });
}

Deno.test("zsh: the script has every subcommand, flag and command of the tables, and no other", async () => {
  const script = await scriptFor("zsh");
  const [, serve = "", connect = ""] = /\bserve\)\n([^]*?);;\n\s+connect\)\n([^]*?);;/.exec(script) ?? [];
  const flagsIn = (text: string) =>
    [...text.matchAll(/'(?:\(-\w --[\w-]+\)'\{(-\w)\+?,(--[\w-]+)=?\}'|(--[\w-]+))[[=]/g)]
      .flatMap((match) => match.slice(1).filter((one) => one !== undefined)).sort();
  assertEquals(flagsIn(serve), spelled(SERVE_FLAGS));
  assertEquals(flagsIn(connect), spelled(CONNECT_FLAGS));
  const listed = (name: string) => {
    const [, words = ""] = new RegExp(`^ *${name}=\\((.*)\\)$`, "m").exec(script) ?? [];
    return [...words.matchAll(/'([\w-]+):/g)].map(([, one = ""]) => one).sort();
  };
  assertEquals(listed("subcommands"), SUBCOMMANDS);
  assertEquals(listed("commands"), COMMAND_NAMES);
});

/** Prints the line that was begun, on Ctrl-X Ctrl-D. */
const SHOW = "\x18\x04";

/** Makes a shell ready at its prompt. */
const SETUP: Readonly<Record<"bash" | "zsh", string>> = {
  bash: `set -u; bind -x '"\\C-x\\C-d": printf "<<%s>>\\n" "$READLINE_LINE"'; ` +
    `eval "$(cat script)"; PS1="rea""dy@ "`,
  zsh: `set -u; show() { print -r -- "<<$BUFFER>>" }; zle -N show; bindkey '^X^D' show; ` +
    `autoload -U compinit; compinit -u -D; eval "$(cat script)"; PS1="rea""dy@ "`,
};

/** What becomes of lines in an interactive shell, each after one Tab. */
async function completedLines(shell: "bash" | "zsh", lines: readonly string[]): Promise<string[]> {
  using folder = tempFolder();
  writeFiles(folder.path, { script: await scriptFor(shell), "here/a b.txt": "", "here/sub dir/x": "" });
  const words = shell === "bash" ? ["bash", "--norc", "--noprofile", "-i"] : ["zsh", "-f", "-i"];
  const env = { HOME: folder.path, TERM: "xterm", INPUTRC: "/dev/null", HISTFILE: "/dev/null" };
  await using terminal = new Terminal(words, { cwd: folder.path, columns: 200, env });
  await terminal.type(`${SETUP[shell]}\r`);
  await terminal.until(/ready@ /);
  await terminal.type("cd here\r");
  await terminal.until(/ready@ /);
  const completed: string[] = [];
  for (const line of lines) {
    await terminal.type(`\x15${line}\t${SHOW}`);
    const [, text = ""] = /<<(.*)>>/.exec(await terminal.until(/<<(.*)>>\r?\n/)) ?? [];
    completed.push(text);
  }
  assertEquals(/unbound|not set|not found|rror/.exec(terminal.text)?.[0], undefined, terminal.text);
  return completed;
}

const LINES: readonly (readonly [typed: string, completed: string])[] = [
  ["tandem ser", "tandem serve "],
  ["tandem completions f", "tandem completions fish "],
  ["tandem connect --no-pro", "tandem connect --no-progress "],
  ["tandem connect --on-exist sk", "tandem connect --on-exist skip "],
  ["tandem serve --log j", "tandem serve --log json "],
  ["tandem connect localhost pi", "tandem connect localhost ping "],
  ["tandem connect localhost:2121 pi", "tandem connect localhost:2121 ping "],
  ["tandem connect -p 2121 localhost pi", "tandem connect -p 2121 localhost ping "],
  ["tandem connect localhost put a", "tandem connect localhost put a\\ b.txt "],
  ["tandem serve su", "tandem serve sub\\ dir/"],
];

for (const shell of ["bash", "zsh"] as const) {
  const why = MISSING[shell] ?? NO_TERMINAL;
  shellTest(shell, "Tab at its prompt, under set -u", async () => {
    assertEquals(await completedLines(shell, LINES.map(([typed]) => typed)), LINES.map(([, completed]) => completed));
  }, why);
  shellTest(shell, "Tab behind a flag with = and behind an IPv6 address", async () => {
    const lines: typeof LINES = [
      ["tandem connect --on-exist=sk", "tandem connect --on-exist=skip "],
      ["tandem connect --port=2121 localhost pi", "tandem connect --port=2121 localhost ping "],
      ["tandem connect '[::1]:2121' pi", "tandem connect '[::1]:2121' ping "],
      ["tandem connect ::1 pi", "tandem connect ::1 ping "],
    ];
    assertEquals(await completedLines(shell, lines.map(([typed]) => typed)), lines.map(([, completed]) => completed));
  }, why);
}

shellTest("zsh", "Tab lists a closed list", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { script: await scriptFor("zsh") });
  const env = { HOME: folder.path, TERM: "xterm" };
  await using terminal = new Terminal(["zsh", "-f", "-i"], { cwd: folder.path, env });
  await terminal.type(`${SETUP.zsh}\r`);
  await terminal.until(/ready@ /);
  await terminal.type("tandem connect --on-exist \t");
  const listed = await terminal.until(/skip/);
  for (const word of ON_EXIST) assertStringIncludes(listed, word);
  assertMatch(listed, /ask +error +newer/);
}, MISSING.zsh ?? NO_TERMINAL);
