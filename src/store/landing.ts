/**
 * The atomic landing of a file on disk, for uploads and downloads alike.
 *
 * What arrives is written beside its destination under a temporary name that
 * nobody else can open, and gets its own name only when it is whole: flushed,
 * then linked (which fails if the name is taken) or renamed (which replaces),
 * then the folder is flushed. Without the two flushes an acknowledged file was
 * missing in 31 of 40 images of a disk taken during a power loss; with them in
 * none (`safety.md` 3.6).
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { diskError, systemCode } from "./disk_error.ts";
import { modeBits, openDiskFile } from "./disk_file.ts";
import type { CreateOptions, FileAttributes, KeptPart, Landing } from "./file_store.ts";
import { openTemporary, removeLocked, type Temporary } from "./temporary.ts";
import { takeTurn } from "./turn.ts";

/**
 * Begins a file called `name` in the folder at `base`.
 *
 * @param shownName what errors call it.
 * @param alone keeps others from changing names while the file gets its own.
 * @throws {TandemError} `exists`, `is-directory`, `denied`, `not-found` (the folder), `no-space`.
 */
export async function openLanding(
  base: string,
  name: string,
  shownName: string,
  options: CreateOptions,
  alone: Alone = (work) => work(),
): Promise<DiskLanding> {
  const target = `${base}/${name}`;
  const { replace, resumable = false, resume = false, continuePresent = false } = options;
  try {
    const present = await presentAt(target);
    if (present !== undefined) assertReplaceable(present, shownName, replace || resume && continuePresent);
    using stack = new DisposableStack();
    const folder = stack.adopt(await openFolder(base), (file) => file?.close());
    const temporary = await openTemporary(base, resumable ? name : undefined, resume);
    stack.move();
    const landing = new DiskLanding(temporary, {
      folder,
      target,
      shownName,
      replace,
      alone,
      replacedMode: present === undefined ? undefined : modeBits(present.mode),
    });
    try {
      const copies = resume && temporary.keptBytes === 0 && present !== undefined;
      const isGone = copies && !await landing.copyPresent();
      // What is in the way of a part now will be in its way at the end.
      if (present !== undefined && !isGone && !replace && !landing.kept?.isPresentFile) {
        landing.keep();
        throw alreadyThere(shownName);
      }
      return landing;
    } catch (error) {
      await landing[Symbol.asyncDispose]();
      throw error;
    }
  } catch (error) {
    throw diskError(error, shownName);
  }
}

/** Does work while nobody else does any. */
export type Alone = <T>(work: () => Promise<T>) => Promise<T>;

/** A way into a landing. Disposing of it closes that way. */
export interface LandingRange extends Disposable {
  /** Writes all of `bytes` behind what this has written before. */
  write(bytes: Uint8Array): void | Promise<void>;
}

interface LandingTarget {
  /** The folder, open from the start: at the end there might be no descriptor left for it. */
  readonly folder: Deno.FsFile | undefined;
  readonly target: string;
  readonly shownName: string;
  readonly replace: boolean;
  /** Keeps others from changing names while the file gets its own. */
  readonly alone: Alone;
  /** The permissions of the file that it replaces. */
  readonly replacedMode: number | undefined;
}

/** How much of a present file is copied at a time, in bytes. */
const COPY_BYTES = 1024 * 1024;

/** A file on disk that has no name yet. */
export class DiskLanding implements Landing {
  /** What is continued. */
  kept: KeptPart | undefined;
  readonly #file: Deno.FsFile;
  readonly #temporary: Temporary;
  readonly #to: LandingTarget;
  #keeps = false;
  #committed = false;

  /** Takes over an open temporary file. */
  constructor(temporary: Temporary, to: LandingTarget) {
    this.#file = temporary.file;
    this.#temporary = temporary;
    this.#to = to;
    if (temporary.keptBytes > 0) this.kept = this.#keptPart(temporary.keptBytes, false);
  }

  /** The path under which it is written: another handle of it can be opened there. */
  get path(): string {
    return this.#temporary.path;
  }

  /** Another way into the file, from a byte of it on: for who fills it from several sides. */
  async openAt(offsetBytes: number): Promise<LandingRange> {
    const file = await Deno.open(this.path, { write: true });
    await file.seek(offsetBytes, Deno.SeekMode.Start);
    const { shownName } = this.#to;
    return {
      write: (bytes) => writeAll(file, bytes, shownName),
      [Symbol.dispose]: () => file.close(),
    };
  }

