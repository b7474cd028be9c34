/**
 * T11: a secret is no argument, and is shown nowhere: in no message, no log, no
 * list of processes, and not to the programs that are started.
 *
 * @module
 */

import { generateSecret } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "../deps.ts";
import { forAll } from "../net/deadline.ts";
import { place } from "./place.ts";
import { assertCode, assertFails, type Ended, IS_UNIX, run, Running, startServe, tandem } from "./program.ts";
import { assertHides, cleanEnv, EVERYWHERE, secretPlace, WITH_SECRET, writeSecret } from "./secrets.ts";
import { tandemAtTerminal, Terminal, terminalTest } from "./terminal.ts";

const GENERATED = generateSecret();
const OWN_WORDS = "drei kleine Füchse tanzen nachts";

/** Secrets where none may stand; `SECRET` is replaced. */
const ARGUMENTS: readonly (readonly string[])[] = [
  ["serve", "-p0", "--secret", "SECRET", "."],
  ["serve", "-p0", "--secret=SECRET", "."],
  ["serve", "-p0", "--new-secret=SECRET", "."],
  ["serve", "-p0", "--secret-file", "SECRET", "."],
  ["serve", "-p0", "--secret-file=SECRET", "."],
  ["serve", "-p0", "--secret-flie=SECRET", "."],
  ["serve", "-p0", "-sSECRET", "."],
  ["serve", "-p0", ".", "SECRET"],
  ["connect", "--secret", "SECRET", "127.0.0.1:1", "ls"],
  ["connect", "127.0.0.1:1", "--secret=SECRET", "ls"],
  ["connect", "127.0.0.1:1", "--secret-file", "SECRET", "ls"],
  ["connect", "127.0.0.1:1", "--secret-file=SECRET", "ls"],
  ["connect", "127.0.0.1:1", "--json", "--secret-file=SECRET", "ls"],
  ["connect", "127.0.0.1:1", "-s", "SECRET", "ls"],
  ["connect", "127.0.0.1:1", "--tls=SECRET", "ls"],
  ["connect", "tandem://SECRET@127.0.0.1:1/", "ls"],
  ["connect", "tandem://SECRET@127.0.0.1:1/%zz", "ls"],
  ["connect", "tandem://user:SECRET@127.0.0.1:1/sub", "ls"],
  ["connect", "--json", "tandem://SECRET@127.0.0.1", "ls"],
  ["connect", "SECRET@127.0.0.1:1", "ls"],
  ["connect", "https://SECRET@127.0.0.1:1/", "ls"],
  ["secret", "SECRET"],
  ["secret", "--secret=SECRET"],
];

for (const secret of [GENERATED, OWN_WORDS]) {
  const kind = secret === GENERATED ? "a generated secret" : "somebody's own words";
  Deno.test(`T11: ${kind} as an argument: exit 2, and not repeated`, async (t) => {
    for (const words of ARGUMENTS) {
      await t.step(words.join(" "), async () => {
        const args = words.map((word) => word.replace("SECRET@", `${encodeURI(secret)}@`).replace("SECRET", secret));
        const ended = await run(tandem(args, WITH_SECRET), cleanEnv());
        assertCode(ended, 2);
        assertHides(ended.stdout + ended.stderr, secret);
        if (!words.includes("--json")) assertFails(ended, 2, "hint: ");
      });
    }
  });
}

Deno.test("T11: --secret is answered with where a secret belongs", async () => {
  for (const args of [["serve", "--secret", GENERATED], ["connect", "127.0.0.1:1", `--secret=${GENERATED}`, "ls"]]) {
    const ended = await run(tandem(args), cleanEnv());
    assertFails(ended, 2, "--secret");
    assertMatch(ended.stderr, /--secret-file|TANDEM_SECRET/);
  }
});

/** The command line of a process, as everybody on the machine sees it. */
async function commandLine(pid: number): Promise<string> {
  const ended = await run(["ps", "-ww", "-o", "args=", "-p", String(pid)]);
  assertCode(ended, 0);
  assertStringIncludes(ended.stdout, "main.ts");
  return ended.stdout;
}

