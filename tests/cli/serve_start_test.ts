/**
 * How `serve` begins: its first line, what people get to read, and what it
 * refuses to begin with.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertClearError, assertCode, assertFails, linesOf, NARROW, run, startServe, tandem } from "./program.ts";
import { textFiles, writeFiles } from "./place.ts";

/** The rights to listen where others reach it. */
const OPEN = ["--no-prompt", "--allow-net", "--allow-read", "--allow-write"];

/** The names that a server on this machine lists. */
async function listNames(port: number, hostname = "127.0.0.1"): Promise<string[]> {
  await using client = await connect({ hostname, port });
  return (await Array.fromAsync(client.list())).map(({ name }) => name);
}

Deno.test("serve says where it listens in its first line, and nothing else on stdout", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { a: "" });
  await using server = await startServe(tandem(["serve", "--port", "0", folder.path]));
  assertMatch(server.firstLine, /^listening 127\.0\.0\.1:[1-9][0-9]*$/);
  assertEquals(await listNames(server.port), ["a"]);
  const told = await server.process.stderr.until(/connect .*\n/);
  assertStringIncludes(told, `tandem connect ${server.address}`);
  assertStringIncludes(told, "read-only");
  server.process.kill("SIGTERM");
  const ended = await server.process.ended();
  assertCode(ended, 0);
  assertEquals(linesOf(ended.stdout), [server.firstLine]);
});

Deno.test("serve --json says the same as JSON, and shares the current folder", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { here: "" });
  await using server = await startServe(tandem(["serve", "-p0", "--json"]), { cwd: folder.path });
  const { event, hostname, port, ...more } = JSON.parse(server.firstLine);
  assertEquals([event, hostname, typeof port, more], ["listening", "127.0.0.1", "number", {}]);
  assertEquals(await listNames(port), ["here"]);
});

Deno.test("serve -q writes nothing to stderr", async () => {
  using folder = tempFolder();
  await using server = await startServe(tandem(["serve", "-qp0", folder.path]));
  assertMatch(server.firstLine, /^listening /);
  assertEquals(await listNames(server.port), []);
  server.process.kill("SIGTERM");
  assertEquals((await server.process.ended()).stderr, "");
});

Deno.test({
  name: "serve --host ::1 writes the address in brackets",
  ignore: !hasIpv6(),
  async fn() {
    using folder = tempFolder();
    writeFiles(folder.path, { six: "" });
    // The narrow rights have no IPv6 address.
    await using server = await startServe(tandem(["serve", "-p0", "--host", "::1", "--write", folder.path], OPEN));
    assertMatch(server.firstLine, /^listening \[::1\]:[0-9]+$/);
    assertEquals(await listNames(server.port, "::1"), ["six"]);
    const ended = await run(tandem(["connect", server.address, "ls"], OPEN));
    assertEquals([ended.code, ended.stdout], [0, "six\n"]);
  },
});

function hasIpv6(): boolean {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
}

interface Rights {
  readonly flags: readonly string[];
  /** The outcome of a put under a new name and of one under a name that is taken. */
  readonly puts: readonly ["stored" | "denied", "stored" | "denied" | "exists"];
  readonly after: Readonly<Record<string, string>>;
}

const RIGHTS: readonly Rights[] = [
  { flags: [], puts: ["denied", "denied"], after: { old: "old" } },
  { flags: ["--write"], puts: ["stored", "exists"], after: { old: "old", new: "new" } },
  { flags: ["--overwrite"], puts: ["stored", "stored"], after: { old: "new", new: "new" } },
  { flags: ["--write", "--overwrite"], puts: ["stored", "stored"], after: { old: "new", new: "new" } },
];

Deno.test("serve is read-only, lets add with --write, and change with --overwrite", async (t) => {
  const all = RIGHTS.map(async ({ flags }) => {
    using folder = tempFolder();
    writeFiles(folder.path, { old: "old" });
    await using server = await startServe(tandem(["serve", "-qp0", ...flags, folder.path]));
    await using client = await connect({ port: server.port });
    const outcome = (name: string) => client.put(name, "new").then(({ outcome }) => outcome, ({ code }) => code);
    return { puts: [await outcome("new"), await outcome("old")], after: textFiles(folder.path) };
  });
  await Promise.all(all);
  for (const [i, { flags, puts, after }] of RIGHTS.entries()) {
    const shown = flags.join(" ") || "without --write";
    await t.step(`${shown}: a put of a new name is ${puts[0]}, of a taken one ${puts[1]}`, async () => {
      assertEquals(await all[i], { puts: [...puts], after: { ...after } });
    });
  }
});

Deno.test("serve speaks both exchanges, or with --plain-only and --require-tandem one of them", async (t) => {
  const rows: readonly (readonly [flags: readonly string[], found: string, plain: string, tandem: string])[] = [
    [[], "tandem", "plain", "tandem"],
    [["--plain-only"], "plain", "plain", "unsupported"],
    // A connection that is closed without an answer may have any reason.
    [["--require-tandem"], "tandem", "connect", "tandem"],
  ];
  for (const [flags, ...expected] of rows) {
    await t.step(flags.join() || "no flag", async () => {
      using folder = tempFolder();
      await using server = await startServe(tandem(["serve", "-qp0", ...flags, folder.path]));
      const all = [[], ["--plain"], ["--require-tandem"]].map(async (choice) => {
        const ended = await run(tandem(["connect", "--json", server.address, ...choice, "ls"]));
        const lines = linesOf(ended.stdout).map((line) => JSON.parse(line));
        const code = lines.find(({ event }) => event === "error")?.code;
        return { exit: ended.code, outcome: code ?? lines[0]?.mode };
      });
      const exits: Readonly<Record<string, number>> = { unsupported: 7, connect: 3 };
      assertEquals(await Promise.all(all), expected.map((outcome) => ({ exit: exits[outcome] ?? 0, outcome })));
    });
  }
});

