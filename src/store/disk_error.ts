/**
 * What the operating system says about a file, in this project's words.
 *
 * @module
 */

import { type ErrorCode, TandemError } from "../errors.ts";

const BY_CODE: Readonly<Record<string, readonly [ErrorCode, string]>> = {
  ENOENT: ["not-found", "there is no such file or folder"],
  EEXIST: ["exists", "the name exists already"],
  ENOTEMPTY: ["exists", "the folder is not empty"],
  EACCES: ["denied", "the system does not permit it"],
  EPERM: ["denied", "the system does not permit it"],
  EROFS: ["denied", "the disk is read-only"],
  ELOOP: ["denied", "it is a link, and links are not followed"],
  ENXIO: ["denied", "it is no regular file"],
  EISDIR: ["is-directory", "it is a folder"],
  ENOTDIR: ["not-directory", "it is not a folder"],
  ENOSPC: ["no-space", "the disk is full"],
  EDQUOT: ["no-space", "the quota is used up"],
  EFBIG: ["too-large", "it is too large for the disk"],
  ENAMETOOLONG: ["bad-request", "the name is too long for the disk"],
  EINVAL: ["bad-request", "the system does not take the name"],
  EMFILE: ["busy", "too many files are open"],
  ENFILE: ["busy", "too many files are open"],
};

// Deno's own classes, for the errors that carry no code.
const BY_CLASS: Readonly<Record<string, string>> = {
  NotFound: "ENOENT",
  AlreadyExists: "EEXIST",
  PermissionDenied: "EACCES",
  IsADirectory: "EISDIR",
  NotADirectory: "ENOTDIR",
  FilesystemLoop: "ELOOP",
};

/**
 * Returns `error` as a {@linkcode TandemError} about `name`, which is what the
 * reader called the file: the real path of a server is nobody's business.
 */
export function diskError(error: unknown, name: string): TandemError {
  if (error instanceof TandemError) return error;
  if (!(error instanceof Error)) {
    return new TandemError("internal", String(error), { cause: error });
  }
  if (error instanceof Deno.errors.NotCapable) {
    return new TandemError(
      "denied",
      `"${name}": this program was not given access to it`,
      {
        cause: error,
        hint: "run it with --allow-read and --allow-write for that folder",
      },
    );
  }
  const known = BY_CODE[systemCode(error)];
  if (known === undefined) {
    return new TandemError("local-io", `"${name}": ${error.message}`, {
      cause: error,
    });
  }
  const [code, text] = known;
  return new TandemError(code, `"${name}": ${text}`, { cause: error });
}

/** The system's own word for an error (`ENOENT`), or `""`. */
export function systemCode(error: unknown): string {
  if (!(error instanceof Error)) return "";
  const { code } = error as Error & { code?: unknown };
  if (typeof code === "string" && code !== "") return code;
  return BY_CLASS[error.name] ?? "";
}
