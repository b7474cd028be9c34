/**
 * `get`, `put` and `cat`: where files go, what happens when a name is taken, and
 * what is said when some of several fail.
 *
 * @module
 */

import { basename, join, posix } from "node:path";
import { type RemoteEntry, TandemError } from "../../mod.ts";
import { usage } from "./flags.ts";
import type { OnExist, Shell } from "./shell.ts";
import { writeStdoutBytes } from "./terminal.ts";

/** One file to be moved, both names as they are used. */
interface Job {
  readonly from: string;
  readonly to: string;
}

/**
 * Fetches files, as `cp` would: into the last name where that is an existing
 * folder, else as that name.
 *
 * @throws {TandemError} what a single file failed with; `partial` where some of several did.
 */
export async function getFiles(
  shell: Shell,
  words: readonly string[],
): Promise<void> {
  const [first = "", second] = words;
  if (words.length === 2 && second === "-") {
    return await copyToStdout(shell, first);
  }
  const remotes = words.length === 1 ? words : words.slice(0, -1);
  const target = words.length === 1 ? "." : words.at(-1) ?? ".";
  const into = await isLocalFolder(shell.local(target));
  if (!into && (remotes.length > 1 || target.endsWith("/"))) {
    throw usage(`"${target}" is not an existing folder`, "make it first, or give the name of a file");
  }
  const jobs = remotes.map((remote): Job => {
    const from = shell.remote(remote);
    const to = into ? join(target, basename(from)) : target;
    return { from: `/${from}`, to: shell.local(to) };
  });
  await runJobs(shell, jobs, (job) => getFile(shell, job));
}

/**
 * Stores files, as `cp` would: into the last name where that is an existing
 * folder, else as that name. The plain exchange cannot be asked about a name, so
 * the folder that it is in is listed.
 *
 * @throws {TandemError} what a single file failed with; `partial` where some of several did.
 */
export async function putFiles(shell: Shell, words: readonly string[]): Promise<void> {
  const there = new RemoteNames(shell);
  const locals = words.length === 1 ? words : words.slice(0, -1);
  const target = words.length === 1 ? "." : words.at(-1) ?? ".";
  const folder = shell.remote(target);
  const into = /(^|\/)\.{0,2}$/.test(target) || await there.kindOf(folder) === "directory";
  if (!into && locals.length > 1) throw usage(`"${target}" is not an existing folder at the server`);
  const jobs = locals.map((local): Job => {
    if (local !== "-") return { from: local, to: into ? `/${folder}/${basename(local)}` : `/${folder}` };
    if (into) throw usage("put - needs a name: put - REMOTE");
    if (shell.readsStdin) {
      throw usage("put - takes its bytes from stdin, where the commands come from", "give the commands with -f FILE");
    }
    return { from: local, to: `/${folder}` };
  });
  await runJobs(shell, jobs, (job) => putFile(shell, job, there));
}

/** What is in the folders at the server, each listed once for one command. */
class RemoteNames {
  readonly #shell: Shell;
  readonly #folders = new Map<string, Map<string, RemoteEntry["kind"]>>();

  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** What a path names; undefined where it names nothing, or where the server does not list its folder. */
  async kindOf(path: string): Promise<RemoteEntry["kind"] | undefined> {
    const { dir, base } = posix.parse(`/${path}`);
    return (await this.#list(dir)).get(base);
  }

  async #list(folder: string): Promise<Map<string, RemoteEntry["kind"]>> {
    const known = this.#folders.get(folder);
    if (known !== undefined) return known;
    const names = new Map<string, RemoteEntry["kind"]>();
    this.#folders.set(folder, names);
    try {
      for await (const { name, kind } of this.#shell.client.list(folder, { signal: this.#shell.signal })) {
        names.set(name, kind);
      }
    } catch (error) {
      // Some servers list nothing; what is there they will have to see to themselves.
      if (!(error instanceof TandemError) || error.code !== "not-found") throw error;
    }
    return names;
  }

  /** The first of PATH.1, PATH.2, … that names nothing. */
  async freeName(path: string): Promise<string> {
    await this.kindOf(path);
    const names = this.#folders.get(posix.dirname(path));
    return freeName(path, (name) => names?.has(posix.basename(name)) ?? false);
  }
}

