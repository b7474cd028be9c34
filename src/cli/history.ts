/**
 * What was typed at the prompt, kept for the next time in `XDG_STATE_HOME`.
 *
 * @module
 */

import { dirname, join } from "node:path";
import { environment } from "./terminal.ts";

/** How many lines are kept. */
const MAX_LINES = 1_000;

/** The lines that were typed, the oldest first. */
export class History {
  #path: string | undefined;
  readonly #lines: string[];
  #trouble: unknown;

  private constructor(path: string | undefined, lines: string[]) {
    this.#path = path;
    this.#lines = lines;
  }

  /** Reads what there is; nothing is kept on disk where this program may not, or there is no place for it. */
  static open(): History {
    const path = historyPath();
    if (path === undefined || !mayUse(path)) return new History(undefined, []);
    try {
      const lines = Deno.readTextFileSync(path).split("\n").filter((line) => line !== "");
      const history = new History(path, lines.slice(-MAX_LINES));
      if (lines.length > 2 * MAX_LINES) history.#rewrite();
      return history;
    } catch (error) {
      // What cannot be read is told of when the first line is to be added.
      const history = new History(path, []);
      if (!(error instanceof Deno.errors.NotFound)) history.#trouble = error;
      return history;
    }
  }

  /** The lines, the newest first, as line editing wants them. */
  get newestFirst(): string[] {
    return this.#lines.toReversed();
  }

  /**
   * Adds a line, at once on disk too; returns why that was not possible, if it
   * was not. One that begins with a space is not kept, as shells have it, nor is
   * the same line twice in a row.
   */
  add(typed: string): unknown {
    const line = typed.trimEnd();
    if (line.trim() === "" || line.startsWith(" ") || this.#lines.at(-1) === line) return undefined;
    this.#lines.push(line);
    const path = this.#path;
    if (path === undefined) return undefined;
    try {
      if (this.#trouble !== undefined) throw this.#trouble;
      Deno.mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      Deno.writeTextFileSync(path, `${line}\n`, { append: true, mode: 0o600 });
      return undefined;
    } catch (error) {
      this.#path = undefined;
      return error;
    }
  }

  /** Leaves out the oldest lines. */
  #rewrite(): void {
    const path = this.#path;
    if (path === undefined) return;
    const draft = `${path}.${Deno.pid}`;
    Deno.writeTextFileSync(draft, this.#lines.map((line) => `${line}\n`).join(""), { mode: 0o600 });
    Deno.renameSync(draft, path);
  }
}

function historyPath(): string | undefined {
  const state = environment("XDG_STATE_HOME");
  const home = environment("HOME");
  if (state !== undefined && state.startsWith("/")) return join(state, "tandem", "history");
  return home === undefined || home === "" ? undefined : join(home, ".local", "state", "tandem", "history");
}

function mayUse(path: string): boolean {
  return (["read", "write"] as const)
    .every((name) => Deno.permissions.querySync({ name, path: dirname(path) }).state === "granted");
}
