/**
 * `sync`: makes one folder what another one is, by moving only what differs.
 *
 * A file differs by its size or its time, to the second, or with `--checksum` by
 * its SHA-256. Nothing is deleted unless `--delete` says so, and then not when
 * the source could not be read to its end, not when it is empty, and not more
 * than half of what is there unless somebody says that this is meant: a source
 * that lies, or is not mounted, must not cost the copy.
 *
 * @module
 */

import { join, posix } from "node:path";
import { type Client, TandemError } from "../../mod.ts";
import { Filter } from "./filters.ts";
import { type ParsedArgs, wholeNumber } from "./flags.ts";
import { makeLocalFolders, makeRemoteFolders, remoteEntries } from "./folders.ts";
import { hashLocal } from "./hash_local.ts";
import { type FailedJob, type Job, runJobs } from "./jobs.ts";
import { localError, localFolderEntries, statLocal } from "./local.ts";
import type { Shell } from "./shell.ts";

/** What a path of a folder is. */
interface Item {
  readonly kind: "file" | "directory";
  /** In bytes. */
  readonly size: number | undefined;
  /** In milliseconds since 1970. */
  readonly mtimeMs: number | undefined;
}

/** A folder on one side, by the paths of what is in it. */
interface Side {
  readonly items: ReadonlyMap<string, Item>;
  /** Paths that are there and not meant: a folder that has one is not deleted. */
  readonly others: readonly string[];
  /** Whether it is there. */
  readonly exists: boolean;
  /** Paths of links: nothing goes through them. */
  readonly links: ReadonlySet<string>;
  /** What of it could not be read, and was told. */
  readonly failed: readonly FailedJob[];
}

/** What there is to do. */
interface Plan {
  /** Folders to be made, each before those in it. */
  readonly folders: readonly string[];
  /** Files to be moved, and whether they replace one. */
  readonly files: readonly { readonly path: string; readonly replaces: boolean; readonly item: Item }[];
  /** What is to be deleted, what is in a folder before it. */
  readonly deletions: readonly { readonly path: string; readonly item: Item }[];
  /** What cannot be done: a file where there is to be a folder, the other way round, or a link. */
  readonly conflicts: readonly string[];
  /** What could not be compared. */
  readonly failed: readonly FailedJob[];
  /** How many files are the same already. */
  readonly sameFiles: number;
}

/** One side that files come from or go to. */
interface Place {
  /** What it is called. */
  readonly name: string;
  /** What is in it; nothing where it does not exist. */
  read(filter: Filter): Promise<Side>;
  /** Makes folders that may be there already; `""` is the place itself. */
  makeFolders(paths: readonly string[]): Promise<void>;
  /** Removes files and empty folders, in this order. */
  remove(paths: readonly { readonly path: string; readonly item: Item }[]): Promise<FailedJob[]>;
  /** The SHA-256 of a file. */
  hash(path: string): Promise<string>;
}

/**
 * Makes one folder what another one is.
 *
 * @throws {TandemError} `unsupported` if the server speaks the plain exchange
 * only; `denied` if more would be deleted than was allowed; `partial`.
 */
