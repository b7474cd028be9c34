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
  /** A file's size in bytes, where details were asked for. */
  readonly sizeBytes?: number | undefined;
  /** When it was changed last, in milliseconds since 1970, where details were asked for. */
  readonly mtimeMs?: number | undefined;
  /** Its permission bits, where details were asked for and the store has such. */
  readonly mode?: number | undefined;
}

/** How a folder is listed. */
export interface ListOptions {
  /** Whether sizes, times and permissions are wanted, which takes a look at each file. */
  readonly details?: boolean;
}

/** A file that is open for reading: one version of it, whatever happens to its name meanwhile. */
export interface StoredFile extends AsyncDisposable {
  /** Its size in bytes when it was opened. */
  readonly sizeBytes: number;
  /** When it was changed last before that, in milliseconds since 1970. */
  readonly mtimeMs: number | undefined;
  /** Its permission bits, where the store has such. */
  readonly mode: number | undefined;
  /** A word that is another one when the file is another, or has other bytes. */
  readonly version: string;
  /**
   * Fills the beginning of `buffer` with the next bytes and returns how many
   * those are, or `null` at the end. Answering at once, without a promise, is
   * what makes a large file fast.
   */
  read(buffer: Uint8Array): number | null | Promise<number | null>;
  /** Has the next `read` begin at a byte of the file. */
  seek(offsetBytes: number): void;
  /** Whether it still is what it was when it was opened. That its name is gone, or another file's, does not matter. */
  isUnchanged(): Promise<boolean>;
}

/** What a file gets beside its bytes. */
export interface FileAttributes {
  /** When it was changed last, in milliseconds since 1970; without it now. */
  readonly mtimeMs?: number | undefined;
  /** Its permission bits, of which it gets those that new files may have here; without it the usual ones. */
  readonly mode?: number | undefined;
}

/** What is there already of a file that is to be continued. Its bytes are read before anything is written. */
export interface KeptPart {
  /** How many bytes there are. */
  readonly sizeBytes: number;
  /** Whether they are those of the file that has the name now, and not of one that was cut off. */
  readonly isPresentFile: boolean;
  /** Reads the next of them, from the first on. */
  read(buffer: Uint8Array): number | null | Promise<number | null>;
}

/**
 * A file that is being written, under no name yet. Disposing of it without a
 * `commit()` removes what was written, or with `keep()` leaves it to be continued.
 */
export interface Landing extends AsyncDisposable {
  /** What is continued, if `resume` was asked for and there is something. */
  readonly kept: KeptPart | undefined;
  /** Forgets what is continued: the next bytes are the first. */
  restart(): Promise<void>;
  /** Appends all of `bytes`; the caller may reuse them once this has ended. */
  write(bytes: Uint8Array): void | Promise<void>;
  /** Has what was written outlive this, to be continued, if it was created `resumable`. */
  keep(): void;
  /**
   * Gives what was written its name, durably and in one step.
   *
   * @throws {TandemError} `exists` if the name was taken meanwhile and may not be replaced.
   */
  commit(attributes?: FileAttributes): Promise<void>;
}

/** How a file is created in a store. */
export interface CreateOptions {
  /** Whether a file of that name may be replaced; anything else of that name never is. */
  readonly replace: boolean;
  /** Whether a part of it may be worth keeping: then it is written under a name by which it is found again. */
  readonly resumable?: boolean;
  /** Whether what is there of it already is continued: a kept part, or else the file of that name if it may be replaced. */
  readonly resume?: boolean;
  /** With `resume`: whether the file of that name may be replaced if it is what is continued, though `replace` is no. */
  readonly continuePresent?: boolean;
}

/** How a folder is made, or something is removed. */
export interface RecursiveOptions {
  /** Whether folders above are made too, or what is in a folder is removed too. */
  readonly recursive: boolean;
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
  list(path: RemotePath, options?: ListOptions): Promise<StoreEntry[]>;
  /**
   * A file or folder with its details; the shared folder itself has the name `""`.
   *
   * @throws {TandemError} `not-found`, `not-directory`, `denied` (also for whatever is neither).
   */
  stat(path: RemotePath): Promise<StoreEntry>;
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
  /**
   * Makes a folder.
   *
   * @throws {TandemError} `exists`, unless it is a folder and `recursive` is asked for; `not-found` (the folder above), `denied`.
   */
  makeFolder(path: RemotePath, options: RecursiveOptions): Promise<void>;
  /**
   * Removes a file, or with `recursive` a folder and all that is in it.
   *
   * @throws {TandemError} `not-found`, `is-directory`, `denied` (also for whatever is neither).
   */
  remove(path: RemotePath, options: RecursiveOptions): Promise<void>;
  /**
   * Gives a file or folder another name, durably and in one step.
   *
   * @throws {TandemError} `not-found`, `denied`; `exists` if the name is taken, unless by a file that may be replaced by a file.
   */
  rename(from: RemotePath, to: RemotePath, options: Pick<CreateOptions, "replace">): Promise<void>;
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
