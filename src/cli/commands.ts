/**
 * The commands of `connect`, as a table: what `help` prints and what runs are
 * the same rows.
 *
 * @module
 */

import { posix } from "node:path";
import { type Client, type RemoteEntry, resolveRemotePath, ROOT, TandemError } from "../../mod.ts";
import { type Flag, flagLines, type ParsedArgs, usage } from "./flags.ts";
import { Filter, FILTER_FLAGS } from "./filters.ts";
import { remoteEntries } from "./folders.ts";
import { expandRemote, isPattern } from "./globs.ts";
import { runJobs } from "./jobs.ts";
import { localFolderEntries } from "./local.ts";
import { RemoteNames } from "./remote_names.ts";
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

const RECURSIVE: Flag = {
  name: "recursive",
  short: "r",
  about: "folders too, with all that is in them",
};
const CONTINUE: Flag = {
  name: "continue",
  short: "c",
  about: "continue what was cut off (needs a tandem peer)",
};

const DRY_RUN: Flag = { name: "dry-run", short: "n", about: "only tell what would be done" };
const TRANSFER_FLAGS: readonly Flag[] = [RECURSIVE, CONTINUE, ...FILTER_FLAGS, DRY_RUN];

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
        about: "permissions, size and time as well, where the peer tells",
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
    flags: TRANSFER_FLAGS,
    arguments: [1, Infinity],
    run: (shell, args) => getFiles(shell, args.words, transferFlags(args)),
  },
  {
    name: "put",
    usage: "put LOCAL... [REMOTE]",
    about: "store files; REMOTE may be a folder or a name; - as LOCAL is stdin",
    flags: TRANSFER_FLAGS,
    arguments: [1, Infinity],
    run: (shell, args) => putFiles(shell, args.words, transferFlags(args)),
  },
  {
    name: "sync",
    usage: "sync [--from] LOCAL REMOTE",
    about: "make REMOTE what LOCAL is, or with --from LOCAL what REMOTE is (sync --from REMOTE LOCAL)",
    flags: [
      { name: "from", about: "the other way: sync --from REMOTE LOCAL" },
      { name: "delete", about: "delete what only the target has" },
      { name: "max-delete", value: "N", about: "so much may be deleted (half of it)" },
      { name: "checksum", about: "compare contents, not times" },
      ...FILTER_FLAGS,
      DRY_RUN,
    ],
    arguments: [2, 2],
    run: async (shell, args) => {
      const { syncFolders } = await import("./sync.ts");
      await syncFolders(shell, args);
    },
  },
  {
    name: "cat",
    usage: "cat REMOTE...",
    about: "write remote files to stdout",
    arguments: [1, Infinity],
    run: async (shell, { words }) => {
      for (const path of await remotePaths(shell, words)) await copyToStdout(shell, path);
    },
  },
  {
    name: "stat",
    usage: "stat [REMOTE...]",
    about: "tell kind, size, time and permissions (needs a tandem peer)",
    arguments: [0, Infinity],
    run: async (shell, { words }) => {
      const paths = await remotePaths(shell, words.length === 0 ? ["."] : words);
      for (const path of paths) {
        const { signal } = shell;
        const entry = await shell.retrying((client) => client.stat(path, { signal }));
        await shell.output.details({ ...entry, name: path === "/" ? "/" : entry.name }, signal);
      }
    },
  },
  {
    name: "hash",
    usage: "hash REMOTE...",
    about: "print SHA-256 checksums, as sha256sum does (needs a tandem peer)",
    arguments: [1, Infinity],
    run: async (shell, { words }) => {
      const { signal } = shell;
      for (const word of words) {
        for (const path of await expandRemote(shell, word)) {
          const hash = await shell.retrying((client) => client.hash(path, { signal }));
          const shown = isPattern(word) ? posix.relative(`/${shell.folder}`, path) : word;
          await shell.output.line(`${hash}  ${shown}`, signal);
        }
      }
    },
  },
  {
    name: "mkdir",
    usage: "mkdir [-p] REMOTE...",
    about: "make remote folders (needs a tandem peer)",
    flags: [{ name: "parents", short: "p", about: "those above as well; no error where it is there" }],
    arguments: [1, Infinity],
    run: (shell, args) => {
      const options = { recursive: args.has("parents"), signal: shell.signal };
      const paths = args.words.map((word) => shell.remoteFromRoot(word));
      return each(shell, paths, (client, path) => client.mkdir(path, options));
    },
  },
  {
    name: "rm",
    usage: "rm [-r] REMOTE...",
    about: "remove remote files (needs a tandem peer)",
    flags: [RECURSIVE],
    arguments: [1, Infinity],
    run: async (shell, args) => {
      const options = { recursive: args.has("recursive"), signal: shell.signal };
      return await each(shell, await remotePaths(shell, args.words), (client, path) => client.remove(path, options));
    },
  },
  {
    name: "mv",
    usage: "mv FROM TO",
    about: "rename a remote file or folder, or move it into TO (needs a tandem peer)",
    arguments: [2, 2],
    run: async (shell, { words: [from = "", to = ""] }) => {
      const source = shell.remoteFromRoot(from);
      const target = shell.remoteFromRoot(to);
      const into = await new RemoteNames(shell).kindOf(target) === "directory";
      const name = into ? posix.join(target, posix.basename(source)) : target;
      const client = await shell.sessions.main.client(shell.signal);
      await client.rename(source, name, { signal: shell.signal, overwrite: shell.onExist === "overwrite" });
    },
  },
  {
    name: "ping",
    usage: "ping",
    about: "tell how long an answer takes (needs a tandem peer)",
    arguments: [0, 0],
    run: async (shell) => {
      const { signal } = shell;
      // The first answer is the one that finds out what the server speaks.
      await shell.retrying((client) => client.ping({ signal }));
      const ms = await shell.retrying((client) => client.ping({ signal }));
      await shell.output.line(`${ms.toFixed(2)} ms`, signal);
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
      const { signal } = shell;
      await shell.retrying((client) => Array.fromAsync(client.list(`/${path}`, { signal })));
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

function transferFlags(args: ParsedArgs) {
  return {
    recursive: args.has("recursive"),
    resume: args.has("continue"),
    filter: Filter.of(args),
    dryRun: args.has("dry-run"),
  };
}

/** The remote paths that words stand for. */
async function remotePaths(shell: Shell, words: readonly string[]): Promise<string[]> {
  return (await Promise.all(words.map((word) => expandRemote(shell, word)))).flat();
}

/** Does the same with several remote paths, and tells at the end which failed. */
async function each(
  shell: Shell,
  paths: readonly string[],
  run: (client: Client, path: string) => Promise<void>,
): Promise<void> {
  const jobs = paths.map((from) => ({ from, to: "" }));
  await runJobs(shell, jobs, (client, { from }) => run(client, from));
}

/** Lists what a pattern matches: folders as themselves, not what is in them. */
async function listMatches(
  shell: Shell,
  paths: readonly string[],
  { long, recursive }: { readonly long: boolean; readonly recursive: boolean },
): Promise<void> {
  const { signal, output } = shell;
  const failed: string[] = [];
  const folders = Map.groupBy(paths, (path) => posix.dirname(path));
  for (const [folder, paths] of folders) {
    const names = paths.map((path) => posix.basename(path));
    const entries = await shell.retrying((client) => Array.fromAsync(client.list(folder, { signal })));
    for (const entry of entries.filter(({ name }) => names.includes(name))) {
      const shown = posix.relative(`/${shell.folder}`, posix.join(folder, entry.name));
      await output.entry(entry, shown, long, signal);
      if (!recursive || entry.kind !== "directory") continue;
      const path = posix.join(folder, entry.name);
      const below = await shell.retrying((client) => remoteEntries(shell, client, path));
      for (const one of below.entries) await output.entry(one, posix.join(shown, one.name), long, signal);
      failed.push(...below.failed.map(({ job }) => job.from));
    }
  }
  if (failed.length > 0) throw new TandemError("partial", `not all could be listed: ${failed.join(", ")}`);
}

async function list(shell: Shell, args: ParsedArgs): Promise<void> {
  const [word = "."] = args.words;
  const folder = shell.remoteFromRoot(word);
  const recursive = args.has("recursive");
  if (isPattern(word)) {
    const paths = await expandRemote(shell, word);
    // A folder of just that name is a folder like any other.
    const isItself = paths[0] === folder && await new RemoteNames(shell).kindOf(folder) === "directory";
    if (!isItself) return await listMatches(shell, paths, { long: args.has("long"), recursive });
  }
  const { signal, output } = shell;
  const show = (entry: RemoteEntry, path: string) => output.entry(entry, path, args.has("long"), signal);
  const entriesOf = (path: string, recursive: boolean) =>
    shell.retrying((client) => Array.fromAsync(client.list(path, { recursive, signal })));
  if (recursive) {
    try {
      const entries = await entriesOf(folder, true);
      for (const entry of entries) await show(entry, entry.name);
      const failed = entries.filter(({ error }) => error !== undefined);
      if (failed.length === 0) return;
      const names = failed.map(({ name, error }) => `${name} (${error})`).join(", ");
      throw new TandemError("partial", `${failed.length} folders could not be listed: ${names}`);
    } catch (error) {
      if (!(error instanceof TandemError) || error.code !== "unsupported") throw error;
    }
  }
  // Names are shown from the folder that was asked for, as `ls -R` of a shell does with paths.
  const showPlain = async (path: string, prefix: string): Promise<void> => {
    const entries = await entriesOf(path, false);
    for (const entry of entries) await show(entry, prefix + entry.name);
    if (!recursive) return;
    for (const { name, kind } of entries) {
      // A server may call a folder "." or "..": there the way would have no end.
      const isBelow = kind === "directory" && resolveRemotePath(ROOT, name) === name;
      if (isBelow) await showPlain(`${path}/${name}`, `${prefix}${name}/`);
    }
  };
  await showPlain(folder, "");
}

/** The lines of `help`, or of `help COMMAND`. */
export function helpLines(name?: string): string[] {
  if (name === undefined) {
    const rows = [...COMMANDS, { usage: "!CMD", about: "run a command of this machine (where this program may)" }];
    const width = Math.max(...rows.map((one) => one.usage.length));
    return rows.map((one) => `${one.usage.padEnd(width)}  ${one.about}`);
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
