/**
 * Completion at the prompt: commands, their flags, and names on both sides.
 *
 * @module
 */

import { posix } from "node:path";
import { COMMANDS, type ShellCommand } from "./commands.ts";
import { localFolderEntries } from "./local.ts";
import type { Shell } from "./shell.ts";
import { printable } from "./terminal.ts";
import { splitWords } from "./words.ts";

/** What fits the word before the cursor, each as it is to be typed, and that word as it was. */
export type Completion = readonly [matches: string[], word: string];

/** How long a listing of the server is taken for what is there, in milliseconds. */
const FRESH_MS = 5_000;

/** How long somebody who pressed Tab waits for the server, in milliseconds. */
const PATIENCE_MS = 3_000;

/** Completes lines of one prompt. */
export class Completer {
  readonly #shell: Shell;
  readonly #listings = new Map<string, { readonly names: Promise<string[]>; readonly askedMs: number }>();

  /** Asks for nothing yet. */
  constructor(shell: Shell) {
    this.#shell = shell;
  }

  /** Completes the last word of a line. Nothing fits where the server does not tell. */
  async complete(line: string): Promise<Completion> {
    const typed = /(?:\\.|[^\s\\])*$/.exec(line)?.[0] ?? "";
    const before = line.slice(0, line.length - typed.length).trim();
    if (before === "") {
      const names = COMMANDS.map(({ name }) => `${name} `);
      return [names.filter((name) => name.startsWith(typed)), typed];
    }
    const words = wordsOf(before);
    // Inside of quotes a name would have to be spelled in another way.
    if (words === undefined || /^['"]/.test(typed)) return [[], typed];
    const command = COMMANDS.find(({ name, aliases }) => name === words[0] || aliases?.includes(words[0] ?? ""));
    if (command === undefined) return [[], typed];
    if (typed.startsWith("-")) {
      const flags = (command.flags ?? []).map(({ name }) => `--${name} `);
      return [flags.filter((flag) => flag.startsWith(typed)), typed];
    }
    const valued = (command.flags ?? []).filter(({ value }) => value !== undefined).map(({ name }) => `--${name}`);
    const names = words.filter((word, i) => !word.startsWith("-") && !valued.includes(words[i - 1] ?? "")).length;
    const wanted = unescaped(typed);
    const found: string[] = [];
    for (const side of sidesOf(command, names, words)) found.push(...await this.#namesOf(side, wanted));
    return [[...new Set(found)].sort().map(escaped), typed];
  }

  /** The names that begin so, with the folder that was typed before them. */
  async #namesOf(side: Side, typed: string): Promise<string[]> {
    const slash = typed.lastIndexOf("/") + 1;
    const [folder, start] = [typed.slice(0, slash), typed.slice(slash)];
    try {
      const names = side === "command"
        ? COMMANDS.map(({ name }) => name)
        : side === "local"
        ? await this.#localNames(folder)
        : await this.#remoteNames(folder);
      // As in a shell, what begins with a dot only where that was typed.
      return names.filter((name) => name.startsWith(start) && (start !== "" || !name.startsWith(".")))
        // What would do something to the terminal cannot be typed there either.
        .filter((name) => printable(name) === name)
        // A name is no flag.
        .map((name) => folder === "" && name.startsWith("-") ? `./${name}` : folder + name);
    } catch {
      // There is no such folder, or nobody who would list it: nothing fits.
      return [];
    }
  }

  async #localNames(folder: string): Promise<string[]> {
    const entries = await localFolderEntries(this.#shell.local(folder === "" ? "." : folder));
    return entries.map(({ name, isDirectory }) => isDirectory ? `${name}/` : name);
  }

  #remoteNames(folder: string): Promise<string[]> {
    const path = this.#shell.remoteFromRoot(folder === "" ? "." : folder);
    const known = this.#listings.get(path);
    const now = performance.now();
    if (known !== undefined && now - known.askedMs < FRESH_MS) return known.names;
    const names = this.#listRemote(path);
    this.#listings.set(path, { names, askedMs: now });
    return names;
  }

  async #listRemote(path: string): Promise<string[]> {
    const signal = AbortSignal.timeout(PATIENCE_MS);
    const client = await this.#shell.sessions.main.client(signal);
    const entries = await Array.fromAsync(client.list(path, { signal }));
    return entries.map(({ name, kind }) => kind === "directory" ? `${posix.basename(name)}/` : posix.basename(name));
  }
}

type Side = "local" | "remote" | "command";

/** Where the names of a command's next word are; `words` are those before it. */
function sidesOf({ name }: ShellCommand, words: number, before: readonly string[]): readonly Side[] {
  switch (name) {
    case "put":
      return words === 1 ? ["local"] : ["local", "remote"];
    case "get":
      return words === 1 ? ["remote"] : ["remote", "local"];
    case "sync":
      return (words === 1) === before.includes("--from") ? ["remote"] : ["local"];
    case "lcd":
    case "lls":
      return ["local"];
    case "help":
      return ["command"];
    default:
      return ["remote"];
  }
}

/** A name as it is typed at the prompt. */
function escaped(name: string): string {
  const text = name.replace(/[\s\\'"#]/g, "\\$&");
  return text.endsWith("/") ? text : `${text} `;
}

/** The words of a line that is not at its end; undefined inside of quotes. */
function wordsOf(line: string): string[] | undefined {
  try {
    return splitWords(line);
  } catch {
    return undefined;
  }
}

function unescaped(typed: string): string {
  return typed.replace(/\\(.)/g, "$1");
}
