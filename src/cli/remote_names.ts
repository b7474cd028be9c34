/**
 * What names at the server stand for: by `stat` where it has that, else by
 * listing the folders that they are in.
 *
 * @module
 */

import { posix } from "node:path";
import { type RemoteEntry, resolveRemotePath, ROOT, TandemError } from "../../mod.ts";
import { freeName } from "./local.ts";
import type { Shell } from "./shell.ts";

/** What is at the server, each folder listed once for one command. */
export class RemoteNames {
  readonly #shell: Shell;
  readonly #folders = new Map<string, Promise<Map<string, RemoteEntry["kind"]>>>();

  /** Asks for nothing yet. */
  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** What a path names; undefined where it names nothing, or where the server does not list its folder. */
  async kindOf(path: string): Promise<RemoteEntry["kind"] | undefined> {
    const { signal } = this.#shell;
    if (posix.join("/", path) === "/") return "directory";
    try {
      const entry = await this.#shell.retrying((client) => client.stat(path, { signal }));
      return entry.kind;
    } catch (error) {
      if (!(error instanceof TandemError)) throw error;
      if (error.code === "not-found" || error.code === "not-directory") return undefined;
      if (error.code !== "unsupported") throw error;
    }
    const { dir, base } = posix.parse(posix.join("/", path));
    return (await this.#list(dir)).get(base);
  }

  /** What is in a folder; who asks meanwhile waits for the same answer. */
  #list(folder: string): Promise<Map<string, RemoteEntry["kind"]>> {
    const known = this.#folders.get(folder) ?? this.#ask(folder);
    this.#folders.set(folder, known);
    return known;
  }

  async #ask(folder: string): Promise<Map<string, RemoteEntry["kind"]>> {
    const names = new Map<string, RemoteEntry["kind"]>();
    const { signal } = this.#shell;
    try {
      const entries = await this.#shell.retrying((client) => Array.fromAsync(client.list(folder, { signal })));
      for (const { name, kind } of entries) names.set(name, kind);
    } catch (error) {
      // Some servers list nothing; what is there they will have to see to themselves.
      if (!(error instanceof TandemError) || error.code !== "not-found") throw error;
    }
    return names;
  }

  /** The first of PATH.1, PATH.2, … that names nothing. */
  async freeName(path: string): Promise<string> {
    const names = await this.#list(posix.dirname(posix.join("/", path)));
    return freeName(path, (name) => names.has(posix.basename(name)));
  }
}

/** Whether a name leads just to itself. */
export function isPlainName(name: string): boolean {
  try {
    return resolveRemotePath(ROOT, name) === name;
  } catch {
    return false;
  }
}
