/**
 * What a server needs of the place where files are kept.
 *
 * A store maps checked paths to bytes and knows nothing of sockets or of the
 * protocol. The disk and an in-memory one come with the project; any other
 * (an object store, a database) works as well, if it keeps the one promise that
 * matters: what is being written is not seen under its name before `commit()`,
 * and after that it is seen whole.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_LISTED_ENTRIES } from "../limits.ts";
import type { RemotePath } from "../protocol/path.ts";

/** One name in a folder of a store. */
export interface StoreEntry {
  /** The name, without its folder. */
  readonly name: string;
  /** What it names. */
  readonly kind: "file" | "directory";
}

/** A file that is open for reading: one version of it, whatever happens to its name meanwhile. */
export interface StoredFile extends AsyncDisposable {
  /** Its size in bytes when it was opened. */
  readonly sizeBytes: number;
  /**
   * Fills the beginning of `buffer` with the next bytes and returns how many
   * those are, or `null` at the end. Answering at once, without a promise, is
   * what makes a large file fast.
   */
  read(buffer: Uint8Array): number | null | Promise<number | null>;
}

/**
 * A file that is being written, under no name yet. Disposing of it without a
 * `commit()` removes what was written.
 */
export interface Landing extends AsyncDisposable {
  /** Appends all of `bytes`; the caller may reuse them once this has ended. */
  write(bytes: Uint8Array): void | Promise<void>;
  /**
   * Gives what was written its name, durably and in one step.
   *
   * @throws {TandemError} `exists` if the name was taken meanwhile and may not be replaced.
   */
  commit(): Promise<void>;
}

/** How a file is created in a store. */
export interface CreateOptions {
  /** Whether a file of that name may be replaced; anything else of that name never is. */
  readonly replace: boolean;
}

/** The room that a store has. */
export interface StoreSpace {
  /** What can still be written, in bytes. */
  readonly freeBytes: number;
  /** The size of the whole, in bytes. */
  readonly totalBytes: number;
}

/** A place where files are kept. Every method rejects with a {@linkcode TandemError}. */
export interface FileStore {
  /**
   * The files and folders in a folder, by name. What cannot be served (links,
   * devices, names that no path may hold, temporary files) is left out.
   *
   * @throws {TandemError} `not-found`, `not-directory`, `denied`; `too-large` if there are too many.
   */
  list(path: RemotePath): Promise<StoreEntry[]>;
  /**
   * Opens a file for reading.
   *
   * @throws {TandemError} `not-found`, `is-directory`, `denied` (also for whatever is no regular file).
   */
  open(path: RemotePath): Promise<StoredFile>;
  /**
   * Begins a file; its folder must exist.
   *
   * @throws {TandemError} `exists`, `is-directory`, `not-found` (the folder), `denied`, `no-space`.
   */
  create(path: RemotePath, options: CreateOptions): Promise<Landing>;
  /** The room that is left, or undefined where that cannot be known. */
  space(): Promise<StoreSpace | undefined>;
  /** Lets go of what the store holds open. */
  close(): void;
}

/** The entries of a folder, in the order of their names. Refused where they are too many: a part would pass for the whole. */
export function listed(path: RemotePath, entries: StoreEntry[]): StoreEntry[] {
  if (entries.length > MAX_LISTED_ENTRIES) {
    throw new TandemError(
      "too-large",
      `"${path}" has ${entries.length} entries; at most ${MAX_LISTED_ENTRIES} are listed`,
    );
  }
  return entries.sort((a, b) => a.name < b.name ? -1 : 1);
}
