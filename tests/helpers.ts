/**
 * What many tests use: folders that go away by themselves, and the check that a
 * server has survived what was done to it.
 *
 * @module
 */

import { connect, type ConnectOptions, serve, type ServeOptions, type TandemServer } from "../mod.ts";
import { assertEquals } from "./deps.ts";

/** A folder that is removed with everything in it. */
export interface TempFolder extends Disposable {
  /** Its canonical path. */
  readonly path: string;
}

/** Makes an empty folder, removed when it is disposed of. */
export function tempFolder(): TempFolder {
  const path = Deno.realPathSync(
    Deno.makeTempDirSync({ prefix: "tandem-test-" }),
  );
  return {
    path,
    [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
  };
}

/** Serves `root` on a free port, with every right unless told otherwise. */
export function serveForTest(
  root: string,
  options: ServeOptions = {},
): TandemServer {
  return serve({ root, port: 0, overwrite: true, ...options });
}

/** How many files and sockets this process has open; Linux only, elsewhere always 0. */
export function openDescriptors(): number {
  if (Deno.build.os !== "linux") return 0;
  return [...Deno.readDirSync("/proc/self/fd")].length;
}

/**
 * Runs `attack` and then checks that the server is as it was before: another
 * session lists within a second, no descriptor is left open (which includes data
 * ports), and no temporary file is left in `root`. `options` are those with which
 * that session gets in.
 */
export async function survives(
  server: TandemServer,
  root: string,
  attack: () => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  await listOnce(server, options);
  const before = await settledDescriptors();
  await attack();
  await listOnce(server, options);
  const after = await settledDescriptors(before);
  assertEquals(after <= before, true, `${after} descriptors, ${before} before`);
  assertEquals(temporaries(root), []);
}

async function listOnce(server: TandemServer, options: ConnectOptions): Promise<void> {
  await using client = await connect({
    hostname: server.addr.hostname,
    port: server.addr.port,
    limits: { timeoutMs: 1_000 },
    ...options,
  });
  for await (
    const _ of client.list("/", { signal: AbortSignal.timeout(1_000) })
  );
}

/** Sockets take a moment to close: the number once it has stood still, or is down to `goal`, or two seconds are over. */
async function settledDescriptors(goal = -1): Promise<number> {
  let same = 0;
  let last = openDescriptors();
  for (let tries = 0; tries < 100 && same < 10 && last > goal; tries++) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = openDescriptors();
    same = goal < 0 && now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}

/** The names of temporary files in a folder and below. */
export function temporaries(folder: string): string[] {
  const found: string[] = [];
  for (const { name, isDirectory } of Deno.readDirSync(folder)) {
    if (name.startsWith(".tandem-")) found.push(name);
    if (isDirectory) found.push(...temporaries(`${folder}/${name}`));
  }
  return found;
}
