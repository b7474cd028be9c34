/**
 * A second Deno program that a test runs beside itself and talks with line by
 * line.
 *
 * @module
 */

import { PATIENCE_MS, within } from "../net/deadline.ts";

/** A running program. Disposing of it ends it. */
export class Program implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #lines: ReadableStreamDefaultReader<string>;
  readonly #input: WritableStreamDefaultWriter<Uint8Array>;
  #text = "";

  /** Runs `deno run` with `args`. */
  constructor(...args: string[]) {
    this.#child = new Deno.Command(Deno.execPath(), {
      args: ["run", "--quiet", ...args],
      stdin: "piped",
      stdout: "piped",
      stderr: "inherit",
    }).spawn();
    this.#lines = this.#child.stdout.pipeThrough(new TextDecoderStream())
      .getReader();
    this.#input = this.#child.stdin.getWriter();
  }

  /** The next line that it tells, read as JSON. */
  async next(): Promise<unknown> {
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end >= 0) {
        const line = this.#text.slice(0, end);
        this.#text = this.#text.slice(end + 1);
        return JSON.parse(line);
      }
      const { done, value } = await within(
        this.#lines.read(),
        4 * PATIENCE_MS,
        "a line of the other program",
      );
      if (done) throw new Error(`the program ended after "${this.#text}"`);
      this.#text += value;
    }
  }

  /** Everything that it tells before it says `ready`, or ends. */
  async untilReady(): Promise<unknown[]> {
    const told: unknown[] = [];
    for (;;) {
      const value = await this.next();
      if (value === "ready") return told;
      told.push(value);
    }
  }

  /** Lets it go on. */
  async goOn(): Promise<void> {
    await this.#input.write(new TextEncoder().encode("\n"));
  }

  /** Ends it. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#input.close().catch(() => {});
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It has ended already.
    }
    await this.#lines.cancel();
    await this.#child.status;
  }
}
