/**
 * Scripted plain servers as a `connect` meets them that finds out what they
 * speak: its first command has a sign, and all later ones have none.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { ScriptedServer, type Step } from "../client/scripted_server.ts";
import { type Ended, run, tandem } from "./program.ts";

/** Takes a first command, with its sign and in one piece, as a server does that takes no notice of signs. */
export function takesSigned(command: string): Step {
  return {
    about: `takes ${command} with a sign`,
    async run({ control }) {
      const { bytes } = await control.takePiece();
      const { length } = new TextEncoder().encode(command);
      assertEquals(new TextDecoder().decode(bytes), `+${String(length).padStart(9, "0")}${command}`);
    },
  };
}

/** The same script, the first step of which takes `command`, for a client that finds out. */
export function foundOut(command: string, [first, ...more]: readonly Step[]): Step[] {
  if (!first?.about.endsWith(command)) throw new Error(`the script does not begin with "${command}"`);
  return [takesSigned(command), ...more];
}

/** Runs `connect` against a server that follows a script. */
export async function connectToScript(steps: readonly Step[], args: readonly string[], cwd?: string): Promise<Ended> {
  await using server = await ScriptedServer.start(steps);
  const words = tandem(["connect", `127.0.0.1:${server.port}`, ...args]);
  return await run(words, cwd === undefined ? {} : { cwd });
}
