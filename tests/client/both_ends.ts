/**
 * Our own server and our own client, connected.
 *
 * @module
 */

import type { ClientEvent, ServeOptions, TandemServer } from "../../mod.ts";
import { serveForTest, tempFolder } from "../helpers.ts";
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

/** Serves an empty folder and connects to it. */
export async function openBoth(
  options: ServeOptions = {},
  onEvent: (event: ClientEvent) => void = () => {},
): Promise<BothEnds> {
  await using stack = new AsyncDisposableStack();
  const { path: root } = stack.use(tempFolder());
  const commands: string[] = [];
  const server = stack.use(serveForTest(root, {
    onEvent(event) {
      if (event.event !== "command") return;
      commands.push(`${event.command}: ${event.outcome}`);
    },
    ...options,
  }));
  const { port } = server.addr;
  const session = stack.use(
    await openSession(port, {
      onEvent,
      limits: { dataPortRetryMs: 50, putCloseTimeoutMs: 2_000 },
    }),
  );
  const open = stack.move();
  const { client, folder } = session;
  const dispose = () => open.disposeAsync();
  return { client, folder, root, server, commands, [Symbol.asyncDispose]: dispose };
}