Deno.test({
  name: "T11: the list of processes shows no secret, neither of a server nor of a client",
  ignore: !IS_UNIX,
  async fn(t) {
    await using shared = secretPlace();
    const { secret, file } = shared;
    const sources: Readonly<Record<string, readonly [flags: readonly string[], env: Record<string, string>]>> = {
      "--secret-file": [["--secret-file", file], {}],
      TANDEM_SECRET: [[], { TANDEM_SECRET: secret }],
    };
    for (const [source, [flags, env]] of Object.entries(sources)) {
      await t.step(`serve, ${source}`, async () => {
        await using server = await startServe(
          tandem(["serve", "-qp0", ...flags, shared.root], EVERYWHERE),
          cleanEnv(env),
        );
        assertHides(await commandLine(server.process.pid), secret);
      });
      await t.step(`connect, ${source}`, async () => {
        const words = tandem(["connect", "-v", ...flags, shared.address], WITH_SECRET);
        await using client = new Running(words, { ...cleanEnv(env), stdin: "open" });
        await client.type("ls\n");
        await client.stdout.until(/a\n/);
        assertHides(await commandLine(client.pid), secret);
        await client.closeInput();
        assertCode(await client.ended(), 0);
      });
    }
    await t.step("serve, --new-secret", async () => {
      await using server = await startServe(
        tandem(["serve", "-qp0", "--new-secret", shared.root], EVERYWHERE),
        cleanEnv(),
      );
      const told = await server.process.stderr.until(/TANDEM_SECRET=(\S+)/);
      const [, made = ""] = /TANDEM_SECRET=(\S+)/.exec(told) ?? [];
      assertNotEquals(made, "");
      assertHides(await commandLine(server.process.pid), made);
    });
  },
});

/** Everything that clients of all kinds print, and what comes of them. */
async function everyClient(address: string, secret: string, other: string, here: string): Promise<Ended[]> {
  const right = { TANDEM_SECRET: secret };
  const rows: readonly (readonly [args: readonly string[], env: Record<string, string>, code: number])[] = [
    [["-v", "ls"], right, 0],
    [["--json", "get", "a"], right, 0],
    [["get", "none"], right, 4],
    [["put", "a", "b"], right, 5],
    [["--on-exist", "error", "get", "a"], right, 10],
    [["frobnicate"], right, 2],
    [["get"], right, 2],
    [["-v", "--plain", "ls"], right, 2],
    [["-v", "--tls", "ls"], right, 5],
    [["-v", "ls"], { TANDEM_SECRET: other }, 5],
    [["--json", "ls"], { TANDEM_SECRET: other }, 5],
    [["ls"], { TANDEM_SECRET: secret.slice(0, -1) + (secret.endsWith("a") ? "b" : "a") }, 2],
    [["ls"], { TANDEM_SECRET: secret.slice(0, 14) }, 2],
    [["ls"], { TANDEM_SECRET: `${secret}\n${secret}` }, 2],
    [["-v", "ls"], {}, 5],
  ];
  const ends: Ended[] = [];
  // One after the other: who fails too often waits.
  for (const [args, env, code] of rows) {
    const ended = await run(tandem(["connect", address, ...args], WITH_SECRET), { ...cleanEnv(env), cwd: here });
    assertCode(ended, code);
    ends.push(ended);
  }
  return ends;
}

for (const format of ["text", "json"]) {
  Deno.test(`T11: no message and no line of a server's log (${format}, -v) shows a secret, whatever fails`, async () => {
    const secret = generateSecret();
    const other = generateSecret();
    await using shared = place({ a: "content" });
    const words = ["serve", "-vp0", "--host=127.0.0.1", "--log", format, "--secret-file"];
    const file = writeSecret(`${shared.root}/../secret`, secret);
    await using server = await startServe(tandem([...words, file, shared.root], EVERYWHERE), cleanEnv());
    const ends = await everyClient(server.address, secret, other, shared.here);
    server.process.kill("SIGTERM");
    ends.push(await server.process.ended());
    const log = ends.at(-1)?.stderr ?? "";
    // It is about all of these.
    for (const word of ["session-opened", "auth", "handshake-failed", "not-found"]) assertStringIncludes(log, word);
    for (const { stdout, stderr } of ends) {
      for (const one of [secret, other]) assertHides(stdout + stderr, one);
    }
  });
}

Deno.test({
  name: "T11: a program that is started with !CMD has no secret in its environment",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = secretPlace();
    await forAll([[], ["--secret-file", shared.file]], async (flags) => {
      const words = tandem(["connect", "-q", ...flags, shared.address], [...WITH_SECRET, "--allow-run"]);
      const env = cleanEnv({ TANDEM_SECRET: shared.secret, MARK: "is here" });
      const ended = await run(words, { ...env, stdin: "!env\nls\n" });
      assertCode(ended, 0);
      assertMatch(ended.stdout, /^MARK=is here$/m);
      assertMatch(ended.stdout, /^a$/m);
      assertEquals(/^TANDEM_SECRET=/m.test(ended.stdout), false);
      assertHides(ended.stdout + ended.stderr, shared.secret);
    });
  },
});

terminalTest("T11: at a prompt a secret is not shown either, also when the session has failed", async () => {
  await using shared = secretPlace();
  const words = tandemAtTerminal(["connect", "-v", shared.address], [...WITH_SECRET, "--allow-env"]);
  {
    await using terminal = new Terminal(words, cleanEnv({ TANDEM_SECRET: shared.secret }));
    assertMatch(await terminal.until(/> /), /encrypted/);
    await terminal.ask("ls");
    await shared.server.shutdown();
    await terminal.ask("ls");
    await terminal.type("\x04");
    assertHides((await terminal.ended()).stdout, shared.secret);
  }
});
