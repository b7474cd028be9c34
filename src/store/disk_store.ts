/**
 * A {@linkcode FileStore} on disk: a folder, and nothing outside of it.
 *
 * @module
 */

import * as fs from "node:fs";
import { promisify } from "node:util";
import { TandemError } from "../errors.ts";
import { isServableName, type PathRules, type RemotePath, ROOT, splitPath } from "../protocol/path.ts";
import { diskError, systemCode } from "./disk_error.ts";
import { modeBits, openDiskFile } from "./disk_file.ts";
import {
  type CreateOptions,
  type FileAttributes,
  type FileStore,
  type KeptPart,
  type Landing,
  listed,
  type ListOptions,
  type RecursiveOptions,
  type StoredFile,
  type StoreEntry,
  type StoreSpace,
} from "./file_store.ts";
import { Jail, type JailedFolder } from "./jail.ts";
import { openLanding, presentAt, publishNew, syncFolder } from "./landing.ts";
import { sweepTemporaries } from "./temporary.ts";
import { takeTurn } from "./turn.ts";

const statfs = promisify(fs.statfs);

/** What names must fit on this machine. */
export const LOCAL_NAME_RULES: PathRules = {
  windows: Deno.build.os === "windows",
};

/** The files below one folder of this machine's disk. */
export class DiskStore implements FileStore {
  readonly #jail: Jail;
  /** What changes names, one after the other: to move a file without replacing one takes two steps. */
  #changing: Promise<unknown> = Promise.resolve();

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
  async list(path: RemotePath, options: ListOptions = {}): Promise<StoreEntry[]> {
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
      const names = listed(path, entries);
      return options.details ? await detailed(folder.base, names) : names;
    } catch (error) {
      throw diskError(error, path);
    }
  }

  /**
   * Whether paths are walked by descriptors, so that no race with a local user
   * is left. That ends when one of the process's permissions is given up.
   */
  get needsAllPermissions(): boolean {
    return this.#jail.raceFree;
  }

  /** A file or folder with its details. */
  async stat(path: RemotePath): Promise<StoreEntry> {
    using place = await this.#enterParent(path);
    try {
      const entry = entryOf(place.name, await Deno.lstat(place.path));
      if (entry !== undefined) return entry;
    } catch (error) {
      throw diskError(error, path);
    }
    throw neither(path);
  }

  /** Opens a regular file, without following links. */
  async open(path: RemotePath): Promise<StoredFile> {
    if (path === ROOT) throw new TandemError("is-directory", "it is a folder");
    using place = await this.#enterParent(path);
    const links = this.#jail.raceFree ? "refuse-by-flag" : "refuse";
    return await openDiskFile(place.path, path, links);
  }

  /** Begins a file beside its destination. */
  async create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    const { folder: parent, name } = splitPath(path);
    const folder = await this.#jail.enter(parent);
    try {
      const landing = await openLanding(folder.base, name, path, options, this.#alone);
      return new JailedLanding(landing, folder);
    } catch (error) {
      folder[Symbol.dispose]();
      throw error;
    }
  }

  /** Makes a folder. */
  async makeFolder(path: RemotePath, { recursive }: RecursiveOptions): Promise<void> {
    if (recursive) {
      const names = splitPath(path).folder.split("/").filter((name) => name !== "");
      for (const i of names.keys()) await this.#makeFolder(names.slice(0, i + 1).join("/") as RemotePath, "above");
    }
    await this.#makeFolder(path, recursive ? "wanted" : "new");
  }

  /** Makes one folder, which may be there already unless it is to be `new`. */
  async #makeFolder(path: RemotePath, which: "new" | "wanted" | "above"): Promise<void> {
    using place = await this.#enterParent(path);
    try {
      try {
        await Deno.mkdir(place.path);
        await syncFolder(place.base);
      } catch (error) {
        if (which === "new" || systemCode(error) !== "EEXIST") throw error;
        if ((await Deno.lstat(place.path)).isDirectory) return;
        if (which === "wanted") throw error;
        throw new TandemError("not-directory", `"${path}": it is not a folder`);
      }
    } catch (error) {
      throw diskError(error, path);
    }
  }

  /** Removes a file, or a folder and all that is in it. Links in it are removed and not followed. */
  async remove(path: RemotePath, { recursive }: RecursiveOptions): Promise<void> {
    using place = await this.#enterParent(path);
    try {
      const info = await Deno.lstat(place.path);
      if (info.isDirectory && !recursive) {
        throw new TandemError("is-directory", `"${path}" is a folder`, { hint: "folders are removed with -r" });
      }
      if (!info.isDirectory && !info.isFile) throw neither(path);
      await this.#alone(() => Deno.remove(place.path, { recursive }));
      await syncFolder(place.base);
    } catch (error) {
      throw diskError(error, path);
    }
  }

  /** Gives a file or folder another name. */
  async rename(from: RemotePath, to: RemotePath, { replace }: Pick<CreateOptions, "replace">): Promise<void> {
    using source = await this.#enterParent(from);
    using target = await this.#enterParent(to);
    try {
      await this.#alone(async () => {
        const moved = await Deno.lstat(source.path);
        if (!moved.isDirectory && !moved.isFile) throw neither(from);
        const present = await presentAt(target.path);
        if (present !== undefined && !(replace && present.isFile && moved.isFile)) {
          throw new TandemError("exists", `"${to}" exists already`);
        }
        if (moved.isFile && !replace) await publishNew(source.path, target.path);
        else await Deno.rename(source.path, target.path);
      });
      await syncFolder(target.base);
      await syncFolder(source.base);
    } catch (error) {
      throw diskError(error, from);
    }
  }

  readonly #alone = <T>(work: () => Promise<T>): Promise<T> => {
    const result = this.#changing.then(work);
    this.#changing = result.catch(() => {});
    return result;
  };

  /** The folder that a path is in, and the way to the path from there. */
  async #enterParent(path: RemotePath): Promise<JailedFolder & { readonly name: string; readonly path: string }> {
    const { folder: parent, name } = splitPath(path);
    const folder = await this.#jail.enter(parent);
    return {
      base: folder.base,
      name,
      path: path === ROOT ? `${folder.base}/.` : `${folder.base}/${name}`,
      [Symbol.dispose]: () => folder[Symbol.dispose](),
    };
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

