/**
 * What becomes of a session whose two sides do not have the same secret, as a
 * script meets it: exit codes, code words, and messages for people.
 *
 * @module
 */

import { generateSecret, Secret, type ServeOptions } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch } from "../deps.ts";
import { place } from "./place.ts";
import { assertCode, assertFails, linesOf, run, tandem } from "./program.ts";
import { cleanEnv, secretPlace, WITH_SECRET, writeSecret } from "./secrets.ts";

/** Some authority, as PEM text. */
const AUTHORITY = new Secret(generateSecret()).authorityCert;

/** The jargon that tells people nothing of what to do. */
const JARGON = /certificate authority|UnknownIssuer|alert|handshake|InvalidData|rustls|HMAC|nonce|ALPN/i;

Deno.test("T2: a client with another secret is exit 5, auth-failed, and told of the secret", async () => {
  await using shared = secretPlace();
  const file = writeSecret(`${shared.here}/other`, generateSecret());
  const people = await shared.connect(["--secret-file", file, "get", "a"], cleanEnv());
  assertFails(people, 5, "secret", shared.address);
  assertMatch(people.stderr, /hint: .*secret/);
  assertNotMatch(people.stderr, JARGON);
  const script = await shared.connect(["--secret-file", file, "--json", "get", "a"], cleanEnv());
  assertCode(script, 5);
  assertEquals(onlyError(script.stdout), "auth-failed");
  assertEquals(script.stderr, "");
});

Deno.test("T2: a client without a secret is exit 5, auth-required, and told how to give one", async (t) => {
  await using shared = secretPlace();
  for (const flags of [[], ["--plain"], ["--require-tandem"]]) {
    await t.step(flags.join() || "no flag", async () => {
      const people = await shared.connect([...flags, "get", "a"], cleanEnv());
      assertFails(people, 5, "secret", shared.address, "--secret-file", "TANDEM_SECRET");
      assertNotMatch(people.stderr, JARGON);
      const script = await shared.connect([...flags, "--json", "get", "a"], cleanEnv());
      assertCode(script, 5);
      assertEquals(onlyError(script.stdout), "auth-required");
      assertEquals([...Deno.readDirSync(shared.here)], []);
    });
  }
});

Deno.test("T7: a client with a secret stops at a server without one: exit 7, and nothing is fetched", async (t) => {
  const servers: Readonly<Record<string, ServeOptions>> = {
    both: {},
    plain: { mode: "plain" },
    tandem: { mode: "tandem" },
  };
  for (const [about, options] of Object.entries(servers)) {
    await t.step(`a server that speaks ${about}`, async () => {
      const commands: string[] = [];
      await using shared = place({ a: "content" }, {
        ...options,
        onEvent: (event) => {
          if (event.event === "command") commands.push(event.command);
        },
      });
      const file = writeSecret(`${shared.root}/../secret`, generateSecret());
      const people = await shared.connect(["--secret-file", file, "get", "a"], cleanEnv());
      assertFails(people, 7, shared.address);
      assertMatch(people.stderr, /encrypt/);
      assertMatch(people.stderr, /hint: .*secret/);
      assertNotMatch(people.stderr, JARGON);
      const env = cleanEnv({ TANDEM_SECRET: generateSecret() });
      const words = tandem(["connect", "--json", shared.address, "get", "a"], WITH_SECRET);
      const script = await run(words, { cwd: shared.here, ...env });
      assertCode(script, 7);
      assertMatch(onlyError(script.stdout), /^(unsupported|disconnected)$/);
      assertEquals(commands, []);
      assertEquals([...Deno.readDirSync(shared.here)], []);
    });
  }
});

