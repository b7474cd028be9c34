/**
 * Secrets and certificates as the command line has them: from files and from the
 * environment, never from an argument, and never shown again.
 *
 * @module
 */

import { Secret, TandemError } from "../../mod.ts";
import { type Flag, type ParsedArgs, usage } from "./flags.ts";
import { environment, writeStderr } from "./terminal.ts";

/** The variable that holds a secret. */
export const SECRET_VARIABLE = "TANDEM_SECRET";

/** The flag that names a file with a secret. */
export const SECRET_FILE: Flag = {
  name: "secret-file",
  value: "FILE",
  about: "encrypt, and let in who has the secret in FILE (or TANDEM_SECRET)",
};

/** The longest file that is read for a secret or a certificate, in bytes. */
const MAX_FILE_BYTES = 1024 * 1024;

const MAKES_ONE = "the file holds the secret and nothing else, and `tandem secret` makes one";

/** Permission bits of anybody but the file's owner. */
const OTHERS = 0o077;

/**
 * The secret that was given, in a file or in the environment; undefined where
 * none was. Takes it out of the environment, so that no program that is started
 * from here has it.
 *
 * @throws {TandemError} `usage` if the file cannot be read or others may read it,
 * or the secret is none.
 */
export function secretOf(args: ParsedArgs): Secret | undefined {
  const present = takeVariable();
  const path = args.text(SECRET_FILE.name);
  if (path !== undefined) return makeSecret(readOwnFile(path), "--secret-file");
  return present === undefined ? undefined : makeSecret(present, SECRET_VARIABLE);
}

/** The value of the variable, which has none from then on. */
function takeVariable(): string | undefined {
  try {
    return environment(SECRET_VARIABLE);
  } catch {
    // Deno's own error shows the value.
    throw usage(`${SECRET_VARIABLE}: the secret is not text in UTF-8`, MAKES_ONE);
  } finally {
    const { state } = Deno.permissions.querySync({ name: "env", variable: SECRET_VARIABLE });
    if (state === "granted") Deno.env.delete(SECRET_VARIABLE);
  }
}

/** Says where a secret came from that is none; not what it is. */
function makeSecret(text: string, source: string): Secret {
  try {
    return new Secret(text);
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    throw usage(`${source}: ${error.message}`, error.hint);
  }
}

/** The text of a file that nobody but its owner can read. Its name is not shown: it may be a secret in the wrong place. */
function readOwnFile(path: string): string {
  try {
    using file = Deno.openSync(path);
    const { mode, isDirectory } = file.statSync();
    if (isDirectory) throw usage("--secret-file: it is a folder", MAKES_ONE);
    if (mode !== null && Deno.build.os !== "windows" && (mode & OTHERS) !== 0) {
      throw usage("--secret-file: others than its owner may read or change it", "chmod 600 FILE");
    }
    return readText(file, "--secret-file");
  } catch (error) {
    if (error instanceof TandemError) throw error;
    if (error instanceof Deno.errors.NotCapable) {
      throw usage("--secret-file: this program was not given access to it", "run it with --allow-read for that file");
    }
    throw usage(`--secret-file: it cannot be read: ${reason(error)}`, MAKES_ONE);
  }
}

function reason(error: unknown): string {
  // Deno's own messages end with the path.
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/: open .*$/s, "").replace(/ "[^"]*"/g, "").split(", run again")[0] ?? "";
}

function readText(file: Deno.FsFile, about: string): string {
  const bytes = new Uint8Array(MAX_FILE_BYTES + 1);
  let filled = 0;
  for (let count: number | null = 0; count !== null && filled < bytes.length;) {
    count = file.readSync(bytes.subarray(filled));
    filled += count ?? 0;
  }
  if (filled > MAX_FILE_BYTES) {
    throw usage(`${about}: it is too long`, about === "--secret-file" ? MAKES_ONE : undefined);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes.subarray(0, filled));
  } catch {
    throw usage(`${about}: it is not text in UTF-8`, about === "--secret-file" ? MAKES_ONE : undefined);
  }
}

/**
 * The text of a file with a certificate or its key.
 *
 * @throws {TandemError} `usage` if it cannot be read.
 */
export function pemFile(args: ParsedArgs, flag: string): string | undefined {
  const path = args.text(flag);
  if (path === undefined) return undefined;
  let text: string;
  try {
    using file = Deno.openSync(path);
    text = readText(file, `--${flag} ${path}`);
  } catch (error) {
    if (error instanceof TandemError) throw error;
    throw usage(`--${flag} ${path}: it cannot be read: ${reason(error)}`);
  }
  if (/-----BEGIN [A-Z ]+-----/.test(text)) return text;
  throw usage(`--${flag} ${path}: it is not PEM text`, "a certificate begins with -----BEGIN CERTIFICATE-----");
}

/**
 * Says that a secret in the environment would not have been seen, where
 * everything goes out in clear for want of one: it may have been meant.
 */
export function warnOfUnseenSecret(): void {
  const { state } = Deno.permissions.querySync({ name: "env", variable: SECRET_VARIABLE });
  if (state === "granted") return;
  writeStderr(
    `tandem: not encrypted; ${SECRET_VARIABLE} was not looked at, for want of --allow-env=${SECRET_VARIABLE}`,
  );
}

/** What adds authorities to those that Deno trusts, and so people who could stand in for a server with a secret. */
const TRUST_VARIABLES = ["DENO_CERT", "DENO_TLS_CA_STORE", "NODE_EXTRA_CA_CERTS"];

/** Says which authorities are trusted beside that of the secret, if any are, and where keys are written to. */
export function warnOfTrust(): void {
  const given = TRUST_VARIABLES.filter((name) => {
    const value = environment(name) ?? "";
    // Deno's own store vouches for public names only, and the server's is none.
    return value !== "" && !(name === "DENO_TLS_CA_STORE" && value === "mozilla");
  });
  if (given.length > 0) {
    writeStderr(
      `tandem: ${given.join(", ")}: whoever holds an authority that is named there can stand in for the server as well`,
    );
  }
  if (environment("SSLKEYLOGFILE")) {
    writeStderr("tandem: SSLKEYLOGFILE: whoever reads that file can read what is sent");
  }
}
