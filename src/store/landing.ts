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

import process from "node:process";
import { TandemError } from "../errors.ts";
import { TEMPORARY_PREFIX } from "../protocol/path.ts";
import { diskError, systemCode } from "./disk_error.ts";
import type { CreateOptions, Landing } from "./file_store.ts";
import { takeTurn } from "./turn.ts";

/** What ends the name of a temporary file. */
const TEMPORARY_SUFFIX = ".part";

/** A file that may have a lock that can be tried: before Deno 2.8 neither the method nor its type is there. */
type LockableFile = Deno.FsFile & { tryLock?(exclusive: boolean): Promise<boolean> };

/** Without locks leftovers are known by their age alone. */
const CAN_LOCK = (Deno.FsFile.prototype as LockableFile).tryLock !== undefined;

/** A leftover that nobody can be asked about is swept after a day, in milliseconds. */
const UNLOCKABLE_AGE_MS = 24 * 60 * 60 * 1_000;

/**
 * Begins a file called `name` in the folder at `base`.
 *
 * @param shownName what errors call it.
 * @throws {TandemError} `exists`, `is-directory`, `denied`, `not-found` (the folder), `no-space`.
 */
export async function openLanding(
  base: string,
  name: string,
  shownName: string,
  options: CreateOptions,
): Promise<DiskLanding> {
  const target = `${base}/${name}`;
  try {
    const present = await presentAt(target);
    if (present !== undefined) assertReplaceable(present, shownName, options);
    const { file, path, usualMode } = await createTemporary(base);
    const replacedMode = present?.mode ?? null;
    return new DiskLanding(file, path, {
      base,
      target,
      shownName,
      replace: options.replace,
      mode: replacedMode === null ? usualMode : replacedMode & 0o777,
    });
  } catch (error) {
    throw diskError(error, shownName);
  }
}

interface LandingTarget {
  readonly base: string;
  readonly target: string;
  readonly shownName: string;
  readonly replace: boolean;
  /** The permissions that it gets: those of the file that it replaces, or the usual ones. */
  readonly mode: number | undefined;
}

/** A file on disk that has no name yet. */
export class DiskLanding implements Landing {
  readonly #file: Deno.FsFile;
  readonly #temporary: string;
  readonly #to: LandingTarget;
  #committed = false;

  /** Takes over an open temporary file. */
  constructor(file: Deno.FsFile, temporary: string, to: LandingTarget) {
    this.#file = file;
    this.#temporary = temporary;
    this.#to = to;
  }

  /** Appends all of `bytes`, at once or by a thread as {@linkcode takeTurn} has it. */
  write(bytes: Uint8Array): void | Promise<void> {
    try {
      return takeTurn(
        () => this.#writeNow(bytes),
        () => this.#writeLater(bytes),
      );
    } catch (error) {
      throw diskError(error, this.#to.shownName);
    }
  }

  #writeNow(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(this.#file.writeSync(rest));
  }

