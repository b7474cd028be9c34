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

/**
 * Makes a FIFO in `folder`. Disposing of it removes it, whatever name it has by
 * then, and frees whoever hangs in opening it, so that a failed test ends at all.
 */
export async function makeFifo(folder: string, name: string): Promise<Disposable> {
  await run("mkfifo", `${folder}/${name}`);
  return {
    [Symbol.dispose]() {
      for (const entry of Deno.readDirSync(folder)) {
        const path = `${folder}/${entry.name}`;
        if (Deno.lstatSync(path).isFifo) removeFifo(path);
      }
    },
  };
}

function removeFifo(path: string): void {
  const { O_RDWR, O_NONBLOCK } = fs.constants;
  const fd = fs.openSync(path, O_RDWR | O_NONBLOCK);
  Deno.removeSync(path);
  fs.closeSync(fd);
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
