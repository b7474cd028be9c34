/**
 * `--include` and `--exclude` of `get -r` and `put -r`, `--dry-run`, and what is
 * meant by a folder that is called `.`, or ends with it.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { assertClearError, assertCode, assertFails, IS_UNIX, linesOf, run, tandem } from "./program.ts";
import { assertFiles, type Files, place, textFiles, writeFiles } from "./place.ts";

const TREE: Record<string, string> = {
  "a.txt": "a",
  "b.log": "b",
  "Makefile": "m",
  ".hidden.txt": "hidden",
  "sub/c.txt": "c",
  "sub/d.log": "d",
  "sub/build/e.txt": "e",
  "build/f.txt": "f",
  "build/deep/g.txt": "g",
  "rebuild/h.txt": "h",
};

/** Flags, and which files of the tree are meant. */
const CASES: readonly (readonly [readonly string[], readonly string[]])[] = [
  [["--include", "*.txt"], Object.keys(TREE).filter((name) => name.endsWith(".txt"))],
  [["--include=*.log", "--include", "Makefile"], ["b.log", "Makefile", "sub/d.log"]],
  [["--exclude", "*.txt"], ["b.log", "Makefile", "sub/d.log"]],
  [
    ["--exclude", "build"],
    ["a.txt", "b.log", "Makefile", ".hidden.txt", "sub/c.txt", "sub/d.log", "rebuild/h.txt"],
  ],
  [["--exclude", "build/"], ["a.txt", "b.log", "Makefile", ".hidden.txt", "sub/c.txt", "sub/d.log", "rebuild/h.txt"]],
  [["--exclude", "/build"], Object.keys(TREE).filter((name) => !name.startsWith("build"))],
  [["--exclude", "sub/build"], Object.keys(TREE).filter((name) => !name.startsWith("sub/build"))],
  [["--exclude", "sub/*.txt"], Object.keys(TREE).filter((name) => name !== "sub/c.txt")],
  [["--include", "sub/*.txt"], ["sub/c.txt"]],
  [["--include", "**/c.txt"], ["sub/c.txt"]],
  [["--include", "*.txt", "--exclude", "build", "--exclude", ".*"], ["a.txt", "sub/c.txt", "rebuild/h.txt"]],
  [["--include", "[a-c].*"], ["a.txt", "b.log", "sub/c.txt"]],
  [["--include", "?.log"], ["b.log", "sub/d.log"]],
  [["--exclude", "*"], []],
];

/** All cases as lines of one session: `tree` becomes `out0`, `out1`, … */
function script(command: string): string {
  return CASES.map(([flags], i) => `${command} ${flags.map((flag) => `'${flag}'`).join(" ")} tree out${i}\n`).join("");
}

/** The files of a folder, without folders that are empty. */
function filesOf(folder: string): string[] {
  return Object.keys(textFiles(folder)).filter((name) => !name.endsWith("/")).sort();
}

for (const mode of ["tandem", "plain"] as const) {
  Deno.test(`get -r with --include and --exclude fetches what they mean, in the ${mode} exchange`, async () => {
    await using shared = place(Object.fromEntries(Object.entries(TREE).map(([name, text]) => [`tree/${name}`, text])));
    assertCode(await shared.connect(mode === "plain" ? ["--plain"] : [], { stdin: script("get -r") }), 0);
    for (const [i, [flags, names]] of CASES.entries()) {
      assertEquals(filesOf(`${shared.here}/out${i}`), [...names].sort(), flags.join(" "));
    }
    // A folder that is left out is not made either.
    assertEquals([...Deno.readDirSync(`${shared.here}/out3`)].some(({ name }) => name === "build"), false);
  });
}

Deno.test("put -r with --include and --exclude stores what they mean", async () => {
  await using shared = place();
  writeFiles(shared.here, Object.fromEntries(Object.entries(TREE).map(([name, text]) => [`tree/${name}`, text])));
  assertCode(await shared.connect([], { stdin: script("put -r") }), 0);
  for (const [i, [flags, names]] of CASES.entries()) {
    assertEquals(filesOf(`${shared.root}/out${i}`), [...names].sort(), flags.join(" "));
  }
  assertEquals([...Deno.readDirSync(`${shared.root}/out3`)].some(({ name }) => name === "build"), false);
});

