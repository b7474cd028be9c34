/**
 * Flags from the environment: each flag of `serve` and `connect` has a variable,
 * the command line is stronger, and what is doubtful stops as it does there.
 *
 * @module
 */

import { CONNECT_FLAGS } from "../../src/cli/connect_command.ts";
import { type Flag, parseFlags, variableOf, withEnvironment } from "../../src/cli/flags.ts";
import { SERVE_FLAGS } from "../../src/cli/serve_command.ts";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertFiles, place, writeFiles } from "./place.ts";
import {
  assertCode,
  assertFails,
  assertNoTrace,
  IS_UNIX,
  NARROW,
  PROJECT,
  run,
  startServe,
  tandem,
} from "./program.ts";
import { assertUsage } from "./usage_error.ts";

const TABLES: Readonly<Record<string, readonly Flag[]>> = { serve: SERVE_FLAGS, connect: CONNECT_FLAGS };
const ALL_FLAGS = [...SERVE_FLAGS, ...CONNECT_FLAGS];

/** The rights of a program that may look at its environment. */
const WITH_ENV: readonly string[] = [...NARROW, "--allow-env"];

type Variables = Readonly<Record<string, string>>;

/** The environment of these tests, without any variable of this program but those in `added`. */
function environmentWith(added: Variables): { readonly env: Variables; readonly clearEnv: true } {
  const present = Object.entries(Deno.env.toObject()).filter(([name]) => !name.startsWith("TANDEM_"));
  return { env: { ...Object.fromEntries(present), ...added }, clearEnv: true };
}

/** What is understood of `args` while the environment has these variables. */
function understood(args: readonly string[], flags: readonly Flag[], variables: Variables): string[] {
  const before = new Map(Object.keys(variables).map((name) => [name, Deno.env.get(name)]));
  try {
    for (const [name, value] of Object.entries(variables)) Deno.env.set(name, value);
    const parsed = withEnvironment(parseFlags(args, flags), flags);
    return flags.filter(({ name }) => parsed.has(name)).map(({ name }) => {
      const text = parsed.text(name);
      return text === undefined ? name : `${name}=${text}`;
    });
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
  }
}

Deno.test("each flag has a variable of its own, and none is that of the secret", () => {
  for (const flags of Object.values(TABLES)) {
    const variables = flags.map(variableOf);
    for (const [i, { name }] of flags.entries()) {
      assertEquals(variables[i], `TANDEM_${name.toUpperCase().split("-").join("_")}`);
    }
    assertEquals(new Set(variables).size, flags.length);
    assertEquals(variables.includes("TANDEM_SECRET"), false);
  }
});

for (const [subcommand, flags] of Object.entries(TABLES)) {
  for (const flag of flags.filter(({ name }) => name !== "help")) {
    const variable = variableOf(flag);
    const { name, value } = flag;
    Deno.test(`${subcommand}: ${variable} is --${name}, and the command line is stronger`, () => {
      assertEquals(understood([], flags, {}), []);
      if (value !== undefined) {
        assertEquals(understood([], flags, { [variable]: "some value" }), [`${name}=some value`]);
        assertEquals(understood([], flags, { [variable]: "-x" }), [`${name}=-x`]);
        assertEquals(understood([], flags, { [variable]: "" }), []);
        assertEquals(understood([`--${name}=line`], flags, { [variable]: "env" }), [`${name}=line`]);
        return;
      }
      for (const yes of ["1", "true", "yes", "on", "TRUE", "Yes", "oN"]) {
        assertEquals(understood([], flags, { [variable]: yes }), [name], yes);
      }
      for (const no of ["", "0", "false", "no", "off", "FALSE", "No", "oFF"]) {
        assertEquals(understood([], flags, { [variable]: no }), [], no);
        assertEquals(understood([`--${name}`], flags, { [variable]: no }), [name], no);
      }
      for (const nonsense of ["maybe", "2", " ", "1 ", "-1", "nope", "y\x1b[2J"]) {
        assertUsage(() => understood([], flags, { [variable]: nonsense }), variable);
      }
      // What was said on the command line needs no second opinion.
      assertEquals(understood([`--${name}`], flags, { [variable]: "maybe" }), [name]);
    });
  }

  Deno.test(`${subcommand}: a variable sets nothing but its own flag, and all of them work together`, () => {
    const others = flags.filter(({ name }) => name !== "help");
    const variables = Object.fromEntries(
      others.map((flag) => [variableOf(flag), flag.value === undefined ? "1" : "v"]),
    );
    const expected = others.map(({ name, value }) => value === undefined ? name : `${name}=v`);
    assertEquals(understood([], flags, variables), expected);
    assertEquals(understood([], flags, { TANDEM_: "1", TANDEM_NOPE: "1", tandem_json: "1", JSON: "1", PORT: "1" }), []);
  });

  Deno.test(`${subcommand}: help is asked for on the command line only, and whatever the variables say`, async () => {
    assertEquals(understood([], flags, { TANDEM_HELP: "1" }), []);
    assertEquals(understood([], flags, { TANDEM_HELP: "maybe" }), []);
    const env = environmentWith({ TANDEM_JSON: "maybe", TANDEM_PORT: "nonsense", TANDEM_HELP: "maybe" });
    const ended = await run(tandem([subcommand, "--help"], WITH_ENV), env);
    assertCode(ended, 0);
    assertStringIncludes(ended.stdout, "--require-tandem");
  });
}

