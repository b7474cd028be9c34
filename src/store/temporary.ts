/**
 * The temporary files that are written before they get their names, and what
 * becomes of those that are left over.
 *
 * Two kinds, both with the prefix that no peer can name. `.tandem-HEX.part` is
 * anonymous: nobody continues it, and it is swept as soon as nobody writes it.
 * `.tandem-NAME.partial` is a part of NAME that may be continued, for a week; a
 * transfer that is killed leaves it as it is, so it has that name from its
 * beginning. Whoever writes one holds its lock. Where there are no locks (Deno
 * before 2.8) all are anonymous, since nobody could tell who writes one.
 *
 * @module
 */

import { createHash, randomBytes } from "node:crypto";
import process from "node:process";
import { KEPT_PART_AGE_MS, MAX_NAME_BYTES } from "../limits.ts";
import { TEMPORARY_PREFIX } from "../protocol/path.ts";
import { systemCode } from "./disk_error.ts";

const ANONYMOUS_SUFFIX = ".part";
const KEPT_SUFFIX = ".partial";

/** A file that may have a lock that can be tried: before Deno 2.8 neither the method nor its type is there. */
type LockableFile = Deno.FsFile & { tryLock?(exclusive: boolean): Promise<boolean> };

/** Without locks leftovers are known by their age alone, and no part is continued. */
const CAN_LOCK = (Deno.FsFile.prototype as LockableFile).tryLock !== undefined;

/** A leftover that nobody can be asked about is swept after a day, in milliseconds. */
const UNLOCKABLE_AGE_MS = 24 * 60 * 60 * 1_000;

/** An open temporary file, locked. */
export interface Temporary {
  /** The file, open for reading and writing, at its beginning. */
  readonly file: Deno.FsFile;
  /** Where it is. */
  readonly path: string;
  /** The permissions that a file gets here which asks for none; undefined where there are none (Windows). */
  readonly usualMode: number | undefined;
  /** Whether its name tells what it is a part of. */
  readonly resumable: boolean;
  /** How much is in it already. */
  readonly keptBytes: number;
}

/**
 * Opens a temporary file in the folder at `base`.
 *
 * @param name what it is a part of, if it may be worth keeping.
 * @param resume whether a part that was kept is continued; else it is removed.
 */
export async function openTemporary(
  base: string,
  name: string | undefined,
  resume: boolean,
): Promise<Temporary> {
  if (name === undefined || !CAN_LOCK) return await createAnonymous(base);
  const path = `${base}/${keptName(name)}`;
  for (;;) {
    const created = await createAt(path);
    if (created !== undefined) return { ...created, resumable: true, keptBytes: 0 };
    const kept = await openKept(path);
    // Somebody else is writing this very file at the moment, or it is nothing of ours.
    if (kept === "locked" || kept === "strange") return await createAnonymous(base);
    if (kept === "gone") continue;
    if (resume) return { ...kept, path, usualMode: await learnUsualMode(base), resumable: true };
    await removeLocked(kept.file, path);
  }
}

/** The name of a part of `name`: so that people understand it, as far as a name may be long. */
export function keptName(name: string): string {
  const whole = `${TEMPORARY_PREFIX}${name}${KEPT_SUFFIX}`;
  if (new TextEncoder().encode(whole).length <= MAX_NAME_BYTES) return whole;
  const digest = createHash("sha256").update(name).digest("hex").slice(0, 16);
  // Forty letters are at most 160 bytes.
  return `${TEMPORARY_PREFIX}${[...name].slice(0, 40).join("")}~${digest}${KEPT_SUFFIX}`;
}

/** Creates a file at `path`, which only this process can open and which is locked; undefined where there is one. */
async function createAt(path: string): Promise<Omit<Temporary, "resumable" | "keptBytes"> | undefined> {
  const known = modeByUmask();
  let file: LockableFile;
  try {
    // Where the umask cannot be asked for, the file is made as any other would
    // be, looked at, and closed to others while it is still empty.
    const mode = known === undefined ? 0o666 : 0o600;
    file = await Deno.open(path, { read: true, write: true, createNew: true, mode });
  } catch (error) {
    if (systemCode(error) === "EEXIST") return undefined;
    throw error;
  }
  try {
    // Somebody who sweeps may have taken it for a leftover before it was locked.
    const locked = await file.tryLock?.(true) ?? true;
    const info = await file.stat();
    if (!locked || info.nlink === 0) {
      file.close();
      return undefined;
    }
    if (known !== undefined || info.mode === null) return { file, path, usualMode: known };
    await Deno.chmod(path, 0o600);
    return { file, path, usualMode: info.mode & 0o777 };
  } catch (error) {
    await removeLocked(file, path);
    throw error;
  }
}

