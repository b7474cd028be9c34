/**
 * `deno task bench`: one large file through the real program, in both exchanges
 * and with a secret, beside `cp`, `curl` from `python3 -m http.server` and, where
 * it is installed, `sftp`; interleaved, with the memory of both sides. Ratios of one run mean something here, seconds do not.
 *
 * `BENCH_MIB` (2048) is the size, `BENCH_ROUNDS` (5) how often, `BENCH_DIR` the
 * place (memory where there is `/dev/shm`, so that no disk is measured).
 *
 * @module
 */

import { generateSecret } from "../../mod.ts";
import { startSftp } from "./sftp.ts";

const PROJECT = new URL("../..", import.meta.url).pathname;
const SIZE_MIB = Number(Deno.env.get("BENCH_MIB") ?? 2_048);
const ROUNDS = Number(Deno.env.get("BENCH_ROUNDS") ?? 5);
const MEMORY_LIMIT_MIB = 100;

/** One run of one competitor. */
interface Run {
  readonly seconds: number;
  /** The most memory that the client held, in MiB; undefined where it was not measured. */
  readonly clientMib?: number;
}

interface Competitor {
  readonly name: string;
  readonly run: () => Promise<Run>;
}

async function timed(
  command: string,
  args: readonly string[],
  cwd: string,
): Promise<Run> {
  const startedMs = performance.now();
  const child = new Deno.Command(command, {
    args: [...args],
    cwd,
    stdin: "null",
    stdout: "null",
    stderr: "null",
  }).spawn();
  let peak: number | undefined;
  const watch = setInterval(() => peak = peakMib(child.pid) ?? peak, 20);
  const { code } = await child.status;
  clearInterval(watch);
  if (code !== 0) {
    throw new Error(`${command} ${args.join(" ")}: exit code ${code}`);
  }
  const seconds = (performance.now() - startedMs) / 1_000;
  return peak === undefined ? { seconds } : { seconds, clientMib: peak };
}

/** The most memory that a process has held so far, as Linux counts it. */
function peakMib(pid: number): number | undefined {
  try {
    const status = Deno.readTextFileSync(`/proc/${pid}/status`);
    const kib = /VmHWM:\s+([0-9]+) kB/.exec(status)?.[1];
    return kib === undefined ? undefined : Number(kib) / 1_024;
  } catch {
    // It has ended, or this is no Linux.
    return undefined;
  }
}

/** Starts a server and waits for the first line that `ready` finds the port in. */
async function startServer(
  command: string,
  args: readonly string[],
  ready: RegExp,
): Promise<{ readonly port: string; readonly pid: number } & AsyncDisposable> {
  const child = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  let port: string | undefined;
  while (port === undefined) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`${command} ended: ${text}`);
    text += value;
    port = ready.exec(text)?.[1];
  }
  const drained = (async () => {
    while (!(await reader.read()).done);
  })();
  return {
    port,
    pid: child.pid,
    async [Symbol.asyncDispose]() {
      child.kill("SIGTERM");
      await Promise.all([child.status, drained]);
    },
  };
}

function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