Deno.test("serve and connect do what their variables say", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { "pub/": "", "here/small": "abc", "here/large": "abcd", "here/commands": "ls -l\n" });
  const settings = {
    TANDEM_PORT: "0",
    TANDEM_WRITE: "yes",
    TANDEM_JSON: "on",
    TANDEM_LOG: "json",
    TANDEM_MAX_FILE: "3",
  };
  await using server = await startServe(tandem(["serve", `${folder.path}/pub`], WITH_ENV), environmentWith(settings));
  assertMatch(server.firstLine, /^\{"event":"listening"/);
  const connect = (args: readonly string[], variables: Variables = {}) => {
    const env = environmentWith({ TANDEM_PORT: String(server.port), ...variables });
    return run(tandem(["connect", "127.0.0.1", ...args], WITH_ENV), { cwd: `${folder.path}/here`, ...env });
  };
  assertCode(await connect(["put", "small"]), 0);
  assertCode(await connect(["put", "large"]), 6);
  assertFiles(`${folder.path}/pub`, { small: "abc" });
  assertMatch((await connect([], { TANDEM_FILE: "commands" })).stdout, /^-.* 3 .* small\n$/);
  const quiet = await connect(["get", "small"], { TANDEM_ON_EXIST: "skip", TANDEM_QUIET: "1" });
  assertEquals([quiet.code, quiet.stderr], [0, ""]);
  assertMatch((await connect(["ls"], { TANDEM_JSON: "1" })).stdout, /^\{"v":1,"event":"hello"/);
  assertCode(await connect(["stat", "small"], { TANDEM_PLAIN: "1" }), 7);
  assertMatch(await server.process.stderr.until(/\n/), /^\{/);
});

Deno.test("the port of the command line is stronger than that of the environment", async () => {
  await using shared = place({ a: "" });
  const options = { cwd: shared.here, ...environmentWith({ TANDEM_PORT: "1" }) };
  const port = String(shared.server.addr.port);
  for (const words of [["--port", port, "127.0.0.1", "ls"], ["127.0.0.1", "-p", port, "ls"], [shared.address, "ls"]]) {
    const ended = await run(tandem(["connect", ...words], WITH_ENV), options);
    assertEquals([ended.code, ended.stdout], [0, "a\n"], `${words}: ${ended.stderr}`);
  }
  assertFails(await run(tandem(["connect", "127.0.0.1", "ls"], WITH_ENV), options), 3);
});

Deno.test("without the right to look at the environment there are no variables, and no question", async () => {
  await using shared = place({ a: "" });
  const everything = Object.fromEntries(ALL_FLAGS.map((flag) => [variableOf(flag), "nonsense"]));
  const none = await shared.connect(["ls"], environmentWith(everything));
  assertEquals([none.code, none.stdout, none.stderr], [0, "a\n", ""]);
  // One that may be looked at, and no other.
  const words = tandem(["connect", shared.address, "ls"], [...NARROW, "--allow-env=TANDEM_ON_EXIST"]);
  const some = await run(words, environmentWith(everything));
  assertFails(some, 2, "nonsense", "rename");
  assertNotMatch(some.stderr, /TANDEM_(?!ON_EXIST)/);
});

/** Values that are none, by variable. */
const NONSENSE: Readonly<Record<string, Variables>> = {
  serve: {
    TANDEM_PORT: "65536",
    TANDEM_DATA_PORTS: "9-1",
    TANDEM_MAX_SESSIONS: "0",
    TANDEM_MAX_PER_IP: "many",
    TANDEM_MAX_FILE: "10X",
    TANDEM_MIN_FREE: "-1",
    TANDEM_IDLE_TIMEOUT: "0",
    TANDEM_STALL_TIMEOUT: "1m",
    TANDEM_RATE: "0",
    TANDEM_LOG: "xml",
    TANDEM_WRITE: "maybe",
  },
  connect: {
    TANDEM_PORT: "0",
    TANDEM_TIMEOUT: "soon",
    TANDEM_ON_EXIST: "replace",
    TANDEM_PARALLEL: "65",
    TANDEM_RETRY: "1e3",
    TANDEM_PLAIN: "maybe",
  },
};

for (const [subcommand, variables] of Object.entries(NONSENSE)) {
  Deno.test(`${subcommand}: nonsense in a variable is exit 2, and the variable is named`, async (t) => {
    for (const [variable, value] of Object.entries(variables)) {
      await t.step(`${variable}=${value}`, async () => {
        const words = tandem([subcommand, ...subcommand === "serve" ? [] : ["127.0.0.1", "ls"]], WITH_ENV);
        // Who looked for --port on the command line would look in vain.
        assertFails(await run(words, environmentWith({ [variable]: value })), 2, variable, value);
      });
    }
  });
}

Deno.test("what excludes each other does so from the environment too, also one from here and one from there", async (t) => {
  const cases: readonly (readonly [variables: Variables, args: readonly string[], says: string])[] = [
    [{ TANDEM_PLAIN_ONLY: "1", TANDEM_REQUIRE_TANDEM: "1" }, ["serve", "-p0"], "exclude"],
    [{ TANDEM_PLAIN_ONLY: "1" }, ["serve", "-p0", "--require-tandem"], "exclude"],
    [{ TANDEM_PLAIN_ONLY: "1", TANDEM_NEW_SECRET: "1" }, ["serve", "-p0"], "plain-only"],
    [{ TANDEM_WRITE: "1", TANDEM_HOST: "0.0.0.0" }, ["serve", "-p0"], "allow-anonymous-write"],
    [{ TANDEM_OVERWRITE: "1" }, ["serve", "-p0", "--host", "0.0.0.0"], "allow-anonymous-write"],
    [{ TANDEM_PLAIN: "1", TANDEM_REQUIRE_TANDEM: "1" }, ["connect", "127.0.0.1:1", "ls"], "exclude"],
    [{ TANDEM_REQUIRE_TANDEM: "1" }, ["connect", "--plain", "127.0.0.1:1", "ls"], "exclude"],
    [{ TANDEM_PLAIN: "1", TANDEM_TLS: "1" }, ["connect", "127.0.0.1:1", "ls"], "plain"],
  ];
  for (const [variables, args, says] of cases) {
    await t.step(`${JSON.stringify(variables)} ${args.join(" ")}`, async () => {
      assertFails(await run(tandem(args, WITH_ENV), environmentWith(variables)), 2, says);
    });
  }
  await t.step("a variable that says no excludes nothing", async () => {
    await using shared = place({ a: "" });
    const env = environmentWith({ TANDEM_PLAIN: "0", TANDEM_TLS: "no", TANDEM_QUIET: "" });
    assertCode(await run(tandem(["connect", "--require-tandem", shared.address, "ls"], WITH_ENV), env), 0);
  });
});

Deno.test({
  name: "a variable that is no text is exit 2 and named, and shows no trace of the program's insides",
  ignore: !IS_UNIX,
  async fn() {
    for (const args of [["serve", "-p0"], ["connect", "127.0.0.1:1", "ls"]]) {
      // What was given on the command line is not asked for again.
      const words = tandem(args, WITH_ENV).map((word) => `'${word}'`).join(" ");
      const script = `TANDEM_REQUIRE_TANDEM=$(printf '\\377') exec ${words}`;
      const ended = await run(["sh", "-c", script], environmentWith({}));
      assertNoTrace(ended.stderr);
      assertFails(ended, 2, "TANDEM_REQUIRE_TANDEM");
    }
  },
});

Deno.test("the compiled binary may look at the variable of every flag", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${PROJECT}deno.json`));
  const [, allowed = ""] = /--allow-env(?:=(\S+))?/.exec(tasks.compile.command) ?? [];
  const patterns = allowed.split(",");
  const may = (variable: string) =>
    patterns.some((one) => one === variable || one.endsWith("*") && variable.startsWith(one.slice(0, -1)));
  const variables = ALL_FLAGS.filter(({ name }) => name !== "help").map(variableOf);
  assertEquals(variables.filter((variable) => allowed !== "" && !may(variable)), []);
  assertEquals(["TANDEM_SECRET", "XDG_STATE_HOME", "HOME"].filter((one) => allowed !== "" && !may(one)), []);
});