Deno.test("serve with --plain-only and --require-tandem is exit 2, and so is connect with --plain and --require-tandem", async () => {
  const [server, client] = await Promise.all([
    run(tandem(["serve", "-p0", "--plain-only", "--require-tandem"])),
    run(tandem(["connect", "--plain", "127.0.0.1", "--require-tandem", "ls"])),
  ]);
  for (const ended of [server, client]) assertFails(ended, 2, "--require-tandem", "exclude");
});

Deno.test("serve refuses to let anybody write who reaches it, and names the ways out", async () => {
  using folder = tempFolder();
  const unsafe = [
    ["--write", "--host", "0.0.0.0"],
    ["--overwrite", "--host", "0.0.0.0"],
    ["--write", "--host=::"],
    ["--write", "--host", "192.0.2.1"],
    ["--write", "--host", "127.0.0.1.example.org"],
    ["--write", "--host", "files.example.org"],
  ];
  const all = await Promise.all(unsafe.map((flags) => run(tandem(["serve", "-p0", ...flags, folder.path], OPEN))));
  for (const [i, ended] of all.entries()) {
    assertCode(ended, 2);
    assertClearError(ended);
    assertEquals(ended.stdout, "", unsafe[i]?.join(" "));
    for (const way of ["--allow-anonymous-write", "--host 127.0.0.1"]) assertStringIncludes(ended.stderr, way);
  }
});

Deno.test("serve starts where it is safe, or where it was told that it is wanted", async () => {
  using folder = tempFolder();
  const safe: readonly (readonly [flags: readonly string[], listens: RegExp])[] = [
    [["--write", "--host", "localhost"], /^listening (127\.0\.0\.1|\[::1\]):/],
    [["--overwrite", "--host", "127.0.0.1"], /^listening 127\.0\.0\.1:/],
    [["--host", "0.0.0.0"], /^listening 0\.0\.0\.0:/],
    [["--write", "--host", "0.0.0.0", "--allow-anonymous-write"], /^listening 0\.0\.0\.0:/],
    [["--plain-only", "-v"], /^listening 127\.0\.0\.1:/],
  ];
  await Promise.all(safe.map(async ([flags, listens]) => {
    await using server = await startServe(tandem(["serve", "-p0", ...flags, folder.path], OPEN));
    assertMatch(server.firstLine, listens);
  }));
});

Deno.test("serve of a folder that is not there, or is none, says which and does not begin", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { file: "" });
  const [missing, file, noRight] = await Promise.all([
    run(tandem(["serve", "-p0", `${folder.path}/none`])),
    run(tandem(["serve", "-p0", `${folder.path}/file`])),
    run(tandem(["serve", "-p0", folder.path], ["--no-prompt", "--allow-net=127.0.0.1"])),
  ]);
  for (const ended of [missing, file, noRight]) {
    assertClearError(ended);
    assertEquals(ended.stdout, "");
    assertStringIncludes(ended.stderr, folder.path);
  }
  assertCode(missing, 4);
  assertCode(file, 1);
  assertCode(noRight, 5);
  assertStringIncludes(noRight.stderr, "--allow-read");
});

Deno.test("serve on a port that is taken is exit 3, with a hint", async () => {
  using folder = tempFolder();
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const ended = await run(tandem(["serve", "--port", String(listener.addr.port), folder.path]));
  assertCode(ended, 3);
  assertClearError(ended);
  assertStringIncludes(ended.stderr, String(listener.addr.port));
  assertMatch(ended.stderr, /hint: .*--port/);
  assertEquals(ended.stdout, "");
});

const BAD_VALUES = [
  "--port 65536",
  "--port=-1",
  "--port http",
  "--port 2121.5",
  "--host=",
  "--data-ports 5000",
  "--data-ports 5001-5000",
  "--data-ports 0-5000",
  "--data-ports 70000-70001",
  "--data-ports 5000-",
  "--max-sessions 0",
  "--max-sessions many",
  "--max-per-ip 0",
  "--max-file 1.5G",
  "--max-file=-1",
  "--min-free 10%",
  "--idle-timeout 0",
  "--idle-timeout 5m",
  "--stall-timeout=-1",
  "--rate 0",
  "--rate fast",
  "--log xml",
  "--write=yes",
  "--write --write",
];

Deno.test("serve refuses bad values with exit 2, names the flag, and does not begin", async (t) => {
  using folder = tempFolder();
  const all = BAD_VALUES.map((flags) => run(tandem(["serve", "-p0", ...flags.split(" "), folder.path])));
  await Promise.all(all);
  for (const [i, flags] of BAD_VALUES.entries()) {
    await t.step(flags, async () => {
      const ended = await all[i];
      if (ended === undefined) throw new Error("it did not run");
      assertCode(ended, 2);
      assertClearError(ended);
      assertEquals(ended.stdout, "");
      assertStringIncludes(ended.stderr, /^--[a-z-]+/.exec(flags)?.[0] ?? "");
    });
  }
});

Deno.test("serve writes no escape sequences where nobody looks at a terminal", async () => {
  using folder = tempFolder();
  await using server = await startServe(tandem(["serve", "-p0", "-v", folder.path], NARROW));
  await listNames(server.port);
  await server.process.stderr.until(/session-closed/);
  // deno-lint-ignore no-control-regex
  assertNotMatch(server.firstLine + server.process.stderr.text, /[\0-\x09\x0b-\x1f\x7f-\x9f]/);
});
