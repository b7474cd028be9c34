/**
 * What a client needs of an exchange: the one table entry that is chosen when a
 * session opens, so that nothing above it asks which exchange is spoken.
 *
 * @module
 */

import type { ByteSink, ByteSource } from "../net/bulk.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { ListedName } from "../protocol/listing.ts";
import type { Mode } from "./events.ts";

/** What every operation of an exchange takes. */
export interface OperationOptions {
  /** Ends the operation when it is aborted; the session can be used further. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes moved so far. */
  readonly onProgress?: ((movedBytes: number) => void) | undefined;
}

/** A file that is arriving. Disposing of it before its end gives it up. */
export interface IncomingFile extends AsyncDisposable {
  /** Its size in bytes. */
  readonly sizeBytes: number;
  /** Moves all of it into `sink`, as fast as it can. */
  receive(sink: ByteSink): Promise<void>;
  /** The next bytes of it, or `null` at its end. */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** The operations of one session, one at a time. */
export interface Exchange {
  /** Which exchange this is. */
  readonly mode: Mode;
  /** The names in a folder. */
  list(path: RemotePath, options: OperationOptions): Promise<ListedName[]>;
  /** Asks for a file. */
  get(path: RemotePath, options: OperationOptions): Promise<IncomingFile>;
  /** Sends a file of exactly `sizeBytes`. */
  put(
    path: RemotePath,
    source: ByteSource,
    sizeBytes: number,
    options: OperationOptions,
  ): Promise<void>;
  /** Ends the session in order, within a short time. Never rejects. */
  quit(): Promise<void>;
  /** Ends the session now. */
  close(): void;
}
