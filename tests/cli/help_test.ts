/**
 * What the program tells about itself, and what it says to a command line that
 * it does not understand.
 *
 * @module
 */

import { CONNECT_FLAGS } from "../../src/cli/connect_command.ts";
import { SERVE_FLAGS } from "../../src/cli/serve_command.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertClearError, assertCode, PROJECT, run, tandem } from "./program.ts";

const NO_RIGHTS = ["--no-prompt"];

/** Runs the program without any right, as help needs none. */
function ask(...args: string[]) {
  return run(tandem(args, NO_RIGHTS));
}

/** The long flags at the beginnings of lines. */
function flagsIn(text: string): string[] {
  return [...text.matchAll(/^ +(?:-\w, )?--([\w-]+)/gm)].map(([, name = ""]) => name);
}

Deno.test("--version tells the version of deno.json, on stdout", async () => {
  const { version } = JSON.parse(Deno.readTextFileSync(`${PROJECT}deno.json`));
  for (const ended of await Promise.all([ask("--version"), ask("-V"), ask("version")])) {
    assertCode(ended, 0);
    assertMatch(ended.stdout, /^tandem \S+.*\n$/);
    assertEquals(ended.stdout.split(" ")[1], version);
    assertEquals(ended.stderr, "");
  }
});

Deno.test("help tells of every subcommand, on stdout", async () => {
  const [first, ...others] = await Promise.all([ask("help"), ask("--help"), ask("-h")]);
  assertCode(first, 0);
  for (const word of ["serve", "connect", "secret", "TANDEM_SECRET", "help serve", "--version"]) {
    assertStringIncludes(first.stdout, word);
  }
  for (const other of others) assertEquals(other, first);
});

Deno.test("help serve has every flag of serve", async () => {
  const ended = await ask("help", "serve");
  assertCode(ended, 0);
  assertEquals(flagsIn(ended.stdout), SERVE_FLAGS.map(({ name }) => name));
  // The flags that were promised, as far as the plain exchange has them.
  const promised =
    "port host write overwrite allow-anonymous-write plain-only data-ports max-sessions max-per-ip max-file " +
    "min-free idle-timeout stall-timeout rate log json quiet verbose secret-file new-secret tls-cert tls-key";
  for (const name of promised.split(" ")) assertMatch(ended.stdout, new RegExp(`--${name}\\b`));
  assertMatch(ended.stdout, /-p, --port N/);
  assertMatch(ended.stdout, /-q, --quiet/);
  assertMatch(ended.stdout, /-v, --verbose/);
  assertEquals(ended.stderr, "");
});

Deno.test("help connect has every flag, command and exit code of connect", async () => {
  const ended = await ask("help", "connect");
  assertCode(ended, 0);
  assertEquals(flagsIn(ended.stdout), CONNECT_FLAGS.map(({ name }) => name));
  const promised =
    "port timeout plain zero-is-missing on-exist file json quiet verbose no-progress no-input secret-file tls tls-ca";
  for (const name of promised.split(" ")) assertMatch(ended.stdout, new RegExp(`--${name}\\b`));
  for (const word of "error skip overwrite rename newer resume ask".split(" ")) {
    assertStringIncludes(ended.stdout, word);
  }
  for (const command of "ls get put cat cd pwd lcd lls lpwd help quit".split(" ")) {
    assertMatch(ended.stdout, new RegExp(`^ +${command}\\b`, "m"));
  }
  for (const code of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 130, 143]) {
    assertMatch(ended.stdout, new RegExp(`\\b${code} \\w`), `exit code ${code}`);
  }
});

Deno.test("serve --help and connect --help are help serve and help connect", async () => {
  for (const name of ["serve", "connect"]) {
    const [expected, long, short] = await Promise.all([ask("help", name), ask(name, "--help"), ask(name, "-h")]);
    assertCode(long, 0);
    assertEquals(long.stdout, expected.stdout);
    assertEquals(short.stdout, expected.stdout);
  }
});

Deno.test("--help behind other words asks for help as well, and does nothing else", async () => {
  using folder = tempFolder();
  const words = [
    ["serve", folder.path, "--help"],
    ["serve", "--port", "0", "-h"],
    ["connect", "127.0.0.1:1", "--help"],
    ["connect", "-q", "-h"],
  ];
  const rights = ["--no-prompt", "--allow-read"];
  const all = await Promise.all(words.map((args) => run(tandem(args, rights))));
  for (const [i, ended] of all.entries()) {
    const about = `${words[i]?.join(" ")}: ${ended.stdout}${ended.stderr}`;
    assertEquals(ended.code, 0, about);
    assertMatch(ended.stdout, /--quiet/, about);
  }
});

const WRONG: readonly (readonly [args: readonly string[], says: string, hint: string])[] = [
  [[], "serve or connect", "help"],
  [["serv"], "serv", "did you mean serve?"],
  [["conect", "host"], "conect", "did you mean connect?"],
  [["frobnicate"], "frobnicate", "help"],
  [["--verison"], "--verison", "did you mean --version?"],
  [["help", "frobnicate"], "frobnicate", "help serve"],
  [["serve", "--prot", "1"], "--prot", "did you mean --port?"],
  [["serve", "--overwrit"], "--overwrit", "did you mean --overwrite?"],
  [["serve", "-x"], "-x", "hint:"],
  [["serve", "a", "b"], "one folder", "hint:"],
  [["connect"], "host", "HOST"],
  [["connect", "--jsn", "host"], "--jsn", "did you mean --json?"],
  [["connect", "host", "--jsn"], "--jsn", "did you mean --json?"],
  [["connect", "--json", "host", "--json"], "twice", "hint:"],
  [["connect", "-p", "1", "host", "--port", "1"], "twice", "hint:"],
  // Not repeated: it may be a secret.
  [["connect", "user@host"], "no user", "HOST:PORT"],
  [["connect", "host:1", "--port", "2"], "two ports", "hint:"],
  [["connect", "host", "--on-exist", "ovrwrite"], "ovrwrite", "did you mean overwrite?"],
  [["connect", "host", "--timeout", "soon"], "soon", "hint:"],
  [["connect", "host", "-f", "script", "ls"], "--file", "hint:"],
];

Deno.test("a command line that is not understood is exit 2, with what is wrong and a hint on stderr", async (t) => {
  const all = await Promise.all(WRONG.map(([args]) => ask(...args)));
  for (const [i, [args, says, hint]] of WRONG.entries()) {
    await t.step(`tandem ${args.join(" ")}`, () => {
      const ended = all[i];
      if (ended === undefined) throw new Error("it did not run");
      assertCode(ended, 2);
      assertClearError(ended);
      assertEquals(ended.stdout, "");
      assertStringIncludes(ended.stderr, says);
      assertMatch(ended.stderr, /^ {2}hint: /m);
      assertStringIncludes(ended.stderr, hint);
    });
  }
});
