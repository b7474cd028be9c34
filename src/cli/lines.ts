/**
 * Commands line by line: from a file, from a pipe, or from somebody at a
 * terminal.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { orAborted } from "./abort.ts";
import type { Interruption } from "./connect_command.ts";
import { Completer } from "./completer.ts";
import { History } from "./history.ts";
import { runLocalCommand } from "./local_command.ts";
import type { Shell } from "./shell.ts";
import { splitWords } from "./words.ts";

/** How lines are run. */
export interface RunRules {
  /** Where Ctrl-C arrives. */
  readonly interruption: Interruption;
  /** Tells an error and returns its exit code. */
  readonly report: (error: unknown, command?: string) => number;
  /** Whether the first failure ends the script; a line that begins with `-` may fail all the same. */
  readonly stopAtFailure: boolean;
}

/** Runs commands until they end, `quit`, or a failure; returns the exit code. */
export async function runLines(
  shell: Shell,
  lines: AsyncIterable<string>,
  rules: RunRules,
): Promise<number> {
  const { interruption, report, stopAtFailure } = rules;
  const source = lines[Symbol.asyncIterator]();
  while (!shell.ended) {
    // One that came while a command ended well all the same.
    if (!stopAtFailure) interruption.forgive();
    if (interruption.exitCode !== undefined) break;
    shell.signal = interruption.renew();
    const line = await nextLine(source, shell.signal);
    if (line === undefined) break;
    const mayFail = stopAtFailure && line.trimStart().startsWith("-");
    const text = mayFail ? line.trimStart().slice(1) : line;
    try {
      if (text.trimStart().startsWith("!")) {
        const stdin = !shell.readsStdin || Deno.stdin.isTerminal();
        using _left = Deno.stdin.isTerminal() ? interruption.leaveInterrupts() : undefined;
        const { localFolder: folder, signal, output: { json } } = shell;
        await runLocalCommand(text.trimStart().slice(1), { folder, signal, json, stdin });
        shell.output.result(text.trim());
      } else {
        await shell.run(splitWords(text));
      }
    } catch (error) {
      const exitCode = report(error, text.trim());
      if (!stopAtFailure) interruption.forgive();
      if (interruption.exitCode !== undefined) break;
      if (stopAtFailure && !mayFail) return exitCode;
    }
  }
  return interruption.exitCode ?? 0;
}

/** The next line, or undefined at the end of them or when a signal ends the program while it waits. */
async function nextLine(source: AsyncIterator<string>, signal: AbortSignal): Promise<string | undefined> {
  try {
    const { done, value } = await orAborted(source.next(), signal);
    return done ? undefined : value;
  } catch (error) {
    if (signal.aborted) return undefined;
    throw error;
  }
}

/**
 * The lines of a file, or of stdin where it is `-`.
 *
 * @throws {TandemError} `local-io` if it cannot be read.
 */
export async function textLines(path: string): Promise<AsyncIterable<string>> {
  if (path === "-") return linesOf(Deno.stdin.readable);
  try {
    const file = await Deno.open(path);
    return linesOf(file.readable);
  } catch (error) {
    throw new TandemError(
      "local-io",
      `cannot read commands from "${path}": ${String(error)}`,
      {
        cause: error,
      },
    );
  }
}

async function* linesOf(
  stream: ReadableStream<Uint8Array>,
): AsyncGenerator<string> {
  let rest = "";
  for await (
    const text of stream.pipeThrough(
      new TextDecoderStream() as TransformStream<Uint8Array, string>,
    )
  ) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) yield line.replace(/\r$/, "");
  }
  if (rest !== "") yield rest;
}

/** What somebody types, with line editing, completion and history. A fresh reader for each line, so that a command has the terminal for itself. */
export async function* terminalLines(
  shell: Shell,
  host: string,
): AsyncGenerator<string> {
  const { createInterface } = await import("node:readline/promises");
  const { stdin, stderr } = (await import("node:process")).default;
  const history = History.open();
  const completer = new Completer(shell);
  while (!shell.ended) {
    const reader = createInterface({
      input: stdin,
      output: stderr,
      history: history.newestFirst,
      terminal: true,
      // The types know of the form with a callback only in the module without promises.
      completer: ((line: string) => completer.complete(line)) as never,
    });
    const ended = Promise.withResolvers<undefined>();
    reader.on("close", () => ended.resolve(undefined));
    // Ctrl-C at the prompt gives up the line that was begun, as in a shell.
    const given = Promise.withResolvers<string>();
    reader.on("SIGINT", () => {
      stderr.write("^C\n");
      given.resolve("");
    });
    const line = await Promise.race([
      reader.question(shell.prompt(host)),
      given.promise,
      ended.promise,
    ]);
    reader.close();
    if (line === undefined) {
      stderr.write("\n");
      return;
    }
    const unkept = history.add(line);
    if (unkept !== undefined) shell.output.say(`what is typed is not kept for the next time: ${String(unkept)}`);
    yield line;
  }
}
