/**
 * Two folders and what is between them: a server of this process for one, the
 * real `connect` in the other.
 *
 * @module
 */

import type { ServeOptions, TandemServer } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { serveForTest, tempFolder, temporaries } from "../helpers.ts";
import { type Ended, run, Running, type StartOptions, tandem } from "./program.ts";

/** Files by their names; a name that ends with `/` is a folder. */
export type Files = Readonly<Record<string, string | Uint8Array>>;

/** A server and somebody who works with it. Disposing of it ends the server and removes the folders. */
export interface Place extends AsyncDisposable {
  /** The folder that is served. */
  readonly root: string;
  /** The folder that `connect` runs in. */
  readonly here: string;
  /** The server. */
  readonly server: TandemServer;
  /** `HOST:PORT` of the server. */
  readonly address: string;
  /** Runs one `connect` to its end: `args` are what follows the host. */
  connect(args: readonly string[], options?: StartOptions): Promise<Ended>;
  /** Starts one `connect`. */
  start(args: readonly string[], options?: StartOptions): Running;
}

/** Serves a folder with these files, with every right unless told otherwise. */
export function place(files: Files = {}, options: ServeOptions = {}): Place {
  const folder = tempFolder();
  const root = `${folder.path}/shared`;
  const here = `${folder.path}/here`;
  Deno.mkdirSync(root);
  Deno.mkdirSync(here);
  writeFiles(root, files);
  const server = serveForTest(root, options);
  const address = `127.0.0.1:${server.addr.port}`;
  const words = (args: readonly string[]) => tandem(["connect", address, ...args]);
  return {
    root,
    here,
    server,
    address,
    connect: (args, options) => run(words(args), { cwd: here, ...options }),
    start: (args, options) => new Running(words(args), { cwd: here, ...options }),
    async [Symbol.asyncDispose]() {
      using _folder = folder;
      await server.shutdown();
    },
  };
}

/** Writes files into a folder. */
export function writeFiles(folder: string, files: Files): void {
  for (const [name, content] of Object.entries(files)) {
    const path = `${folder}/${name}`;
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    if (name.endsWith("/")) continue;
    if (typeof content === "string") Deno.writeTextFileSync(path, content);
    else Deno.writeFileSync(path, content);
  }
}

/** The text of every file in a folder and below, by name; an empty folder has a name that ends with `/`. */
export function textFiles(folder: string, prefix = ""): Record<string, string> {
  const found: Record<string, string> = {};
  const entries = [...Deno.readDirSync(folder)].sort((a, b) => a.name < b.name ? -1 : 1);
  if (entries.length === 0 && prefix !== "") found[prefix] = "";
  for (const { name, isDirectory } of entries) {
    const path = `${folder}/${name}`;
    if (isDirectory) Object.assign(found, textFiles(path, `${prefix}${name}/`));
    else found[prefix + name] = Deno.readTextFileSync(path);
  }
  return found;
}

/** Checks that a folder has these files and nothing else, temporary ones included. */
export function assertFiles(folder: string, expected: Readonly<Record<string, string>>): void {
  assertEquals(temporaries(folder), []);
  const sorted = Object.entries(expected).sort(([a], [b]) => a < b ? -1 : 1);
  const found = Object.entries(textFiles(folder)).sort(([a], [b]) => a < b ? -1 : 1);
  assertEquals(found, sorted);
}

/** Bytes that no compression and no coincidence makes equal. */
export function someBytes(count: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(count);
  let state = 0x9e3779b9;
  for (let i = 0; i < count; i++) {
    state = Math.imul(state ^ (state >>> 15), 0x2c1b3c6d) + 1 | 0;
    bytes[i] = state >>> 24;
  }
  return bytes;
}