/** The same names with their details, without those that are gone meanwhile. */
async function detailed(base: string, names: readonly StoreEntry[]): Promise<StoreEntry[]> {
  const entries: StoreEntry[] = [];
  for (const { name } of names) {
    const path = `${base}/${name}`;
    try {
      const looking = takeTurn(() => Deno.lstatSync(path), () => Deno.lstat(path));
      const entry = entryOf(name, looking instanceof Promise ? await looking : looking);
      if (entry !== undefined) entries.push(entry);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
  }
  return entries;
}

/** What is told of a file or folder; undefined for whatever is neither. */
function entryOf(name: string, info: Deno.FileInfo): StoreEntry | undefined {
  if (!info.isFile && !info.isDirectory) return undefined;
  return {
    name,
    kind: info.isFile ? "file" : "directory",
    sizeBytes: info.isFile ? info.size : undefined,
    mtimeMs: info.mtime?.getTime(),
    mode: modeBits(info.mode),
  };
}

function neither(path: RemotePath): TandemError {
  return new TandemError("denied", `"${path}" is neither a regular file nor a folder`);
}

/** A landing that keeps the folder it is in. */
class JailedLanding implements Landing {
  readonly #landing: Landing;
  readonly #folder: Disposable;

  constructor(landing: Landing, folder: Disposable) {
    this.#landing = landing;
    this.#folder = folder;
  }

  get kept(): KeptPart | undefined {
    return this.#landing.kept;
  }

  restart(): Promise<void> {
    return this.#landing.restart();
  }

  write(bytes: Uint8Array): void | Promise<void> {
    return this.#landing.write(bytes);
  }

  keep(): void {
    this.#landing.keep();
  }

  commit(attributes?: FileAttributes): Promise<void> {
    return this.#landing.commit(attributes);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    using _folder = this.#folder;
    await this.#landing[Symbol.asyncDispose]();
  }
}
