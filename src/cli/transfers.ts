/**
 * `get`, `put` and `cat`: where files go, and what happens when a name is taken.
 *
 * @module
 */

import { basename, join, posix } from "node:path";
import { type Client, downloadInRanges, TandemError } from "../../mod.ts";
import { usage } from "./flags.ts";
import { localTree, makeLocalFolders, makeRemoteFolders, remoteTree } from "./folders.ts";
import type { Filter } from "./filters.ts";
import { expandLocal, expandRemote } from "./globs.ts";
import { type FailedJob, type Job, runJobs } from "./jobs.ts";
import { freeLocalName, isLocalFolder, statLocal } from "./local.ts";
import { RemoteNames } from "./remote_names.ts";
import type { OnExist, Shell } from "./shell.ts";
import { writeStdoutBytes } from "./terminal.ts";

/** How files are moved. */
export interface TransferFlags {
  /** Folders with all that is in them. */
  readonly recursive: boolean;
  /** What was begun is continued. */
  readonly resume: boolean;
  /** Which files of a folder are meant. */
  readonly filter: Filter;
  /** Whether it is only told what would be done. */
  readonly dryRun: boolean;
}

/** Whether a word means what is in a folder, and not the folder: `.`, `..` and what ends with them, as `cp -r` has it. */
function meansContents(word: string): boolean {
  return /(^|\/)\.{1,2}\/?$/.test(word);
}

/** Tells what would be moved where. */
async function showJobs(shell: Shell, jobs: readonly Job[], failed: FailedJob[]): Promise<void> {
  for (const { from, to } of jobs) await shell.output.line(`${from} -> ${to}`, shell.signal);
  // What could not be looked at fails as it would.
  await runJobs(shell, [], () => Promise.resolve(), failed);
}

/** A file of at least this size is fetched in ranges where there are several sessions, in bytes. */
const RANGES_FROM_BYTES = 64 * 1024 * 1024;

/**
 * Fetches files, as `cp` would: into the last name where that is an existing
 * folder, else as that name.
 *
 * @throws {TandemError} what a single file failed with; `partial` where some of several did.
 */
export async function getFiles(
  shell: Shell,
  words: readonly string[],
  flags: TransferFlags,
): Promise<void> {
  const [first = "", second] = words;
  if (words.length === 2 && second === "-") {
    for (const path of await expandRemote(shell, first)) await copyToStdout(shell, path);
    return;
  }
  const typed = words.length === 1 ? words : words.slice(0, -1);
  const remotes = (await Promise.all(typed.map(async (word) => {
    const paths = await expandRemote(shell, word);
    return paths.map((from) => ({ from, isContents: meansContents(word) }));
  }))).flat();
  const target = words.length === 1 ? "." : words.at(-1) ?? ".";
  const into = await isLocalFolder(shell.local(target));
  const makes = flags.recursive && remotes.length === 1;
  if (!into && (remotes.length > 1 || target.endsWith("/") && !makes)) {
    throw usage(`"${target}" is not an existing folder`, "make it first, or give the name of a file");
  }
  const there = new RemoteNames(shell);
  const jobs: Job[] = [];
  const failed: FailedJob[] = [];
  for (const { from, isContents } of remotes) {
    const to = shell.local(into && !isContents ? join(target, basename(from)) : target);
    if (flags.recursive && await there.kindOf(from) === "directory") {
      const tree = await shell.retrying((client) => remoteTree(shell, client, { from, to, filter: flags.filter }));
      if (!flags.dryRun) await makeLocalFolders(tree.folders);
      for (const job of tree.jobs) jobs.push(job);
      failed.push(...tree.failed);
    } else {
      if (flags.dryRun && await there.kindOf(from) === undefined) {
        throw new TandemError("not-found", `there is no "${from}"`);
      }
      jobs.push({ from, to });
    }
  }
  if (flags.dryRun) return await showJobs(shell, jobs, failed);
  const [only] = jobs;
  const lanes = shell.sessions.lanes.length;
  if (jobs.length === 1 && only !== undefined && lanes > 1 && !flags.resume && await inRanges(shell, only)) return;
  await runJobs(shell, jobs, (client, job, attempt) => {
    // What another try left behind is continued where that is possible.
    const resume = flags.resume || shell.onExist === "resume" || attempt > 0 && client.mode !== "plain";
    return getFile(shell, client, job, resume);
  }, failed);
}

