/**
 * `*`, `?` and `[…]` in names, as a shell has them, on both sides: for `get`,
 * `put`, `ls`, `cat`, `stat`, `hash` and `rm`, in both exchanges.
 *
 * @module
 */

import { assertEquals, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, assertFails, IS_UNIX, linesOf } from "./program.ts";
import { assertFiles, type Files, type Place, place, textFiles, writeFiles } from "./place.ts";

const FILES: Files = {
  "a1.txt": "1\n",
  "a2.txt": "2\n",
  "a10.txt": "10\n",
  "b.md": "b\n",
  "with space.txt": "space\n",
  "-dash.txt": "dash\n",
  ".hidden.txt": "hidden\n",
  "s1/x.txt": "s1x\n",
  "s1/.y.txt": "s1y\n",
  "s2/x.txt": "s2x\n",
  "s2/z.txt": "s2z\n",
  "s.file": "no folder\n",
  ".dot/x.txt": "dot\n",
};

/** Each pattern, and what a POSIX shell makes of it. */
const PATTERNS: readonly (readonly [string, readonly string[]])[] = [
  ["a?.txt", ["a1.txt", "a2.txt"]],
  ["a*.txt", ["a1.txt", "a10.txt", "a2.txt"]],
  ["a[13-9]*", ["a1.txt", "a10.txt"]],
  ["a[!1].txt", ["a2.txt"]],
  ["*.txt", ["-dash.txt", "a1.txt", "a10.txt", "a2.txt", "with space.txt"]],
  ["w*h sp*", ["with space.txt"]],
  [".h*", [".hidden.txt"]],
  ["s*/*.txt", ["s1/x.txt", "s2/x.txt", "s2/z.txt"]],
  ["s1/*", ["s1/x.txt"]],
  ["s1/.*", ["s1/.y.txt"]],
  ["*/z.txt", ["s2/z.txt"]],
  ["s*/z.txt", ["s2/z.txt"]],
  [".d*/*", [".dot/x.txt"]],
  ["/s2/[xz]*", ["s2/x.txt", "s2/z.txt"]],
  ["./a[2].txt", ["a2.txt"]],
];

/** Patterns that match nothing. */
const NOTHING = ["*.none", "s*/none*", "none/*", "b.md/*", "a[3]*", "[A-B].md", "*x*y*", "a{1,2}.txt", "s*/none.txt"];

