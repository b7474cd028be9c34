/**
 * `!CMD`: a command of this machine's own shell, from the prompt or a script.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { usage } from "./flags.ts";

/** How a command of this machine is run. */
export interface LocalOptions {
  /** Where. */
  readonly folder: string;
  /** Ends it. */
  readonly signal: AbortSignal;
  /** Whether stdout is for JSON, and so not for what it prints. */
  readonly json: boolean;
  /** Whether it may read stdin. */
  readonly stdin: boolean;
}

/**
 * Runs a command line in `folder`, with the terminal for itself.
 *
 * @throws {TandemError} `unsupported` if this program may not run others;
 * `local-io` if the command fails.
 */
export async function runLocalCommand(line: string, { folder, signal, json, stdin }: LocalOptions): Promise<void> {
  if (line.trim() === "") throw usage("usage: !CMD");
  const [shell, flag] = Deno.build.os === "windows" ? ["cmd", "/c"] as const : ["/bin/sh", "-c"] as const;
  const { state } = Deno.permissions.querySync({ name: "run", command: shell });
  if (state !== "granted") {
    throw new TandemError("unsupported", "!CMD is not available: this program was not given the right to run others", {
      hint: "the compiled binary never has it; under deno run it is --allow-run",
    });
  }
  const child = start(
    new Deno.Command(shell, {
      args: [flag, line],
      cwd: folder,
      signal,
      stdin: stdin ? "inherit" : "null",
      stdout: json ? "piped" : "inherit",
    }),
  );
  if (json) await child.stdout.pipeTo(Deno.stderr.writable, { preventClose: true });
  const { code } = await child.status;
  if (code !== 0) throw new TandemError("local-io", `the command ended with exit code ${code}`);
}

function start(command: Deno.Command): Deno.ChildProcess {
  try {
    return command.spawn();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    throw new TandemError("local-io", `the command cannot be run: ${text}`, { cause: error });
  }
}
