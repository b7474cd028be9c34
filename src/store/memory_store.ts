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

/** How much a {@linkcode MemoryStore} holds. */
export interface MemoryStoreOptions {
  /** The most that all its files may take, in bytes. Default: 256 MiB. */
  readonly capacityBytes?: number;
}

const DEFAULT_CAPACITY_BYTES = 256 * 1024 * 1024;

/** One version of a file. */
interface MemoryVersion {
  readonly bytes: Uint8Array;
  readonly mtimeMs: number;
  readonly mode: number;
  /** Counts the versions of all files. */
  readonly number: number;
}

/** The permissions of a file that was told nothing else. */
const USUAL_MODE = 0o644;

/** Files that live as long as the process. */
export class MemoryStore implements FileStore {
  readonly #files = new Map<RemotePath, MemoryVersion>();
  /** Folders, and when each was made. */
  readonly #folders = new Map<RemotePath, number>([[ROOT, Date.now()]]);
  /** Parts of files that were cut off. */
  readonly #parts = new Map<RemotePath, Uint8Array>();
  readonly #capacityBytes: number;
  #usedBytes = 0;
  #versions = 0;

  /** Makes an empty store. */
  constructor(options: MemoryStoreOptions = {}) {
    this.#capacityBytes = options.capacityBytes ?? DEFAULT_CAPACITY_BYTES;
  }

