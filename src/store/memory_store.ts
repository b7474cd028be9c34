/**
 * A {@linkcode FileStore} in memory, for tests and for programs that serve what
 * they make themselves. It behaves as the disk does; one suite runs over both.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { type RemotePath, ROOT, splitPath } from "../protocol/path.ts";
import type { CreateOptions, FileStore, Landing, StoredFile, StoreEntry, StoreSpace } from "./file_store.ts";

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
      return entries.sort((a, b) => a.name < b.name ? -1 : 1);
    });
  }

  /** Opens the version of a file that is current now. */
  open(path: RemotePath): Promise<StoredFile> {
    return attempt(() => {
      const bytes = this.#files.get(path);
      if (bytes !== undefined) return new MemoryFile(bytes);
      throw this.#folders.has(path) ? new TandemError("is-directory", `"${path}" is a folder`) : notFound(path);
    });
  }

  /** Begins a file. */
  create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    return attempt(() => {
      this.#assertFolder(splitPath(path).folder);
      this.#assertFree(path, options);
      return new MemoryLanding(
        () => this.#capacityBytes - this.#usedBytes,
        (bytes) => {
          this.#assertFree(path, options);
          this.#publish(path, bytes);
        },
      );
    });
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
    throw this.#files.has(path) ? new TandemError("not-directory", `"${path}" is not a folder`) : notFound(path);
  }

  #assertFree(path: RemotePath, options: CreateOptions): void {
    if (this.#folders.has(path)) {
      throw new TandemError("is-directory", `"${path}" is a folder`);
    }
    if (!options.replace && this.#files.has(path)) {
      throw new TandemError("exists", `"${path}" exists already`);
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

class MemoryLanding implements Landing {
  readonly #room: () => number;
  readonly #publish: (bytes: Uint8Array) => void;
  #bytes = new Uint8Array(1024);
  #length = 0;

  constructor(room: () => number, publish: (bytes: Uint8Array) => void) {
    this.#room = room;
    this.#publish = publish;
  }

  write(bytes: Uint8Array): void {
    const needed = this.#length + bytes.length;
    if (needed > this.#room()) {
      throw new TandemError("no-space", "the store is full");
    }
    if (needed > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
      larger.set(this.#bytes.subarray(0, this.#length));
      this.#bytes = larger;
    }
    this.#bytes.set(bytes, this.#length);
    this.#length = needed;
  }

  commit(): Promise<void> {
    return attempt(() => this.#publish(this.#bytes.slice(0, this.#length)));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
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
