/**
 * `connect HOST ls`, `cat`, `cd` and `pwd`: what was asked for on stdout, and
 * nothing else there.
 *
 * @module
 */

import { join } from "node:path";
import { assertEquals, assertMatch, assertNotMatch } from "../deps.ts";
import { answersList, answersQuit } from "../client/scripted_server.ts";
import { assertCode, IS_UNIX, linesOf, run, tandem } from "./program.ts";
import { ODD_FILES } from "./odd_files.ts";
import { place, someBytes } from "./place.ts";
import { connectToScript, foundOut } from "./plain_script.ts";

Deno.test("ls prints the names, one a line, and nothing else", async () => {
  await using shared = place({ ...ODD_FILES, "sub/b.txt": "b", "hollow/": "" });
  const ended = await shared.connect(["ls"]);
  assertCode(ended, 0);
  const names = linesOf(ended.stdout).map((name) => name.replace(/\/$/, ""));
  assertEquals(names.sort(), [...Object.keys(ODD_FILES), "sub", "hollow"].sort());
  assertEquals(ended.stderr, "");
});

Deno.test("ls PATH lists that folder, and nothing where it is empty", async () => {
  await using shared = place({ "a.txt": "a", "sub/b.txt": "b", "sub/deep/c.txt": "c", "hollow/": "" });
  const [sub, slash, deep, root, up, hollow] = await Promise.all(
    ["sub", "sub/", "/sub/./deep", "/", "sub/..", "hollow"].map((path) => shared.connect(["ls", path])),
  );
  assertEquals(linesOf(sub?.stdout ?? ""), ["b.txt", "deep/"]);
  assertEquals(slash?.stdout, sub?.stdout);
  assertEquals(deep?.stdout, "c.txt\n");
  assertEquals(linesOf(root?.stdout ?? ""), ["a.txt", "hollow/", "sub/"]);
  assertEquals(up?.stdout, root?.stdout);
  assertEquals([hollow?.stdout, hollow?.code, hollow?.stderr], ["", 0, ""]);
});

Deno.test("ls -l prints permissions, size, time and name, of which a plain server tells only kind and name", async () => {
  await using shared = place({ "with space": "twelve bytes", "sub/b": "b" });
  const changed = new Date("2021-02-03T04:05:06.789Z");
  for (const [name, mode] of [["with space", 0o640], ["sub", 0o755]] as const) {
    if (IS_UNIX) Deno.chmodSync(`${shared.root}/${name}`, mode);
    Deno.utimeSync(`${shared.root}/${name}`, changed, changed);
  }
  const [tandem, recursive, plain] = await Promise.all([
    shared.connect(["ls", "-l"]),
    shared.connect(["ls", "-lR"]),
    shared.connect(["--plain", "ls", "-l"]),
  ]);
  assertCode(tandem, 0);
  const rights = IS_UNIX ? ["drwxr-xr-x", "-rw-r-----"] : ["d\\S*", "-\\S*"];
  const [dir = "", regular = "", ...none] = linesOf(tandem.stdout);
  assertEquals(none, []);
  assertMatch(dir, new RegExp(`^${rights[0]} +-? 2021-02-03T04:05:06Z sub/$`));
  assertMatch(regular, new RegExp(`^${rights[1]} +12 2021-02-03T04:05:06Z with space$`));
  assertEquals(linesOf(recursive.stdout).filter((line) => !line.endsWith("sub/b")), [dir, regular]);
  const { stdout } = plain;
  const [folder = "", file = "", ...more] = linesOf(stdout);
  assertEquals(more, []);
  assertMatch(folder, /^d.* sub\/?$/);
  assertMatch(file, /^-.* with space$/);
  assertEquals(folder.indexOf("sub"), file.indexOf("with space"), stdout);
});

Deno.test("ls -R prints the folders below as well, with the path to each name", async () => {
  await using shared = place({ "a": "", "sub/b": "", "sub/deep/c": "", "hollow/": "" });
  const [all, sub, long] = await Promise.all(
    [["-R"], ["-R", "sub"], ["-lR"]].map((args) => shared.connect(["ls", ...args])),
  );
  assertEquals(linesOf(all?.stdout ?? "").sort(), ["a", "hollow/", "sub/", "sub/b", "sub/deep/", "sub/deep/c"]);
  assertEquals(linesOf(sub?.stdout ?? "").sort(), ["b", "deep/", "deep/c"]);
  assertEquals(linesOf(long?.stdout ?? "").length, 6);
  assertMatch(long?.stdout ?? "", /^-.* sub\/deep\/c$/m);
});