async function createAnonymous(base: string): Promise<Temporary> {
  for (;;) {
    const created = await createAt(`${base}/${anonymousName()}`);
    if (created !== undefined) return { ...created, resumable: false, keptBytes: 0 };
  }
}

/**
 * Opens a part that was kept. Its name can be foreseen, so it is made sure that
 * it is a file of its own: no link, and no other name of a file that is
 * somewhere else.
 */
async function openKept(path: string): Promise<"locked" | "gone" | "strange" | Pick<Temporary, "file" | "keptBytes">> {
  let file: LockableFile | undefined;
  try {
    const before = await Deno.lstat(path);
    if (!before.isFile || (before.nlink ?? 1) !== 1) return "strange";
    file = await Deno.open(path, { read: true, write: true });
    const info = await file.stat();
    const locked = await file.tryLock?.(true) ?? false;
    // Whoever finished or removed it in between has left only its bytes.
    const now = await Deno.lstat(path);
    const there = isSameFile(before, info) && isSameFile(now, info) && now.nlink === 1;
    if (locked && there) return { file, keptBytes: info.size };
    file.close();
    return locked ? "gone" : "locked";
  } catch (error) {
    file?.close();
    if (error instanceof Deno.errors.NotFound) return "gone";
    throw error;
  }
}

function isSameFile(a: Deno.FileInfo, b: Deno.FileInfo): boolean {
  return a.ino === b.ino && a.dev === b.dev;
}

/** The permissions that a new file gets in the folder at `base`. */
async function learnUsualMode(base: string): Promise<number | undefined> {
  const known = modeByUmask();
  if (known !== undefined || Deno.build.os === "windows") return known;
  const sample = await createAnonymous(base);
  await removeLocked(sample.file, sample.path);
  return sample.usualMode;
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

function anonymousName(): string {
  return `${TEMPORARY_PREFIX}${randomBytes(16).toString("hex")}${ANONYMOUS_SUFFIX}`;
}

/**
 * Removes a temporary file, and then closes it: in between nobody else can have
 * one of that name, which they could if its lock were let go of first.
 */
export async function removeLocked(file: Deno.FsFile, path: string): Promise<void> {
  using _file = file;
  try {
    await Deno.remove(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/**
 * Removes the temporary files in the folder at `base` that nobody writes any
 * more, as a program leaves them that was killed, and the kept parts that are
 * old. Returns how many.
 */
export async function sweepTemporaries(base: string): Promise<number> {
  let swept = 0;
  for await (const { name, isFile } of Deno.readDir(base)) {
    if (!isFile || !name.startsWith(TEMPORARY_PREFIX)) continue;
    const leastAgeMs = name.endsWith(KEPT_SUFFIX) ? KEPT_PART_AGE_MS : name.endsWith(ANONYMOUS_SUFFIX) ? 0 : undefined;
    if (leastAgeMs === undefined) continue;
    if (await removeLeftover(`${base}/${name}`, CAN_LOCK ? leastAgeMs : Math.max(leastAgeMs, UNLOCKABLE_AGE_MS))) {
      swept++;
    }
  }
  return swept;
}

async function removeLeftover(path: string, leastAgeMs: number): Promise<boolean> {
  try {
    using file: LockableFile = await Deno.open(path);
    const info = await file.stat();
    const ageMs = Date.now() - (info.mtime?.getTime() ?? Date.now());
    if (leastAgeMs > 0 && ageMs < leastAgeMs) return false;
    if (CAN_LOCK && !await file.tryLock?.(true)) return false;
    // Its owner may have finished it before it was locked, and somebody else begun one of that name.
    if (!isSameFile(await Deno.lstat(path), info)) return false;
    await Deno.remove(path);
    return true;
  } catch (error) {
    // Its owner was quicker.
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