export async function syncFolders(shell: Shell, args: ParsedArgs): Promise<void> {
  const [first = "", second = ""] = args.words;
  const fetches = args.has("from");
  const [localName, remoteName] = fetches ? [second, first] : [first, second];
  const client = await shell.sessions.main.ready(shell.signal);
  if (client.mode !== "tandem") {
    throw new TandemError("unsupported", "sync needs a tandem peer: a plain one tells no times");
  }
  const here = new LocalPlace(shell, shell.local(localName));
  const there = new RemotePlace(shell, shell.remoteFromRoot(remoteName));
  const [source, target]: readonly [Place, Place] = fetches ? [there, here] : [here, there];
  const filter = Filter.of(args);
  const [from, to] = await Promise.all([source.read(filter), target.read(filter)]);
  if (!from.exists) throw new TandemError("not-found", `there is no folder ${source.name}`);
  const sameContent = args.has("checksum")
    ? async (path: string) => await source.hash(path) === await target.hash(path)
    : undefined;
  const plan = await makePlan(shell, from, to, { deletes: args.has("delete"), sameContent });
  const dryRun = args.has("dry-run");
  const most = wholeNumber(args, "max-delete", 0, 1e9);
  assertDeletions(shell, plan, from, to, { target: target.name, most, dryRun });
  if (dryRun) {
    await show(shell, plan);
    return await runJobs(shell, [], () => Promise.resolve(), [...from.failed, ...plan.failed]);
  }
  const conflicts = plan.conflicts.map((path) => ({ job: { from: path }, error: conflict(path, to.links.has(path)) }));
  conflicts.forEach(({ error }) => shell.output.error(error));
  const failed: FailedJob[] = [...from.failed, ...plan.failed, ...conflicts];
  await target.makeFolders([""]);
  // First, since what is in the way of something may be among them.
  failed.push(...await target.remove(plan.deletions));
  await target.makeFolders(plan.folders);
  const jobs: (Job & { readonly replaces: boolean })[] = plan.files.map(({ path, replaces, item }) => ({
    from: fetches ? there.path(path) : here.path(path),
    to: fetches ? here.path(path) : there.path(path),
    bytes: item.size,
    replaces,
  }));
  const { signal, verify } = shell;
  const move = async (client: Client, { from, to, replaces }: typeof jobs[number], attempt: number) => {
    const resume = attempt > 0;
    if (fetches) await client.download(from, to, { signal, verify, resume, overwrite: replaces || resume });
    else await client.upload(from, to, { signal, verify, resume, onExist: replaces || resume ? "overwrite" : "error" });
  };
  try {
    await runJobs(shell, jobs, move, failed);
  } finally {
    const count = (n: number, what: string) => `${n} ${what}${n === 1 ? "" : "s"}`;
    shell.output.say(
      `${count(jobs.length, "file")} to move, ${plan.sameFiles} the same already, ${plan.deletions.length} to delete` +
        (failed.length === 0 ? "" : `, ${failed.length} failed`),
    );
  }
}

function conflict(path: string, isLink: boolean): TandemError {
  if (isLink) return new TandemError("exists", `"${path}" is a link at the target, which is not followed`);
  return new TandemError("exists", `"${path}" is a file on one side and a folder on the other`, {
    hint: "with --delete the one at the target goes",
  });
}

/** After these nothing else can be compared either. */
const ENDS_ALL = ["aborted", "connect", "disconnected", "protocol", "timeout"];

/** Compares both sides. */
async function makePlan(
  shell: Shell,
  from: Side,
  to: Side,
  options: { readonly deletes: boolean; readonly sameContent: ((path: string) => Promise<boolean>) | undefined },
): Promise<Plan> {
  const { deletes, sameContent } = options;
  const folders: string[] = [];
  const files: { path: string; replaces: boolean; item: Item }[] = [];
  const conflicts: string[] = [];
  const failed: FailedJob[] = [];
  const obstacles = new Set<string>();
  let sameFiles = 0;
  for (const [path, item] of from.items) {
    // What is below something that is in the way goes with it, or cannot be done either.
    if (conflicts.some((above) => path.startsWith(`${above}/`))) continue;
    if (to.links.has(path)) {
      conflicts.push(path);
      continue;
    }
    const present = to.items.get(path);
    if (present !== undefined && present.kind !== item.kind) {
      if (!deletes) {
        conflicts.push(path);
        continue;
      }
      obstacles.add(path);
    }
    if (item.kind === "directory") {
      if (present?.kind !== "directory") folders.push(path);
    } else if (present?.kind !== "file") {
      files.push({ path, replaces: false, item });
    } else {
      try {
        if (await isSame(path, item, present, sameContent)) sameFiles++;
        else files.push({ path, replaces: true, item });
      } catch (error) {
        if (!(error instanceof TandemError) || ENDS_ALL.includes(error.code)) throw error;
        failed.push({ job: { from: path }, error });
        shell.output.error(error);
      }
    }
  }
  const isNeeded = (folder: string) => to.others.some((path) => path.startsWith(`${folder}/`));
  const isObstacle = (path: string) => [...obstacles].some((above) => path === above || path.startsWith(`${above}/`));
  const deletions = deletes
    ? [...to.items].filter(([path]) => (!from.items.has(path) || isObstacle(path)) && !isNeeded(path))
      .map(([path, item]) => ({ path, item }))
      // The deepest first; in the order of code units a folder stands before what is in it.
      .sort((a, b) => a.path < b.path ? 1 : -1)
    : [];
  return { folders, files, deletions, conflicts, failed, sameFiles };
}

