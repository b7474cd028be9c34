/**
 * The program `tandem`: `serve` shares a folder, `connect` works with one.
 *
 * Picks the subcommand and turns what it throws into an exit code. Each
 * subcommand is loaded only when it is wanted, so that it starts quickly.
 *
 * @example
 * ```sh
 * deno run -A main.ts serve ./pub
 * deno run -A main.ts connect 127.0.0.1 get a.bin
 * ```
 *
 * @module
 */

import { generateSecret, TandemError } from "./mod.ts";
import { EXIT_CODES } from "./src/cli/exit_codes.ts";
import { usage } from "./src/cli/flags.ts";
import { printHelp } from "./src/cli/print_help.ts";
import { errorLines, writeStderr, writeStdout } from "./src/cli/terminal.ts";
import { VERSION } from "./src/cli/version.ts";

const SUBCOMMANDS: readonly string[] = ["serve", "connect", "secret", "completions", "help", "--help", "--version"];

/** Runs the program with its arguments; returns the exit code. */
async function main(args: readonly string[]): Promise<number> {
  try {
    return await dispatch(args);
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    for (const line of errorLines(error)) writeStderr(line);
    return EXIT_CODES[error.code];
  }
}

async function dispatch(args: readonly string[]): Promise<number> {
  const [subcommand, ...rest] = args;
  switch (subcommand) {
    case "serve": {
      const { runServe } = await import("./src/cli/serve_command.ts");
      return await runServe(rest);
    }
    case "connect": {
      const { runConnect } = await import("./src/cli/connect_command.ts");
      return await runConnect(rest);
    }
    case "secret": {
      if (rest.length > 0) throw usage("secret takes no arguments: it makes one and prints it");
      writeStdout(generateSecret());
      return 0;
    }
    case "completions": {
      const { completionScript } = await import("./src/cli/completions.ts");
      if (rest.length > 1) throw usage("completions takes one shell");
      writeStdout(completionScript(rest[0]).trimEnd());
      return 0;
    }
    case "help":
    case "--help":
    case "-h":
      return await printHelp(rest[0]);
    case "version":
    case "--version":
    case "-V":
      writeStdout(`tandem ${VERSION} (deno ${Deno.version.deno})`);
      return 0;
    default: {
      const { nearMiss } = await import("./src/cli/flags.ts");
      throw subcommand === undefined ? usage("serve or connect?", "tandem help") : usage(
        `unknown command "${subcommand}"`,
        nearMiss(subcommand, SUBCOMMANDS),
      );
    }
  }
}

if (import.meta.main) Deno.exit(await main(Deno.args));