  async #writeLater(bytes: Uint8Array): Promise<void> {
    try {
      let rest = bytes;
      while (rest.length > 0) {
        rest = rest.subarray(await this.#file.write(rest));
      }
    } catch (error) {
      throw diskError(error, this.#to.shownName);
    }
  }

  /** Flushes the file, gives it its name, and flushes the folder. */
  async commit(): Promise<void> {
    try {
      await this.#file.sync();
      const { mode } = this.#to;
      if (mode !== undefined && mode !== 0o600) await Deno.chmod(this.#temporary, mode);
      if (this.#to.replace) {
        await Deno.rename(this.#temporary, this.#to.target);
      } else {
        await publishNew(this.#temporary, this.#to.target);
      }
      this.#committed = true;
      await syncFolder(this.#to.base);
    } catch (error) {
      throw diskError(error, this.#to.shownName);
    }
  }

  /** Closes the file; removes it if it was not committed. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#file.close();
    if (!this.#committed) await removeIfPresent(this.#temporary);
  }
}

/** Gives `temporary` the name `target` in one step, and fails if that name is taken. */
async function publishNew(temporary: string, target: string): Promise<void> {
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

/** An open temporary file. */
interface Temporary {
  readonly file: Deno.FsFile;
  readonly path: string;
  /** The permissions that a file gets here which asks for none; undefined where there are none (Windows). */
  readonly usualMode: number | undefined;
}

/** A new temporary file in the folder at `base`, which only this process can open and which is locked. */
async function createTemporary(base: string): Promise<Temporary> {
  const known = modeByUmask();
  for (;;) {
    const path = `${base}/${temporaryName()}`;
    // Where the umask cannot be asked for, the file is made as any other would
    // be, looked at, and closed to others while it is still empty.
    const file: LockableFile = await Deno.open(path, {
      write: true,
      createNew: true,
      mode: known === undefined ? 0o666 : 0o600,
    });
    try {
      // Somebody who sweeps may have taken it for a leftover before it was locked.
      const locked = await file.tryLock?.(true) ?? true;
      const info = await file.stat();
      if (!locked || info.nlink === 0) {
        file.close();
        continue;
      }
      if (known !== undefined || info.mode === null) return { file, path, usualMode: known };
      await Deno.chmod(path, 0o600);
      return { file, path, usualMode: info.mode & 0o777 };
    } catch (error) {
      file.close();
      await removeIfPresent(path);
      throw error;
    }
  }
}

/** The permissions that the umask leaves; undefined where this program may not ask (no narrow permission allows it). */
function modeByUmask(): number | undefined {
  if (Deno.build.os === "windows") return undefined;
  try {
    return 0o666 & ~process.umask();
  } catch (error) {
    if (error instanceof Deno.errors.NotCapable) return undefined;
    throw error;
  }
}

function temporaryName(): string {
  const random = crypto.getRandomValues(new Uint8Array(16));
  return `${TEMPORARY_PREFIX}${hex(random)}${TEMPORARY_SUFFIX}`;
}

function hex(bytes: Uint8Array): string {
  return [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** What is at `path`, itself and not what it links to; undefined if nothing is. */
async function presentAt(path: string): Promise<Deno.FileInfo | undefined> {
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
  options: CreateOptions,
): void {
  if (present.isDirectory) {
    throw new TandemError("is-directory", `"${shownName}" is a folder`);
  }
  if (!options.replace) {
    throw new TandemError("exists", `"${shownName}" exists already`);
  }
  if (!present.isFile) {
    throw new TandemError(
      "denied",
      `"${shownName}" is no regular file, and is not replaced`,
    );
  }
}

/** Makes the names in a folder durable. */
async function syncFolder(path: string): Promise<void> {
  if (Deno.build.os === "windows") return;
  using folder = await Deno.open(path);
  await folder.sync();
}

async function removeIfPresent(path: string): Promise<void> {
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Removes the temporary files in the folder at `base` that nobody writes any
 * more, as a program leaves them that was killed. Returns how many.
 */
export async function sweepTemporaries(base: string): Promise<number> {
  let swept = 0;
  for await (const entry of Deno.readDir(base)) {
    if (!entry.isFile || !isTemporaryName(entry.name)) continue;
    if (await removeLeftover(`${base}/${entry.name}`)) swept++;
  }
  return swept;
}

function isTemporaryName(name: string): boolean {
  return name.startsWith(TEMPORARY_PREFIX) && name.endsWith(TEMPORARY_SUFFIX);
}

async function removeLeftover(path: string): Promise<boolean> {
  try {
    using file: LockableFile = await Deno.open(path);
    const free = CAN_LOCK
      ? await file.tryLock?.(true)
      : Date.now() - ((await file.stat()).mtime?.getTime() ?? Date.now()) >
        UNLOCKABLE_AGE_MS;
    if (!free) return false;
    await Deno.remove(path);
    return true;
  } catch (error) {
    // Its owner was quicker.
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
