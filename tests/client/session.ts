/**
 * A client as the tests use it: connected to a port of this machine, with short
 * waits, a local folder of its own, and an end that cannot hang.
 *
 * @module
 */

import { type Client, type ClientLimits, connect, type ConnectOptions, type RemoteEntry } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { ScriptedServer, type ScriptOptions, type Step } from "./scripted_server.ts";
import { answersList, answersQuit } from "./scripted_server.ts";

/** Limits with which nothing that goes well ends early, and a closed port is given up soon. */
export const QUICK: Partial<ClientLimits> = { dataPortRetryMs: 50 };

/** Waits for tests of what never comes. What comes is here far sooner, also on a busy machine. */
export const SHORT: Partial<ClientLimits> = {
  timeoutMs: 300,
  stallTimeoutMs: 300,
  dataPortRetryMs: 50,
  quitTimeoutMs: 300,
  putCloseTimeoutMs: 300,
};

/** An open session and a folder. Disposing of it closes the session and removes the folder. */
export interface TestSession extends AsyncDisposable {
  /** The client. */
  readonly client: Client;
  /** An empty local folder. */
  readonly folder: string;
  /** Closes the session and removes the folder. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** Connects to a port of this machine. */
export async function openSession(
  port: number,
  options: ConnectOptions = {},
): Promise<TestSession> {
  await using stack = new AsyncDisposableStack();
  const { path: folder } = stack.use(tempFolder());
  const client = await connect({ port, ...options });
  stack.defer(() => within(client.close(), PATIENCE_MS, "close()"));
  const open = stack.move();
  return {
    client,
    folder,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** The names in a folder as a listing shows them. */
export async function list(client: Client, path = "/"): Promise<string[]> {
  const shown = ({ name, kind }: RemoteEntry) => kind === "file" ? name : `${name}/`;
  return (await Array.fromAsync(client.list(path))).map(shown);
}

/** Bytes as a stream, in the given pieces. */
export function streamOf(...pieces: string[]): ReadableStream<Uint8Array> {
  return ReadableStream.from(
    pieces.map((piece) => new TextEncoder().encode(piece)),
  );
}

/** How a session with a bad server goes; in the plain exchange, unless told otherwise. */
export interface AttemptOptions extends ScriptOptions, ConnectOptions {
  /** Whether the session can be used no further afterwards. Default: it goes on. */
  readonly sessionEnds?: boolean;
}

/**
 * Runs `attempt` against a server that follows `script`, and checks that the
 * script came to its end, that the session then still answers `ls`, and that
 * no temporary file is left in the local folder.
 */
export async function attempt(
  script: readonly Step[],
  run: (session: TestSession) => Promise<void>,
  options: AttemptOptions = {},
): Promise<void> {
  const { sessionEnds = false, limits = QUICK, mode = "plain", ...rest } = options;
  const after = sessionEnds ? [] : [...answersList("ok\n"), ...answersQuit()];
  await using server = await ScriptedServer.start([...script, ...after], rest);
  const session = await openSession(server.port, { ...rest, limits, mode });
  try {
    await run(session);
    if (!sessionEnds) assertEquals(await list(session.client), ["ok"]);
    assertEquals(temporaries(session.folder), []);
  } catch (error) {
    // What went wrong first tells more than an end that then hangs.
    await session[Symbol.asyncDispose]().catch(() => {});
    throw error;
  }
  await session[Symbol.asyncDispose]();
  await within(server.finished, PATIENCE_MS, "the script");
}