async function isSame(
  path: string,
  a: Item,
  b: Item,
  sameContent: ((path: string) => Promise<boolean>) | undefined,
): Promise<boolean> {
  if (a.size !== b.size) return false;
  if (sameContent !== undefined) return await sameContent(path);
  if (a.mtimeMs === undefined || b.mtimeMs === undefined) return false;
  // Disks keep times to different fractions of a second.
  return Math.floor(a.mtimeMs / 1_000) === Math.floor(b.mtimeMs / 1_000);
}

/** Nothing is deleted for the sake of a source that is not all there, and not most of what there is without a word. */
function assertDeletions(
  shell: Shell,
  { deletions }: Plan,
  from: Side,
  to: Side,
  { target, most, dryRun }: { readonly target: string; readonly most: number | undefined; readonly dryRun: boolean },
): void {
  if (deletions.length === 0) return;
  if (from.failed.length > 0) {
    throw new TandemError("denied", "nothing is deleted, since the source could not be read to its end");
  }
  if (from.items.size === 0 && most === undefined) {
    throw new TandemError("denied", "nothing is deleted, since the source is empty", {
      hint: "--max-delete N permits it",
    });
  }
  const allowed = most ?? Math.floor(to.items.size / 2);
  if (dryRun || deletions.length <= allowed) return;
  const what = `${deletions.length} of ${to.items.size} files and folders in ${target} would be deleted`;
  const answer = most === undefined ? shell.ask?.(`${what}. Delete them? [y]es, [n]o?`) : undefined;
  if (/^y(es)?$/i.test(answer?.trim() ?? "")) return;
  throw new TandemError("denied", what, { hint: `--max-delete ${deletions.length} permits it, --dry-run shows them` });
}

/** A line for each thing that would be done. */
async function show(shell: Shell, { folders, files, deletions, conflicts }: Plan): Promise<void> {
  const lines = [
    ...deletions.map(({ path, item }) => `delete ${path}${item.kind === "directory" ? "/" : ""}`),
    ...folders.map((path) => `make ${path}/`),
    ...files.map(({ path, replaces }) => `${replaces ? "replace" : "add"} ${path}`),
    ...conflicts.map((path) => `conflict ${path}`),
  ];
  for (const line of lines) await shell.output.line(line, shell.signal);
}

/** Whether a name is one of those that tandem writes under. */
function isOwn(name: string): boolean {
  return name.toLowerCase().startsWith(".tandem-");
}

class LocalPlace implements Place {
  readonly name: string;
  readonly #shell: Shell;

  constructor(shell: Shell, path: string) {
    this.#shell = shell;
    this.name = path;
  }

  path(path: string): string {
    return path === "" ? this.name : join(this.name, path);
  }

