/**
 * What `connect` says and where: data on stdout, all else on stderr; with
 * `--json` one object a line on stdout, of one versioned union.
 *
 * @module
 */

import type { ClientEvent, FileEvent, ProgressEvent, RemoteEntry, TandemError } from "../../mod.ts";
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

/** Several files that are moved by one command. */
interface JobProgress {
  readonly files: number;
  readonly totalBytes: number | undefined;
  /** Files that are there, and their bytes. */
  ended: number;
  endedBytes: number;
  readonly startedMs: number;
  /** The bytes of those under way, and since when. */
  readonly under: Map<string, { readonly bytes: number; readonly startedMs: number }>;
}

/** Permission bits as `ls -l` shows them. */
export function formatMode(mode: number): string {
  return [..."rwxrwxrwx"].map((letter, i) => mode & (0o400 >> i) ? letter : "-").join("");
}

/** A time, to the second. */
function seconds(time: Date): string {
  return time.toISOString().replace(/\.\d+Z$/, "Z");
}

/** The output of one `connect`. */
export class Output implements Disposable {
  readonly #options: OutputOptions;
  readonly #progress: ProgressLine | undefined;
  #job: JobProgress | undefined;
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
            `connected to ${event.hostname}:${event.port}, ${event.mode} exchange${
              event.encrypted ? ", encrypted" : ""
            }`,
          );
        }
        return;
      case "progress":
        if (this.json) return this.#jsonProgress(event);
        return this.#showProgress(event);
      case "file":
        if (this.#job !== undefined) {
          this.#job.ended++;
          this.#job.endedBytes += event.bytes;
          this.#job.under.delete(event.path);
        }
        if (this.json) return this.object(event);
        return this.#file(event);
    }
  }

  #showProgress({ path, bytes, totalBytes }: ProgressEvent): void {
    const job = this.#job;
    if (this.#progress === undefined || job === undefined) return;
    // The first one is timed from the beginning of it all.
    const startedMs = job.under.get(path)?.startedMs ??
      (job.under.size === 0 && job.ended === 0 ? job.startedMs : performance.now());
    job.under.set(path, { bytes, startedMs });
    if (job.files === 1 || job.totalBytes === undefined) {
      return this.#progress.update(path, bytes, totalBytes ?? bytes, startedMs);
    }
    let moved = job.endedBytes;
    for (const { bytes } of job.under.values()) moved += bytes;
    this.#progress.update(`${job.ended}/${job.files} ${path}`, moved, job.totalBytes, job.startedMs);
  }

  /** As often as the progress line is drawn: a reader wants to know, not to count. */
  #jsonProgress(event: ClientEvent): void {
    const now = performance.now();
    if (now - this.#jsonProgressMs < 100) return;
    this.#jsonProgressMs = now;
    this.object(event);
  }

  #file({ path, outcome, bytes, resumedBytes, startedOver, durationMs }: FileEvent): void {
    const seconds = durationMs / 1_000;
    const rate = durationMs === 0 ? "" : `, ${size((bytes - resumedBytes) / seconds)}/s`;
    if (startedOver) this.say(`started ${path} over: what was there is not how it begins`);
    const resumed = resumedBytes === 0 ? "" : `, ${size(resumedBytes)} of it were there already`;
    this.say(
      `${outcome} ${path} (${size(bytes)}${resumed}, in ${seconds.toFixed(2)} s${rate})`,
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
    const { kind, mode, mtime } = entry;
    if (this.json) {
      return this.#writePatiently(jsonLine({ v: JSON_VERSION, event: "entry", ...entry, name: path }), signal);
    }
    const name = printableName(path, Deno.stdout.isTerminal());
    const suffix = kind === "directory" ? "/" : "";
    const details = [
      `${kind === "directory" ? "d" : "-"}${mode === undefined ? "" : formatMode(mode)}`,
      (entry.size?.toString() ?? "-").padStart(12),
      ...mtime === undefined ? [] : [seconds(mtime)],
    ];
    return this.#writePatiently(`${long ? `${details.join(" ")} ` : ""}${name}${suffix}`, signal);
  }

  /** Prints what is known of a file or folder, a line each. */
  async details(entry: RemoteEntry, signal: AbortSignal): Promise<void> {
    if (this.json) return await this.entry(entry, entry.name, false, signal);
    const { name, kind, size, mtime, mode } = entry;
    const known = { name, kind, size, mtime: mtime && seconds(mtime), mode: mode?.toString(8).padStart(4, "0") };
    for (const [key, value] of Object.entries(known)) {
      if (value !== undefined) await this.line(`${key}: ${value}`, signal);
    }
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

  /** Tells that transfers begin, of so many bytes each where that is known; from here on they are timed. */
  begin(sizes: readonly (number | undefined)[]): void {
    const known = sizes.every((bytes) => bytes !== undefined);
    const totalBytes = known ? sizes.reduce((sum: number, bytes) => sum + (bytes ?? 0), 0) : undefined;
    const startedMs = performance.now();
    this.#job = { files: sizes.length, ended: 0, endedBytes: 0, totalBytes, startedMs, under: new Map() };
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
