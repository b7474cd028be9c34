/**
 * The real program as a process of its own, with no more rights than it needs:
 * what goes in, what comes out, and deadlines for every wait.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { assertEquals, assertStringIncludes } from "../deps.ts";
import { within } from "../net/deadline.ts";
import { Reader } from "./reader.ts";

/** The checkout, with a `/` at its end. */
export const PROJECT = fileURLToPath(new URL("../../", import.meta.url));

/** How long a test waits for a program, in milliseconds: far longer than it takes on a busy machine. */
export const PROGRAM_PATIENCE_MS = 20_000;

/** The rights that the program needs on this machine, and no others. */
export const NARROW: readonly string[] = [
  "--no-prompt",
  "--allow-net=127.0.0.1,localhost",
  "--allow-read",
  "--allow-write",
];

/** Whether there are signals and special files as Unix has them. */
export const IS_UNIX = Deno.build.os !== "windows";

/** The words that run the program from this checkout. */
export function tandem(args: readonly string[], rights: readonly string[] = NARROW): string[] {
  return [Deno.execPath(), "run", ...rights, `${PROJECT}main.ts`, ...args];
}

/** How a program is run. */
export interface StartOptions {
  /** Its folder. Default: this process's. */
  readonly cwd?: string;
  /** All of its stdin, or `open`: what the test writes. Default: nothing. */
  readonly stdin?: string | Uint8Array | "open";
  /** Whether its stdout is read only when it has ended, as by a reader that takes its time. */
  readonly unread?: boolean;
  /** Added to the environment. */
  readonly env?: Readonly<Record<string, string>>;
  /** Whether `env` is all of its environment. */
  readonly clearEnv?: boolean;
}

/** What a program has left behind. */
export interface Ended {
  /** Its exit code. */
  readonly code: number;
  /** The signal that killed it, if one did. */
  readonly signal: Deno.Signal | null;
  /** What it wrote to stdout. */
  readonly stdout: string;
  /** The same, as bytes. */
  readonly stdoutBytes: Uint8Array;
  /** What it wrote to stderr. */
  readonly stderr: string;
}

/** A program that runs. Disposing of it kills it, by its own id. */
export class Running implements AsyncDisposable {
  /** What it writes to stdout. */
  readonly stdout: Reader;
  /** What it writes to stderr. */
  readonly stderr: Reader;
  readonly #child: Deno.ChildProcess;
  readonly #input: WritableStreamDefaultWriter<Uint8Array> | undefined;
  readonly #status: Promise<Deno.CommandStatus>;
  #over = false;
  #inputClosed = false;

  /** Starts a program. */
  constructor(words: readonly string[], options: StartOptions = {}) {
    const [name = "", ...args] = words;
    const { cwd, stdin, env, clearEnv = false, unread = false } = options;
    this.#child = new Deno.Command(name, {
      args,
      stdin: stdin === undefined ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
      clearEnv,
      ...(cwd === undefined ? {} : { cwd }),
      ...(env === undefined ? {} : { env }),
    }).spawn();
    this.#input = stdin === undefined ? undefined : this.#child.stdin.getWriter();
    this.stdout = new Reader(this.#child.stdout, unread);
    this.stderr = new Reader(this.#child.stderr);
    this.#status = this.#child.status.then((status) => {
      this.#over = true;
      return status;
    });
    if (stdin !== undefined && stdin !== "open") void this.#feed(stdin);
  }

  async #feed(all: string | Uint8Array): Promise<void> {
    await this.type(all);
    await this.closeInput();
  }

  /** Writes to its stdin; a program that does not read it any more is no failure of the test. */
  async type(data: string | Uint8Array): Promise<void> {
    const bytes = typeof data === "string" ? new TextEncoder().encode(data) : data;
    await this.#input?.write(bytes).catch(() => {});
  }

  /** Ends its stdin. */
  async closeInput(): Promise<void> {
    if (this.#inputClosed) return;
    this.#inputClosed = true;
    await this.#input?.close().catch(() => {});
  }

  /** Its id. */
  get pid(): number {
    return this.#child.pid;
  }

  /** Sends it a signal. */
  kill(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  /** Waits for its end. */
  async ended(patienceMs = PROGRAM_PATIENCE_MS): Promise<Ended> {
    const all = this.#status.then(async (status) => {
      await Promise.all([this.stdout.finished, this.stderr.finished]);
      return status;
    });
    const what = `the end of a program that has said "${this.stderr.text}"`;
    const { code, signal } = await within(all, patienceMs, what);
    const { text: stdout, bytes: stdoutBytes } = this.stdout;
    return { code, signal, stdout, stdoutBytes, stderr: this.stderr.text };
  }

  /** Whether it has ended. */
  get over(): boolean {
    return this.#over;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (!this.#over) {
      try {
        this.kill("SIGKILL");
      } catch {
        // It has ended in this moment.
      }
    }
    await this.closeInput();
    await this.ended();
  }
}