Deno.test("sync with --include and --exclude moves what they mean", async () => {
  await using shared = place();
  writeFiles(shared.here, Object.fromEntries(Object.entries(TREE).map(([name, text]) => [`tree/${name}`, text])));
  assertCode(await shared.connect([], { stdin: script("sync") }), 0);
  for (const [i, [flags, names]] of CASES.entries()) {
    assertEquals(filesOf(`${shared.root}/out${i}`), [...names].sort(), flags.join(" "));
  }
});

Deno.test({
  name: "filters take names as they are: braces, brackets that are escaped, and letters of regular expressions",
  ignore: !IS_UNIX,
  async fn() {
    const names = ["a{1,2}.txt", "a1.txt", "a[1].txt", "a+.txt", "aa.txt", "a.txt", "axtxt"];
    await using shared = place(Object.fromEntries(names.map((name) => [`t/${name}`, ""])));
    const cases: readonly (readonly [string, readonly string[]])[] = [
      ["a.txt", ["a.txt"]],
      ["a+.txt", ["a+.txt"]],
      ["a[[]1].txt", ["a[1].txt"]],
      ["a{1,2}.txt", ["a{1,2}.txt"]],
    ];
    for (const [i, [pattern, expected]] of cases.entries()) {
      assertCode(await shared.connect(["get", "-r", "--include", pattern, "t", `out${i}`]), 0);
      assertEquals(filesOf(`${shared.here}/out${i}`), [...expected].sort(), pattern);
    }
  },
});

Deno.test("a filter without a pattern, and one of a command that has none, are refused: exit 2", async () => {
  await using shared = place({ "t/a": "a" });
  for (const args of [["get", "-r", "t", "--include"], ["get", "-r", "--exclude=", "t"], ["ls", "--include", "x"]]) {
    assertFails(await shared.connect(args), 2);
  }
  assertFiles(shared.here, {});
});

Deno.test("filters are about what is in folders: a file that was named is moved", async () => {
  await using shared = place({ "a.txt": "a", "t/b.txt": "b" });
  writeFiles(shared.here, { "c.txt": "c" });
  assertCode(await shared.connect(["get", "-r", "--exclude", "*.txt", "a.txt", "t", "."]), 0);
  assertCode(await shared.connect(["put", "--exclude", "*.txt", "c.txt"]), 0);
  assertFiles(shared.here, { "a.txt": "a", "c.txt": "c", "t/": "" });
  assertFiles(shared.root, { "a.txt": "a", "c.txt": "c", "t/b.txt": "b" });
});

Deno.test("get --dry-run and put --dry-run tell what would be moved where, and move nothing", async () => {
  const shared_ = { "t/a.txt": "a", "t/s/b.txt": "b", "t/hollow/": "", "t/c.log": "c", x: "x" };
  const own = { "u/d.txt": "d", "u/s/e.txt": "e", "u/hollow/": "", y: "y" };
  await using shared = place(shared_);
  writeFiles(shared.here, own);
  const cases: readonly (readonly [readonly string[], readonly string[]])[] = [
    [["get", "-r", "t"], ["t/a.txt", "t/c.log", "t/s/b.txt"]],
    [["get", "-r", "--exclude", "*.log", "t"], ["t/a.txt", "t/s/b.txt"]],
    [["get", "x"], ["x"]],
    [["put", "-r", "u"], ["u/d.txt", "u/s/e.txt"]],
    [["put", "-r", "--include", "d*", "u"], ["u/d.txt"]],
    [["put", "y", "z"], ["y"]],
    [["put", "u/*.txt", "y", "t"], ["u/d.txt", "y"]],
  ];
  for (const [[command = "", ...args], names] of cases) {
    for (const flags of [["--dry-run"], ["-n"], ["--plain"]]) {
      const words = flags[0] === "--plain" ? ["--plain", command, "-n", ...args] : [command, ...flags, ...args];
      const ended = await shared.connect(words);
      assertCode(ended, 0);
      const sources = linesOf(ended.stdout).map((line) => line.split(" -> ")[0] ?? "").sort();
      assertEquals(sources.length, names.length, ended.stdout);
      for (const [i, name] of names.entries()) assertEquals(sources[i]?.endsWith(name), true, ended.stdout);
      assertNotMatch(ended.stderr, /stored|fetched|sent/);
    }
  }
  assertFiles(shared.root, shared_);
  assertFiles(shared.here, own);
});

