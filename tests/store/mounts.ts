/**
 * Small disks of their own for tests: full ones, and ones that cannot be
 * written. They take the right to mount, which on Linux root has.
 *
 * @module
 */

import { assert } from "../deps.ts";
import { tempFolder } from "../helpers.ts";

/** Why no disk can be mounted here; undefined where one can. */
export const NO_MOUNTS: string | undefined = Deno.build.os !== "linux"
  ? "needs Linux"
  : Deno.uid() !== 0
  ? "needs root"
  : undefined;

/** Registers a test that mounts disks; where that cannot be done it is skipped, and its name says why. */
export function mountTest(name: string, run: () => Promise<void>): void {
  const why = NO_MOUNTS === undefined ? "" : ` (skipped: ${NO_MOUNTS})`;
  Deno.test({ name: name + why, ignore: NO_MOUNTS !== undefined, fn: run });
}

/** A disk of its own. Disposing of it unmounts it. */
export interface SmallDisk extends Disposable {
  /** Where it is mounted. */
  readonly path: string;
  /** Makes it read-only. */
  makeReadOnly(): void;
}

/** Mounts an empty disk in memory with the given options (`size=1m`). */
export function smallDisk(options: string): SmallDisk {
  const folder = tempFolder();
  const { path } = folder;
  run("mount", "-t", "tmpfs", "-o", options, "tandem-test", path);
  return {
    path,
    makeReadOnly: () => run("mount", "-o", "remount,ro", path),
    [Symbol.dispose]() {
      using _folder = folder;
      // Lazily: a test that failed may have left a file open.
      run("umount", "-l", path);
    },
  };
}

function run(program: string, ...args: string[]): void {
  const { success, stderr } = new Deno.Command(program, { args }).outputSync();
  const text = new TextDecoder().decode(stderr);
  assert(success, `${program} ${args.join(" ")}: ${text}`);
}
