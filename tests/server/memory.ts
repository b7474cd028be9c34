/**
 * What this process really holds, without what is only waiting to be collected.
 *
 * @module
 */

import v8 from "node:v8";
import vm from "node:vm";

let collect: (() => void) | undefined;

/** The bytes that are in use after a garbage collection, in buffers and in objects. */
export function heldBytes(): number {
  if (collect === undefined) {
    v8.setFlagsFromString("--expose-gc");
    collect = vm.runInNewContext("gc");
  }
  collect?.();
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}
