/**
 * The ways to the program that need no checkout: straight from a URL, as a
 * module of a URL, and as one bundled file.
 *
 * @module
 */

import { assertEquals, assertGreater, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertCode, IS_UNIX, PROJECT, run, startServe } from "./program.ts";
import { assertFiles, someBytes, writeFiles } from "./place.ts";
import { taskWords } from "./tasks.ts";

const NO_REGISTRY = await whyNoRegistry();

/** Why what the program takes from npm cannot be fetched into an empty cache; undefined where it can. */
async function whyNoRegistry(): Promise<string | undefined> {
  using cache = tempFolder();
  const words = [Deno.execPath(), "cache", "--quiet", "src/deps.ts"];
  const { code } = await run(words, { cwd: PROJECT, env: { DENO_DIR: cache.path } });
  return code === 0 ? undefined : "needs the npm registry";
}

/** Registers a test that fetches from npm; where that cannot be done it is skipped, and its name says why. */
function registryTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  const why = NO_REGISTRY === undefined ? "" : ` (skipped: ${NO_REGISTRY})`;
  Deno.test({ name: name + why, ignore: NO_REGISTRY !== undefined, fn: run });
}

/** An HTTP server of the checkout, as whoever publishes it has one. */
interface Site extends AsyncDisposable {
  /** Where it is, without a `/` at its end. */
  readonly url: string;
  /** `HOST:PORT`, for a right. */
  readonly host: string;
  /** The paths that were asked for, with what they were answered. */
  readonly requests: string[];
}

function openSite(): Site {
  const requests: string[] = [];
  const server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen: () => {} }, async (request) => {
    const { pathname } = new URL(request.url);
    try {
      const body = await Deno.readFile(PROJECT + pathname.slice(1));
      requests.push(`200 ${pathname}`);
      return new Response(body, { headers: { "content-type": "application/typescript" } });
    } catch {
      requests.push(`404 ${pathname}`);
      return new Response("not here", { status: 404 });
    }
  });
  const host = `127.0.0.1:${server.addr.port}`;
  return { url: `http://${host}`, host, requests, [Symbol.asyncDispose]: () => server.shutdown() };
}

/** A folder each for the cache, for what is shared, and for who fetches. */
function folders() {
  const folder = tempFolder();
  const [cache, shared, here] = ["cache", "shared", "here"].map((name) => `${folder.path}/${name}`) as [
    string,
    string,
    string,
  ];
  for (const path of [cache, shared, here]) Deno.mkdirSync(path);
  return { cache, shared, here, [Symbol.dispose]: () => folder[Symbol.dispose]() };
}

registryTest("the program runs from a URL, with an empty cache and the fewest rights", async () => {
  await using site = openSite();
  using at = folders();
  const bytes = someBytes(1_500_000);
  writeFiles(at.shared, { "a.bin": bytes });
  const rightsIn = (folder: string) => [
    `--allow-import=${site.host}`,
    "--no-prompt",
    "--allow-net=127.0.0.1",
    `--allow-read=${folder}`,
    `--allow-write=${folder}`,
  ];
  const words = (folder: string, ...args: string[]) => [
    Deno.execPath(),
    "run",
    ...rightsIn(folder),
    `${site.url}/main.ts`,
    ...args,
  ];
  const env = { DENO_DIR: at.cache };
  await using server = await startServe(words(at.shared, "serve", "-p0", "--write", "."), { cwd: at.shared, env });
  const connect = (...args: string[]) => run(words(at.here, "connect", server.address, ...args), { cwd: at.here, env });
  const listed = await connect("ls");
  assertCode(listed, 0);
  assertEquals(listed.stdout, "a.bin\n");
  assertCode(await connect("get", "a.bin", "b.bin"), 0);
  assertEquals(Deno.readFileSync(`${at.here}/b.bin`), bytes);
  assertCode(await connect("put", "b.bin"), 0);
  assertEquals(Deno.readFileSync(`${at.shared}/b.bin`), bytes);
  assertCode(await connect("get", "none"), 4);
  if (IS_UNIX) {
    server.process.kill("SIGTERM");
    assertCode(await server.process.ended(), 0);
  }
  assertEquals(site.requests.filter((request) => !request.startsWith("200 ")), []);
  assertEquals(site.requests.filter((request) => !/ \/(main\.ts|mod\.ts|src\/.*)$/.test(request)), []);
});

registryTest("the library runs from a URL in a script of somebody else", async () => {
  await using site = openSite();
  using at = folders();
  const script = `
    import { connect, serve } from "${site.url}/mod.ts";
    await using server = serve({ root: "shared", port: 0, write: true });
    await using client = await connect({ port: server.addr.port });
    await client.put("hello.txt", new Blob(["hello"]).stream());
    for await (const entry of client.list("/")) console.log(entry.name);
    await using download = await client.get("hello.txt");
    await download.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
  `;
  const folder = `${at.here}/work`;
  writeFiles(folder, { "script.ts": script, "shared/": "" });
  const rights = [`--allow-import=${site.host}`, "--no-prompt", "--allow-net=127.0.0.1"];
  const words = [Deno.execPath(), "run", ...rights, "--allow-read=shared", "--allow-write=shared", "script.ts"];
  const ended = await run(words, { cwd: folder, env: { DENO_DIR: at.cache } });
  assertCode(ended, 0);
  assertEquals(ended.stdout, "hello.txt\nhello");
  assertFiles(`${folder}/shared`, { "hello.txt": "hello" });
  assertEquals(site.requests.filter((request) => request.includes("/cli/")), [], "a library brings no command line");
});

registryTest("the program runs as one bundled file, which fetches nothing more", async () => {
  using at = folders();
  const bundle = `${at.here}/tandem.js`;
  const bundled = await run([Deno.execPath(), ...taskWords("bundle", bundle)], { cwd: PROJECT });
  assertCode(bundled, 0);
  assertEquals([...Deno.readDirSync(at.here)].map(({ name }) => name), ["tandem.js"]);
  assertGreater(Deno.statSync(bundle).size, 10_000);
  const bytes = someBytes(400_000);
  writeFiles(at.shared, { "a.bin": bytes });
  const words = (...args: string[]) => [
    Deno.execPath(),
    "run",
    "--no-remote",
    "--no-npm",
    "--no-prompt",
    "--allow-net=127.0.0.1",
    `--allow-read=${at.shared},${at.here}`,
    `--allow-write=${at.shared},${at.here}`,
    bundle,
    ...args,
  ];
  const env = { DENO_DIR: at.cache };
  await using server = await startServe(words("serve", "-p0", "--write", at.shared), { cwd: at.here, env });
  const connect = (...args: string[]) => run(words("connect", server.address, ...args), { cwd: at.here, env });
  assertCode(await connect("get", "a.bin"), 0);
  assertEquals(Deno.readFileSync(`${at.here}/a.bin`), bytes);
  assertCode(await connect("put", "a.bin", "c.bin"), 0);
  assertEquals(Deno.readFileSync(`${at.shared}/c.bin`), bytes);
  assertCode(await connect("get", "a.bin"), 10);
  const help = await run(words("help", "connect"), { env });
  assertStringIncludes(help.stdout, "--on-exist");
});
