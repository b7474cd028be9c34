/**
 * The compiled binary, which has another runtime in it where only npm can be
 * reached: Deno 2.4.2, as `denort-setup` tells.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { tmpdir } from "node:os";
import { assertEquals, assertMatch, assertNotMatch } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertClearError, assertCode, PROJECT, run, Running, startServe } from "./program.ts";
import { assertFiles, someBytes, writeFiles } from "./place.ts";
import { cleanEnv, TOLD_VARIABLES, writeSecret } from "./secrets.ts";
import { taskWords } from "./tasks.ts";

/** Rights that are no business of a program that moves files. */
const NO_BUSINESS = /--allow-(run|ffi|all|hrtime|import)|(^| )-A|--allow-env( |$)/;

Deno.test("the task that compiles bakes in neither run nor ffi, and no environment but what is used", () => {
  const words = taskWords("compile", "dist/tandem").join(" ");
  assertNotMatch(words, NO_BUSINESS);
  const [, variables = ""] = /--allow-env=(\S+)/.exec(words) ?? [];
  const given = variables.split(",");
  const needed = ["HOME", "NO_COLOR", "TANDEM_*", "TERM", "XDG_STATE_HOME", ...TOLD_VARIABLES];
  assertEquals(needed.filter((name) => !given.includes(name)), []);
  const source = [...Deno.readDirSync(`${PROJECT}src/cli`)].map(({ name }) =>
    Deno.readTextFileSync(`${PROJECT}src/cli/${name}`)
  ).join();
  // Deno itself looks for the first one; the second is each flag's own.
  const others = given.filter((name) => name !== "NO_COLOR" && name !== "TANDEM_*");
  assertEquals(others.filter((name) => !source.includes(`"${name}"`)), []);
});

const SETUP = fileURLToPath(new URL("../../../shared/bin/denort-setup", import.meta.url));
const NOT_HERE = whyNotHere();

/** How long the runtime may take to come when it is not there yet, in milliseconds. */
const SETUP_PATIENCE_MS = 180_000;

