/**
 * A real server in this process, with a folder of its own to serve, something
 * outside of that folder to steal, and a log of what the server says.
 *
 * @module
 */

import type { ServeOptions, TandemServer } from "../../mod.ts";
import { serveForTest, survives, tempFolder } from "../helpers.ts";
import { assertEquals } from "../deps.ts";
import { within } from "./deadline.ts";
import { EventLog } from "./event_log.ts";
import { RawClient } from "./raw_client.ts";

/** What stands in every file outside of the served folder: no answer may ever have it. */
export const SECRET = "a secret that is not served";

/** A server under test. Disposing of it ends it and removes its folders. */
export interface TestBed extends AsyncDisposable {
  /** The folder that is served. */
  readonly root: string;
  /** A folder beside it, with `secret.txt` in it. */
  readonly outside: string;
  /** The server. */
  readonly server: TandemServer;
  /** What the server has said. */
  readonly log: EventLog;
  /** Opens a control connection. */
  connect(): Promise<RawClient>;
  /** Writes a file into the served folder, with the folders that it is in. */
  write(name: string, content: string | Uint8Array): void;
  /** Reads a file of the served folder, or undefined where there is none. */
  read(name: string): string | undefined;
  /** Runs `attack` and the survival check after it, and says that nothing was a bug of the server's own. */
  survives(attack: () => Promise<void>): Promise<void>;
}

/** Serves a fresh folder. */
export function testBed(options: ServeOptions = {}): TestBed {
  const folder = tempFolder();
  const root = `${folder.path}/pub`;
  const outside = `${folder.path}/outside`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(outside);
  Deno.writeTextFileSync(`${outside}/secret.txt`, SECRET);
  const log = new EventLog();
  const server = serveForTest(root, {
    onEvent: log.record,
    ...options,
    // Shorter than any test waits: what hangs ends by itself.
    limits: { shutdownGraceMs: 1_000, stallTimeoutMs: 4_000, ...options.limits },
  });
  return {
    root,
    outside,
    server,
    log,
    connect: () => RawClient.connect(server),
    write(name, content) {
      const path = `${root}/${name}`;
      Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
      if (typeof content === "string") Deno.writeTextFileSync(path, content);
      else Deno.writeFileSync(path, content);
    },
    read(name) {
      try {
        return Deno.readTextFileSync(`${root}/${name}`);
      } catch (error) {
        if (error instanceof Deno.errors.NotFound) return undefined;
        throw error;
      }
    },
    async survives(attack) {
      await survives(server, root, attack, options.secret === undefined ? {} : { secret: options.secret });
      assertEquals(log.internalErrors(), []);
    },
    async [Symbol.asyncDispose]() {
      using _folder = folder;
      await within("the end of the server", server.shutdown());
    },
  };
}

/** Bytes that are different everywhere, so that none can be lost, doubled or moved unseen. */
export function pattern(length: number, seed = 1): Uint8Array {
  const bytes = new Uint8Array(length);
  let state = seed | 1;
  for (let i = 0; i < length; i++) {
    state = Math.imul(state, 1_664_525) + 1_013_904_223 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}

/** Whether the long versions of the tests are wanted. */
export const SOAK = Deno.env.get("SOAK") === "1";

/** Whether this system holds fewer names than others, and no file that is open is replaced or removed. */
export const WINDOWS = Deno.build.os === "windows";

/** Whether this system has FIFOs, links and `/proc`, as Linux does. */
export const LINUX = Deno.build.os === "linux";
