/**
 * T5: whom else a client trusts because of the user's own environment is said,
 * in one line.
 *
 * @module
 */

import { generateSecret, Secret } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch } from "../deps.ts";
import { place } from "./place.ts";
import { assertCode, linesOf, run, tandem } from "./program.ts";
import { cleanEnv, secretPlace, TRUST_VARIABLES, WITH_SECRET, writeSecret } from "./secrets.ts";
import { runAtTerminal, screenOf, tandemAtTerminal, terminalTest } from "./terminal.ts";

/** What a user's environment may say, and which variables are to be named for it. */
const ENVIRONMENTS: Readonly<Record<string, readonly [env: (ca: string) => Record<string, string>, named: string[]]>> =
  {
    "nothing": [() => ({}), []],
    "DENO_CERT": [(ca) => ({ DENO_CERT: ca }), ["DENO_CERT"]],
    "NODE_EXTRA_CA_CERTS": [(ca) => ({ NODE_EXTRA_CA_CERTS: ca }), ["NODE_EXTRA_CA_CERTS"]],
    "DENO_TLS_CA_STORE=system": [() => ({ DENO_TLS_CA_STORE: "system" }), ["DENO_TLS_CA_STORE"]],
    "DENO_TLS_CA_STORE=system,mozilla": [() => ({ DENO_TLS_CA_STORE: "system,mozilla" }), ["DENO_TLS_CA_STORE"]],
    "DENO_TLS_CA_STORE=mozilla": [() => ({ DENO_TLS_CA_STORE: "mozilla" }), []],
    "all of them": [
      (ca) => ({ DENO_CERT: ca, NODE_EXTRA_CA_CERTS: ca, DENO_TLS_CA_STORE: "system" }),
      [...TRUST_VARIABLES],
    ],
  };

/** An authority of somebody else. */
const AUTHORITY = new Secret(generateSecret()).authorityCert;

for (const [about, [envOf, named]] of Object.entries(ENVIRONMENTS)) {
  const says = named.length === 0 ? "nothing" : "one line";
  Deno.test(`T5: with ${about} in the environment, connect with a secret says ${says}`, async () => {
    await using shared = secretPlace();
    const env = cleanEnv(envOf(writeSecret(`${shared.here}/ca.pem`, AUTHORITY)));
    const connect = (...args: string[]) => run(tandem(["connect", shared.address, ...args], WITH_SECRET), env);
    const [once, quiet, many, json] = await Promise.all([
      connect("--secret-file", shared.file, "ls"),
      connect("--secret-file", shared.file, "-q", "ls"),
      connect("--secret-file", shared.file, "-P", "3", "--no-progress", "ls"),
      connect("--secret-file", shared.file, "--json", "ls"),
    ]);
    for (const ended of [once, many]) {
      assertCode(ended, 0);
      assertEquals(ended.stdout, "a\n");
      const lines = linesOf(ended.stderr);
      assertEquals(lines.length, named.length === 0 ? 0 : 1, ended.stderr);
      assertEquals(
        TRUST_VARIABLES.filter((name) => lines[0]?.includes(name)),
        TRUST_VARIABLES.filter((name) => named.includes(name)),
      );
      if (named.length > 0) assertMatch(lines[0] ?? "", /^tandem: .*server/);
    }
    assertCode(quiet, 0);
    assertEquals(quiet.stderr, "");
    assertCode(json, 0);
    // stdout stays one object a line.
    for (const line of linesOf(json.stdout)) assertEquals(JSON.parse(line).v, 1);
  });
}

Deno.test("T5: without a secret nothing is said of it, and an empty variable is none", async () => {
  await using open = place({ a: "content" });
  await using shared = secretPlace();
  const env = cleanEnv({ DENO_CERT: writeSecret(`${open.here}/ca.pem`, AUTHORITY) });
  const ended = await run(tandem(["connect", open.address, "ls"], WITH_SECRET), env);
  assertEquals([ended.code, ended.stdout, ended.stderr], [0, "a\n", ""]);
  const empty = cleanEnv({ NODE_EXTRA_CA_CERTS: "" });
  const words = tandem(["connect", "--secret-file", shared.file, shared.address, "ls"], WITH_SECRET);
  const { code, stdout, stderr } = await run(words, empty);
  assertEquals([code, stdout, stderr], [0, "a\n", ""]);
});

Deno.test("T5: it is said before the server is talked to, so also where that fails", async () => {
  await using shared = secretPlace();
  const env = cleanEnv({ DENO_CERT: writeSecret(`${shared.here}/ca.pem`, AUTHORITY), TANDEM_SECRET: generateSecret() });
  const ended = await run(tandem(["connect", shared.address, "ls"], WITH_SECRET), env);
  assertCode(ended, 5);
  const [first, second] = linesOf(ended.stderr);
  assertMatch(first ?? "", /^tandem: DENO_CERT\b/);
  assertMatch(second ?? "", /^tandem: .*secret/);
});

Deno.test("T5: SSLKEYLOGFILE has its own line, with -q none, and without a secret none", async () => {
  await using shared = secretPlace();
  await using open = place({ a: "content" });
  const env = cleanEnv({ SSLKEYLOGFILE: `${shared.here}/keys` });
  const connect = (address: string, ...args: string[]) =>
    run(tandem(["connect", ...args, address, "ls"], WITH_SECRET), env);
  const [told, quiet, clear] = await Promise.all([
    connect(shared.address, "--secret-file", shared.file),
    connect(shared.address, "-q", "--secret-file", shared.file),
    connect(open.address),
  ]);
  for (const ended of [told, quiet, clear]) assertEquals([ended.code, ended.stdout], [0, "a\n"]);
  assertEquals(linesOf(told.stderr).length, 1);
  assertMatch(told.stderr, /^tandem: SSLKEYLOGFILE\b/);
  assertEquals([quiet.stderr, clear.stderr], ["", ""]);
});

terminalTest("T5: at a terminal it is one line as well, and with -q none", async () => {
  await using shared = secretPlace();
  const options = {
    ...cleanEnv({ DENO_CERT: writeSecret(`${shared.here}/ca.pem`, AUTHORITY), TERM: "xterm" }),
    columns: 200,
  };
  const words = (flags: string[]) =>
    tandemAtTerminal(["connect", "--secret-file", shared.file, ...flags, shared.address, "ls"], WITH_SECRET);
  const [told, quiet] = await Promise.all([runAtTerminal(words([]), options), runAtTerminal(words(["-q"]), options)]);
  assertEquals(told.code, 0);
  const lines = screenOf(told.stdout);
  assertEquals([lines.length, lines[1]], [2, "a"], told.stdout);
  assertMatch(lines[0] ?? "", /DENO_CERT/);
  assertNotMatch(lines[0] ?? "", /DENO_TLS_CA_STORE|NODE_EXTRA_CA_CERTS/);
  assertEquals(screenOf(quiet.stdout), ["a"]);
});
