/**
 * Our own server and our own client, connected.
 *
 * @module
 */

import type { ConnectOptions, ServeOptions, TandemServer } from "../../mod.ts";
import { serveForTest, tempFolder } from "../helpers.ts";
import { PATIENCE_MS } from "../net/deadline.ts";
import { connectedIn, servedIn, type Setting } from "./modes.ts";
import { openSession, type TestSession } from "./session.ts";

/** A server with a folder of its own, and a session with it. */
export interface BothEnds extends TestSession {
  /** The server's folder. */
  readonly root: string;
  /** The server. */
  readonly server: TandemServer;
  /** The commands that the server has answered. */
  readonly commands: readonly string[];
}

/** How the two are set up. */
export interface BothOptions extends ServeOptions {
  /** What the client is told besides. */
  readonly client?: ConnectOptions;
}

/** Serves an empty folder and connects to it, to speak the given exchange. */
export async function openBoth(mode: Setting, { client: told = {}, ...options }: BothOptions = {}): Promise<BothEnds> {
  await using stack = new AsyncDisposableStack();
  const { path: root } = stack.use(tempFolder());
  const commands: string[] = [];
  const server = stack.use(serveForTest(root, {
    onEvent(event) {
      if (event.event !== "command" || event.command === "auth") return;
      commands.push(`${event.command.split(" {")[0]}: ${event.outcome}`);
    },
    ...servedIn(mode),
    ...options,
  }));
  const { port } = server.addr;
  const limits = { timeoutMs: PATIENCE_MS, dataPortRetryMs: 50, putCloseTimeoutMs: 2_000, ...told.limits };
  const asked = connectedIn(mode);
  const session = stack.use(await openSession(port, { ...told, ...asked, limits }));
  const open = stack.move();
  const { client, folder } = session;
  const dispose = () => open.disposeAsync();
  return { client, folder, root, server, commands, [Symbol.asyncDispose]: dispose };
}
