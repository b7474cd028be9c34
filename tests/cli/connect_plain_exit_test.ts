/**
 * Exit codes and what leads to them, where the server speaks only the plain
 * exchange, in which it cannot say what was wrong: right ones, and broken ones.
 *
 * @module
 */

import { assertEquals, assertLess, assertNotEquals } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import {
  acceptsData,
  answers,
  closesControl,
  header,
  isLeft,
  sends,
  sendsOnControl,
  sendsPort,
  type Step,
  takesCommand,
} from "../client/scripted_server.ts";
import { assertClearError, assertCode, assertFails, run, tandem } from "./program.ts";
import { assertFiles, place, writeFiles } from "./place.ts";
import { connectToScript, foundOut } from "./plain_script.ts";

/** A server that speaks plain, and nothing of what the tandem exchange has. */
const PLAIN = { mode: "plain" } as const;

Deno.test("exit 4: a plain server does not have it, or does not say", async () => {
  await using shared = place({ "sub/a": "a" }, PLAIN);
  const commands = [["get", "none"], ["cat", "none"], ["ls", "none"], ["get", "sub"], ["get", "sub/none", "new"]];
  const all = await Promise.all(
    commands.flatMap((args) => [shared.connect(args), shared.connect(["--plain", ...args])]),
  );
  for (const ended of all) assertFails(ended, 4, "hint:");
  assertFails(await shared.connect([], { stdin: "cd none\n" }), 4, "none");
  assertEquals([...Deno.readDirSync(shared.here)], []);
});

Deno.test("exit 4: --zero-is-missing takes an empty file for one that is not there", async () => {
  await using shared = place({ empty: "", full: "full" }, PLAIN);
  const flags = ["--zero-is-missing", "get"];
  assertFails(await shared.connect([...flags, "empty"]), 4, "empty");
  assertEquals([...Deno.readDirSync(shared.here)], []);
  assertCode(await shared.connect([...flags, "full"]), 0);
  assertCode(await shared.connect(["get", "empty"]), 0);
  assertEquals(Deno.statSync(`${shared.here}/empty`).size, 0);
});

Deno.test("--zero-is-missing means nothing to a tandem server, which says what is missing", async () => {
  await using shared = place({ empty: "" });
  assertCode(await shared.connect(["--zero-is-missing", "get", "empty"]), 0);
  assertEquals(Deno.statSync(`${shared.here}/empty`).size, 0);
});

Deno.test("exit 5: a plain server that is read-only or only lets add, as far as that can be told", async () => {
  await using readOnly = place({ x: "old" }, { ...PLAIN, overwrite: false });
  await using addOnly = place({ x: "old" }, { ...PLAIN, overwrite: false, write: true });
  for (const { here } of [readOnly, addOnly]) writeFiles(here, { x: "new" });
  const [outside, denied, kept] = await Promise.all([
    readOnly.connect(["get", "../x"]),
    readOnly.connect(["put", "x", "y"]),
    addOnly.connect(["--on-exist", "overwrite", "put", "x"]),
  ]);
  assertFails(outside, 5, "../x");
  assertFails(denied, 5, "y", "hint:");
  assertFails(kept, 5, "x", "hint:");
  assertEquals(Deno.readTextFileSync(`${addOnly.root}/x`), "old");
});

Deno.test("exit 6: a plain server's listing is too large", async () => {
  const tooLarge = answers("ls", sends(header(16 * 1024 * 1024 + 1)), isLeft());
  assertFails(await connectToScript(foundOut("ls", tooLarge), ["ls"]), 6, "16777217");
});

Deno.test("a put that the server refuses once it knows the size is no success, however small the file is", async () => {
  await using shared = place({}, { ...PLAIN, limits: { maxFileBytes: 1_000 } });
  writeFiles(shared.here, { small: "x".repeat(1_001), large: new Uint8Array(20_000_000) });
  for (const name of ["large", "small"]) {
    const ended = await shared.connect(["put", name]);
    assertEquals([...Deno.readDirSync(shared.root)], []);
    assertNotEquals(ended.code, 0, `${name}: ${ended.stderr}`);
    assertClearError(ended);
  }
});