/** Does all jobs; one that fails does not keep the others from being done, unless the session is gone. */
async function runJobs(
  shell: Shell,
  jobs: readonly Job[],
  run: (job: Job) => Promise<void>,
): Promise<void> {
  const failed: { job: Job; error: TandemError }[] = [];
  for (const job of jobs) {
    try {
      shell.output.begin();
      await run(job);
    } catch (error) {
      if (!(error instanceof TandemError) || jobs.length === 1) throw error;
      failed.push({ job, error });
      if (endsSession(error) || shell.signal.aborted) break;
      shell.output.error(error);
    }
  }
  const [first] = failed;
  if (first === undefined) return;
  const sameCause = failed.length === jobs.length &&
    failed.every(({ error }) => error.code === first.error.code);
  if (sameCause || endsSession(first.error)) throw first.error;
  const names = failed.map(({ job }) => job.from).join(", ");
  throw new TandemError(
    "partial",
    `${failed.length} of ${jobs.length} files failed: ${names}`,
  );
}

function endsSession({ code }: TandemError): boolean {
  return code === "aborted" || code === "connect";
}

async function getFile(shell: Shell, job: Job): Promise<void> {
  const { signal } = shell;
  const download = (to: string, overwrite: boolean) => shell.client.download(job.from, to, { signal, overwrite });
  try {
    await download(job.to, shell.onExist === "overwrite");
  } catch (error) {
    if (!isTaken(error)) throw error;
    const choice = decide(shell, job.to, error);
    if (choice === "skip") {
      return shell.output.say(`skipped ${job.to}: it exists`);
    }
    await download(
      choice === "rename" ? await freeLocalName(job.to) : job.to,
      choice === "overwrite",
    );
  }
}

async function putFile(shell: Shell, job: Job, there: RemoteNames): Promise<void> {
  let { to } = job;
  // Many servers replace a file without a word, so it is for this side to look.
  if (shell.onExist !== "overwrite" && await there.kindOf(to) === "file") {
    const taken = new TandemError("exists", `"${to}" exists already at the server`);
    const choice = decide(shell, to, taken);
    if (choice === "skip") return shell.output.say(`skipped ${to}: it exists`);
    if (choice === "rename") to = await there.freeName(to);
  }
  const { signal } = shell;
  if (job.from === "-") {
    await shell.client.put(to, Deno.stdin.readable, { signal });
  } else {
    await shell.client.upload(shell.local(job.from), to, { signal });
  }
}

/** Writes a remote file to stdout. */
export async function copyToStdout(shell: Shell, typed: string): Promise<void> {
  if (shell.output.json) {
    throw usage("file contents and --json cannot share stdout");
  }
  const { signal } = shell;
  await using download = await shell.client.get(shell.remoteFromRoot(typed), {
    signal,
  });
  for await (const chunk of download.readable) await writeStdoutBytes(chunk, signal);
}

function isTaken(error: unknown): error is TandemError {
  return error instanceof TandemError && error.code === "exists";
}

/** What is done about a local name that is taken; throws where it is an error. */
function decide(
  shell: Shell,
  local: string,
  taken: TandemError,
): "skip" | "overwrite" | "rename" {
  const { onExist, ask } = shell;
  if (onExist === "skip" || onExist === "overwrite" || onExist === "rename") {
    return onExist;
  }
  if (onExist === "newer" || onExist === "resume") throw needsTandem(onExist);
  if (onExist === "error" || ask === undefined) {
    throw new TandemError("exists", taken.message, {
      cause: taken,
      hint: "choose with --on-exist skip, overwrite or rename",
    });
  }
  const answer = ask(
    `${local} exists. [s]kip, [o]verwrite, [r]ename, or [S]kip, [O]verwrite, [R]ename all?`,
  );
  const choices = { s: "skip", o: "overwrite", r: "rename" } as const;
  const letter = answer?.trim().charAt(0) ?? "s";
  const choice = choices[letter.toLowerCase() as keyof typeof choices] ??
    "skip";
  if (letter !== letter.toLowerCase()) shell.onExist = choice;
  return choice;
}

function needsTandem(onExist: OnExist): TandemError {
  return new TandemError(
    "unsupported",
    `--on-exist ${onExist} needs the tandem exchange: the plain one tells neither times nor beginnings`,
  );
}

async function isLocalFolder(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isDirectory;
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) {
      return false;
    }
    throw new TandemError("local-io", `"${path}": ${String(error)}`, {
      cause: error,
    });
  }
}

async function freeLocalName(path: string): Promise<string> {
  const folder = join(path, "..");
  const taken = new Set<string>();
  for await (const { name } of Deno.readDir(folder)) taken.add(name);
  return freeName(path, (name) => taken.has(basename(name)));
}

/** The first of NAME.1, NAME.2, … that is not taken, as curl has it. */
function freeName(path: string, isTaken: (path: string) => boolean): string {
  for (let i = 1;; i++) {
    if (!isTaken(`${path}.${i}`)) return `${path}.${i}`;
  }
}
