/**
 * Writing to people: nothing that a peer sent reaches a terminal unescaped.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { orAborted } from "./abort.ts";

const encoder = new TextEncoder();

// C0 (but for the line feeds of our own text), DEL, C1; line and paragraph separators; text direction controls.
// deno-lint-ignore no-control-regex
const CONTROLS = /[\u0000-\u001f\u007f-\u009f]/g;
const DISGUISES = /[\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

/** `text` with every control character written as an escape, so that it moves no cursor and hides nothing. */
export function printable(text: string): string {
  return text
    .replace(CONTROLS, (c) => `\\x${hex(c).padStart(2, "0")}`)
    .replace(DISGUISES, (c) => `\\u{${hex(c)}}`)
    .toWellFormed();
}

/**
 * A name on its own line of stdout: without control characters wherever it
 * goes; what only disguises is escaped for a terminal and left to a program,
 * which needs the real name.
 */
export function printableName(name: string, isTerminal: boolean): string {
  return isTerminal ? printable(name) : name.replace(CONTROLS, (c) => `\\x${hex(c).padStart(2, "0")}`);
}

/** A value as one line of JSON that is safe on a terminal: what `JSON.stringify` leaves of controls is escaped its way. */
export function jsonLine(value: unknown): string {
  const escape = (c: string) => `\\u${hex(c).padStart(4, "0")}`;
  return JSON.stringify(value)
    .replace(CONTROLS, escape)
    .replace(DISGUISES, escape);
}

function hex(character: string): string {
  return (character.codePointAt(0) ?? 0).toString(16);
}

/** Writes a line to stderr; where nobody reads that, there is nobody to tell. */
export function writeStderr(line: string): void {
  try {
    writeAllSync(Deno.stderr, encoder.encode(`${line}\n`));
  } catch (error) {
    if (!(error instanceof Deno.errors.BrokenPipe)) throw error;
  }
}

/**
 * Writes a line to stdout.
 *
 * @throws {TandemError} `local-io` if nobody reads it any more.
 */
export function writeStdout(line: string): void {
  try {
    writeAllSync(Deno.stdout, encoder.encode(`${line}\n`));
  } catch (error) {
    throw stdoutError(error);
  }
}

/**
 * Writes bytes to stdout, and waits for whoever reads them, but no longer than
 * until `signal` is aborted.
 *
 * @throws {TandemError} `local-io` if nobody reads it any more; the signal's reason.
 */
export async function writeStdoutBytes(bytes: Uint8Array, signal: AbortSignal): Promise<void> {
  try {
    let rest = bytes;
    while (rest.length > 0) rest = rest.subarray(await orAborted(Deno.stdout.write(rest), signal));
  } catch (error) {
    throw signal.aborted ? error : stdoutError(error);
  }
}

function stdoutError(error: unknown): TandemError {
  const text = error instanceof Deno.errors.BrokenPipe ? "nobody reads it any more" : String(error);
  return new TandemError("local-io", `cannot write to stdout: ${text}`, { cause: error });
}

function writeAllSync(to: { writeSync(bytes: Uint8Array): number }, bytes: Uint8Array): void {
  let rest = bytes;
  while (rest.length > 0) rest = rest.subarray(to.writeSync(rest));
}

/** A variable of the environment; undefined as well where this program was not given access to it. */
export function environment(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

/** An error as people read it: what, and on a line of its own what to do. */
export function errorLines(error: TandemError): string[] {
  const lines = [`tandem: ${printable(error.message)}`];
  if (error.hint !== undefined) lines.push(`  hint: ${printable(error.hint)}`);
  return lines;
}