Deno.test("exit 7: what only a tandem peer can do, asked of a plain one", async (t) => {
  const commands = [
    ["stat", "x"],
    ["hash", "x"],
    ["mkdir", "-p", "new"],
    ["rm", "-r", "x"],
    ["mv", "x", "y"],
    ["ping"],
    ["get", "-c", "x"],
    ["put", "-c", "x", "new"],
    ["put", "-r", "sub", "new"],
  ];
  const required = [["ls"], ["get", "x", "other"], ["put", "x", "new"], ["stat", "x"], []];
  await using shared = place({ x: "x" }, PLAIN);
  await using both = place({ x: "x" });
  for (const { here } of [shared, both]) writeFiles(here, { x: "y", "sub/a": "a" });
  const all = [
    ...commands.map((args) => ({ shared, args })),
    ...commands.map((args) => ({ shared: both, args: ["--plain", ...args] })),
    ...required.map((args) => ({ shared, args: ["--require-tandem", ...args] })),
  ].map(({ shared, args }) => {
    return { args, ended: shared.connect(args, args.length === 1 ? { stdin: "ls\n" } : {}) };
  });
  await Promise.all(all.map(({ ended }) => ended));
  for (const { args, ended } of all) {
    await t.step(args.join(" "), async () => assertFails(await ended, 7, "tandem exchange"));
  }
  for (const { root, here } of [shared, both]) {
    assertFiles(root, { x: "x" });
    assertFiles(here, { x: "y", "sub/a": "a" });
  }
});

/** What no server should send. */
const BROKEN: Readonly<Record<string, readonly Step[]>> = {
  "a port that is no number": [takesCommand("get x"), sendsOnControl("not a port")],
  "port zero": [takesCommand("get x"), sendsOnControl(header(0))],
  "a port over 65535": [takesCommand("get x"), sendsOnControl(header(65_536))],
  "half a port": [takesCommand("get x"), sendsOnControl("00000"), closesControl()],
  "a size that is no number": answers("get x", sends("0x00000010", "content"), isLeft()),
  "a file that ends short": answers("get x", sends(header(100), "content")),
  "a file with more bytes than announced": answers("get x", sends(header(3), "content"), isLeft()),
  "a negative size": answers("get x", sends("-000000003", "abc"), isLeft()),
};

Deno.test("exit 7: the server breaks the protocol or breaks off, and no file is left", async (t) => {
  using folder = tempFolder();
  const all = Object.entries(BROKEN).map(([what, steps], i) => {
    const cwd = `${folder.path}/${i}`;
    Deno.mkdirSync(cwd);
    return { what, cwd, ended: connectToScript(foundOut("get x", steps), ["get", "x"], cwd) };
  });
  await Promise.all(all.map(({ ended }) => ended));
  for (const { what, cwd, ended } of all) {
    await t.step(what, async () => {
      assertFails(await ended, 7);
      assertEquals([...Deno.readDirSync(cwd)], []);
    });
  }
});

Deno.test("F7 exit 7: ten digits cannot say 10,000,000,000 bytes, and nothing is sent", async () => {
  const commands: string[] = [];
  await using shared = place({}, {
    ...PLAIN,
    onEvent: (event) => {
      if (event.event === "command") commands.push(event.command);
    },
  });
  {
    using file = Deno.createSync(`${shared.here}/sparse`);
    file.truncateSync(10_000_000_000);
  }
  const ended = await shared.connect(["put", "sparse"]);
  assertFails(ended, 7, "10000000000", "hint:");
  await shared.server.shutdown();
  assertEquals(commands.filter((command) => command.startsWith("put")), []);
});

const SILENT: Readonly<Record<string, readonly Step[]>> = {
  "instead of a size": [takesCommand("get x"), sendsPort(), acceptsData(), isLeft()],
  "within a file": answers("get x", sends(header(100), "content"), isLeft()),
};

Deno.test("exit 11: the server falls silent, and --timeout says how long that is waited for", async (t) => {
  for (const [when, steps] of Object.entries(SILENT)) {
    await t.step(when, async () => {
      using folder = tempFolder();
      const startedMs = performance.now();
      assertFails(
        await connectToScript(foundOut("get x", steps), ["--timeout", "0.3", "get", "x"], folder.path),
        11,
        "0.3 s",
      );
      assertLess(performance.now() - startedMs, 10_000);
      assertEquals([...Deno.readDirSync(folder.path)], []);
    });
  }
  await t.step("from the beginning", async () => {
    using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const words = tandem(["connect", `127.0.0.1:${listener.addr.port}`, "--timeout", "0.3", "ls"]);
    assertFails(await run(words), 11, "0.3 s");
  });
});
