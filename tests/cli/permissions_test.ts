/**
 * The rights that README.md gives: with each line the program does what it is
 * for, and with any of its rights less it does not.
 *
 * The lines are those that begin with `deno run --no-prompt` in the `sh` blocks
 * of the section "Permissions". What stands for something else is replaced: the
 * folder `/srv/pub`, the files `/etc/tandem.secret` and `/etc/ca.pem`, the hosts
 * `192.0.2.7` and `files.example.org`, the port 2121, `main.ts`. What a line is
 * for follows from it: a `serve` lists and sends, in both exchanges unless it has
 * a secret, and stores where it may; what the environment is read for besides is
 * told of; a `connect` that may reach all ports of a host has a plain server.
 *
 * @module
 */

import { connect, generateSecret, Secret, type ServeOptions } from "../../mod.ts";
import { splitWords } from "../../src/cli/words.ts";
import { assertEquals, assertGreater, assertNotEquals } from "../deps.ts";
import { serveForTest, tempFolder } from "../helpers.ts";
import { writeFiles } from "./place.ts";
import { assertCode, PROJECT, run, startServe } from "./program.ts";
import { cleanEnv, TOLD_VARIABLES, writeSecret } from "./secrets.ts";

/** What the README will say. */
const LINES: readonly string[] = readmeLines() ?? [
  "deno run --no-prompt --allow-net=127.0.0.1:2121,127.0.0.1:0 --allow-read=/srv/pub main.ts serve /srv/pub",
  "deno run --no-prompt --allow-net=127.0.0.1:2121,127.0.0.1:0 --allow-read=/srv/pub --allow-write=/srv/pub " +
  "--allow-sys=statfs main.ts serve --write /srv/pub",
  "deno run --no-prompt --allow-net=0.0.0.0:2121,192.0.2.7:0 --allow-read=/srv/pub main.ts serve --host 0.0.0.0 /srv/pub",
  "deno run --no-prompt '--allow-net=[::]:2121' --allow-read=/srv/pub,/etc/tandem.secret --allow-write=/srv/pub " +
  "--allow-sys=statfs main.ts serve --write --secret-file /etc/tandem.secret /srv/pub",
  "deno run --no-prompt '--allow-net=[::]:2121' --allow-env=TANDEM_SECRET --allow-read=/srv/pub main.ts serve /srv/pub",
  "deno run --no-prompt --allow-net=192.0.2.7:2121 --allow-read=. --allow-write=. main.ts connect 192.0.2.7 get a.bin",
  "deno run --no-prompt --allow-net=192.0.2.7 --allow-read=. --allow-write=. main.ts connect 192.0.2.7 get a.bin",
  "deno run --no-prompt --allow-net=192.0.2.7:2121 --allow-read=b.bin main.ts connect 192.0.2.7 put b.bin",
  `deno run --no-prompt --allow-net=192.0.2.7:2121 --allow-env=${TOLD_VARIABLES} ` +
  "--allow-read=.,/etc/tandem.secret --allow-write=. main.ts connect --secret-file /etc/tandem.secret 192.0.2.7 get a.bin",
  `deno run --no-prompt --allow-net=192.0.2.7:2121 --allow-env=TANDEM_SECRET,${TOLD_VARIABLES} ` +
  "--allow-read=. --allow-write=. main.ts connect 192.0.2.7 get a.bin",
  "deno run --no-prompt --allow-net=files.example.org:2121,192.0.2.7:2121 --allow-read=.,/etc/ca.pem --allow-write=. " +
  "main.ts connect --tls-ca /etc/ca.pem files.example.org get a.bin",
];

/** The lines of the README; undefined while it has none. */
function readmeLines(): string[] | undefined {
  const readme = Deno.readTextFileSync(`${PROJECT}README.md`);
  const [, section = ""] = /^## Permissions\n([^]*?)(?=^## |(?![^]))/m.exec(readme) ?? [];
  const blocks = [...section.matchAll(/^```sh\n([^]*?)^```/gm)].map(([, block = ""]) => block.replace(/\\\n\s*/g, ""));
  const lines = blocks.flatMap((block) => block.split("\n")).filter((line) => line.startsWith("deno run --no-prompt "));
  return lines.length === 0 ? undefined : lines;
}

/** A line, taken apart. */
interface Line {
  /** Its rights, each flag with what it is for: `net` of `127.0.0.1:0` and so on. */
  readonly rights: readonly (readonly [kind: string, item: string])[];
  /** `serve` or `connect`. */
  readonly subcommand: string;
  /** What stands behind that. */
  readonly args: readonly string[];
}

