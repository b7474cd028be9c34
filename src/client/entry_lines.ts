/**
 * The body of a listing in the tandem exchange: entries, one a line.
 *
 * @module
 */

import { ProtocolError } from "../errors.ts";
import { MAX_TREE_BYTES } from "../limits.ts";
import { parseObject } from "../protocol/sealed.ts";
import { type Entry, parseEntry } from "../protocol/tandem_result.ts";

/** Lines of JSON, each an entry of a listing, as they come. */
export class EntryLines {
  readonly #entries: Entry[] = [];
  readonly #decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  #rest = "";
  #bytes = 0;
  #fault: unknown;

  /** Takes the next bytes. What is wrong with them is only told at the end, when it is sure that they are what was sent. */
  write(bytes: Uint8Array): void {
    this.#bytes += bytes.length;
    if (this.#bytes > MAX_TREE_BYTES) {
      throw new ProtocolError(`a listing of over ${MAX_TREE_BYTES} bytes came`);
    }
    if (this.#fault !== undefined) return;
    try {
      const lines = (this.#rest + this.#decoder.decode(bytes, { stream: true })).split("\n");
      this.#rest = lines.pop() ?? "";
      for (const line of lines) this.#entries.push(entryOf(line));
    } catch (error) {
      this.#fault = error;
    }
  }

  /** All entries. */
  entries(): Entry[] {
    if (this.#fault !== undefined) throw new ProtocolError("a listing is none", { cause: this.#fault });
    if (this.#rest !== "") throw new ProtocolError("a listing ends inside a line");
    return this.#entries;
  }
}

function entryOf(line: string): Entry {
  const object = parseObject(line);
  if (object === undefined) throw new ProtocolError("a line of a listing is no JSON object");
  return parseEntry(object);
}
