/**
 * What `connect` says and where: data on stdout, all else on stderr; with
 * `--json` one object a line on stdout, of one versioned union.
 *
 * @module
 */

import type { ClientEvent, FileEvent, RemoteEntry, TandemError } from "../../mod.ts";
import { ProgressLine, size } from "./progress.ts";
import {
  environment,
  errorLines,
  jsonLine,
  printable,
  printableName,
  writeStderr,
  writeStdout,
  writeStdoutBytes,
} from "./terminal.ts";

const encoder = new TextEncoder();

/** The version of the objects that `--json` prints. */
export const JSON_VERSION = 1;

/** How much is said. */
export interface OutputOptions {
  /** One JSON object a line on stdout. */
  readonly json: boolean;
  /** Nothing on stderr but errors. */
  readonly quiet: boolean;
  /** More on stderr. */
  readonly verbose: boolean;
  /** A progress line, where stderr is a terminal. */
  readonly progress: boolean;
}

/** The output of one `connect`. */
export class Output implements Disposable {
  readonly #options: OutputOptions;
  readonly #progress: ProgressLine | undefined;
  /** With `--json`, the lines that the command printed so far. */
  #lines: string[] = [];
  #jsonProgressMs = 0;
  /** Then errors go to stderr, also with `--json`. */
  #stdoutFailed = false;

  /** Decides where things go. */
  constructor(options: OutputOptions) {
    this.#options = options;
    const draws = options.progress && !options.json && !options.quiet &&
      Deno.stderr.isTerminal() && environment("TERM") !== "dumb";
    this.#progress = draws ? new ProgressLine() : undefined;
  }

  /** Whether output is for programs. */
  get json(): boolean {
    return this.#options.json;
  }

  /** Tells what happens in the session. */
  event(event: ClientEvent): void {
    switch (event.event) {
      case "hello":
        if (this.json) return this.object(event);
        if (this.#options.verbose) {
          this.say(
            `connected to ${event.hostname}:${event.port}, ${event.mode} exchange`,
          );
        }
        return;
      case "progress":
        if (this.json) return this.#jsonProgress(event);
        this.#progress?.update(event.path, event.bytes, event.totalBytes ?? event.bytes);
        return;
      case "file":
        if (this.json) return this.object(event);
        return this.#file(event);
    }
  }

  /** As often as the progress line is drawn: a reader wants to know, not to count. */
  #jsonProgress(event: ClientEvent): void {
    const now = performance.now();
    if (now - this.#jsonProgressMs < 100) return;
    this.#jsonProgressMs = now;
    this.object(event);
  }

  #file({ path, outcome, bytes, durationMs }: FileEvent): void {
    const seconds = durationMs / 1_000;
    const rate = durationMs === 0 ? "" : `, ${size(bytes / seconds)}/s`;
    this.say(
      `${outcome} ${path} (${size(bytes)} in ${seconds.toFixed(2)} s${rate})`,
    );
  }

  #write(line: string): void {
    try {
      writeStdout(line);
    } catch (error) {
      this.#stdoutFailed = true;
      throw error;
    }
  }

  /** As many lines as a listing has may have to wait for their reader, and a signal must end that. */
  async #writePatiently(line: string, signal: AbortSignal): Promise<void> {
    try {
      await writeStdoutBytes(encoder.encode(`${line}\n`), signal);
    } catch (error) {
      this.#stdoutFailed = true;
      throw error;
    }
  }

  /** Prints one object of the `--json` union. */
  object<T extends { readonly event: string }>(fields: T): void {
    this.#write(jsonLine({ v: JSON_VERSION, ...fields }));
  }

  /** Prints one name of a listing. */
  entry(entry: RemoteEntry, path: string, long: boolean, signal: AbortSignal): Promise<void> {
    const { kind, size } = entry;
    if (this.json) {
      return this.#writePatiently(jsonLine({ v: JSON_VERSION, event: "entry", name: path, kind, size }), signal);
    }
    const name = printableName(path, Deno.stdout.isTerminal());
    const suffix = kind === "directory" ? "/" : "";
    const details = `${kind === "directory" ? "d" : "-"} ${(size?.toString() ?? "-").padStart(12)} `;
    return this.#writePatiently(`${long ? details : ""}${name}${suffix}`, signal);
  }

  /** Prints a line that was asked for. */
  async line(text: string, signal: AbortSignal): Promise<void> {
    if (this.json) this.#lines.push(text);
    else await this.#writePatiently(printableName(text, Deno.stdout.isTerminal()), signal);
  }

  /** Tells something on stderr, unless it is to be quiet. */
  say(text: string): void {
    if (this.#options.quiet || this.json) return;
    this.#progress?.clear();
    writeStderr(printable(text));
  }

  /** Tells that a transfer begins, from which on it is timed. */
  begin(): void {
    this.#progress?.begin();
  }

  /** Tells that a command has ended well. */
  result(command: string): void {
    if (!this.json) return;
    const lines = this.#lines;
    this.#lines = [];
    this.object({ event: "result", command, ok: true, ...(lines.length === 0 ? {} : { lines }) });
  }

  /** Tells an error. */
  error(error: TandemError, command?: string): void {
    this.#progress?.clear();
    if (!this.json || this.#stdoutFailed) return errorLines(error).forEach(writeStderr);
    const { code, message, hint } = error;
    this.object({ event: "error", command, code, message, hint });
  }

  /** Ends the progress line. */
  [Symbol.dispose](): void {
    this.#progress?.[Symbol.dispose]();
  }
}