  async read(filter: Filter): Promise<Side> {
    const items = new Map<string, Item>();
    const others: string[] = [];
    const links = new Set<string>();
    const failed: FailedJob[] = [];
    const { output } = this.#shell;
    const told = (path: string, error: unknown) => {
      if (!(error instanceof TandemError)) throw error;
      failed.push({ job: { from: this.path(path) }, error });
      output.error(error);
    };
    const walk = async (folder: string): Promise<void> => {
      for (const { name, isFile, isDirectory, isSymlink } of await localFolderEntries(this.path(folder))) {
        const path = folder === "" ? name : `${folder}/${name}`;
        const kind = isDirectory ? "directory" : "file";
        if (isSymlink) links.add(path);
        // What is kept of a transfer that was cut off is no file yet.
        if (isOwn(name) || !filter.takes(path, kind)) {
          others.push(path);
        } else if (isDirectory) {
          items.set(path, { kind, size: undefined, mtimeMs: undefined });
          await walk(path).catch((error) => told(path, error));
        } else if (isFile) {
          try {
            const info = await statLocal(this.path(path));
            // Else it is gone meanwhile.
            if (info !== undefined) items.set(path, { kind, size: info.size, mtimeMs: info.mtime?.getTime() });
          } catch (error) {
            told(path, error);
            others.push(path);
          }
        } else {
          others.push(path);
          output.say(`left out ${this.path(path)}: it is a link or no regular file`);
        }
      }
    };
    const exists = await statLocal(this.name) !== undefined;
    if (exists) await walk("");
    return { items, others, links, exists, failed };
  }

  makeFolders(paths: readonly string[]): Promise<void> {
    return makeLocalFolders(paths.map((path) => this.path(path)));
  }

  async remove(paths: readonly { readonly path: string; readonly item: Item }[]): Promise<FailedJob[]> {
    const failed: FailedJob[] = [];
    for (const { path } of paths) {
      try {
        // Not what is in a folder: only what was listed is meant.
        await Deno.remove(this.path(path));
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) continue;
        const failure = localError(error, path);
        failed.push({ job: { from: path }, error: failure });
        this.#shell.output.error(failure);
      }
    }
    return failed;
  }

  hash(path: string): Promise<string> {
    return hashLocal(this.path(path));
  }
}

class RemotePlace implements Place {
  readonly name: string;
  readonly #shell: Shell;

  constructor(shell: Shell, path: string) {
    this.#shell = shell;
    this.name = path;
  }

  path(path: string): string {
    return path === "" ? this.name : posix.join(this.name, path);
  }

  async read(filter: Filter): Promise<Side> {
    const items = new Map<string, Item>();
    const others: string[] = [];
    // A server lists none.
    const links = new Set<string>();
    try {
      const tree = await this.#shell.retrying((client) => remoteEntries(this.#shell, client, this.name));
      for (const { name, kind, size, mtime } of tree.entries) {
        if (filter.takes(name, kind)) items.set(name, { kind, size, mtimeMs: mtime?.getTime() });
        else others.push(name);
      }
      // What cannot be read must not go with a folder that it is in.
      for (const { job } of tree.failed) others.push(posix.relative(this.name, job.from));
      return { items, others, links, exists: true, failed: tree.failed };
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== "not-found") throw error;
      return { items, others, links, exists: false, failed: [] };
    }
  }

  async makeFolders(paths: readonly string[]): Promise<void> {
    const needed = paths.map((path) => this.path(path));
    await this.#shell.retrying((client) => makeRemoteFolders(this.#shell, client, needed));
  }

  async remove(paths: readonly { readonly path: string; readonly item: Item }[]): Promise<FailedJob[]> {
    const failed: FailedJob[] = [];
    const { signal, output } = this.#shell;
    for (const { path, item } of paths) {
      try {
        await this.#shell.retrying(async (client) => {
          const isFolder = item.kind === "directory";
          // Not what is in a folder: only what was listed is meant.
          if (isFolder && (await Array.fromAsync(client.list(this.path(path), { signal }))).length > 0) {
            throw new TandemError("changed", `"${path}" is not deleted, since there is something in it`);
          }
          await client.remove(this.path(path), { recursive: isFolder, signal });
        });
      } catch (error) {
        if (!(error instanceof TandemError) || signal.aborted) throw error;
        if (error.code === "not-found") continue;
        failed.push({ job: { from: path }, error });
        output.error(error);
      }
    }
    return failed;
  }

  hash(path: string): Promise<string> {
    const { signal } = this.#shell;
    return this.#shell.retrying((client) => client.hash(this.path(path), { signal }));
  }
}