/**
 * Stores files, as `cp` would: into the last name where that is an existing
 * folder, else as that name.
 *
 * @throws {TandemError} what a single file failed with; `partial` where some of several did.
 */
export async function putFiles(shell: Shell, words: readonly string[], flags: TransferFlags): Promise<void> {
  const there = new RemoteNames(shell);
  const typed = words.length === 1 ? words : words.slice(0, -1);
  const locals = (await Promise.all(typed.map((word) => expandLocal(shell, word)))).flat();
  const target = words.length === 1 ? "." : words.at(-1) ?? ".";
  const folder = shell.remoteFromRoot(target);
  const into = /(^|\/)\.{0,2}$/.test(target) && !flags.recursive || await there.kindOf(folder) === "directory";
  if (!into && locals.length > 1) throw usage(`"${target}" is not an existing folder at the server`);
  const jobs: Job[] = [];
  const failed: FailedJob[] = [];
  for (const local of locals) {
    const from = shell.local(local);
    const to = into && !meansContents(local) ? posix.join(folder, basename(from)) : folder;
    if (local === "-") {
      if (into) throw usage("put - needs a name: put - REMOTE");
      if (shell.readsStdin) {
        throw usage("put - takes its bytes from stdin, where the commands come from", "give the commands with -f FILE");
      }
      jobs.push({ from: "-", to });
    } else if (flags.recursive && await isLocalFolder(from)) {
      const tree = await localTree(shell, { from, to, filter: flags.filter });
      if (!flags.dryRun) await shell.retrying((client) => makeRemoteFolders(shell, client, tree.folders));
      for (const job of tree.jobs) jobs.push(job);
      failed.push(...tree.failed);
    } else {
      jobs.push({ from: local, to });
    }
  }
  if (flags.dryRun) return await showJobs(shell, jobs, failed);
  const resume = flags.resume || shell.onExist === "resume";
  await runJobs(shell, jobs, (client, job, attempt) => putFile(shell, client, { job, there, resume, attempt }), failed);
}

/** Fetches one large file over all sessions; returns whether it did. */
async function inRanges(shell: Shell, job: Job): Promise<boolean> {
  const { signal, output, verify } = shell;
  const client = await shell.sessions.main.client(signal);
  const entry = await client.stat(job.from, { signal }).catch((error) => {
    if (error instanceof TandemError && error.code === "unsupported") return undefined;
    throw error;
  });
  if (verify || entry?.kind !== "file" || (entry.size ?? 0) < RANGES_FROM_BYTES) return false;
  // Whatever is to be decided about a name that is taken, is decided elsewhere.
  if (shell.onExist !== "overwrite" && await statLocal(job.to) !== undefined) return false;
  // A server may let in fewer sessions than were asked for.
  const opened = await Promise.allSettled(shell.sessions.lanes.map((lane) => lane.ready(signal)));
  const clients = opened.filter((one) => one.status === "fulfilled").map((one) => one.value);
  output.begin([entry.size]);
  const path = job.from.slice(1);
  const result = await downloadInRanges(clients, job.from, job.to, {
    signal,
    overwrite: shell.onExist === "overwrite",
    onProgress: (bytes, totalBytes) => output.event({ event: "progress", path, bytes, totalBytes }),
  });
  output.event({ event: "file", path, ...result });
  return true;
}

