/**
 * A {@linkcode FileStore} on disk: a folder, and nothing outside of it.
 *
 * @module
 */

import * as fs from "node:fs";
import { promisify } from "node:util";
import { TandemError } from "../errors.ts";
import { isServableName, type PathRules, type RemotePath, ROOT, splitPath } from "../protocol/path.ts";
import { diskError } from "./disk_error.ts";
import { openDiskFile } from "./disk_file.ts";
import {
  type CreateOptions,
  type FileStore,
  type Landing,
  listed,
  type StoredFile,
  type StoreEntry,
  type StoreSpace,
} from "./file_store.ts";
import { Jail } from "./jail.ts";
import { openLanding, sweepTemporaries } from "./landing.ts";

const statfs = promisify(fs.statfs);

/** What names must fit on this machine. */
export const LOCAL_NAME_RULES: PathRules = {
  windows: Deno.build.os === "windows",
};

/** The files below one folder of this machine's disk. */
export class DiskStore implements FileStore {
  readonly #jail: Jail;

  /**
   * Opens the folder `directory`.
   *
   * @throws {TandemError} `not-found`, `not-directory`, `denied`.
   */
  constructor(directory: string) {
    this.#jail = new Jail(directory);
  }

  /** The canonical path of the folder. */
  get root(): string {
    return this.#jail.root;
  }

  /** The files and folders in a folder, by name. */
  async list(path: RemotePath): Promise<StoreEntry[]> {
    using folder = await this.#jail.enter(path);
    const entries: StoreEntry[] = [];
    try {
      for await (
        const { name, isFile, isDirectory } of Deno.readDir(folder.base)
      ) {
        if (!isFile && !isDirectory) continue;
        if (!isServableName(name, LOCAL_NAME_RULES)) continue;
        entries.push({ name, kind: isFile ? "file" : "directory" });
      }
    } catch (error) {
      throw diskError(error, path);
    }
    return listed(path, entries);
  }

  /** Opens a regular file, without following links. */
  async open(path: RemotePath): Promise<StoredFile> {
    if (path === ROOT) throw new TandemError("is-directory", "it is a folder");
    const { folder: parent, name } = splitPath(path);
    using folder = await this.#jail.enter(parent);
    const links = this.#jail.raceFree ? "refuse-by-flag" : "refuse";
    return await openDiskFile(`${folder.base}/${name}`, path, links);
  }

  /** Begins a file beside its destination. */
  async create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    const { folder: parent, name } = splitPath(path);
    const folder = await this.#jail.enter(parent);
    try {
      const landing = await openLanding(folder.base, name, path, options);
      return new JailedLanding(landing, folder);
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** The room on the disk; undefined where this program may not ask. */
  async space(): Promise<StoreSpace | undefined> {
    try {
      const { bavail, blocks, bsize } = await statfs(this.#jail.root);
      return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) return undefined;
      throw diskError(error, "");
    }
  }

  /**
   * Removes what writers that were killed have left in the folder and below.
   * Returns how many files those were.
   */
  async sweep(): Promise<number> {
    return await this.#sweepBelow(ROOT);
  }

  async #sweepBelow(path: RemotePath): Promise<number> {
    let swept = 0;
    const below: RemotePath[] = [];
    try {
      using folder = await this.#jail.enter(path);
      swept = await sweepTemporaries(folder.base);
      for await (const { name, isDirectory } of Deno.readDir(folder.base)) {
        if (!isDirectory || !isServableName(name)) continue;
        below.push((path === ROOT ? name : `${path}/${name}`) as RemotePath);
      }
    } catch (error) {
      // A folder that cannot be read has nothing of ours.
      const known = diskError(error, path);
      if (known.code !== "denied" && known.code !== "not-found") throw known;
    }
    for (const inner of below) swept += await this.#sweepBelow(inner);
    return swept;
  }

  /** Lets go of the folder. */
  close(): void {
    this.#jail[Symbol.dispose]();
  }
}

/** A landing that keeps the folder it is in. */
class JailedLanding implements Landing {
  readonly #landing: Landing;
  readonly #folder: Disposable;

  constructor(landing: Landing, folder: Disposable) {
    this.#landing = landing;
    this.#folder = folder;
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#landing.write(bytes);
  }

  commit(): Promise<void> {
    return this.#landing.commit();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _folder = this.#folder;
    await this.#landing[Symbol.asyncDispose]();
  }
}
