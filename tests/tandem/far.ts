/**
 * The other processes of these tests: a server or a client of its own, to be
 * killed or to be given few rights.
 *
 * @module
 */

import { assert } from "../deps.ts";
import { Program } from "../store/program.ts";
import type { FarStep } from "./far_client.ts";

const HERE = new URL("./", import.meta.url);

/** A server that runs in a process of its own. Disposing of it kills it. */
export interface FarServer extends AsyncDisposable {
  /** Its port. */
  readonly port: number;
}

/** Starts a server on a folder, with these rights; it listens when this is resolved. */
export async function startServer(root: string, rights: readonly string[] = ["-A"], port = 0): Promise<FarServer> {
  const program = new Program("--no-prompt", ...rights, new URL("far_server.ts", HERE).href, root, String(port));
  const listening = await program.next();
  assert(typeof listening === "number");
  return { port: listening, [Symbol.asyncDispose]: () => program[Symbol.asyncDispose]() };
}

/** Starts a client that takes these steps, group by group. */
export function startClient(
  port: number,
  groups: readonly (readonly FarStep[])[],
  rights: readonly string[] = ["-A"],
): Program {
  const script = new URL("far_client.ts", HERE).href;
  return new Program("--no-prompt", ...rights, script, String(port), JSON.stringify(groups));
}
