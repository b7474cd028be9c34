/**
 * Opening a regular file for reading, and nothing but a regular file.
 *
 * The name a peer asked for may be a link out of the folder, or a FIFO, whose
 * opening would hold one of the process's 32 file threads for ever. `O_NONBLOCK`
 * sees to the FIFO. `O_NOFOLLOW` would see to the link, but reaches the system
 * only under all permissions: under narrower ones Deno resolves links itself
 * before it opens (seen with strace on 2.9.6), and Deno 2.4 does not pass flags
 * on at all. So unless the path is known to go to the system as it is, the
 * file's identity is compared: what `lstat` saw must be what was opened.
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
function readFd(fd: number, buffer: Uint8Array, position: number): Promise<number> {
  return new Promise((resolve, reject) => {
    fs.read(
      fd,
      buffer,
      0,
      buffer.length,
      position,
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

/** How a path is followed to its file. */
export type LinkRule =
  /** Links are followed: for a path that the user of this machine gave. */
  | "follow"
  /** The last component must be no link, which is made sure of by comparing identities. */
  | "refuse"
  /** As `refuse`, for a path that Deno hands to the system as it is: then the system refuses. */
  | "refuse-by-flag";

/**
 * Opens the regular file at `path`.
 *
 * @param shownName what errors call it.
 * @throws {TandemError} `not-found`, `is-directory`, `denied`, as {@linkcode diskError}.
 */
export async function openDiskFile(path: string, shownName: string, links: LinkRule): Promise<DiskFile> {
  await using _turn = await takeOpenTurn();
  try {
    return await openRegular(path, shownName, links);
  } catch (error) {
    throw diskError(error, shownName);
  }
}

/**
 * How often a file is opened anew that was replaced in between: a writer's right,
 * and no attack. Beside a writer that does nothing else about one open in twenty
 * thousand needs over thirty tries (Q2 in `jail_test.ts`, repeated).
 */
const MAX_REPLACED = 1_000;

async function openRegular(path: string, shownName: string, links: LinkRule): Promise<DiskFile> {
  for (let tries = 0; tries < MAX_REPLACED; tries++) {
    const file = await openOnce(path, shownName, links);
    if (file !== undefined) return file;
  }
  throw new TandemError("denied", `"${shownName}" was exchanged each time it was opened`);
}

/** Opens the file; undefined where it is not the one that `lstat` saw a moment before. */
async function openOnce(path: string, shownName: string, links: LinkRule): Promise<DiskFile | undefined> {
  const before = links === "refuse" ? await Deno.lstat(path) : undefined;
  if (before !== undefined) assertRegular(before.isFile, before.isDirectory, shownName);
  const { O_RDONLY, O_NOFOLLOW, O_NONBLOCK } = fs.constants;
  const flags = O_RDONLY | O_NONBLOCK | (links === "follow" ? 0 : O_NOFOLLOW);
  const fd = await openFd(path, RAW_OPEN_FLAGS ? flags : "r");
  try {
    const stat = fs.fstatSync(fd, { bigint: true });
    assertRegular(stat.isFile(), stat.isDirectory(), shownName);
    const known = before?.ino ?? null;
    if (known !== null && (Number(stat.ino) !== known || Number(stat.dev) !== before?.dev)) {
      fs.closeSync(fd);
      return undefined;
    }
    return new DiskFile(fd, stat, shownName);
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
  /** When it was changed last before that, in milliseconds since 1970. */
  readonly mtimeMs: number;
  /** Its permission bits; undefined where there are none (Windows). */
  readonly mode: number | undefined;
  /** Which file it is, how large, and when it was changed last. */
  readonly version: string;
  readonly #fd: number;
  readonly #shownName: string;
  #position = 0;

  /** Takes over an open descriptor. */
  constructor(fd: number, stat: fs.BigIntStats, shownName: string) {
    this.#fd = fd;
    this.sizeBytes = Number(stat.size);
    this.mtimeMs = Number(stat.mtimeNs) / 1e6;
    this.mode = modeBits(Number(stat.mode));
    this.version = versionOf(stat);
    this.#shownName = shownName;
  }

  /** Reads the next bytes, at once or by a thread as {@linkcode takeTurn} has it. */
  read(buffer: Uint8Array): number | null | Promise<number | null> {
    try {
      return takeTurn(
        () => this.#advance(fs.readSync(this.#fd, buffer, 0, buffer.length, this.#position)),
        () => this.#readLater(buffer),
      );
    } catch (error) {
      throw diskError(error, this.#shownName);
    }
  }

  #advance(count: number): number | null {
    this.#position += count;
    return count || null;
  }

  async #readLater(buffer: Uint8Array): Promise<number | null> {
    try {
      return this.#advance(await readFd(this.#fd, buffer, this.#position));
    } catch (error) {
      throw diskError(error, this.#shownName);
    }
  }

  /** Has the next `read` begin at a byte of the file. */
  seek(offsetBytes: number): void {
    this.#position = offsetBytes;
  }

  /** Whether it has the bytes that it had when it was opened, as far as its size and its time of change tell. */
  isUnchanged(): Promise<boolean> {
    return Promise.resolve(versionOf(fs.fstatSync(this.#fd, { bigint: true })) === this.version);
  }

  /** Closes the file. */
  async [Symbol.asyncDispose](): Promise<void> {
    await closeFd(this.#fd);
  }
}

/** The time of the last change of the inode is no part of it: losing one of its names would change that as well. */
function versionOf({ ino, size, mtimeNs }: fs.BigIntStats): string {
  return `${ino.toString(36)}-${size.toString(36)}-${mtimeNs.toString(36)}`;
}

/** The permission bits of a mode; undefined where the system has none. */
export function modeBits(mode: number | null): number | undefined {
  return mode === null || Deno.build.os === "windows" ? undefined : mode & 0o777;
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