function isPattern(word: string): boolean {
  return /[*?[]/.test(word);
}

/** Runs lines in one session; of each that fails, the line and the code of its error. */
async function codesOf(shared: Place, flags: readonly string[], lines: readonly string[]): Promise<string[]> {
  const ended = await shared.connect([...flags, "--json"], { stdin: lines.map((line) => `-${line}\n`).join("") });
  const errors = linesOf(ended.stdout).map((line) => JSON.parse(line)).filter(({ event }) => event === "error");
  return errors.map(({ command, code }) => `${command}: ${code}`);
}

for (const mode of ["tandem", "plain"] as const) {
  const flags = mode === "plain" ? ["--plain"] : ["--require-tandem"];

  Deno.test(`a pattern stands for the remote names that a shell would take, in the ${mode} exchange`, async () => {
    await using shared = place(FILES);
    for (
      const [command, of] of [["ls", (name: string) => `${name}\n`], ["cat", (name: string) => FILES[name]]] as const
    ) {
      const script = PATTERNS.map(([pattern]) => `${command} -- '${pattern}'\npwd\n`).join("");
      const ended = await shared.connect(flags, { stdin: script });
      assertCode(ended, 0);
      const answers = ended.stdout.split("/\n").slice(0, -1);
      const expected = PATTERNS.map(([, names]) => names.map(of).join(""));
      assertEquals(answers.length, expected.length, ended.stdout);
      for (const [i, text] of expected.entries()) assertEquals(answers[i], text, `${command} ${PATTERNS[i]?.[0]}`);
    }
  });

  Deno.test(`a pattern that nothing matches is not found, in the ${mode} exchange: exit 4`, async () => {
    await using shared = place({ ...FILES });
    writeFiles(shared.here, FILES);
    const lines = NOTHING.flatMap((pattern) => [`ls '${pattern}'`, `get '${pattern}'`, `get -r '${pattern}' .`]);
    assertEquals(await codesOf(shared, flags, lines), lines.map((line) => `${line}: not-found`));
    const words = await shared.connect([...flags, "cat", "*.none"]);
    assertFails(words, 4, "*.none");
    assertFiles(shared.here, FILES as Record<string, string>);
  });

  Deno.test(`get takes patterns; several files need a folder, in the ${mode} exchange`, async () => {
    await using shared = place(FILES);
    writeFiles(shared.here, { "into/": "", file: "kept" });
    assertFails(await shared.connect([...flags, "get", "a*.txt", "new"]), 2, "new");
    assertFails(await shared.connect([...flags, "get", "a*.txt", "file"]), 2, "file");
    assertFiles(shared.here, { "into/": "", file: "kept" });
    assertCode(await shared.connect([...flags, "get", "a*.txt", "b.m?", "into"]), 0);
    assertCode(await shared.connect([...flags, "get", "s2/z*"]), 0);
    assertCode(await shared.connect([...flags, "get", "w*", "one.txt"]), 0);
    assertFiles(shared.here, {
      "into/a1.txt": "1\n",
      "into/a2.txt": "2\n",
      "into/a10.txt": "10\n",
      "into/b.md": "b\n",
      "z.txt": "s2z\n",
      "one.txt": "space\n",
      file: "kept",
    });
  });

  Deno.test(`get -r takes folders by a pattern, in the ${mode} exchange`, async () => {
    await using shared = place(FILES);
    writeFiles(shared.here, { "into/": "" });
    assertCode(await shared.connect([...flags, "get", "-r", "s?", "into"]), 0);
    assertFiles(shared.here, {
      "into/s1/x.txt": "s1x\n",
      "into/s1/.y.txt": "s1y\n",
      "into/s2/x.txt": "s2x\n",
      "into/s2/z.txt": "s2z\n",
    });
  });

  Deno.test(`put takes patterns; several files need a folder, in the ${mode} exchange`, async () => {
    await using shared = place({ "into/": "", file: "kept" });
    writeFiles(shared.here, FILES);
    for (const target of ["new", "file"]) {
      assertFails(await shared.connect([...flags, "put", "a*.txt", target]), 2, target);
    }
    assertFiles(shared.root, { "into/": "", file: "kept" });
    assertCode(await shared.connect([...flags, "put", "a?.txt", "[b].md", "*dash*", "into"]), 0);
    assertCode(await shared.connect([...flags, "put", "s2/z*"]), 0);
    assertCode(await shared.connect([...flags, "put", `${shared.here}/w*`, "one.txt"]), 0);
    assertCode(await shared.connect([...flags, "put", "*/z.txt", "two.txt"]), 0);
    assertFiles(shared.root, {
      "into/a1.txt": "1\n",
      "into/a2.txt": "2\n",
      "into/b.md": "b\n",
      "into/-dash.txt": "dash\n",
      "z.txt": "s2z\n",
      "one.txt": "space\n",
      "two.txt": "s2z\n",
      file: "kept",
    });
    const lines = NOTHING.filter(isPattern).map((pattern) => `put '${pattern}' into`);
    assertEquals(await codesOf(shared, flags, lines), lines.map((line) => `${line}: not-found`));
  });

  Deno.test({
    name: `a name that exists exactly as it was typed is itself and no pattern, in the ${mode} exchange`,
    ignore: !IS_UNIX,
    async fn() {
      const files = {
        "a*": "star\n",
        "ab": "b\n",
        "[x].txt": "brackets\n",
        "x.txt": "x\n",
        "?/f": "f\n",
        "q/f": "q\n",
      };
      await using shared = place(files);
      for (const [word, text] of [["a*", "star\n"], ["[x].txt", "brackets\n"], ["?/f", "f\n"], ["?/*", "f\n"]]) {
        const cat = await shared.connect([...flags, "cat", word ?? ""]);
        assertCode(cat, 0);
        assertEquals(cat.stdout, text, word);
      }
      writeFiles(shared.here, { ...files, "into/": "" });
      Deno.mkdirSync(`${shared.root}/into`);
      for (const command of ["put", "get"]) {
        assertCode(await shared.connect([...flags, command, "a*", "[x].txt", "?/f", "into"]), 0);
      }
      for (const folder of [shared.root, shared.here]) {
        assertFiles(`${folder}/into`, { "a*": "star\n", "[x].txt": "brackets\n", f: "f\n" });
      }
    },
  });

  Deno.test(`the last name of get and put is no pattern, in the ${mode} exchange`, async () => {
    await using shared = place({ "one.txt": "1" });
    writeFiles(shared.here, { "two.txt": "2" });
    assertCode(await shared.connect([...flags, "get", "one.txt", "[t]wo.txt"]), 0);
    assertCode(await shared.connect([...flags, "put", "two.txt", "[o]ne.txt"]), 0);
    assertFiles(shared.root, { "one.txt": "1", "[o]ne.txt": "2" });
    assertFiles(shared.here, { "two.txt": "2", "[t]wo.txt": "1" });
  });
}

Deno.test({
  name: "ls of a folder that is called like a pattern lists what is in it",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = place({ "album [2019]/one": "", "album [2019]/two": "", "album 2": "" });
    for (const flags of [[], ["--plain"]]) {
      const ended = await shared.connect([...flags, "ls", "album [2019]"]);
      assertCode(ended, 0);
      assertEquals(linesOf(ended.stdout), ["one", "two"]);
    }
  },
});