function parseLine(line: string): Line {
  const words = splitWords(line);
  const at = words.findIndex((word) => /(^|\/)main\.ts$/.test(word));
  const rights = words.slice(2, at).flatMap((flag): [string, string][] => {
    const [, kind = "", items] = /^--allow-([a-z]+)=(.+)$/.exec(flag) ?? [];
    // Where the program itself comes from is no right of what is tested here.
    if (flag === "--no-prompt" || kind === "import") return [];
    if (items === undefined) throw new Error(`${flag}: no narrow right`);
    return items.split(",").map((item) => [kind, item]);
  });
  return { rights, subcommand: words[at + 1] ?? "", args: words.slice(at + 2) };
}

/** The line without each of its rights, and with a port where it has a whole host. */
function narrower(line: Line): (readonly [without: string, line: Line])[] {
  return line.rights.flatMap(([kind, item], i) => {
    const less = [[`${kind} of ${item}`, { ...line, rights: line.rights.toSpliced(i, 1) }] as const];
    const isWholeHost = kind === "net" && !/:[0-9]+$/.test(item);
    if (!isWholeHost) return less;
    return [
      ...less,
      [`all ports of ${item}`, { ...line, rights: line.rights.with(i, [kind, `${item}:2121`]) }] as const,
    ];
  });
}

/** What stands for the files and hosts of the lines. */
interface Setting extends Disposable {
  readonly shared: string;
  readonly here: string;
  readonly secret: string;
  readonly secretFile: string;
  readonly caFile: string;
}