  #keptPart(sizeBytes: number, isPresentFile: boolean): KeptPart {
    let left = sizeBytes;
    return {
      sizeBytes,
      isPresentFile,
      read: async (buffer) => {
        const count = left === 0 ? null : await this.#file.read(buffer.subarray(0, left));
        left -= count ?? 0;
        return count;
      },
    };
  }

  /** Begins with a copy of the file that has the name now; returns whether there still is one. */
  async copyPresent(): Promise<boolean> {
    const { target, shownName } = this.#to;
    await using present = await openDiskFile(target, shownName, "refuse").catch((error) => {
      if (error instanceof TandemError && error.code === "not-found") return undefined;
      throw error;
    });
    if (present === undefined) return false;
    const buffer = new Uint8Array(Math.min(COPY_BYTES, present.sizeBytes));
    let copied = 0;
    while (copied < present.sizeBytes) {
      const count = await present.read(buffer);
      if (count === null) break;
      await this.write(buffer.subarray(0, count));
      copied += count;
    }
    await this.#file.seek(0, Deno.SeekMode.Start);
    this.kept = this.#keptPart(copied, true);
    return true;
  }

  /** Forgets what is continued. */
  async restart(): Promise<void> {
    await this.#file.truncate(0);
    await this.#file.seek(0, Deno.SeekMode.Start);
    this.kept = undefined;
  }

  /** Appends all of `bytes`, at once or by a thread as {@linkcode takeTurn} has it. */
  write(bytes: Uint8Array): void | Promise<void> {
    return writeAll(this.#file, bytes, this.#to.shownName);
  }

  /** Has what was written outlive this, if its name tells what it is a part of. */
  keep(): void {
    this.#keeps = this.#temporary.resumable;
  }

  /** Flushes the file, gives it its name, and flushes the folder. */
  async commit(attributes: FileAttributes = {}): Promise<void> {
    try {
      const { mtimeMs } = attributes;
      if (mtimeMs !== undefined) await this.#file.utime(new Date(), new Date(mtimeMs));
      await this.#file.sync();
      const mode = this.#mode(attributes.mode);
      if (mode !== undefined && mode !== 0o600) await Deno.chmod(this.path, mode);
      const replaces = this.#to.replace || this.kept?.isPresentFile;
      const { target } = this.#to;
      await this.#to.alone(() => replaces ? Deno.rename(this.path, target) : publishNew(this.path, target));
      this.#committed = true;
      await this.#to.folder?.sync();
    } catch (error) {
      throw diskError(error, this.#to.shownName);
    }
  }

  /**
   * The permissions that it gets: those that were asked for, as far as new files
   * may have them here; else those of the file that it replaces; else the usual ones.
   */
  #mode(asked: number | undefined): number | undefined {
    const { usualMode } = this.#temporary;
    if (asked === undefined || usualMode === undefined) return this.#to.replacedMode ?? usualMode;
    // Whoever may read a new file may run it too, if it is a program.
    return asked & (usualMode | (usualMode & 0o444) >> 2);
  }

  /** Closes the file; removes it if it was not committed and is not to be kept. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#to.folder?.close();
    const keeps = this.#committed || this.#keeps && (await this.#file.stat()).size > 0;
    if (keeps) this.#file.close();
    else await removeLocked(this.#file, this.path);
  }
}

/** Writes all of `bytes`, at once or by a thread as {@linkcode takeTurn} has it. */
function writeAll(file: Deno.FsFile, bytes: Uint8Array, shownName: string): void | Promise<void> {
  try {
    return takeTurn(
      () => {
        let rest = bytes;
        while (rest.length > 0) rest = rest.subarray(file.writeSync(rest));
      },
      async () => {
        try {
          let rest = bytes;
          while (rest.length > 0) rest = rest.subarray(await file.write(rest));
        } catch (error) {
          throw diskError(error, shownName);
        }
      },
    );
  } catch (error) {
    throw diskError(error, shownName);
  }
}

/** Gives `temporary` the name `target` in one step, and fails if that name is taken. */
export async function publishNew(temporary: string, target: string): Promise<void> {
  try {
    await Deno.link(temporary, target);
  } catch (error) {
    const code = systemCode(error);
    if (
      !["EPERM", "EACCES", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EMLINK"]
        .includes(code)
    ) {
      throw error;
    }
    // A disk without hard links (FAT, some network ones): the moment between the
    // look and the rename is then the best that there is.
    if (await presentAt(target) !== undefined) {
      throw new Deno.errors.AlreadyExists(target);
    }
    await Deno.rename(temporary, target);
    return;
  }
  await Deno.remove(temporary);
}

/** What is at `path`, itself and not what it links to; undefined if nothing is. */
export async function presentAt(path: string): Promise<Deno.FileInfo | undefined> {
  try {
    return await Deno.lstat(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

function assertReplaceable(
  present: Deno.FileInfo,
  shownName: string,
  replace: boolean,
): void {
  if (present.isDirectory) {
    throw new TandemError("is-directory", `"${shownName}" is a folder`);
  }
  if (!replace) throw alreadyThere(shownName);
  if (!present.isFile) {
    throw new TandemError(
      "denied",
      `"${shownName}" is no regular file, and is not replaced`,
    );
  }
}

/** Makes the names in a folder durable. */
export async function syncFolder(path: string): Promise<void> {
  using folder = await openFolder(path);
  await folder?.sync();
}

/** A folder, to be flushed; undefined where folders cannot be opened. */
async function openFolder(path: string): Promise<Deno.FsFile | undefined> {
  return Deno.build.os === "windows" ? undefined : await Deno.open(path);
}

function alreadyThere(shownName: string): TandemError {
  return new TandemError("exists", `"${shownName}" exists already`);
}
