/**
 * What goes wrong on the way between two that speak tandem: exit codes, what is
 * left behind, and `--retry`.
 *
 * @module
 */

import type { CommandEvent, ServeOptions } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { closedPort } from "../net/door.ts";
import { Proxy, type ProxyOptions } from "../tandem/proxy.ts";
import { assertCode, assertFails, type Ended, linesOf, run, tandem } from "./program.ts";
import { assertFiles, type Files, type Place, place, someBytes, writeFiles } from "./place.ts";

/** The data connection: the second one that a session opens. */
const DATA = 1;

/** A place with something between its two sides. */
interface Way extends AsyncDisposable {
  /** The two sides. */
  readonly shared: Place;
  /** Runs `connect` through what is between them. */
  connect(...args: string[]): Promise<Ended>;
  /** What is between them. */
  readonly proxy: Proxy;
  /** The commands that the server has answered. */
  readonly commands: CommandEvent[];
}

async function openWay(files: Files, how: ProxyOptions, options: ServeOptions = {}): Promise<Way> {
  await using stack = new AsyncDisposableStack();
  const commands: CommandEvent[] = [];
  const onEvent: ServeOptions["onEvent"] = (event) => {
    if (event.event === "command") commands.push(event);
  };
  const shared = stack.use(place(files, { ...options, onEvent }));
  const proxy = stack.use(await Proxy.open(shared.server.addr.port, how));
  const open = stack.move();
  return {
    shared,
    proxy,
    commands,
    connect: (...args) => run(tandem(["connect", `127.0.0.1:${proxy.port}`, ...args]), { cwd: shared.here }),
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Over the smallest size of which a part is kept, and over what is written at a time. */
const LARGE = someBytes(5_000_000);
const MEDIUM = someBytes(100_000);

/** A folder whose listing is longer than the place of the damage. */
const MANY: Files = Object.fromEntries(Array.from({ length: 200 }, (_, i) => [`many/file number ${i}`, ""]));

const DAMAGED: readonly (readonly [command: string, direction: "up" | "down"])[] = [
  ["get medium", "down"],
  ["get medium -", "down"],
  ["--verify get medium", "down"],
  ["-c get medium", "down"],
  ["put own", "up"],
  ["--verify put own", "up"],
  ["ls many", "down"],
];

Deno.test("exit 8: a bit that was turned over on its way is found out, and nobody keeps the file", async (t) => {
  for (const [command, direction] of DAMAGED) {
    await t.step(command, async () => {
      const flip = { connection: DATA, direction, offset: 9_000, bit: 3 };
      await using way = await openWay({ ...MANY, medium: MEDIUM }, { flip });
      writeFiles(way.shared.here, { own: MEDIUM });
      const [flag = "", ...words] = command.split(" ");
      const args = flag === "-c" ? [words[0] ?? "", "-c", ...words.slice(1)] : [flag, ...words];
      const ended = await way.connect(...args);
      assertEquals(way.proxy.connections[DATA]?.[direction].flipped, true);
      assertCode(ended, 8);
      assertMatch(ended.stderr, /^tandem: .*(damaged|checksum)/m);
      assertEquals([...Deno.readDirSync(way.shared.here)].map(({ name }) => name), ["own"]);
      assertEquals([...Deno.readDirSync(way.shared.root)].map(({ name }) => name).sort(), ["many", "medium"]);
    });
  }
});

/** What is between them breaks off here, once. */
const CUT_BYTES = 3_000_000;

/** A cut that loses nothing of what went through before it. */
function cutAt(direction: "up" | "down", offset: number): ProxyOptions {
  return { cut: { connection: DATA, direction, offset, how: "fin" } };
}

Deno.test("exit 7: the connection breaks off, and -c continues where it broke", async () => {
  await using way = await openWay({ large: LARGE }, cutAt("down", CUT_BYTES));
  assertFails(await way.connect("get", "large"), 7, "incomplete");
  assertEquals([...Deno.readDirSync(way.shared.here)].map(({ name }) => name), [".tandem-large.partial"]);
  const again = await way.connect("get", "-c", "large");
  assertCode(again, 0);
  assertMatch(again.stderr, /^fetched large \(4\.8 MiB, [12](\.\d)? MiB of it were there already, in /m);
  assertEquals(Deno.readFileSync(`${way.shared.here}/large`), LARGE);
  assertEquals([...Deno.readDirSync(way.shared.here)].length, 1);
});

Deno.test("a get without -c after one that broke off begins anew", async () => {
  await using way = await openWay({ large: LARGE }, cutAt("down", CUT_BYTES));
  assertFails(await way.connect("get", "large"), 7);
  const again = await way.connect("get", "large");
  assertCode(again, 0);
  assertNotMatch(again.stderr, /already/);
  assertEquals(Deno.readFileSync(`${way.shared.here}/large`), LARGE);
  assertEquals([...Deno.readDirSync(way.shared.here)].length, 1);
});

Deno.test("--retry continues a get and a put that broke off, and says so", async (t) => {
  for (const [verb, direction, outcome] of [["get", "down", "fetched"], ["put", "up", "stored"]] as const) {
    await t.step(verb, async () => {
      await using way = await openWay(verb === "get" ? { large: LARGE } : {}, cutAt(direction, CUT_BYTES));
      if (verb === "put") writeFiles(way.shared.here, { large: LARGE });
      const ended = await way.connect("--retry", "2", verb, "large");
      assertCode(ended, 0);
      const [again = "", done = "", ...more] = linesOf(ended.stderr);
      assertMatch(again, /; trying again in 0\.5 s$/);
      assertMatch(done, new RegExp(`^${outcome} large \\(4\\.8 MiB, [0-9.]+ [kM]iB of it were there already, in `));
      assertEquals(more, []);
      const there = verb === "get" ? way.shared.here : way.shared.root;
      assertEquals(Deno.readFileSync(`${there}/large`), LARGE);
      assertEquals([...Deno.readDirSync(there)].length, 1);
    });
  }
});

Deno.test("--retry asks again for listings, stat, hash and removals whose connection broke off", async (t) => {
  const commands = [["ls", "many"], ["ls", "-R"], ["stat", "many/file number 7"], ["hash", "many/file number 7"]];
  for (const args of commands) {
    await t.step(args.join(" "), async () => {
      await using way = await openWay(MANY, cutAt("down", 20));
      assertFails(await way.connect(...args), 7);
      await using retried = await openWay(MANY, cutAt("down", 20));
      const ended = await retried.connect("--retry=1", ...args);
      assertCode(ended, 0);
      assertEquals(linesOf(ended.stdout).length > 0, true);
      assertEquals(linesOf(ended.stderr).length, 1);
    });
  }
});

Deno.test("--retry of many small files fetches each of them once in the end", async () => {
  const files = Object.fromEntries(Array.from({ length: 40 }, (_, i) => [`${i}`, `content ${i} `.repeat(200)]));
  await using way = await openWay(files, cutAt("down", 30_000));
  const ended = await way.connect("--retry", "3", "get", ...Object.keys(files), ".");
  assertCode(ended, 0);
  assertFiles(way.shared.here, files);
});

Deno.test("--retry gives up after as many tries, with the exit code of the last", async () => {
  const startedMs = performance.now();
  const ended = await run(tandem(["connect", `127.0.0.1:${closedPort()}`, "--retry", "2", "ls"]));
  assertFails(ended, 3, "refused");
  const lines = linesOf(ended.stderr).filter((line) => line.includes("trying again"));
  assertEquals(lines.map((line) => /in [0-9.]+ s$/.exec(line)?.[0]), ["in 0.5 s", "in 1 s"]);
  assertEquals(performance.now() - startedMs > 1_400, true);
});

Deno.test("--retry does not try again what the server has refused", async () => {
  await using way = await openWay({ x: "x" }, {});
  const ended = await way.connect("--retry", "5", "get", "none");
  assertFails(ended, 4, "none");
  assertNotMatch(ended.stderr, /again/);
  assertEquals(way.commands.filter(({ command }) => command === "get none").length, 1);
});

Deno.test("--retry with put - says that stdin cannot be sent again", async () => {
  await using way = await openWay({}, cutAt("up", CUT_BYTES));
  const words = tandem(["connect", `127.0.0.1:${way.proxy.port}`, "--retry", "3", "put", "-", "piped"]);
  const ended = await run(words, { cwd: way.shared.here, stdin: LARGE });
  assertCode(ended, 7);
  assertStringIncludes(ended.stderr, "stdin");
  assertEquals([...Deno.readDirSync(way.shared.root)].filter(({ name }) => name === "piped"), []);
});

Deno.test("exit 11: a server that falls silent after it has said that it speaks tandem", async (t) => {
  for (const [what, bytes] of [["before the data connection", 50], ["in a file", 300_000]] as const) {
    await t.step(what, async () => {
      await using way = await openWay({ large: LARGE }, {});
      const stopped = way.proxy.stopAfter({ direction: "down", bytes });
      const ended = await way.connect("--timeout", "0.4", "get", "large");
      await stopped;
      assertFails(ended, 11, "0.4 s");
      assertEquals([...Deno.readDirSync(way.shared.here)].filter(({ name }) => name === "large"), []);
    });
  }
});
