/**
 * The state of one `connect`: the session, the folders on both sides, and how a
 * line becomes a command.
 *
 * @module
 */

import { resolve } from "node:path";
import { type Client, type RemotePath, resolveRemotePath, ROOT, type TandemError } from "../../mod.ts";
import { COMMANDS } from "./commands.ts";
import { nearMiss, parseFlags, usage } from "./flags.ts";
import type { Output } from "./output.ts";
import type { Sessions } from "./sessions.ts";

/** What happens to a file whose name is taken. */
export const ON_EXIST = [
  "ask",
  "error",
  "skip",
  "overwrite",
  "rename",
  "newer",
  "resume",
] as const;

/** One of {@linkcode ON_EXIST}. */
export type OnExist = typeof ON_EXIST[number];

/** What a shell is made of. */
export interface ShellOptions {
  /** The sessions. */
  readonly sessions: Sessions;
  /** Where results go. */
  readonly output: Output;
  /** Whether SHA-256 is compared too. */
  readonly verify: boolean;
  /** What happens to a file whose name is taken; undefined where the user did not say. */
  readonly onExist: OnExist | undefined;
  /** Asks the user; undefined where nobody can be asked. */
  readonly ask: ((question: string) => string | null) | undefined;
  /** Whether commands are read from stdin, so that no command may. */
  readonly readsStdin: boolean;
  /** The remote folder to begin in. */
  readonly folder: RemotePath;
  /** Whether everything is encrypted. */
  readonly encrypted: boolean;
}

/** The state that commands work with. */
export class Shell {
  /** The sessions. */
  readonly sessions: Sessions;
  /** Where results go. */
  readonly output: Output;
  /** Whether SHA-256 is compared too. */
  readonly verify: boolean;
  /** What the user said of names that are taken. */
  onExist: OnExist | undefined;
  /** Asks the user, where somebody can be asked. */
  readonly ask: ((question: string) => string | null) | undefined;
  /** Whether commands are read from stdin, so that no command may. */
  readonly readsStdin: boolean;
  /** The current remote folder. */
  folder: RemotePath;
  /** The current local folder, absolute. */
  localFolder: string;
  /** Whether `quit` was said. */
  ended = false;
  /** Ends the command that runs, when it is aborted. */
  signal: AbortSignal = new AbortController().signal;

  readonly #encrypted: boolean;

  /** Begins in the process's folder. */
  constructor(options: ShellOptions) {
    this.sessions = options.sessions;
    this.#encrypted = options.encrypted;
    this.verify = options.verify;
    this.output = options.output;
    this.onExist = options.onExist;
    this.ask = options.ask;
    this.readsStdin = options.readsStdin;
    this.folder = options.folder;
    this.localFolder = Deno.cwd();
  }

  /**
   * The remote path that was typed.
   *
   * @throws {TandemError} `outside-root`, `bad-request`.
   */
  remote(typed: string): RemotePath {
    return resolveRemotePath(this.folder, typed);
  }

  /** The remote path that was typed, from the shared folder: what the library takes. */
  remoteFromRoot(typed: string): string {
    return `/${this.remote(typed)}`;
  }

  /** Asks the server for something, and asks again where `--retry` says so. */
  retrying<T>(work: (client: Client) => Promise<T>): Promise<T> {
    return this.sessions.main.run(work, this.signal);
  }

  /** The local path that was typed, absolute. */
  local(typed: string): string {
    return resolve(this.localFolder, typed);
  }

  /** What stands before the cursor: what is spoken, with whom, and in which folder. */
  prompt(host: string): string {
    const mode = this.sessions.main.mode ?? "tandem";
    return `${mode}${this.#encrypted ? " (encrypted)" : ""} ${host}:/${this.folder === ROOT ? "" : this.folder}> `;
  }

  /**
   * Runs one command.
   *
   * @throws {TandemError} whatever it failed with.
   */
  async run(words: readonly string[]): Promise<void> {
    const [name, ...args] = words;
    if (name === undefined) return;
    const command = COMMANDS.find((one) => one.name === name || one.aliases?.includes(name));
    if (command === undefined) throw unknownCommand(name);
    const parsed = parseFlags(args, command.flags ?? []);
    const [least, most] = command.arguments;
    if (parsed.words.length < least || parsed.words.length > most) {
      throw usage(`usage: ${command.usage}`);
    }
    await command.run(this, parsed);
    this.output.result(words.join(" "));
  }
}

function unknownCommand(name: string): TandemError {
  const known = COMMANDS.map((command) => command.name);
  return usage(`unknown command "${name}"`, nearMiss(name, known));
}
