/**
 * What is in folders, on either side, as jobs: `get -r` and `put -r`.
 *
 * Names of a listing are a peer's words: each is checked by the one function
 * that makes paths before a local name is made of it. Links are not followed,
 * and it is said that they were left out.
 *
 * @module
 */

import { join } from "node:path";
import { type Client, type RemoteEntry, resolveRemotePath, ROOT, TandemError } from "../../mod.ts";
import type { Filter } from "./filters.ts";
import { localError, localFolderEntries } from "./local.ts";
import { allEnded, type FailedJob, type Job } from "./jobs.ts";
import { isPlainName } from "./remote_names.ts";
import type { Shell } from "./shell.ts";

/** A folder, taken apart. */
export interface Tree {
  /** The folders that are needed at the destination, each before those in it. */
  readonly folders: readonly string[];
  /** The files. */
  readonly jobs: readonly Job[];
  /** What was left out, and why. */
  readonly failed: readonly FailedJob[];
}

/** The names that Windows cannot hold are refused there. */
const LOCAL_RULES = { create: true, windows: Deno.build.os === "windows" };

/** All that is in a remote folder and below, by the path from there; what is no plain path in it, or cannot be listed, has failed and was told. */
export async function remoteEntries(
  shell: Shell,
  client: Client,
  from: string,
): Promise<{ readonly entries: readonly RemoteEntry[]; readonly failed: readonly FailedJob[] }> {
  const entries: RemoteEntry[] = [];
  const failed: FailedJob[] = [];
  for await (const entry of walkRemote(shell, client, from)) {
    const { name, error } = entry;
    const path = `${from === "/" ? "" : from}/${name}`;
    try {
      // A path that is not exactly itself once it was judged leads somewhere else.
      if (resolveRemotePath(ROOT, name, LOCAL_RULES) !== name) {
        throw new TandemError("outside-root", `the server lists "${name}", which is no name in that folder`);
      }
      if (error !== undefined) throw new TandemError(error, `the server does not list "${path}"`);
      entries.push(entry);
    } catch (error) {
      if (!(error instanceof TandemError)) throw error;
      failed.push({ job: { from: path }, error });
      shell.output.error(error);
    }
  }
  return { entries, failed };
}

/** The remote folder at `from`, to become the local one at `to`. */
export async function remoteTree(
  shell: Shell,
  client: Client,
  { from, to, filter }: { readonly from: string; readonly to: string; readonly filter: Filter },
): Promise<Tree> {
  const folders = [to];
  const jobs: Job[] = [];
  const { entries, failed } = await remoteEntries(shell, client, from);
  for (const { name, kind, size } of entries) {
    if (!filter.takes(name, kind)) continue;
    if (kind === "directory") folders.push(join(to, name));
    else jobs.push({ from: `${from === "/" ? "" : from}/${name}`, to: join(to, name), bytes: size });
  }
  return { folders, jobs, failed };
}

/** All that is below a remote folder. A plain server is asked folder by folder. */
async function* walkRemote(shell: Shell, client: Client, folder: string): AsyncGenerator<RemoteEntry> {
  const { signal } = shell;
  try {
    yield* client.list(folder, { recursive: true, signal });
    return;
  } catch (error) {
    if (!(error instanceof TandemError) || error.code !== "unsupported") throw error;
  }
  const walk = async function* (path: string, below: string): AsyncGenerator<RemoteEntry> {
    const entries = await Array.fromAsync(client.list(path, { signal }));
    for (const entry of entries) {
      yield { ...entry, name: below + entry.name };
      // A server may call a folder "." or "..": there the way would have no end.
      const isBelow = entry.kind === "directory" && isPlainName(entry.name);
      if (isBelow) yield* walk(`${path}/${entry.name}`, `${below}${entry.name}/`);
    }
  };
  yield* walk(folder, "");
}

/** The local folder at `from`, to become the remote one at `to`. */
export async function localTree(
  shell: Shell,
  { from, to, filter }: { readonly from: string; readonly to: string; readonly filter: Filter },
): Promise<Tree> {
  const folders = [to];
  const jobs: Job[] = [];
  const failed: FailedJob[] = [];
  const walk = async (folder: string): Promise<void> => {
    for (const { name, isFile, isDirectory } of await localFolderEntries(join(from, folder))) {
      const path = `${folder === "" ? "" : `${folder}/`}${name}`;
      if (!filter.takes(path, isDirectory ? "directory" : "file")) continue;
      const local = join(from, path);
      const target = `${to === "/" ? "" : to}/${path}`;
      if (isFile) {
        jobs.push({ from: local, to: target });
      } else if (isDirectory) {
        folders.push(target);
        try {
          await walk(path);
        } catch (error) {
          if (!(error instanceof TandemError)) throw error;
          failed.push({ job: { from: local }, error });
          shell.output.error(error);
        }
      } else {
        shell.output.say(`left out ${local}: it is a link or no regular file`);
      }
    }
  };
  await walk("");
  return { folders, jobs, failed };
}

/** Makes local folders; those that are there already are right. */
export async function makeLocalFolders(folders: readonly string[]): Promise<void> {
  for (const path of folders) {
    try {
      await Deno.mkdir(path, { recursive: true });
    } catch (error) {
      throw localError(error, path);
    }
  }
}

/** Makes remote folders, all at once; those that are there already are right. */
export async function makeRemoteFolders(shell: Shell, client: Client, folders: readonly string[]): Promise<void> {
  const { signal } = shell;
  const needed = folders.filter((path) => path !== "/" && path !== "");
  await allEnded(needed.map((path) => client.mkdir(path, { recursive: true, signal })));
}