Deno.test("--dry-run of what is not there fails as the command does", async () => {
  await using shared = place();
  for (
    const args of [["get", "-n", "none*"], ["get", "-n", "none"], ["put", "-n", "none*"], ["get", "-n", "-r", "none"]]
  ) {
    const ended = await shared.connect(args);
    assertCode(ended, 4);
    assertClearError(ended);
  }
});

/** What is in a folder that is moved as `.` or as itself. */
const DOTS: Files = { ".rc": "rc", "a b": "ab", "s/c": "c", "s/hollow/": "" };

/** The same, below a folder. */
function below(folder: string, files: Files = DOTS): Record<string, string> {
  return Object.fromEntries(Object.entries(files).map(([name, text]) => [folder + name, String(text)]));
}

Deno.test("put -r of a folder that ends with . means what is in it, as cp -r has it", async () => {
  // As typed, the folder it is typed in, and where the files go; "box" exists and "new" does not.
  const cases: readonly (readonly [readonly string[], string, string])[] = [
    [[".", "box"], "dir", "box/"],
    [["dir/.", "box"], "", "box/"],
    [["./dir/./", "box"], "", "box/"],
    [["..", "box"], "dir/s", "box/"],
    [["dir", "box"], "", "box/dir/"],
    [["dir/", "box"], "", "box/dir/"],
    [["dir", "box/"], "", "box/dir/"],
    [["./dir", "box/."], "", "box/dir/"],
    [["dir/.", "new"], "", "new/"],
    [["dir", "new"], "", "new/"],
    [["."], "dir", ""],
    [["dir/."], "", ""],
    [["dir"], "", "dir/"],
    [[".", "/"], "dir", ""],
    [[".", "."], "dir", ""],
  ];
  for (const [words, cwd, folder] of cases) {
    await using shared = place({ "box/kept": "k" });
    writeFiles(shared.here, below("dir/"));
    assertCode(await shared.connect(["put", "-r", ...words], { cwd: `${shared.here}/${cwd}` }), 0);
    assertEquals(textFiles(shared.root), { ...below(folder), "box/kept": "k" }, words.join(" "));
  }
});

for (const mode of ["tandem", "plain"] as const) {
  Deno.test(`get -r of a folder that ends with . means what is in it, in the ${mode} exchange`, async () => {
    const cases: readonly (readonly [string, readonly string[], string])[] = [
      ["dir", [".", "box"], "box/"],
      ["", ["dir/.", "box"], "box/"],
      ["dir/s", ["..", "box"], "box/"],
      ["", ["dir", "box"], "box/dir/"],
      ["", ["dir/", "box/"], "box/dir/"],
      ["", ["dir/.", "new"], "new/"],
      ["", ["dir", "new"], "new/"],
      ["", ["dir", "new/"], "new/"],
      ["dir", ["."], ""],
      ["", ["dir/."], ""],
      ["", ["dir"], "dir/"],
    ];
    for (const [folder, words, into] of cases) {
      await using shared = place(below("dir/"));
      writeFiles(shared.here, { "box/kept": "k" });
      const url = `tandem://${shared.address}/${folder}`;
      const flags = mode === "plain" ? ["--plain"] : [];

      const ended = await run(tandem(["connect", ...flags, url, "get", "-r", ...words]), { cwd: shared.here });
      assertCode(ended, 0);
      assertEquals(textFiles(shared.here), { ...below(into), "box/kept": "k" }, `${folder}: ${words.join(" ")}`);
    }
  });
}

Deno.test("put . without -r is refused, and several folders need one to go to", async () => {
  await using shared = place();
  writeFiles(shared.here, { "a/x": "x", "b/y": "y" });
  const ended = await shared.connect(["put", ".", "box"]);
  assertCode(ended, 1);
  assertClearError(ended);
  assertMatch(ended.stderr, /^tandem: /m);
  assertFails(await shared.connect(["put", "-r", "a", "b", "new"]), 2);
  assertFails(await shared.connect(["put", "-r", "a/.", "b/.", "new"]), 2);
  assertFiles(shared.root, {});
  await shared.connect(["mkdir", "new"]);
  const both = await shared.connect(["put", "-r", "a/.", "b/.", "new"]);
  assertCode(both, 0);
  assertStringIncludes(both.stderr, "x");
  assertFiles(shared.root, { "new/x": "x", "new/y": "y" });
});
