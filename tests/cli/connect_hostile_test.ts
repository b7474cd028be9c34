/**
 * K1: servers that list what is no name, to have a recursive `get` write
 * somewhere else: in both exchanges nothing is written outside of the folder.
 *
 * @module
 */

import { MemoryStore, serve, type StoreEntry } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotEquals, assertNotMatch } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { answersList, answersQuit } from "../client/scripted_server.ts";
import { assertClearError, type Ended, linesOf, run, tandem } from "./program.ts";
import { textFiles, writeFiles } from "./place.ts";
import { connectToScript, foundOut } from "./plain_script.ts";

/** What a server may list that leads out of a folder, or is no name. */
const OUTSIDE = [
  "../x",
  "..",
  ".",
  "/tmp/tandem-test-hostile",
  "sub/../../x",
  "sub/./x",
  "//x",
  "..\\x",
  "C:\\x",
  "nul\0x",
  "esc\x1b[2Jx",
  "cr\rx",
  ".tandem-x.part",
];

/** A store that lists whatever it was told in its shared folder. */
class LyingStore extends MemoryStore {
  readonly #entries: StoreEntry[];

  constructor(entries: StoreEntry[]) {
    super();
    this.#entries = entries;
  }

  override async list(...args: Parameters<MemoryStore["list"]>): Promise<StoreEntry[]> {
    return args[0] === "" ? this.#entries : await super.list(...args);
  }
}

/** Fetches everything, which must fail for each of the names, and write nothing outside of the folder. */
async function assertAllRefused(connect: (args: readonly string[], cwd: string) => Promise<Ended>): Promise<void> {
  using folder = tempFolder();
  const cwd = `${folder.path}/here/in`;
  writeFiles(folder.path, { outside: "kept", "here/in/": "" });
  const ended = await connect(["get", "-r", "/", "all"], cwd);
  assertNotEquals(ended.code, 0, ended.stderr);
  assertClearError(ended);
  // deno-lint-ignore no-control-regex
  assertNotMatch(ended.stderr, /[\0-\x09\x0b-\x1f]/);
  const errors = linesOf(ended.stderr).filter((line) => line.startsWith("tandem: "));
  assertEquals(errors.length, OUTSIDE.length + 1, ended.stderr);
  assertEquals(textFiles(folder.path), { outside: "kept", "here/in/all/": "" });
}

for (const kind of ["file", "directory"] as const) {
  Deno.test(`K1 get -r refuses every ${kind} of a tandem server whose name leads elsewhere`, async () => {
    const entries = OUTSIDE.map((name) => ({ name, kind, sizeBytes: 3, mtimeMs: 0, mode: 0o644 }));
    await using server = serve({ store: new LyingStore(entries), port: 0 });
    const words = ["connect", "--require-tandem", `127.0.0.1:${server.addr.port}`];
    await assertAllRefused((args, cwd) => run(tandem([...words, ...args]), { cwd }));
  });

  Deno.test(`K1 get -r refuses every ${kind} of a plain server whose name leads elsewhere`, async () => {
    const listed = OUTSIDE.map((name) => `${name}${kind === "file" ? "" : "/"}\n`).join("");
    const script = [...foundOut("ls", answersList(listed)), ...answersQuit()];
    await assertAllRefused((args, cwd) => connectToScript(script, args, cwd));
  });
}

Deno.test("K1 get of one name writes to that name, whatever the server may think that it is called", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { outside: "kept", "here/in/": "" });
  const store = new LyingStore([{ name: "../../outside", kind: "file" }]);
  await using server = serve({ store, port: 0, overwrite: true });
  const connect = (...args: string[]) => {
    return run(tandem(["connect", `127.0.0.1:${server.addr.port}`, ...args]), { cwd: `${folder.path}/here/in` });
  };
  writeFiles(`${folder.path}/here/in`, { good: "good" });
  assertEquals((await connect("put", "good", "other")).code, 0);
  assertMatch((await connect("get", "-r", "other")).stderr, /^fetched other/);
  assertEquals(textFiles(folder.path), { "here/in/good": "good", "here/in/other": "good", outside: "kept" });
});
