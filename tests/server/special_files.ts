/**
 * What is in a folder besides files: FIFOs, sockets, devices.
 *
 * @module
 */

import * as fs from "node:fs";
import { assert } from "../deps.ts";
import { LINUX } from "./test_bed.ts";

/** Whether this user may make a device. */
export const CAN_MAKE_DEVICES = LINUX && Deno.uid() === 0;

/** A FIFO. Disposing of it frees whoever hangs in opening it, so that a failed test ends at all. */
export async function makeFifo(path: string): Promise<Disposable> {
  await run("mkfifo", path);
  return {
    [Symbol.dispose]() {
      const { O_RDWR, O_NONBLOCK } = fs.constants;
      fs.closeSync(fs.openSync(path, O_RDWR | O_NONBLOCK));
    },
  };
}

/** A device that swallows what is written to it and reads as an endless file of zeros. */
export async function makeDevice(path: string): Promise<void> {
  await run("mknod", path, "c", "1", "5");
}

/** A socket in the file system. */
export function makeSocket(path: string): Disposable {
  return Deno.listen({ transport: "unix", path });
}

async function run(command: string, ...args: string[]): Promise<void> {
  const { success } = await new Deno.Command(command, { args }).output();
  assert(success, `${command} ${args.join(" ")}`);
}
