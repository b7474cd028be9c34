/**
 * Keeps every path inside the shared folder, also while somebody moves folders
 * and links about.
 *
 * With all permissions on Linux the folder is held open and paths are walked
 * from descriptor to descriptor (`/proc/self/fd/N/name`), each step without
 * following links: no race is left, and a root that is replaced while serving
 * goes on being the old one. Elsewhere the root's identity and every component
 * are checked before use; a local user who can write in the folder could win a
 * race against that, which the documentation says.
 *
 * @module
 */

import * as fs from "node:fs";
import { promisify } from "node:util";
import { TandemError } from "../errors.ts";
import type { RemotePath } from "../protocol/path.ts";
import { diskError } from "./disk_error.ts";
import { RAW_OPEN_FLAGS } from "./disk_file.ts";

const openFd = promisify(fs.open);

/** A folder inside the jail, ready to be used. */
export interface JailedFolder extends Disposable {
  /** A path to which `/name` can be appended, valid until this is disposed of. */
  readonly base: string;
}

/** A root that no path leads out of. */
export class Jail implements Disposable {
  /** The canonical path of the root when it was opened. */
  readonly root: string;
  readonly #identity: Deno.FileInfo;
  readonly #fd: number | undefined;

  /**
   * Opens `directory` as a root.
   *
   * @throws {TandemError} `not-found`, `not-directory`, `denied`.
   */
  constructor(directory: string) {
    try {
      this.root = Deno.realPathSync(directory);
      this.#identity = Deno.lstatSync(this.root);
    } catch (error) {
      throw diskError(error, directory);
    }
    if (!this.#identity.isDirectory) {
      throw new TandemError("not-directory", `"${directory}" is not a folder`);
    }
    this.#fd = holdOpen(this.root);
  }

  /** Whether paths are walked by descriptors, so that no race is left. */
  get raceFree(): boolean {
    return this.#fd !== undefined;
  }

  /**
   * Goes to a folder inside.
   *
   * @throws {TandemError} `not-found`, `not-directory`; `denied` where a component is a link.
   */
  enter(path: RemotePath): Promise<JailedFolder> {
    return this.#fd === undefined ? this.#enterByChecks(path) : this.#enterByDescriptors(this.#fd, path);
  }

  async #enterByDescriptors(
    root: number,
    path: RemotePath,
  ): Promise<JailedFolder> {
    const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
    let fd = root;
    for (const name of path === "" ? [] : path.split("/")) {
      try {
        const next = await openFd(`/proc/self/fd/${fd}/${name}`, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
        if (fd !== root) fs.closeSync(fd);
        fd = next;
      } catch (error) {
        const failure = await linkOr(error, `/proc/self/fd/${fd}/${name}`, path);
        if (fd !== root) fs.closeSync(fd);
        throw failure;
      }
    }
    return {
      base: `/proc/self/fd/${fd}`,
      [Symbol.dispose]() {
        if (fd !== root) fs.closeSync(fd);
      },
    };
  }

  async #enterByChecks(path: RemotePath): Promise<JailedFolder> {
    let base = this.root;
    try {
      const now = await Deno.lstat(base);
      if (now.ino !== this.#identity.ino || now.dev !== this.#identity.dev) {
        throw new TandemError(
          "denied",
          "the shared folder was replaced while it was served",
          {
            hint: "start the server again",
          },
        );
      }
      for (const name of path === "" ? [] : path.split("/")) {
        base = `${base}/${name}`;
        const info = await Deno.lstat(base);
        if (info.isSymlink) throw throughLink(path);
        if (!info.isDirectory) {
          throw new TandemError(
            "not-directory",
            `"${path}": it is not a folder`,
          );
        }
      }
    } catch (error) {
      throw diskError(error, path);
    }
    return { base, [Symbol.dispose]() {} };
  }

  /** Lets go of the root. */
  [Symbol.dispose](): void {
    if (this.#fd !== undefined) fs.closeSync(this.#fd);
  }
}

/** Why a folder could not be opened: the system calls a link "no folder". */
async function linkOr(error: unknown, step: string, path: RemotePath): Promise<TandemError> {
  const failure = diskError(error, path);
  if (failure.code !== "not-directory") return failure;
  try {
    return (await Deno.lstat(step)).isSymlink ? throughLink(path) : failure;
  } catch {
    // It is gone meanwhile.
    return failure;
  }
}

function throughLink(path: RemotePath): TandemError {
  return new TandemError("denied", `"${path}" leads through a link, and links are not followed`);
}

/** A descriptor of `root` from which paths can be walked, or undefined where that does not work. */
function holdOpen(root: string): number | undefined {
  if (Deno.build.os !== "linux" || !RAW_OPEN_FLAGS) return undefined;
  const { O_RDONLY, O_DIRECTORY, O_NOFOLLOW } = fs.constants;
  let fd: number;
  try {
    fd = fs.openSync(root, O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
  } catch (error) {
    throw diskError(error, root);
  }
  try {
    // Fails without all permissions; and before Deno 2.8 the number is no descriptor.
    if (Deno.realPathSync(`/proc/self/fd/${fd}/.`) === root) return fd;
  } catch {
    // Then paths are checked instead: see the top of this file.
  }
  fs.closeSync(fd);
  return undefined;
}
