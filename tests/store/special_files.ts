/**
 * What a folder may hold besides files and folders.
 *
 * @module
 */

import * as fs from "node:fs";
import { assert } from "../deps.ts";

/** Makes a FIFO at `path`; when it is disposed of, whoever hangs in opening it is let go. */
export function makeFifo(path: string): Disposable {
  const { success } = new Deno.Command("mkfifo", { args: [path] }).outputSync();
  assert(success, `mkfifo ${path} failed`);
  return {
    [Symbol.dispose]() {
      const { O_RDWR, O_NONBLOCK } = fs.constants;
      fs.closeSync(fs.openSync(path, O_RDWR | O_NONBLOCK));
    },
  };
}

/** Makes a socket at `path`, which goes when it is disposed of. */
export function makeSocket(path: string): Disposable {
  const listener = Deno.listen({ transport: "unix", path });
  return { [Symbol.dispose]: () => listener.close() };
}

/** Makes a device at `path`, of the kind that swallows everything; false where that is not permitted. */
export function makeDevice(path: string): boolean {
  const args = [path, "c", "1", "3"];
  return new Deno.Command("mknod", { args }).outputSync().success;
}

/** Registers a test of what Windows does not have. */
export function unixTest(name: string, run: () => Promise<void>): void {
  Deno.test({ name, ignore: Deno.build.os === "windows", fn: run });
}
