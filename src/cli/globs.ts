/**
 * `*`, `?` and `[…]` in names, on both sides: each part of a path on its own, as
 * a shell has it, and a leading dot only where it is spelled out. What exists
 * under exactly the name that was typed is that, and no pattern.
 *
 * @module
 */

import { join, parse, posix } from "node:path";
import { TandemError } from "../../mod.ts";
import { globToRegExp } from "../deps.ts";
import { localFolderEntries, statLocal } from "./local.ts";
import { isPlainName } from "./remote_names.ts";
import type { Shell } from "./shell.ts";

/** A name in a folder. */
interface Named {
  readonly name: string;
  readonly isFolder: boolean;
}

/** Lists a folder; empty where there is none. */
type ListFolder = (folder: string) => Promise<readonly Named[]>;

/** Whether a word is a pattern. */
export function isPattern(word: string): boolean {
  return /[*?[]/.test(word);
}

/**
 * The remote paths that a word stands for, from the shared folder and sorted.
 *
 * @throws {TandemError} `not-found` if it is a pattern that nothing matches.
 */
export async function expandRemote(shell: Shell, word: string): Promise<string[]> {
  const path = shell.remoteFromRoot(word);
  if (!isPattern(word)) return [path];
  const list = async (folder: string) => {
    const { signal } = shell;
    const entries = await shell.retrying((client) => Array.fromAsync(client.list(folder, { signal })));
    // A server's word that is no plain name in that folder leads somewhere else.
    return entries.filter(({ name }) => name !== "" && !name.includes("/") && isPlainName(name))
      .map(({ name, kind }) => ({ name, isFolder: kind === "directory" }));
  };
  return await expand(word, "/", path.slice(1).split("/"), posix.join, list);
}

/**
 * The local paths that a word stands for, sorted; as it was typed where it is no pattern.
 *
 * @throws {TandemError} `not-found` if it is a pattern that nothing matches.
 */
export async function expandLocal(shell: Shell, word: string): Promise<string[]> {
  const path = shell.local(word);
  if (!isPattern(word) || await statLocal(path) !== undefined) return [word];
  const { root } = parse(path);
  const list = async (folder: string) => {
    const entries = await localFolderEntries(folder);
    return await Promise.all(entries.map(async ({ name, isDirectory, isSymlink }) => ({
      name,
      isFolder: isDirectory || isSymlink && (await statLocal(join(folder, name)))?.isDirectory === true,
    })));
  };
  return await expand(word, root, path.slice(root.length).split(/[/\\]/), join, list);
}

async function expand(
  word: string,
  root: string,
  parts: readonly string[],
  joinPath: (folder: string, name: string) => string,
  list: ListFolder,
): Promise<string[]> {
  let paths = [root];
  const first = parts.findIndex(isPattern);
  for (const [i, part] of parts.entries()) {
    const isLast = i === parts.length - 1;
    // Behind a pattern only what is there is meant, as a shell has it.
    const matches = (folder: string) => i < first ? [part] : matching(part, isLast, folder, list);
    const next: string[] = [];
    for (const folder of paths) {
      for (const name of await matches(folder)) next.push(joinPath(folder, name));
    }
    paths = next;
  }
  if (paths.length > 0) return paths;
  throw new TandemError("not-found", `nothing matches "${word}"`);
}

/** The names in a folder that a part of a path matches. */
async function matching(part: string, isLast: boolean, folder: string, list: ListFolder): Promise<string[]> {
  let entries: readonly Named[];
  try {
    entries = await list(folder);
  } catch (error) {
    // What stands before it matched by chance, or is not there.
    if (error instanceof TandemError && ["not-found", "not-directory", "denied", "local-io"].includes(error.code)) {
      return [];
    }
    throw error;
  }
  if (entries.some(({ name }) => name === part)) return [part];
  if (!isPattern(part)) return [];
  const pattern = patternRegExp(part, false);
  return entries
    .filter(({ name, isFolder }) =>
      (isLast || isFolder) && pattern.test(name) && (part.startsWith(".") || !name.startsWith("."))
    )
    .map(({ name }) => name).sort();
}

/** A pattern as a regular expression; braces are letters, as a shell has them where it matches names. */
export function patternRegExp(pattern: string, globstar: boolean): RegExp {
  return globToRegExp(pattern.replace(/\\?([{}])/g, "\\$1"), { extended: false, globstar, os: "linux" });
}