  /** Makes a folder, and those that it is in. */
  addFolder(path: RemotePath): void {
    if (this.#folders.has(path)) return;
    this.addFolder(splitPath(path).folder);
    this.#folders.set(path, Date.now());
  }

  /** Puts a file there at once, with the folders that it is in. The bytes are not copied. */
  addFile(path: RemotePath, bytes: Uint8Array): void {
    this.addFolder(splitPath(path).folder);
    this.#publish(path, bytes, {});
  }

  #publish(path: RemotePath, bytes: Uint8Array, attributes: FileAttributes): void {
    const before = this.#files.get(path);
    this.#usedBytes += bytes.length - (before?.bytes.length ?? 0);
    this.#files.set(path, {
      bytes,
      mtimeMs: attributes.mtimeMs ?? Date.now(),
      mode: attributes.mode ?? before?.mode ?? USUAL_MODE,
      number: ++this.#versions,
    });
  }

  /** The files and folders in a folder, by name. */
  list(path: RemotePath, options: ListOptions = {}): Promise<StoreEntry[]> {
    return attempt(() => {
      this.#assertFolder(path);
      const entries: StoreEntry[] = [];
      const add = (inner: RemotePath) => {
        if (inner === ROOT || splitPath(inner).folder !== path) return;
        const entry = this.#entry(inner);
        entries.push(options.details ? entry : { name: entry.name, kind: entry.kind });
      };
      for (const inner of this.#files.keys()) add(inner);
      for (const inner of this.#folders.keys()) add(inner);
      return listed(path, entries);
    });
  }

  /** A file or folder with its details. */
  stat(path: RemotePath): Promise<StoreEntry> {
    return attempt(() => {
      if (!this.#files.has(path)) this.#assertFolder(path);
      return this.#entry(path);
    });
  }

  /** What is there, which must be there. */
  #entry(path: RemotePath): StoreEntry {
    const { name } = splitPath(path);
    const file = this.#files.get(path);
    if (file === undefined) return { name, kind: "directory", mtimeMs: this.#folders.get(path), mode: 0o755 };
    const { bytes, mtimeMs, mode } = file;
    return { name, kind: "file", sizeBytes: bytes.length, mtimeMs, mode };
  }

  /** Opens the version of a file that is current now. */
  open(path: RemotePath): Promise<StoredFile> {
    return attempt(() => {
      const file = this.#files.get(path);
      if (file !== undefined) return new MemoryFile(file.bytes, file);
      if (this.#folders.has(path)) throw new TandemError("is-directory", `"${path}" is a folder`);
      this.#assertFolder(splitPath(path).folder);
      throw notFound(path);
    });
  }

  /** Begins a file. */
  create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    return attempt(() => {
      this.#assertFolder(splitPath(path).folder);
      const { replace, resume = false, continuePresent = false } = options;
      this.#assertFree(path, replace || resume && continuePresent);
      const present = this.#files.get(path)?.bytes;
      if (present !== undefined && !replace && this.#parts.has(path)) throw alreadyThere(path);
      const part = this.#takePart(path);
      const kept = !resume ? undefined : part ?? present;
      return new MemoryLanding({
        kept: kept === undefined ? undefined : { bytes: kept, isPresentFile: kept !== part },
        reserve: (bytes) => this.#reserve(bytes),
        keep: (bytes) => {
          if (options.resumable) this.#keepPart(path, bytes);
        },
        publish: (bytes, attributes, continued) => {
          if (this.#folders.has(path) && !replace) throw alreadyThere(path);
          this.#assertFree(path, replace || continued);
          this.#assertFolder(splitPath(path).folder);
          this.#publish(path, bytes, attributes);
        },
      });
    });
  }

  #takePart(path: RemotePath): Uint8Array | undefined {
    const part = this.#parts.get(path);
    this.#parts.delete(path);
    this.#usedBytes -= part?.length ?? 0;
    return part;
  }

  #keepPart(path: RemotePath, bytes: Uint8Array): void {
    this.#takePart(path);
    this.#reserve(bytes.length);
    this.#parts.set(path, bytes);
  }

  /** Makes a folder. */
  makeFolder(path: RemotePath, { recursive }: RecursiveOptions): Promise<void> {
    return attempt(() => {
      if (this.#files.has(path) || this.#folders.has(path) && !recursive) throw alreadyThere(path);
      const { folder } = splitPath(path);
      for (let above = folder; above !== ROOT; above = splitPath(above).folder) {
        if (this.#files.has(above)) throw new TandemError("not-directory", `"${path}": it is not in a folder`);
      }
      if (!recursive) this.#assertFolder(folder);
      this.addFolder(path);
    });
  }

  /** Removes a file, or a folder and all that is in it. */
  remove(path: RemotePath, { recursive }: RecursiveOptions): Promise<void> {
    return attempt(() => {
      if (!this.#files.has(path)) this.#assertFolder(path);
      if (this.#folders.has(path) && !recursive) {
        throw new TandemError("is-directory", `"${path}" is a folder`, { hint: "folders are removed with -r" });
      }
      for (const [inner, { bytes }] of this.#files) {
        if (inner !== path && !inner.startsWith(`${path}/`)) continue;
        this.#files.delete(inner);
        this.#usedBytes -= bytes.length;
      }
      for (const inner of [...this.#folders.keys()]) {
        if (inner === path || inner.startsWith(`${path}/`)) this.#folders.delete(inner);
      }
    });
  }

  /** Gives a file or folder another name. */
  rename(from: RemotePath, to: RemotePath, { replace }: Pick<CreateOptions, "replace">): Promise<void> {
    return attempt(() => {
      const file = this.#files.get(from);
      if (file === undefined) this.#assertFolder(from);
      this.#assertFolder(splitPath(to).folder);
      const present = this.#files.get(to);
      if (from === to && replace && file !== undefined) return;
      if (this.#folders.has(to) || present !== undefined && !(replace && file !== undefined)) throw alreadyThere(to);
      if (`${to}/`.startsWith(`${from}/`)) {
        throw new TandemError("bad-request", `"${from}" cannot be moved into itself`);
      }
      this.#usedBytes -= present?.bytes.length ?? 0;
      moveKeys(this.#files, from, to);
      moveKeys(this.#folders, from, to);
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

  #assertFree(path: RemotePath, replace: boolean): void {
    if (this.#folders.has(path)) {
      throw new TandemError("is-directory", `"${path}" is a folder`);
    }
    if (!replace && this.#files.has(path)) {
      throw alreadyThere(path);
    }
  }
}

/** Gives what is at `from`, and below, its place at `to`. */
function moveKeys<T>(map: Map<RemotePath, T>, from: RemotePath, to: RemotePath): void {
  for (const [path, value] of [...map]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    map.delete(path);
    map.set(`${to}${path.slice(from.length)}` as RemotePath, value);
  }
}

/** Bytes that are all there already, as a file that is open for reading. */
export class MemoryFile implements StoredFile {
  /** How many bytes there are. */
  readonly sizeBytes: number;
  /** When they were changed last, in milliseconds since 1970. */
  readonly mtimeMs: number | undefined;
  /** Their permission bits. */
  readonly mode: number | undefined;
  /** Which version of which file they are. */
  readonly version: string;
  readonly #bytes: Uint8Array;
  #position = 0;

  /** Makes a file of `bytes`, which are not copied. */
  constructor(bytes: Uint8Array, details: Partial<Omit<MemoryVersion, "bytes">> = {}) {
    this.sizeBytes = bytes.length;
    this.mtimeMs = details.mtimeMs;
    this.mode = details.mode;
    this.version = String(details.number ?? 0);
    this.#bytes = bytes;
  }

  /** Copies the next bytes into the beginning of `buffer`. */
  read(buffer: Uint8Array): number | null {
    const rest = this.#bytes.subarray(this.#position, this.#position + buffer.length);
    if (rest.length === 0) return null;
    buffer.set(rest);
    this.#position += rest.length;
    return rest.length;
  }

  /** Has the next `read` begin at a byte of the file. */
  seek(offsetBytes: number): void {
    this.#position = offsetBytes;
  }

  /** Always: another version is another file. */
  isUnchanged(): Promise<boolean> {
    return Promise.resolve(true);
  }

  /** Does nothing: there is nothing to close. */
  [Symbol.asyncDispose](): Promise<void> {
    return Promise.resolve();
  }
}

/** What a landing does to its store. */
interface LandingPlace {
  /** What is continued. */
  readonly kept: { readonly bytes: Uint8Array; readonly isPresentFile: boolean } | undefined;
  /** Takes room, or with a negative number gives it back. */
  reserve(bytes: number): void;
  /** Keeps the bytes, to be continued. */
  keep(bytes: Uint8Array): void;
  /** Gives the bytes their name, and counts them; they may be those of the file that has it, continued. */
  publish(bytes: Uint8Array, attributes: FileAttributes, continued: boolean): void;
}

class MemoryLanding implements Landing {
  kept: KeptPart | undefined;
  readonly #place: LandingPlace;
  #bytes = new Uint8Array(1024);
  #length = 0;
  #keeps = false;

  constructor(place: LandingPlace) {
    this.#place = place;
    if (place.kept === undefined) return;
    const { bytes, isPresentFile } = place.kept;
    this.write(bytes);
    const file = new MemoryFile(bytes);
    this.kept = { sizeBytes: bytes.length, isPresentFile, read: (buffer) => file.read(buffer) };
  }

  restart(): Promise<void> {
    this.kept = undefined;
    return attempt(() => this.#giveBack());
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

  keep(): void {
    this.#keeps = true;
  }

  commit(attributes: FileAttributes = {}): Promise<void> {
    return attempt(() => {
      this.#place.publish(this.#bytes.slice(0, this.#length), attributes, this.kept?.isPresentFile ?? false);
      this.#giveBack();
    });
  }

  /** Gives back what was reserved: once it is published it is counted there. */
  #giveBack(): void {
    this.#place.reserve(-this.#length);
    this.#length = 0;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return attempt(() => {
      const kept = this.#bytes.slice(0, this.#keeps ? this.#length : 0);
      this.#giveBack();
      if (kept.length > 0) this.#place.keep(kept);
    });
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