function removeIfPresent(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** Random bytes, repeated: no side can do better by knowing what comes. */
function makeFile(path: string): void {
  const piece = new Uint8Array(1024 * 1024);
  for (let i = 0; i < piece.length; i += 65_536) {
    crypto.getRandomValues(piece.subarray(i, i + 65_536));
  }
  using file = Deno.openSync(path, { create: true, write: true });
  for (let i = 0; i < SIZE_MIB; i++) file.writeSync(piece);
}

async function bench(folder: string): Promise<boolean> {
  const shared = `${folder}/shared`;
  const here = `${folder}/here`;
  Deno.mkdirSync(shared);
  Deno.mkdirSync(here);
  // The first touch of fresh memory costs five times: touched, and given back.
  makeFile(`${here}/warm`);
  removeIfPresent(`${here}/warm`);
  makeFile(`${shared}/file`);
  const main = `${PROJECT}main.ts`;
  const secretFile = `${folder}/secret`;
  Deno.writeTextFileSync(secretFile, generateSecret(), { mode: 0o600 });
  const serve = (...flags: string[]) =>
    startServer(
      Deno.execPath(),
      ["run", "-A", main, "serve", "--overwrite", "--port", "0", "--min-free", "0", "-q", ...flags, shared],
      /listening \S+:([0-9]+)\n/,
    );
  await using tandem = await serve();
  await using locked = await serve("--secret-file", secretFile);
  await using sftp = await startSftp(folder);
  Deno.writeTextFileSync(`${folder}/get`, `get ${shared}/file out\n`);
  Deno.writeTextFileSync(`${folder}/put`, `put ${shared}/file ${shared}/out\n`);
  await using http = await startServer(
    "python3",
    [
      "-u",
      "-m",
      "http.server",
      "--bind",
      "127.0.0.1",
      "--directory",
      shared,
      "0",
    ],
    /port ([0-9]+)/,
  );
  const connectTo = (port: string, args: readonly string[]) =>
    timed(Deno.execPath(), ["run", "-A", main, "connect", "-q", `127.0.0.1:${port}`, ...args], here);
  const connect = (...args: string[]) => connectTo(tandem.port, args);
  const connectSecretly = (...args: string[]) => connectTo(locked.port, ["--secret-file", secretFile, ...args]);
  const withSftp = sftp === undefined ? [] : ["get", "put"].map((way): Competitor => ({
    name: `sftp ${way} (aes128-gcm)`,
    run: () => timed(sftp.command, sftp.args(`${folder}/${way}`), here),
  }));
  const competitors: readonly Competitor[] = [
    { name: "cp", run: () => timed("cp", [`${shared}/file`, "out"], here) },
    { name: "tandem get", run: () => connect("--require-tandem", "get", "file", "out") },
    { name: "tandem get (plain)", run: () => connect("--plain", "get", "file", "out") },
    { name: "tandem get (secret)", run: () => connectSecretly("get", "file", "out") },
    { name: "tandem put", run: () => connect("--require-tandem", "put", `${shared}/file`, "out") },
    { name: "tandem put (plain)", run: () => connect("--plain", "put", `${shared}/file`, "out") },
    { name: "tandem put (secret)", run: () => connectSecretly("put", `${shared}/file`, "out") },
    ...withSftp,
    {
      name: "python3 http.server + curl",
      run: () =>
        timed("curl", [
          "-sS",
          "-o",
          "out",
          `http://127.0.0.1:${http.port}/file`,
        ], here),
    },
  ];
  const runs = new Map<string, Run[]>(
    competitors.map(({ name }) => [name, []]),
  );
  for (let round = 0; round < ROUNDS; round++) {
    for (const { name, run } of competitors) {
      runs.get(name)?.push(await run());
      removeIfPresent(`${here}/out`);
      removeIfPresent(`${shared}/out`);
    }
  }
  return report(runs, Math.max(peakMib(tandem.pid) ?? 0, peakMib(locked.pid) ?? 0));
}

function report(
  runs: ReadonlyMap<string, readonly Run[]>,
  serverMib: number,
): boolean {
  const seconds = (name: string) => median((runs.get(name) ?? []).map((run) => run.seconds));
  const cp = seconds("cp");
  console.log(`\n${SIZE_MIB} MiB, median of ${ROUNDS}, interleaved:\n`);
  console.log("| what | s | x cp | x curl | client MiB |");
  console.log("| --- | --- | --- | --- | --- |");
  let ok = true;
  for (const [name, each] of runs) {
    const s = seconds(name);
    const mib = Math.max(...each.map(({ clientMib }) => clientMib ?? 0));
    const curl = s / seconds("python3 http.server + curl");
    console.log(
      `| ${name} | ${s.toFixed(2)} | ${(s / cp).toFixed(2)} | ${curl.toFixed(2)} | ${mib.toFixed(0)} |`,
    );
    if (name.startsWith("tandem") && mib > MEMORY_LIMIT_MIB) ok = false;
  }
  for (const way of ["get", "put"]) {
    const ratio = seconds(`tandem ${way} (plain)`) / seconds(`tandem ${way}`);
    console.log(`${way}: plain takes ${ratio.toFixed(2)} x as long as tandem`);
  }
  for (const way of ["get", "put"].filter((way) => runs.has(`sftp ${way} (aes128-gcm)`))) {
    const ratio = seconds(`tandem ${way} (secret)`) / seconds(`sftp ${way} (aes128-gcm)`);
    console.log(`${way} with a secret: ${ratio.toFixed(2)} x sftp`);
  }
  console.log(`\nserver: ${serverMib.toFixed(0)} MiB at the most`);
  if (serverMib > MEMORY_LIMIT_MIB) ok = false;
  if (!ok) console.log(`over ${MEMORY_LIMIT_MIB} MiB of memory: that is a bug`);
  return ok;
}

function benchFolder(): string {
  const dir = Deno.env.get("BENCH_DIR");
  if (dir !== undefined) return dir;
  try {
    return Deno.statSync("/dev/shm").isDirectory ? "/dev/shm" : "/tmp";
  } catch {
    return Deno.env.get("TMPDIR") ?? "/tmp";
  }
}

const folder = Deno.makeTempDirSync({
  dir: benchFolder(),
  prefix: "tandem-bench-",
});
let ok = false;
try {
  ok = await bench(folder);
} finally {
  Deno.removeSync(folder, { recursive: true });
}
Deno.exit(ok ? 0 : 1);