Deno.test("ls of a pattern shows folders with their sign, details with -l, and with -R what is below", async () => {
  await using shared = place(FILES);
  const [short, long, json, below] = await Promise.all([
    shared.connect(["ls", "s*"]),
    shared.connect(["ls", "-l", "s*"]),
    shared.connect(["--json", "ls", "s*/*"]),
    shared.connect(["ls", "-R", "s*"]),
  ]);
  assertEquals(linesOf(short.stdout), ["s.file", "s1/", "s2/"]);
  assertEquals(linesOf(long.stdout).map((line) => line.split(" ").at(-1)), ["s.file", "s1/", "s2/"]);
  const entries = linesOf(json.stdout).map((line) => JSON.parse(line)).filter(({ event }) => event === "entry");
  assertEquals(entries.map(({ name }) => name), ["s1/x.txt", "s2/x.txt", "s2/z.txt"]);
  for (const name of ["s1/x.txt", "s2/x.txt", "s2/z.txt", "s.file"]) assertStringIncludes(below.stdout, name);
});

Deno.test("stat, hash and rm take patterns", async () => {
  await using shared = place(FILES);
  const stat = await shared.connect(["stat", "a?.txt", "s?"]);
  assertCode(stat, 0);
  const names = linesOf(stat.stdout).filter((line) => line.startsWith("name: "));
  assertEquals(names, ["name: a1.txt", "name: a2.txt", "name: s1", "name: s2"]);
  const hash = await shared.connect(["hash", "s*/x*", "b.md"]);
  assertCode(hash, 0);
  assertEquals(linesOf(hash.stdout).map((line) => line.slice(66)), ["s1/x.txt", "s2/x.txt", "b.md"]);
  for (const command of ["stat", "hash", "rm"]) assertFails(await shared.connect([command, "*.none"]), 4, "*.none");
  // A pattern among several that matches nothing: nothing is removed for it.
  assertFails(await shared.connect(["rm", "a*", "*.none"]), 4, "*.none");
  assertFiles(shared.root, FILES as Record<string, string>);
  assertCode(await shared.connect(["rm", "a*", "s*/x.txt"]), 0);
  // Folders stay without -r, hidden names without a dot.
  const ended = await shared.connect(["rm", "s*"]);
  assertCode(ended, 9);
  assertClearError(ended);
  assertCode(await shared.connect(["rm", "-r", "s?", "*.md"]), 0);
  const left = { "-dash.txt": "dash\n", ".dot/x.txt": "dot\n", ".hidden.txt": "hidden\n", "with space.txt": "space\n" };
  assertFiles(shared.root, left);
});

Deno.test({
  name: "rm of a name that exists exactly as it was typed removes that alone",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = place({ "*": "star", "a": "a", "b/c": "c", "[a]": "brackets" });
    assertCode(await shared.connect(["rm", "-r", "*", "[a]"]), 0);
    assertFiles(shared.root, { a: "a", "b/c": "c" });
  },
});