/** Runs a program to its end. */
export async function run(words: readonly string[], options: StartOptions = {}): Promise<Ended> {
  await using program = new Running(words, options);
  return await program.ended();
}

/** A `serve` that listens. Disposing of it stops it. */
export interface ServeProgram extends AsyncDisposable {
  /** Its process. */
  readonly process: Running;
  /** The first line of its stdout. */
  readonly firstLine: string;
  /** What to connect to, as it says itself. */
  readonly address: string;
  /** Its control port. */
  readonly port: number;
}

/** Starts a `serve` and waits for its first line. */
export async function startServe(words: readonly string[], options: StartOptions = {}): Promise<ServeProgram> {
  await using stack = new AsyncDisposableStack();
  const process = stack.use(new Running(words, options));
  const text = await process.stdout.until(/^.*\n/, () => `stderr has "${process.stderr.text}"`);
  const firstLine = text.slice(0, text.indexOf("\n"));
  const address = firstLine.startsWith("{")
    ? (({ hostname, port }) => `${hostname}:${port}`)(JSON.parse(firstLine))
    : firstLine.replace(/^listening /, "");
  const kept = stack.move();
  return {
    process,
    firstLine,
    address,
    port: Number(address.slice(address.lastIndexOf(":") + 1)),
    async [Symbol.asyncDispose]() {
      await using _process = kept;
      if (process.over) return;
      process.kill(IS_UNIX ? "SIGTERM" : "SIGKILL");
      await process.ended();
    },
  };
}

/** Checks an exit code; where it is another one, what the program said is in the failure. */
export function assertCode(ended: Ended, code: number): void {
  const { stdout, stderr } = ended;
  assertEquals(ended.code, code, `stdout: ${stdout.slice(0, 2_000)}\nstderr: ${stderr.slice(0, 4_000)}`);
}

/** Checks that an error is one for people: what happened, in this program's words, and no trace of its insides. */
export function assertClearError({ stderr }: Ended): void {
  const lines = stderr.trimEnd().split("\n");
  assertEquals(lines.some((line) => line.startsWith("tandem: ")), true, stderr);
  assertNoTrace(stderr);
}

/** Checks an error as a script meets it: its exit code, something to read on stderr, nothing on stdout. */
export function assertFails(ended: Ended, code: number, ...says: readonly string[]): void {
  assertCode(ended, code);
  assertClearError(ended);
  assertEquals(ended.stdout, "");
  for (const text of says) assertStringIncludes(ended.stderr, text);
}

/** Checks that a text has no stack trace in it. */
export function assertNoTrace(text: string): void {
  assertEquals(/Uncaught|^\s+at .*:\d+|internal error/m.exec(text)?.[0], undefined, text);
}

/** The lines of a text, each of which ends with a line feed. */
export function linesOf(text: string): string[] {
  if (text === "") return [];
  assertEquals(text.at(-1), "\n", `the last line has no end: ${text}`);
  return text.slice(0, -1).split("\n");
}
