/**
 * A server and clients with a proxy between them, each side with a folder of
 * its own.
 *
 * @module
 */

import { createHash } from "node:crypto";
import {
  type Client,
  connect,
  type ConnectOptions,
  type Secret,
  type ServeOptions,
  type TandemServer,
} from "../../mod.ts";
import { serveForTest, type TempFolder, tempFolder } from "../helpers.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { EventLog } from "../server/event_log.ts";
import { Proxy, type ProxyOptions } from "./proxy.ts";

/** Both ends in this process. Disposing of it ends the clients, the proxy and the server, and removes the folders. */
export interface Bed extends AsyncDisposable {
  /** The server's folder. */
  readonly root: string;
  /** The clients' folder. */
  readonly folder: string;
  /** The server. */
  readonly server: TandemServer;
  /** What the server has said. */
  readonly log: EventLog;
  /** What is between them. */
  readonly proxy: Proxy;
  /** Opens a session through the proxy, in the tandem exchange unless told otherwise; closed with the bed. */
  connect(options?: ConnectOptions): Promise<Client>;
}

/** How a bed is made. */
export interface BedOptions {
  /** What the server is told. */
  readonly serve?: ServeOptions;
  /** What the proxy does. */
  readonly proxy?: ProxyOptions;
  /** What both sides have; then everything is encrypted. */
  readonly secret?: Secret;
  /** Makes the folders. Default: on disk. */
  readonly makeFolder?: () => TempFolder;
}

/** Makes a bed. */
export async function openBed(options: BedOptions = {}): Promise<Bed> {
  const { serve, proxy: how, secret, makeFolder = tempFolder } = options;
  await using stack = new AsyncDisposableStack();
  const { path: root } = stack.use(makeFolder());
  const { path: folder } = stack.use(makeFolder());
  const log = new EventLog();
  const limits = { shutdownGraceMs: 1_000, ...serve?.limits };
  const both = secret === undefined ? {} : { secret };
  const server = serveForTest(root, { onEvent: log.record, hostname: "127.0.0.1", ...both, ...serve, limits });
  stack.defer(() => within(server.shutdown(), PATIENCE_MS, "the end of the server"));
  const proxy = stack.use(await Proxy.open(server.addr.port, how));
  const clients = stack.use(new AsyncDisposableStack());
  const open = stack.move();
  return {
    root,
    folder,
    server,
    log,
    proxy,
    async connect(options = {}) {
      const client = await connectTo(proxy.port, { ...both, ...options });
      clients.defer(() => within(client.close(), PATIENCE_MS, "close()"));
      return client;
    },
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** Opens a session with a port of this machine, in the tandem exchange unless told otherwise. */
export function connectTo(port: number, options: ConnectOptions = {}): Promise<Client> {
  return connect({ port, mode: "tandem", ...options });
}

/** Writes a file of bytes that no other one has. */
export function writeRandom(path: string, sizeBytes: number): void {
  using file = Deno.openSync(path, { write: true, create: true, truncate: true });
  const piece = new Uint8Array(65_536);
  for (let left = sizeBytes; left > 0; left -= piece.length) {
    crypto.getRandomValues(piece);
    file.writeSync(piece.subarray(0, left));
  }
}

/** The SHA-256 of a file, or undefined if there is none. */
export function sha256Of(path: string): string | undefined {
  const hash = createHash("sha256");
  try {
    using file = Deno.openSync(path);
    const piece = new Uint8Array(1 << 20);
    for (;;) {
      const count = file.readSync(piece);
      if (count === null) return hash.digest("hex");
      hash.update(piece.subarray(0, count));
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Says a figure that was measured, for whoever reads along. */
export function tell(what: string): void {
  if (Deno.env.get("FIGURES") === "1") console.error(`  ${what}`);
}
