/**
 * The commands of `connect`, as a table: what `help` prints and what runs are
 * the same rows.
 *
 * @module
 */

import { type RemoteEntry, resolveRemotePath, ROOT, TandemError } from "../../mod.ts";
import { type Flag, flagLines, type ParsedArgs, usage } from "./flags.ts";
import type { Shell } from "./shell.ts";
import { copyToStdout, getFiles, putFiles } from "./transfers.ts";

/** One command. */
export interface ShellCommand {
  /** Its name. */
  readonly name: string;
  /** Other names of it. */
  readonly aliases?: readonly string[];
  /** How it is typed. */
  readonly usage: string;
  /** What it does, as one line of `help`. */
  readonly about: string;
  /** Its own flags. */
  readonly flags?: readonly Flag[];
  /** The fewest and the most words it takes. */
  readonly arguments: readonly [number, number];
  /** Does it. */
  run(shell: Shell, args: ParsedArgs): void | Promise<void>;
}

/** The commands that only a tandem peer can answer. */
export const TANDEM_COMMANDS: readonly string[] = [
  "stat",
  "hash",
  "mkdir",
  "rm",
  "mv",
  "sync",
];

const RECURSIVE: Flag = {
  name: "recursive",
  short: "r",
  about: "folders too (needs a tandem peer)",
};
const CONTINUE: Flag = {
  name: "continue",
  short: "c",
  about: "continue what was begun (needs a tandem peer)",
};

/** Every command, in the order of `help`. */
export const COMMANDS: readonly ShellCommand[] = [
  {
    name: "ls",
    aliases: ["dir"],
    usage: "ls [-l] [-R] [PATH]",
    about: "list a remote folder",
    flags: [
      {
        name: "long",
        short: "l",
        about: "kind and size as well, where the peer tells",
      },
      { name: "recursive", short: "R", about: "the folders below as well" },
    ],
    arguments: [0, 1],
    run: list,
  },
  {
    name: "get",
    usage: "get REMOTE... [LOCAL]",
    about: "fetch files; LOCAL may be a folder, a name, or - for stdout",
    flags: [RECURSIVE, CONTINUE],
    arguments: [1, Infinity],
    run: (shell, args) => {
      assertPlainFlags(shell, args);
      return getFiles(shell, args.words);
    },
  },
  {
    name: "put",
    usage: "put LOCAL... [REMOTE]",
    about: "store files; REMOTE may be a folder or a name; - as LOCAL is stdin",
    flags: [RECURSIVE, CONTINUE],
    arguments: [1, Infinity],
    run: (shell, args) => {
      assertPlainFlags(shell, args);
      return putFiles(shell, args.words);
    },
  },
  {
    name: "cat",
    usage: "cat REMOTE...",
    about: "write remote files to stdout",
    arguments: [1, Infinity],
    run: async (shell, { words }) => {
      for (const word of words) await copyToStdout(shell, word);
    },
  },
  {
    name: "cd",
    usage: "cd [PATH]",
    about: "go to a remote folder",
    arguments: [0, 1],
    run: async (shell, { words }) => {
      const path = shell.remote(words[0] ?? "/");
      // Asked for, not believed: a folder that cannot be listed is none to be in.
      await Array.fromAsync(
        shell.client.list(`/${path}`, { signal: shell.signal }),
      );
      shell.folder = path;
    },
  },
  {
    name: "pwd",
    usage: "pwd",
    about: "print the remote folder",
    arguments: [0, 0],
    run: (shell) => shell.output.line(`/${shell.folder}`, shell.signal),
  },
  {
    name: "lcd",
    usage: "lcd [PATH]",
    about: "go to a local folder",
    arguments: [0, 1],
    run: async (shell, { words }) => {
      const path = shell.local(words[0] ?? ".");
      await localFolderEntries(path);
      shell.localFolder = path;
    },
  },
  {
    name: "lls",
    usage: "lls [PATH]",
    about: "list a local folder",
    arguments: [0, 1],
    run: async (shell, { words }) => {
      const entries = await localFolderEntries(shell.local(words[0] ?? "."));
      for (const { name, isDirectory } of entries) {
        await shell.output.line(isDirectory ? `${name}/` : name, shell.signal);
      }
    },
  },
  {
    name: "lpwd",
    usage: "lpwd",
    about: "print the local folder",
    arguments: [0, 0],
    run: (shell) => shell.output.line(shell.localFolder, shell.signal),
  },
  {
    name: "help",
    aliases: ["?"],
    usage: "help [COMMAND]",
    about: "this list, or more of one command",
    arguments: [0, 1],
    run: async (shell, { words }) => {
      for (const line of helpLines(words[0])) await shell.output.line(line, shell.signal);
    },
  },
  {
    name: "quit",
    aliases: ["exit", "bye"],
    usage: "quit",
    about: "end the session",
    arguments: [0, 0],
    run: (shell) => {
      shell.ended = true;
    },
  },
];

function assertPlainFlags(shell: Shell, args: ParsedArgs): void {
  for (const flag of [RECURSIVE, CONTINUE]) {
    if (!args.has(flag.name)) continue;
    throw new TandemError(
      "unsupported",
      `-${flag.short} needs the tandem exchange; this session speaks the ${shell.client.mode} one`,
    );
  }
}

async function list(shell: Shell, args: ParsedArgs): Promise<void> {
  const typed = args.words[0] ?? ".";
  // Names are shown from the folder that was asked for, as `ls -R` of a shell does with paths.
  const show = async (folder: string, prefix: string): Promise<void> => {
    const below: RemoteEntry[] = [];
    for await (
      const entry of shell.client.list(folder, { signal: shell.signal })
    ) {
      await shell.output.entry(entry, prefix + entry.name, args.has("long"), shell.signal);
      // A server may call a folder "." or "..": there the way would have no end.
      const isBelow = entry.kind === "directory" && resolveRemotePath(ROOT, entry.name) === entry.name;
      if (isBelow) below.push(entry);
    }
    if (!args.has("recursive")) return;
    for (const { name } of below) {
      await show(`${folder}/${name}`, `${prefix}${name}/`);
    }
  };
  await show(shell.remoteFromRoot(typed), "");
}

async function localFolderEntries(path: string): Promise<Deno.DirEntry[]> {
  try {
    const entries = await Array.fromAsync(Deno.readDir(path));
    return entries.sort((a, b) => a.name < b.name ? -1 : 1);
  } catch (error) {
    throw localError(error, path);
  }
}

/** A failure of the local disk, in the words of an exit code. */
export function localError(error: unknown, path: string): TandemError {
  if (error instanceof TandemError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const code = error instanceof Deno.errors.NotADirectory ? "not-directory" : "local-io";
  return new TandemError(code, `"${path}": ${text}`, { cause: error });
}

/** The lines of `help`, or of `help COMMAND`. */
export function helpLines(name?: string): string[] {
  if (name === undefined) {
    const width = Math.max(...COMMANDS.map((one) => one.usage.length));
    return COMMANDS.map((one) => `${one.usage.padEnd(width)}  ${one.about}`);
  }
  const command = COMMANDS.find((one) => one.name === name || one.aliases?.includes(name));
  if (command === undefined) throw usage(`there is no command "${name}"`);
  return [
    command.usage,
    `  ${command.about}`,
    ...command.aliases === undefined ? [] : [`  also: ${command.aliases.join(", ")}`],
    ...command.flags === undefined ? [] : flagLines(command.flags),
  ];
}