function whyNotHere(): string | undefined {
  if (Deno.build.target !== "x86_64-unknown-linux-gnu") return "needs Linux x64";
  try {
    Deno.statSync(SETUP);
  } catch {
    return "needs ../shared/bin/denort-setup";
  }
  try {
    const { success } = new Deno.Command("npm", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync();
    return success ? undefined : "needs npm";
  } catch {
    return "needs npm";
  }
}

/** Gets the runtime, once for this machine, and compiles the program to `output`. */
async function compile(output: string): Promise<void> {
  await using setup = new Running([SETUP, `${tmpdir()}/denort`]);
  const made = await setup.ended(SETUP_PATIENCE_MS);
  assertCode(made, 0);
  const exports = made.stdout.matchAll(/^export (\w+)=(.*)$/gm);
  const { DENO_FOR_COMPILE = "", ...env } = Object.fromEntries([...exports].map(([, key, value]) => [key, value]));
  const [command = "", ...flags] = taskWords("compile", output);
  // The types of an older Deno lack what the program uses only where it is there; and its lock file is none of its business.
  const words = [DENO_FOR_COMPILE, command, "--no-check", "--no-lock", ...flags];
  assertCode(await run(words, { cwd: PROJECT, env }), 0);
}

Deno.test({
  name: `the compiled binary serves, fetches and stores${NOT_HERE === undefined ? "" : ` (skipped: ${NOT_HERE})`}`,
  ignore: NOT_HERE !== undefined,
  async fn(t) {
    using folder = tempFolder();
    const [binary, shared, here] = [`${folder.path}/tandem`, `${folder.path}/shared`, `${folder.path}/here`];
    await compile(binary);
    const bytes = someBytes(1_500_000);
    writeFiles(shared, { "a.bin": bytes, "sub/b": "b" });
    writeFiles(folder.path, { secret: "secret", "here/": "" });
    Deno.symlinkSync("../secret", `${shared}/link`);
    assertCode(await run(["mkfifo", `${shared}/fifo`]), 0);

    await using server = await startServe([binary, "serve", "-p0", "--write", shared]);
    const connect = (...args: string[]) => run([binary, "connect", server.address, ...args], { cwd: here });

    await t.step("--version", async () => {
      const { version } = JSON.parse(Deno.readTextFileSync(`${PROJECT}deno.json`));
      assertEquals((await run([binary, "--version"])).stdout.split(" ").slice(0, 2), ["tandem", version]);
    });
    await t.step("ls", async () => {
      const ended = await connect("ls", "-R");
      assertCode(ended, 0);
      assertEquals(ended.stdout, "a.bin\nsub/\nsub/b\n");
    });
    await t.step("get and put, every byte", async () => {
      assertCode(await connect("get", "a.bin"), 0);
      assertEquals(Deno.readFileSync(`${here}/a.bin`), bytes);
      assertCode(await connect("put", "a.bin", "sub/c.bin"), 0);
      assertEquals(Deno.readFileSync(`${shared}/sub/c.bin`), bytes);
    });
    await t.step("links out of the folder and FIFOs are not served", async () => {
      for (const [name, code] of [["link", 5], ["fifo", 5], ["none", 4]] as const) {
        const ended = await connect("--timeout", "5", "get", name);
        assertCode(ended, code);
        assertClearError(ended);
      }
    });
    await t.step("a name that is taken is kept, on both sides", async () => {
      Deno.writeTextFileSync(`${here}/b`, "kept");
      assertCode(await connect("get", "sub/b"), 10);
      assertFiles(`${here}`, { "a.bin": new TextDecoder().decode(bytes), b: "kept" });
      const put = await connect("--on-exist", "overwrite", "put", "b", "sub/b");
      assertCode(put, 5);
      assertEquals(Deno.readTextFileSync(`${shared}/sub/b`), "b");
    });
    await t.step("a silent server is a timeout", async () => {
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const address = `127.0.0.1:${listener.addr.port}`;
      const ended = await run([binary, "connect", address, "--timeout", "0.3", "ls"]);
      assertCode(ended, 11);
    });
    await t.step("with a secret it serves, fetches and stores, and who has none gets nothing", async () => {
      const secret = (await run([binary, "secret"])).stdout;
      assertMatch(secret, /^(\w{4}-){6}\w{4}\n$/);
      const file = writeSecret(`${folder.path}/its-secret`, secret);
      await using server = await startServe(
        [binary, "serve", "-qp0", "--write", "--secret-file", file, shared],
        cleanEnv(),
      );
      assertMatch(server.firstLine, /^listening \[::\]:/);
      const words = [binary, "connect", `127.0.0.1:${server.port}`];
      const there = `${folder.path}/there`;
      Deno.mkdirSync(there);
      const ended = await run([...words, "get", "a.bin"], { cwd: there, ...cleanEnv({ TANDEM_SECRET: secret }) });
      assertCode(ended, 0);
      assertEquals(Deno.readFileSync(`${there}/a.bin`), bytes);
      assertCode(
        await run([...words, "--secret-file", file, "put", "a.bin", "d.bin"], { cwd: there, ...cleanEnv() }),
        0,
      );
      assertEquals(Deno.readFileSync(`${shared}/d.bin`), bytes);
      const stranger = await run([...words, "get", "a.bin", "-"], cleanEnv());
      assertCode(stranger, 5);
      assertClearError(stranger);
      const other = cleanEnv({ TANDEM_SECRET: (await run([binary, "secret"])).stdout });
      assertCode(await run([...words, "get", "a.bin", "-"], other), 5);
      const trust = await run([...words, "--secret-file", file, "ls"], cleanEnv({ DENO_TLS_CA_STORE: "system" }));
      assertCode(trust, 0);
      assertMatch(trust.stderr, /^tandem: DENO_TLS_CA_STORE\b.*\n$/);
    });
    await t.step("!CMD is not available, which is said, and nothing is run", async () => {
      const ended = await run([binary, "connect", server.address], { cwd: here, stdin: "!touch made\nls\n" });
      assertCode(ended, 7);
      assertClearError(ended);
      assertMatch(ended.stderr, /not available/);
      assertEquals([...Deno.readDirSync(here)].some(({ name }) => name === "made"), false);
    });
    await t.step("SIGTERM ends it with exit 0", async () => {
      server.process.kill("SIGTERM");
      const ended = await server.process.ended();
      assertCode(ended, 0);
      assertMatch(ended.stderr, /command="put sub\/c\.bin" .*outcome=ok/);
    });
  },
});