Deno.test("K1 ls -R goes into no folder that a server calls . or a way back to it", async () => {
  const ended = await connectToScript(
    [...foundOut("ls", answersList("./\na\n//\n")), ...answersQuit()],
    ["ls", "-R"],
  );
  assertCode(ended, 0);
  assertEquals(linesOf(ended.stdout), ["./", "a", "//"]);
});

Deno.test("cat writes the bytes of files to stdout, one after the other, and nothing else", async () => {
  const bytes = someBytes(700_000);
  await using shared = place({ "a.bin": bytes, "empty": "", "sub/b": "b\r\n\x1b[31m\0" });
  const [one, three, dashed] = await Promise.all([
    shared.connect(["cat", "a.bin"]),
    shared.connect(["cat", "sub/b", "empty", "sub/b"]),
    shared.connect(["get", "a.bin", "-"]),
  ]);
  assertCode(one, 0);
  assertEquals(one.stdoutBytes, bytes);
  assertEquals(three.stdout, "b\r\n\x1b[31m\0b\r\n\x1b[31m\0");
  assertEquals(dashed.stdoutBytes, bytes);
  for (const { stderr } of [one, three, dashed]) assertNotMatch(stderr, /[%\r]/);
});

Deno.test("cd, pwd, lcd, lpwd and lls work in a session", async () => {
  await using shared = place({ "sub/deep/c.txt": "c" });
  Deno.mkdirSync(`${shared.here}/down/below`, { recursive: true });
  Deno.writeTextFileSync(`${shared.here}/down/x.txt`, "x");
  const script = [
    "pwd",
    "cd sub/deep",
    "pwd",
    "ls",
    "cd ..",
    "pwd",
    "cd",
    "pwd",
    "lcd down",
    "lpwd",
    "lls",
    "get sub/deep/c.txt",
    "lls",
    "put x.txt sub/",
    "ls sub",
  ];
  const ended = await shared.connect([], { stdin: script.join("\n") + "\n" });
  assertCode(ended, 0);
  assertEquals(linesOf(ended.stdout), [
    "/",
    "/sub/deep",
    "c.txt",
    "/sub",
    "/",
    join(shared.here, "down"),
    "below/",
    "x.txt",
    "below/",
    "c.txt",
    "x.txt",
    "deep/",
    "x.txt",
  ]);
});

Deno.test("tandem://HOST:PORT/PATH begins in that folder", async () => {
  await using shared = place({ "with space/deep/c.txt": "c", "a": "" });
  const connect = (path: string, ...args: string[]) =>
    run(tandem(["connect", `tandem://${shared.address}${path}`, ...args]));
  const [there, below, up, root] = await Promise.all([
    connect("/with%20space", "ls"),
    connect("/with%20space/deep/", "cat", "c.txt"),
    connect("/with%20space/deep", "ls", "/"),
    connect("", "ls"),
  ]);
  assertEquals(there.stdout, "deep/\n");
  assertEquals(below.stdout, "c");
  assertEquals(up.stdout, "a\nwith space/\n");
  assertEquals(root.stdout, up.stdout);
});

Deno.test("flags of connect are taken before and behind the host, and --port where the host has none", async () => {
  await using shared = place({ "a": "" });
  const port = String(shared.server.addr.port);
  const all = await Promise.all([
    ["-p", port, "127.0.0.1", "ls"],
    ["127.0.0.1", `--port=${port}`, "--plain", "ls"],
    ["-qp", port, "localhost", "--timeout", "5", "ls"],
    ["127.0.0.1", `-p${port}`, "--", "ls"],
  ].map((args) => run(tandem(["connect", ...args]))));
  for (const ended of all) {
    assertCode(ended, 0);
    assertEquals(ended.stdout, "a\n");
  }
});

Deno.test("-v tells on stderr where it is connected and how; -q tells nothing there", async () => {
  await using shared = place({ "a": "a" });
  await using plain = place({ "a": "a" }, { mode: "plain" });
  const [verbose, forced, found, quiet] = await Promise.all([
    shared.connect(["-v", "ls"]),
    shared.connect(["-v", "--plain", "ls"]),
    plain.connect(["-v", "ls"]),
    shared.connect(["-q", "get", "a"]),
  ]);
  assertEquals(verbose.stderr, `connected to ${shared.address}, tandem exchange\n`);
  assertEquals(forced.stderr, `connected to ${shared.address}, plain exchange\n`);
  assertEquals(found.stderr, `connected to ${plain.address}, plain exchange\n`);
  for (const { stdout } of [verbose, forced, found]) assertEquals(stdout, "a\n");
  assertEquals([quiet.code, quiet.stdout, quiet.stderr], [0, "", ""]);
});
