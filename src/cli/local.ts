/**
 * The local side: folders and names of this machine's disk.
 *
 * @module
 */

import { basename, join } from "node:path";
import { TandemError } from "../../mod.ts";

/** A failure of the local disk, in the words of an exit code. */
export function localError(error: unknown, path: string): TandemError {
  if (error instanceof TandemError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Deno.errors.NotADirectory ? "not-directory" : "local-io";
  return new TandemError(code, `"${path}": ${text}`, { cause: error });
}

/** What is in a local folder, by name. */
export async function localFolderEntries(path: string): Promise<Deno.DirEntry[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    throw localError(error, path);
  }
}

/** What a path names, links followed; undefined where it names nothing. */
export async function statLocal(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.stat(path);
  } catch (error) {
    if (
      error instanceof Deno.errors.NotFound ||
      error instanceof Deno.errors.NotADirectory
    ) {
      return undefined;
    }
    throw new TandemError("local-io", `"${path}": ${String(error)}`, {
      cause: error,
    });
  }
}

/** Whether a path names a folder. */
export async function isLocalFolder(path: string): Promise<boolean> {
  return (await statLocal(path))?.isDirectory ?? false;
}

/** The first of PATH.1, PATH.2, … that is not taken. */
export async function freeLocalName(path: string): Promise<string> {
  const folder = join(path, "..");
  const taken = new Set<string>();
  for await (const { name } of Deno.readDir(folder)) taken.add(name);
  return freeName(path, (name) => taken.has(basename(name)));
}

/** The first of NAME.1, NAME.2, … that is not taken, as curl has it. */
export function freeName(path: string, isTaken: (path: string) => boolean): string {
  for (let i = 1;; i++) {
    if (!isTaken(`${path}.${i}`)) return `${path}.${i}`;
  }
}
