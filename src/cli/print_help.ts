/**
 * `--help` of a subcommand. On its own, because the text is made of the tables of
 * both subcommands, which are else not loaded together.
 *
 * @module
 */

import { writeStdout } from "./terminal.ts";

/** Prints the help about `topic`, or all of it; returns the exit code. */
export async function printHelp(topic: string | undefined): Promise<number> {
  const { helpText } = await import("./help.ts");
  writeStdout(helpText(topic));
  return 0;
}
