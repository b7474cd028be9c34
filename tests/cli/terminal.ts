/**
 * A program at a terminal: what is typed, what appears, and what it looks like.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { type Ended, NARROW, Running, type StartOptions, tandem } from "./program.ts";

const PTY_RUN = fileURLToPath(new URL("./pty_run.py", import.meta.url));

/** Why no terminal can be had here; undefined where one can. */
export const NO_TERMINAL: string | undefined = whyNoTerminal();

function whyNoTerminal(): string | undefined {
  if (Deno.build.os === "windows") return "needs Unix";
  try {
    const { success } = new Deno.Command("python3", { args: ["-c", "import pty"], stderr: "null" }).outputSync();
    return success ? undefined : "needs python3 with its pty module";
  } catch {
    return "needs python3";
  }
}

/** Registers a test at a terminal; where there is none it is skipped, and its name says why. */
export function terminalTest(name: string, run: (t: Deno.TestContext) => Promise<void>): void {
  const why = NO_TERMINAL === undefined ? "" : ` (skipped: ${NO_TERMINAL})`;
  Deno.test({ name: name + why, ignore: NO_TERMINAL !== undefined, fn: run });
}

/** The words that run the program at a terminal. Quietly, because Deno itself draws there what it downloads. */
export function tandemAtTerminal(args: readonly string[], rights: readonly string[] = NARROW): string[] {
  return tandem(args, ["--quiet", ...rights]);
}

/** What a terminal is like. */
export interface TerminalOptions extends StartOptions {
  /** Its width. Default: 80. */
  readonly columns?: number;
  /** A file for stdout. Default: the terminal. */
  readonly stdoutFile?: string;
}

/** A program at a terminal of its own. Disposing of it closes the terminal. */
export class Terminal implements AsyncDisposable {
  readonly #program: Running;
  #seen = 0;

  /** Starts a program. */
  constructor(words: readonly string[], options: TerminalOptions = {}) {
    const { columns = 80, stdoutFile = "-", ...rest } = options;
    const command = ["python3", PTY_RUN, String(columns), stdoutFile, ...words];
    this.#program = new Running(command, { ...rest, stdin: "open" });
  }

  /** Everything that has appeared. */
  get text(): string {
    return this.#program.stdout.text;
  }

  /** Types, without a line end of its own. */
  async type(keys: string): Promise<void> {
    await this.#program.type(keys);
  }

  /** Waits until something appears behind what was waited for last; returns what came until then. */
  async until(wanted: RegExp): Promise<string> {
    const text = await this.#program.stdout.until(wanted, () => this.#program.stderr.text, this.#seen);
    const match = wanted.exec(text);
    const end = (match?.index ?? 0) + (match?.[0].length ?? 0);
    this.#seen += end;
    return text.slice(0, end);
  }

  /** Types a line and waits for the next prompt; returns the lines that appeared between. */
  async ask(line: string): Promise<string[]> {
    await this.type(`${line}\r`);
    const text = await this.until(PROMPT);
    return screenOf(text.replace(PROMPT, "")).slice(1);
  }

  /** Waits for its end. */
  ended(): Promise<Ended> {
    return this.#program.ended();
  }

  /** Closes the terminal. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.#program[Symbol.asyncDispose]();
  }
}

/** A prompt that waits for a line, with what readline puts around it. */
// deno-lint-ignore no-control-regex
export const PROMPT = /(?:\x1b\[1G\x1b\[0J)?(?:tandem|plain) [^\r\n]*> \x1b\[[0-9]+G/;

/** Runs a program at a terminal to its end. */
export async function runAtTerminal(words: readonly string[], options: TerminalOptions = {}): Promise<Ended> {
  await using terminal = new Terminal(words, options);
  return await terminal.ended();
}

/** The lines that a terminal shows after all of `text`, without empty ones at the end: as far as this program moves its cursor. */
export function screenOf(text: string): string[] {
  const rows: string[] = [""];
  let row = 0;
  let column = 0;
  // deno-lint-ignore no-control-regex
  for (const [piece, parameter, command] of text.matchAll(/\x1b\[([0-9]*)([A-Za-z])|[^]/gu)) {
    const line = rows[row] ?? "";
    if (command === "K") rows[row] = line.slice(0, column);
    else if (command === "J") rows.splice(row, rows.length, line.slice(0, column));
    else if (command === "G") column = Number(parameter) - 1;
    else if (command !== undefined) continue;
    else if (piece === "\r") column = 0;
    else if (piece === "\n") rows[++row] ??= "";
    else if (piece === "\b") column = Math.max(0, column - 1);
    else {
      rows[row] = line.padEnd(column).slice(0, column) + piece + line.slice(column + 1);
      column++;
    }
  }
  while (rows.at(-1) === "") rows.pop();
  return rows;
}