Deno.test("connect is told whether it is encrypted: with -v, and in the hello of --json", async () => {
  await using secret = secretPlace();
  await using open = place({ a: "content" });
  for (
    const [shared, flags, encrypted] of [[secret, ["--secret-file", secret.file], true], [open, [], false]] as const
  ) {
    const verbose = await shared.connect([...flags, "-v", "ls"], cleanEnv());
    assertEquals([verbose.code, verbose.stdout], [0, "a\n"]);
    assertEquals(/\bencrypted\b/.test(verbose.stderr), encrypted, verbose.stderr);
    const script = await shared.connect([...flags, "--json", "ls"], cleanEnv());
    assertCode(script, 0);
    const [hello] = linesOf(script.stdout).map((line) => JSON.parse(line));
    assertEquals([hello.event, hello.mode, hello.encrypted], ["hello", "tandem", encrypted]);
  }
});

Deno.test("connect to another machine says when a secret in the environment was not looked at, unless it is quiet", async () => {
  // 192.0.2.1 is nobody's (RFC 5737): it is said before that is found out.
  const connect = (flags: string[], rights: readonly string[]) => {
    const words = tandem(["connect", "192.0.2.1:1", "--timeout", "0.2", ...flags, "ls"], rights);
    return run(words, cleanEnv({ TANDEM_SECRET: generateSecret() }));
  };
  const unseen = ["--no-prompt", "--allow-net=192.0.2.1"];
  const [told, quiet, seen] = await Promise.all([
    connect([], unseen),
    connect(["-q"], unseen),
    connect([], [...unseen, "--allow-env=TANDEM_SECRET"]),
  ]);
  assertMatch(told.stderr, /^tandem: not encrypted; TANDEM_SECRET .*--allow-env=TANDEM_SECRET\n/);
  for (const { stderr } of [quiet, seen]) assertNotMatch(stderr, /TANDEM_SECRET/);
  for (const { code } of [told, quiet, seen]) assertEquals([3, 11].includes(code), true, `exit code ${code}`);
});

Deno.test("connect with --plain and something to encrypt with is exit 2, with a way out", async (t) => {
  await using shared = secretPlace();
  const rows: readonly (readonly [about: string, flags: readonly string[], env?: Record<string, string>])[] = [
    ["a file", ["--secret-file", shared.file]],
    ["TANDEM_SECRET", [], { TANDEM_SECRET: shared.secret }],
    ["--tls", ["--tls"]],
    ["--tls-ca", ["--tls-ca", writeSecret(`${shared.here}/ca.pem`, AUTHORITY)]],
  ];
  for (const [about, flags, env] of rows) {
    await t.step(about, async () => {
      const words = tandem(["connect", "--plain", ...flags, shared.address, "ls"], WITH_SECRET);
      const ended = await run(words, cleanEnv(env));
      assertFails(ended, 2, "--plain");
      assertMatch(ended.stderr, /hint: leave out/);
    });
  }
});

Deno.test("connect refuses an authority that is none, with exit 2 and the name of the flag", async (t) => {
  await using shared = secretPlace();
  const broken = writeSecret(`${shared.here}/broken`, AUTHORITY.replace("A", "!"));
  const files: Readonly<Record<string, string>> = {
    "one that is not there": `${shared.here}/none`,
    "a folder": shared.here,
    "a file with something else": shared.file,
    "one that is damaged": broken,
  };
  for (const [about, file] of Object.entries(files)) {
    await t.step(about, async () => {
      const ended = await shared.connect(["--tls-ca", file, "ls"], cleanEnv());
      assertFails(ended, 2);
      assertMatch(ended.stderr, /authority|--tls-ca/);
      assertMatch(ended.stderr, /hint: /);
    });
  }
});

/** What a run with `--json` that failed has printed: one error and nothing else; returns its code. */
function onlyError(stdout: string): string {
  // With --plain the exchange is known, and told of, before anything is answered.
  const objects = linesOf(stdout).map((line) => JSON.parse(line)).filter(({ event, mode }) =>
    `${event} ${mode}` !== "hello plain"
  );
  assertEquals(objects.map(({ event }) => event), ["error"]);
  assertEquals(objects.every(({ message, hint }) => typeof message === "string" && typeof hint === "string"), true);
  return objects[0].code;
}
