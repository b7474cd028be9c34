/**
 * The two programs beside this file, which speak the plain exchange as its text
 * has it and share no line with ours.
 *
 * @module
 */

import { fail } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";

const CLIENT = new URL("./plain_client.py", import.meta.url).pathname;
const SERVER = new URL("./plain_server.py", import.meta.url).pathname;

/** Why the programs cannot run here; undefined where they can. */
export const NO_PYTHON: string | undefined = hasPython() ? undefined : "no python3";

function hasPython(): boolean {
  try {
    return new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** Registers a test that runs one of the programs; where there is no Python it is skipped, and its name says why. */
export function pythonTest(name: string, run: () => Promise<void>): void {
  const why = NO_PYTHON === undefined ? "" : ` (skipped: ${NO_PYTHON})`;
  Deno.test({ name: name + why, ignore: NO_PYTHON !== undefined, fn: run });
}

/** What a program tells about one command; see its `--help`. */
export interface Report {
  readonly command?: string;
  readonly outcome: string;
  readonly header?: string;
  readonly size_header?: string;
  readonly bytes?: number;
  readonly sha256?: string;
  readonly text?: string;
  readonly at?: string;
}

/** Runs the client, whose arguments are options and commands. */
export async function runPythonClient(port: number, ...args: string[]): Promise<Report[]> {
  const command = new Deno.Command("python3", { args: [CLIENT, "127.0.0.1", String(port), ...args] });
  const { stdout, stderr } = await within(command.output(), 4 * PATIENCE_MS, "the client");
  const text = new TextDecoder().decode(stdout);
  const complaint = new TextDecoder().decode(stderr);
  if (complaint !== "") fail(complaint);
  return text.split("\n").filter((line) => line !== "").map((line) => JSON.parse(line) as Report);
}

/** A running server. Disposing of it ends it. */
export class PythonServer implements AsyncDisposable {
  /** Its control port. */
  readonly port: number;
  readonly #child: Deno.ChildProcess;
  readonly #lines: AsyncIterator<string>;

  private constructor(port: number, child: Deno.ChildProcess, lines: AsyncIterator<string>) {
    this.port = port;
    this.#child = child;
    this.#lines = lines;
  }

  /** Starts it on a folder, and waits until it listens. */
  static async start(folder: string, ...options: string[]): Promise<PythonServer> {
    const child = new Deno.Command("python3", {
      args: [SERVER, folder, "--log", ...options],
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    const lines = linesOf(child.stdout);
    const first = await within(lines.next(), 2 * PATIENCE_MS, "the server's first line");
    const port = /^listening (\d+)$/.exec(first.value ?? "")?.[1] ?? fail(`the server said "${first.value}"`);
    return new PythonServer(Number(port), child, lines);
  }

  /** What it tells about the next command. */
  async next(): Promise<Report> {
    const { value } = await within(this.#lines.next(), PATIENCE_MS, "a report");
    return JSON.parse(value) as Report;
  }

  /** What it tells about the next so many commands. */
  async take(count: number): Promise<Report[]> {
    const reports: Report[] = [];
    while (reports.length < count) reports.push(await this.next());
    return reports;
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    // What it said and nobody asked for; reading it to its end closes the pipe.
    while (!(await this.#lines.next()).done);
    await this.#child.status;
  }
}

async function* linesOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<string, undefined> {
  let text = "";
  for await (const piece of stream.pipeThrough(new TextDecoderStream())) {
    const lines = (text + piece).split("\n");
    text = lines.pop() ?? "";
    yield* lines;
  }
  return undefined;
}