function setting(): Setting {
  const folder = tempFolder();
  writeFiles(folder.path, { "shared/a.bin": "content", "here/b.bin": "b" });
  const secret = generateSecret();
  return {
    shared: `${folder.path}/shared`,
    here: `${folder.path}/here`,
    secret,
    secretFile: writeSecret(`${folder.path}/secret`, secret),
    caFile: writeSecret(`${folder.path}/ca.pem`, new Secret(generateSecret()).authorityCert),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

/** The words that run a line here. */
function wordsOf({ rights, subcommand, args }: Line, where: Setting, port: number): string[] {
  const here = (word: string) =>
    word.replace("/srv/pub", where.shared).replace("/etc/tandem.secret", where.secretFile)
      .replace("/etc/ca.pem", where.caFile).replace("192.0.2.7", "127.0.0.1").replace("files.example.org", "localhost")
      .replace(/:2121$/, `:${port}`);
  const flags = Object.entries(Object.groupBy(rights, ([kind]) => kind)).map(([kind, items = []]) => {
    return `--allow-${kind}=${items.map(([, item]) => here(item)).join()}`;
  });
  const words = [Deno.execPath(), "run", "--no-prompt", ...flags, `${PROJECT}main.ts`, subcommand];
  return [...words, "-p", String(port), ...args.map(here)];
}

/** Which of the variables a line may see. */
function sees({ rights }: Line, variable: string): boolean {
  return rights.some(([kind, item]) => kind === "env" && item === variable);
}

/** A port that nobody has, below those that systems give away. */
function freePort(): number {
  for (;;) {
    const port = 20_000 + Math.floor(Math.random() * 10_000);
    try {
      Deno.listen({ hostname: "127.0.0.1", port }).close();
      return port;
    } catch (error) {
      if (!(error instanceof Deno.errors.AddrInUse)) throw error;
    }
  }
}

/** Runs a `serve` with the rights of `line`, and has it do what `full` is for. Rejects if it does not. */
async function serveDoes(line: Line, full: Line): Promise<void> {
  using where = setting();
  const fromVariable = sees(full, "TANDEM_SECRET");
  const env = cleanEnv(fromVariable ? { TANDEM_SECRET: where.secret } : {});
  const hasSecret = fromVariable || full.args.includes("--secret-file");
  const port = freePort();
  await using _server = await startServe(wordsOf(line, where, port), env);
  // What is waited for in vain takes this long.
  const limits = { timeoutMs: line === full ? 10_000 : 1_000 };
  const options = { port, limits, ...(hasSecret ? { secret: where.secret } : {}) };
  await using client = await connect(options);
  assertEquals((await Array.fromAsync(client.list())).map(({ name }) => name), ["a.bin"]);
  assertEquals(await new Response((await client.get("a.bin")).readable).text(), "content");
  assertEquals(client.mode, "tandem");
  if (full.args.includes("--write")) {
    assertEquals((await client.put("new.bin", "new")).outcome, "stored");
    // More than any disk has: this must be known beforehand.
    const tooMuch = client.put("huge.bin", new Blob(["x"]).stream(), { size: 2 ** 52 });
    assertEquals(await tooMuch.then(({ outcome }) => outcome, ({ code }) => code), "no-space");
    assertEquals(Deno.readTextFileSync(`${where.shared}/new.bin`), "new");
  }
  if (hasSecret) return;
  await using plain = await connect({ ...options, mode: "plain" });
  assertEquals(await new Response((await plain.get("a.bin")).readable).text(), "content");
}

/** The server that a `connect` is for. */
async function serverFor(full: Line, where: Setting): Promise<ServeOptions> {
  if (full.args.includes("--tls-ca")) {
    const key = `${where.here}/../key.pem`;
    const words = "openssl req -x509 -newkey ed25519 -nodes -days 30 -subj /CN=localhost".split(" ");
    const extensions = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    assertCode(await run([...words, ...extensions, "-keyout", key, "-out", where.caFile]), 0);
    return { tls: { cert: Deno.readTextFileSync(where.caFile), key: Deno.readTextFileSync(key) } };
  }
  if (full.args.includes("--secret-file") || sees(full, "TANDEM_SECRET")) return { secret: where.secret };
  return full.rights.some(([kind, item]) => kind === "net" && !item.includes(":")) ? { mode: "plain" } : {};
}

/** Runs a `connect` with the rights of `line`, against the server that `full` is for. Rejects if it does not what that is for. */
async function connectDoes(line: Line, full: Line): Promise<void> {
  using where = setting();
  await using server = serveForTest(where.shared, { hostname: "127.0.0.1", ...await serverFor(full, where) });
  const told = TOLD_VARIABLES.filter((name) => sees(full, name));
  const trust = {
    DENO_CERT: where.caFile,
    DENO_TLS_CA_STORE: "system",
    NODE_EXTRA_CA_CERTS: where.caFile,
    SSLKEYLOGFILE: `${where.here}/../keys`,
  };
  const env = cleanEnv({
    ...(told.length > 0 ? trust : {}),
    ...(sees(full, "TANDEM_SECRET") ? { TANDEM_SECRET: where.secret } : {}),
  });
  const ended = await run(wordsOf(line, where, server.addr.port), { cwd: where.here, ...env });
  assertCode(ended, 0);
  for (const name of told) assertEquals(ended.stderr.includes(name), true, `nothing is told of ${name}`);
  if (full.args.includes("get")) assertEquals(Deno.readTextFileSync(`${where.here}/a.bin`), "content");
  else assertEquals(Deno.readTextFileSync(`${where.shared}/b.bin`), "b");
}

for (const text of LINES) {
  const full = parseLine(text);
  Deno.test(`it takes no other rights, and no fewer: ${text}`, async (t) => {
    assertGreater(full.rights.length, 0);
    const does = full.subcommand === "serve" ? serveDoes : connectDoes;
    await t.step("with these it works", () => does(full, full));
    for (const [without, line] of narrower(full)) {
      await t.step(`without ${without} it does not`, async () => {
        const failure = await does(line, full).then(() => undefined, (error: Error) => error);
        assertNotEquals(failure, undefined, "it works all the same");
      });
    }
  });
}

Deno.test("the lines are for both subcommands, to be read and to be written, with a secret and without", () => {
  const lines = LINES.map(parseLine);
  const has = (subcommand: string, word: string) =>
    lines.some((line) => line.subcommand === subcommand && line.args.includes(word));
  for (
    const [subcommand, word] of [["serve", "--write"], ["serve", "--secret-file"], ["connect", "get"], [
      "connect",
      "put",
    ], ["connect", "--secret-file"]] as const
  ) {
    assertEquals(has(subcommand, word), true, `no ${subcommand} with ${word}`);
  }
  for (const subcommand of ["serve", "connect"]) {
    assertEquals(lines.some((line) => line.subcommand === subcommand && sees(line, "TANDEM_SECRET")), true, subcommand);
  }
  // Nothing runs programs or loads libraries.
  assertEquals(lines.flatMap(({ rights }) => rights).filter(([kind]) => kind === "run" || kind === "ffi"), []);
});