async function getFile(shell: Shell, client: Client, job: Job, resume: boolean): Promise<void> {
  const { signal, verify } = shell;
  const download = async (to: string, overwrite: boolean) => {
    await client.download(job.from, to, { signal, overwrite, resume, verify });
  };
  if (shell.onExist === "newer") {
    if (await isNewerHere(shell, client, job)) {
      return shell.output.say(`skipped ${job.to}: it is as new here, or newer`);
    }
    return await download(job.to, true);
  }
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

/** Whether the local file is not older than the remote one. */
async function isNewerHere({ signal }: Shell, client: Client, job: Job): Promise<boolean> {
  const here = await statLocal(job.to);
  if (here === undefined) return false;
  const { mtime } = await client.stat(job.from, { signal });
  // Disks keep times to different fractions of a second.
  return mtime !== undefined && here.mtime !== null && here.mtime.getTime() >= Math.floor(mtime.getTime());
}

/** A file that is stored. */
interface PutJob {
  readonly job: Job;
  readonly there: RemoteNames;
  readonly resume: boolean;
  /** Which try it is, from 0. */
  readonly attempt: number;
}

async function putFile(shell: Shell, client: Client, { job, there, resume, attempt }: PutJob): Promise<void> {
  const { signal, verify, onExist } = shell;
  const upload = async (to: string, onExist: "error" | "overwrite" | "newer") => {
    if (job.from === "-") {
      if (attempt > 0) throw new TandemError("disconnected", "what came from stdin is gone, and cannot be sent again");
      await client.put(to, Deno.stdin.readable, { signal, onExist, verify, mtime: new Date() });
    } else {
      // What another try left behind is continued where that is possible.
      const continues = resume || attempt > 0 && client.mode !== "plain";
      await client.upload(shell.local(job.from), to, { signal, onExist, verify, resume: continues });
    }
  };
  if (onExist === "overwrite") return await upload(job.to, "overwrite");
  // Many plain servers replace a file without a word, and what comes from stdin
  // comes only once: so it is for this side to look.
  if (client.mode === undefined) await there.kindOf(job.to);
  const isPlain = client.mode !== "tandem";
  const looks = isPlain || job.from === "-" && onExist !== "newer";
  try {
    if (looks && await there.kindOf(job.to) === "file") {
      if (isPlain && (onExist === "newer" || resume)) throw needsTandem(onExist === "newer" ? "newer" : "resume");
      throw new TandemError("exists", `"${job.to}" exists already at the server`);
    }
    await upload(job.to, onExist === "newer" && !isPlain ? "newer" : "error");
  } catch (error) {
    if (!isTaken(error)) throw error;
    if (attempt > 0 && await isStored(shell, client, job)) return;
    if (onExist === "newer") return shell.output.say(`skipped ${job.to}: it is as new at the server, or newer`);
    const choice = decide(shell, job.to, error);
    if (choice === "skip") return shell.output.say(`skipped ${job.to}: it exists`);
    await upload(choice === "rename" ? await there.freeName(job.to) : job.to, choice === "rename" ? "error" : choice);
  }
}

function needsTandem(onExist: OnExist): TandemError {
  return new TandemError(
    "unsupported",
    `--on-exist ${onExist} needs the tandem exchange: the plain one tells neither times nor beginnings`,
  );
}

/** Whether the try before this one came to its end after all, and only its answer was lost. */
async function isStored(shell: Shell, client: Client, job: Job): Promise<boolean> {
  if (job.from === "-" || client.mode !== "tandem") return false;
  const { signal } = shell;
  const there = await client.stat(job.to, { signal });
  const here = await statLocal(shell.local(job.from));
  if (there.size !== here?.size) return false;
  const { hashLocal } = await import("./hash_local.ts");
  const same = await client.hash(job.to, { signal }) === await hashLocal(shell.local(job.from));
  if (same) shell.output.say(`stored ${job.to}: it was there already`);
  return same;
}

/** Writes a remote file to stdout. */
export async function copyToStdout(shell: Shell, typed: string): Promise<void> {
  if (shell.output.json) {
    throw usage("file contents and --json cannot share stdout");
  }
  const { signal, verify } = shell;
  const client = await shell.sessions.main.client(signal);
  await using download = await client.get(shell.remoteFromRoot(typed), {
    signal,
    verify,
  });
  for await (const chunk of download.readable) await writeStdoutBytes(chunk, signal);
}

function isTaken(error: unknown): error is TandemError {
  return error instanceof TandemError && error.code === "exists";
}

/** What is done about a name that is taken; throws where it is an error. */
function decide(
  shell: Shell,
  name: string,
  taken: TandemError,
): "skip" | "overwrite" | "rename" {
  const { onExist, ask } = shell;
  if (onExist === "skip" || onExist === "overwrite" || onExist === "rename") {
    return onExist;
  }
  const asks: readonly (OnExist | undefined)[] = ["ask", undefined];
  if (!asks.includes(onExist) || ask === undefined) {
    throw new TandemError("exists", taken.message, {
      cause: taken,
      hint: "choose with --on-exist skip, overwrite, rename, newer or resume",
    });
  }
  const answer = ask(
    `${name} exists. [s]kip, [o]verwrite, [r]ename, or [S]kip, [O]verwrite, [R]ename all?`,
  );
  const choices = { s: "skip", o: "overwrite", r: "rename" } as const;
  const letter = answer?.trim().charAt(0) ?? "s";
  const choice = choices[letter.toLowerCase() as keyof typeof choices] ??
    "skip";
  if (letter !== letter.toLowerCase()) shell.onExist = choice;
  return choice;
}
