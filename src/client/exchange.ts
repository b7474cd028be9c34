/**
 * What a client needs of an exchange: the one table entry that is chosen when a
 * session opens, so that nothing above it asks which exchange is spoken.
 *
 * @module
 */

import type { Hash } from "node:crypto";
import { TandemError } from "../errors.ts";
import type { ByteSink, ByteSource } from "../net/bulk.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { OnExistWord } from "../protocol/tandem_command.ts";
import type { Entry } from "../protocol/tandem_result.ts";
import type { Mode } from "./events.ts";

/** What every operation of an exchange takes. */
export interface OperationOptions {
  /** Ends the operation when it is aborted; the session can be used further. */
  readonly signal?: AbortSignal | undefined;
  /** Called with the bytes moved so far. */
  readonly onProgress?: ((movedBytes: number) => void) | undefined;
}

/** Which part of a file is asked for, and on what terms. */
export interface GetRequest {
  /** Where to begin, in bytes. */
  readonly offset?: number | undefined;
  /** How many bytes at the most. */
  readonly length?: number | undefined;
  /** The SHA-256 of what is here already, `offset` bytes long; may be continued. */
  readonly prefix?: Hash | undefined;
  /** The version that the file must have. */
  readonly ifUnchanged?: string | undefined;
  /** Whether SHA-256 is compared too. */
  readonly digest?: boolean | undefined;
}

/** What is told of a file before its bytes. */
export interface IncomingInfo {
  /** The size of the whole file, in bytes. */
  readonly totalBytes: number;
  /** Where its bytes begin: 0, or the offset that was asked for. */
  readonly offset: number;
  /** When it was changed last, in milliseconds since 1970. */
  readonly mtimeMs: number | undefined;
  /** Its permission bits. */
  readonly mode: number | undefined;
  /** Its version, for `ifUnchanged`. */
  readonly version: string | undefined;
}

/** A file that is arriving. Disposing of it before its end gives it up. */
export interface IncomingFile extends AsyncDisposable {
  /** How many bytes are coming. */
  readonly sizeBytes: number;
  /** What is told of the file. */
  readonly info: IncomingInfo;
  /** Moves all of it into `sink`, as fast as it can, and checks it. */
  receive(sink: ByteSink): Promise<void>;
  /** The next bytes of it, or `null` at its end, once it was checked. May use all of `buffer`. */
  read(buffer: Uint8Array): Promise<number | null>;
}

/** What is sent. */
export interface PutSource extends ByteSource {
  /** How many bytes, if that is known. */
  readonly sizeBytes: number | undefined;
  /** Has the next `read` begin at a byte; undefined where that cannot be. */
  seek?(offsetBytes: number): void;
}

/** What a file is to get, and on what terms. */
export interface PutRequest {
  /** When it was changed last, in milliseconds since 1970. */
  readonly mtimeMs?: number | undefined;
  /** Its permission bits. */
  readonly mode?: number | undefined;
  /** What happens to a file of that name; undefined leaves it to the server. */
  readonly onExist?: OnExistWord | undefined;
  /** Whether what the server has of it is continued; needs a source that can seek. */
  readonly resume?: boolean | undefined;
  /** Whether SHA-256 is compared too. */
  readonly digest?: boolean | undefined;
}

/** What became of a file that was sent. */
export interface PutResult {
  /** `stored`: the server has it, durably. `sent`: every byte was sent, and there is no word for more. */
  readonly outcome: "sent" | "stored";
  /** The file's size in bytes. */
  readonly sizeBytes: number;
  /** How many of them the server had already. */
  readonly resumedBytes: number;
  /** Whether it had something that is not how the file begins. */
  readonly startedOver: boolean;
}

/** Which part of a file is hashed. */
export interface HashRequest {
  /** Where to begin, in bytes. */
  readonly offset?: number | undefined;
  /** How many bytes at the most. */
  readonly length?: number | undefined;
}

/** The operations of one session. */
export interface Exchange {
  /** Which exchange this is; undefined as long as the server has not been asked anything. */
  readonly mode: Mode | undefined;
  /** How many operations may be under way at one time. */
  readonly concurrency: number;
  /** What is in a folder. */
  list(path: RemotePath, request: { readonly recursive: boolean }, options: OperationOptions): Promise<Entry[]>;
  /** What a path names. */
  stat(path: RemotePath, options: OperationOptions): Promise<Entry>;
  /** Asks for a file. */
  get(path: RemotePath, request: GetRequest, options: OperationOptions): Promise<IncomingFile>;
  /** Sends a file. */
  put(path: RemotePath, source: PutSource, request: PutRequest, options: OperationOptions): Promise<PutResult>;
  /** Makes a folder. */
  mkdir(path: RemotePath, request: { readonly recursive: boolean }, options: OperationOptions): Promise<void>;
  /** Removes a file or folder. */
  remove(path: RemotePath, request: { readonly recursive: boolean }, options: OperationOptions): Promise<void>;
  /** Gives a file or folder another name. */
  rename(
    path: RemotePath,
    request: { readonly to: RemotePath; readonly onExist?: OnExistWord | undefined },
    options: OperationOptions,
  ): Promise<void>;
  /** The SHA-256 of a file or a part of it, as the server computes it. */
  hash(path: RemotePath, request: HashRequest, options: OperationOptions): Promise<string>;
  /** Asks for nothing but an answer. */
  ping(options: OperationOptions): Promise<void>;
  /** Ends the session in order, within a short time. Never rejects. */
  quit(): Promise<void>;
  /** Ends the session now. */
  close(): void;
}

/** The error of what only the tandem exchange can do. */
export function needsTandem(what: string): TandemError {
  return new TandemError("unsupported", `${what} needs the tandem exchange, and this session speaks the plain one`, {
    hint: "use tandem on both sides",
  });
}