Deno.test({
  name: "mkdir and mv take a pattern as the name that it is",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = place({ "ab/": "", "file": "f" });
    assertCode(await shared.connect(["mkdir", "a*", "[b]?"]), 0);
    assertCode(await shared.connect(["mkdir", "-p", "a*/c?"]), 0);
    assertCode(await shared.connect(["mv", "file", "f*"]), 0);
    assertFiles(shared.root, { "a*/c?/": "", "ab/": "", "[b]?/": "", "f*": "f" });
  },
});

Deno.test("patterns count from the folders that one is in, on both sides", async () => {
  await using shared = place(FILES);
  writeFiles(shared.here, { "l/p1": "p", "l/p2": "p", "l/into/": "" });
  const script =
    "cd s2\nls *.txt\nls ../a?.txt\nlcd l\nget * into\nget ../b* .\nput p? .\nput ../l/p1 p3\nrm 'p[12]'\n";
  const ended = await shared.connect([], { stdin: script });
  assertCode(ended, 0);
  assertEquals(linesOf(ended.stdout), ["x.txt", "z.txt", "../a1.txt", "../a2.txt"]);
  assertFiles(`${shared.here}/l`, { p1: "p", p2: "p", "b.md": "b\n", "into/x.txt": "s2x\n", "into/z.txt": "s2z\n" });
  assertEquals(textFiles(`${shared.root}/s2`), { p3: "p", "x.txt": "s2x\n", "z.txt": "s2z\n" });
});

Deno.test("patterns do not lead out of the shared folder", async () => {
  await using shared = place({ "s/a": "a" });
  writeFiles(shared.here, { outside: "x" });
  for (const pattern of ["../*", "../../h*", "s/../../here/*"]) {
    for (const command of ["ls", "get", "rm", "cat"]) {
      const ended = await shared.connect([command, pattern]);
      assertCode(ended, 5);
      assertClearError(ended);
    }
  }
  // What stands behind a name is taken back by "..", as for any other path.
  assertCode(await shared.connect(["ls", "s/../s/*"]), 0);
  assertFiles(shared.here, { outside: "x" });
});

Deno.test({
  name:
    "put of a pattern goes through a folder that is a link, as a shell does, and finds names in a folder like a pattern",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = place();
    writeFiles(shared.here, { "real/a.txt": "a", "w[ork]/b.txt": "b", "r2": "file" });
    Deno.symlinkSync("real", `${shared.here}/r-link`);
    assertCode(await shared.connect(["put", "r-*/*.txt"]), 0);
    assertCode(await shared.connect(["put", "*.txt"], { cwd: `${shared.here}/w[ork]` }), 0);
    assertFiles(shared.root, { "a.txt": "a", "b.txt": "b" });
  },
});

Deno.test("patterns with backslashes and letters of regular expressions are only patterns", async () => {
  await using shared = place({ "a+b.txt": "1", "aab.txt": "2", "a(b).txt": "3", "axb_txt": "4", "a^$|.txt": "5" });
  const expected: readonly (readonly [string, readonly string[]])[] = [
    ["a+b*", ["a+b.txt"]],
    ["a(*).txt", ["a(b).txt"]],
    ["a?b.txt", ["a+b.txt", "aab.txt"]],
    ["a^$|*", ["a^$|.txt"]],
  ];
  for (const [pattern, names] of expected) {
    const ended = await shared.connect(["ls", pattern]);
    assertCode(ended, 0);
    assertEquals(linesOf(ended.stdout), [...names], pattern);
    assertNotMatch(ended.stderr, /./);
  }
  assertFails(await shared.connect(["ls", "[unclosed"]), 4);
});

Deno.test("braces are no pattern: in one they are letters", async () => {
  await using shared = place({ "a{1}.txt": "braces", "a1.txt": "1", "a2.txt": "2" });
  writeFiles(shared.here, { "into/": "" });
  const ended = await shared.connect(["ls", "a{1}*"]);
  assertCode(ended, 0);
  assertEquals(linesOf(ended.stdout), ["a{1}.txt"]);
});
