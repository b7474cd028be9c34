/**
 * The SHA-256 of a local file.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { localError } from "./local.ts";

/** Hashes a local file, as hexadecimal digits. */
export async function hashLocal(path: string): Promise<string> {
  try {
    using file = await Deno.open(path);
    const hash = createHash("sha256");
    const buffer = new Uint8Array(256 * 1024);
    for (;;) {
      const count = await file.read(buffer);
      if (count === null) return hash.digest("hex");
      hash.update(buffer.subarray(0, count));
    }
  } catch (error) {
    throw localError(error, path);
  }
}
