/**
 * Opening a regular file for reading, and nothing but a regular file.
 *
 * The name a peer asked for may be a link out of the folder, or a FIFO, whose
 * opening would hold one of the process's 32 file threads for ever. So it is
 * opened with `O_NOFOLLOW | O_NONBLOCK` and judged by its `fstat`: no moment is
 * left in which one thing is checked and another one is opened. Where the
 * runtime does not pass those flags on (Deno 2.4, Windows), the file's identity
 * is compared before and after instead.
 *
 * @module
 */

import * as fs from "node:fs";
import { promisify } from "node:util";
import { TandemError } from "../errors.ts";
import { MAX_OPENS_IN_FLIGHT } from "../limits.ts";
import { diskError } from "./disk_error.ts";
import type { StoredFile } from "./file_store.ts";
import { takeTurn } from "./turn.ts";

const openFd = promisify(fs.open);
const closeFd = promisify(fs.close);
/** Reads by a thread. By hand, because `promisify(fs.read)` resolves to another shape in Deno 2.4. */
function readFd(fd: number, buffer: Uint8Array): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(
      fd,
      buffer,
      0,
      buffer.length,
      null,
      (error, count) => error ? reject(error) : resolve(count),
    );
  });
}

/**
 * Whether `node:fs` hands open flags to the system as they are. Deno 2.4 reads
 * them by macOS's values, so that `O_NOFOLLOW` would be lost without a word.
 */
export const RAW_OPEN_FLAGS: boolean = Deno.build.os !== "windows" &&
  !/^2\.[0-4]\./.test(Deno.version.deno);

/** How a file is opened. */
export interface OpenOptions {
  /** Whether a link is followed: only for a path that the user of this machine gave. */
  readonly followLinks?: boolean;
}

/**
 * Opens the regular file at `path`.
 *
 * @param shownName what errors call it.
 * @throws {TandemError} `not-found`, `is-directory`, `denied`, as {@linkcode diskError}.
 */
export async function openDiskFile(
  path: string,
  shownName: string,
  options: OpenOptions = {},
): Promise<DiskFile> {
  await using _turn = await takeOpenTurn();
  try {
    return RAW_OPEN_FLAGS
      ? await openByFlags(path, shownName, options.followLinks ?? false)
      : await openByIdentity(path, shownName, options.followLinks ?? false);
  } catch (error) {
    throw diskError(error, shownName);
  }
}

async function openByFlags(
  path: string,
  shownName: string,
  followLinks: boolean,
): Promise<DiskFile> {
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const flags = O_RDONLY | O_NONBLOCK | (followLinks ? 0 : O_NOFOLLOW);
  const fd = await openFd(path, flags);
  try {
    const stat = fs.fstatSync(fd);
    assertRegular(stat.isFile(), stat.isDirectory(), shownName);
    return new DiskFile(fd, stat.size, shownName);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

async function openByIdentity(
  path: string,
  shownName: string,
  followLinks: boolean,
): Promise<DiskFile> {
  const before = await (followLinks ? Deno.stat(path) : Deno.lstat(path));
  assertRegular(before.isFile, before.isDirectory, shownName);
  const fd = await openFd(path, "r");
  try {
    const after = fs.fstatSync(fd);
    const same = before.ino === null ||
      (after.ino === before.ino && after.dev === before.dev);
    if (!same) {
      throw new TandemError(
        "denied",
        `"${shownName}" was exchanged while it was opened`,
      );
    }
    return new DiskFile(fd, after.size, shownName);
  } catch (error) {
    fs.closeSync(fd);
    throw error;
  }
}

function assertRegular(
  isFile: boolean,
  isDirectory: boolean,
  shownName: string,
): void {
  if (isFile) return;
  throw isDirectory
    ? new TandemError("is-directory", `"${shownName}" is a folder`)
    : new TandemError("denied", `"${shownName}" is no regular file`);
}

/** An open regular file. */
export class DiskFile implements StoredFile {
  /** Its size in bytes when it was opened. */
  readonly sizeBytes: number;
  readonly #fd: number;
  readonly #shownName: string;

  /** Takes over an open descriptor. */
  constructor(fd: number, sizeBytes: number, shownName: string) {
    this.#fd = fd;
    this.sizeBytes = sizeBytes;
    this.#shownName = shownName;
  }

  /** Reads the next bytes, at once or by a thread as {@linkcode takeTurn} has it. */
  read(buffer: Uint8Array): number | null | Promise<number | null> {
    try {
      return takeTurn(
        () => fs.readSync(this.#fd, buffer, 0, buffer.length, null) || null,
        () => this.#readLater(buffer),
      );
    } catch (error) {
      throw diskError(error, this.#shownName);
    }
  }

  async #readLater(buffer: Uint8Array): Promise<number | null> {
    try {
      return await readFd(this.#fd, buffer) || null;
    } catch (error) {
      throw diskError(error, this.#shownName);
    }
  }

  /** Closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await closeFd(this.#fd);
  }
}

// Opens under way, and those that wait for one to end.
let opening = 0;
const waiting: (() => void)[] = [];

/** Waits until fewer than {@linkcode MAX_OPENS_IN_FLIGHT} opens are under way. */
async function takeOpenTurn(): Promise<AsyncDisposable> {
  if (opening >= MAX_OPENS_IN_FLIGHT) {
    await new Promise<void>((resolve) => waiting.push(resolve));
  } else {
    opening++;
  }
  return {
    [Symbol.asyncDispose]() {
      const next = waiting.shift();
      if (next === undefined) opening--;
      else next();
      return Promise.resolve();
    },
  };
}
