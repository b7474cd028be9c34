/**
 * `!CMD`: a command of this machine's own shell, from the prompt or a script.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { usage } from "./flags.ts";

/**
 * Runs a command line in `folder`, with the terminal for itself.
 *
 * @throws {TandemError} `unsupported` if this program may not run others;
 * `local-io` if the command fails.
 */
export async function runLocalCommand(line: string, folder: string, signal: AbortSignal): Promise<void> {
  if (line.trim() === "") throw usage("usage: !CMD");
  const { state } = Deno.permissions.querySync({ name: "run" });
  if (state !== "granted") {
    throw new TandemError("unsupported", "!CMD is not available: this program was not given the right to run others", {
      hint: "the compiled binary never has it; under deno run it is --allow-run",
    });
  }
  const [shell, flag] = Deno.build.os === "windows" ? ["cmd", "/c"] : ["/bin/sh", "-c"];
  const { code } = await new Deno.Command(shell as string, { args: [flag as string, line], cwd: folder, signal })
    .spawn().status;
  if (code !== 0) throw new TandemError("local-io", `the command ended with exit code ${code}`);
}
