/**
 * A {@linkcode FileStore} in memory, for tests and for programs that serve what
 * they make themselves. It behaves as the disk does; one suite runs over both.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { type RemotePath, ROOT, splitPath } from "../protocol/path.ts";
import {
  type CreateOptions,
  type FileStore,
  type Landing,
  listed,
  type StoredFile,
  type StoreEntry,
  type StoreSpace,
} from "./file_store.ts";

/** How much a {@linkcode MemoryStore} holds. */
export interface MemoryStoreOptions {
  /** The most that all its files may take, in bytes. Default: 256 MiB. */
  readonly capacityBytes?: number;
}

const DEFAULT_CAPACITY_BYTES = 256 * 1024 * 1024;

/** Files that live as long as the process. */
export class MemoryStore implements FileStore {
  readonly #files = new Map<RemotePath, Uint8Array>();
  readonly #folders = new Set<RemotePath>([ROOT]);
  readonly #capacityBytes: number;
  #usedBytes = 0;

  /** Makes an empty store. */
  constructor(options: MemoryStoreOptions = {}) {
    this.#capacityBytes = options.capacityBytes ?? DEFAULT_CAPACITY_BYTES;
  }

  /** Makes a folder, and those that it is in. */
  addFolder(path: RemotePath): void {
    if (path === ROOT) return;
    this.addFolder(splitPath(path).folder);
    this.#folders.add(path);
  }

  /** Puts a file there at once, with the folders that it is in. The bytes are not copied. */
  addFile(path: RemotePath, bytes: Uint8Array): void {
    this.addFolder(splitPath(path).folder);
    this.#publish(path, bytes);
  }

  #publish(path: RemotePath, bytes: Uint8Array): void {
    this.#usedBytes += bytes.length - (this.#files.get(path)?.length ?? 0);
    this.#files.set(path, bytes);
  }

  /** The files and folders in a folder, by name. */
  list(path: RemotePath): Promise<StoreEntry[]> {
    return attempt(() => {
      this.#assertFolder(path);
      const entries: StoreEntry[] = [];
      const add = (inner: RemotePath, kind: StoreEntry["kind"]) => {
        const { folder, name } = splitPath(inner);
        if (inner !== ROOT && folder === path) entries.push({ name, kind });
      };
      for (const inner of this.#files.keys()) add(inner, "file");
      for (const inner of this.#folders) add(inner, "directory");
      return listed(path, entries);
    });
  }

  /** Opens the version of a file that is current now. */
  open(path: RemotePath): Promise<StoredFile> {
    return attempt(() => {
      const bytes = this.#files.get(path);
      if (bytes !== undefined) return new MemoryFile(bytes);
      if (this.#folders.has(path)) throw new TandemError("is-directory", `"${path}" is a folder`);
      this.#assertFolder(splitPath(path).folder);
      throw notFound(path);
    });
  }

  /** Begins a file. */
  create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    return attempt(() => {
      this.#assertFolder(splitPath(path).folder);
      this.#assertFree(path, options);
      return new MemoryLanding({
        reserve: (bytes) => this.#reserve(bytes),
        publish: (bytes) => {
          const taken = this.#folders.has(path) || this.#files.has(path);
          if (taken && !options.replace) throw alreadyThere(path);
          this.#assertFree(path, options);
          this.#publish(path, bytes);
        },
      });
    });
  }

  /** Takes room for `bytes` more, or gives some back. */
  #reserve(bytes: number): void {
    if (this.#usedBytes + bytes > this.#capacityBytes) {
      throw new TandemError("no-space", "the store is full");
    }
    this.#usedBytes += bytes;
  }

  /** What is left of the capacity. */
  space(): Promise<StoreSpace | undefined> {
    return Promise.resolve({
      freeBytes: this.#capacityBytes - this.#usedBytes,
      totalBytes: this.#capacityBytes,
    });
  }

  /** Does nothing: there is nothing to let go of. */
  close(): void {}

  #assertFolder(path: RemotePath): void {
    if (this.#folders.has(path)) return;
    for (let above = path; above !== ROOT; above = splitPath(above).folder) {
      if (this.#files.has(above)) throw new TandemError("not-directory", `"${path}": it is not a folder`);
    }
    throw notFound(path);
  }

  #assertFree(path: RemotePath, options: CreateOptions): void {
    if (this.#folders.has(path)) {
      throw new TandemError("is-directory", `"${path}" is a folder`);
    }
    if (!options.replace && this.#files.has(path)) {
      throw alreadyThere(path);
    }
  }
}

/** Bytes that are all there already, as a file that is open for reading. */
export class MemoryFile implements StoredFile {
  /** How many bytes there are. */
  readonly sizeBytes: number;
  #rest: Uint8Array;

  /** Makes a file of `bytes`, which are not copied. */
  constructor(bytes: Uint8Array) {
    this.sizeBytes = bytes.length;
    this.#rest = bytes;
  }

  /** Copies the next bytes into the beginning of `buffer`. */
  read(buffer: Uint8Array): number | null {
    if (this.#rest.length === 0) return null;
    const count = Math.min(buffer.length, this.#rest.length);
    buffer.set(this.#rest.subarray(0, count));
    this.#rest = this.#rest.subarray(count);
    return count;
  }

  /** Does nothing: there is nothing to close. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** What a landing does to its store. */
interface LandingPlace {
  /** Takes room, or with a negative number gives it back. */
  reserve(bytes: number): void;
  /** Gives the bytes their name, and counts them. */
  publish(bytes: Uint8Array): void;
}

class MemoryLanding implements Landing {
  readonly #place: LandingPlace;
  #bytes = new Uint8Array(1024);
  #length = 0;

  constructor(place: LandingPlace) {
    this.#place = place;
  }

  write(bytes: Uint8Array): void {
    this.#place.reserve(bytes.length);
    const needed = this.#length + bytes.length;
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  commit(): Promise<void> {
    return attempt(() => {
      this.#place.publish(this.#bytes.slice(0, this.#length));
      this.#giveBack();
    });
  }

  /** Gives back what was reserved: once it is published it is counted there. */
  #giveBack(): void {
    this.#place.reserve(-this.#length);
    this.#length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return attempt(() => this.#giveBack());
  }
}

function alreadyThere(path: RemotePath): TandemError {
  return new TandemError("exists", `"${path}" exists already`);
}

function notFound(path: RemotePath): TandemError {
  return new TandemError(
    "not-found",
    `"${path}": there is no such file or folder`,
  );
}

/** Runs `work`, and makes what it throws a rejection. */
function attempt<T>(work: () => T): Promise<T> {
  return new Promise((resolve) => resolve(work()));
}
