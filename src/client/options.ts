/**
 * What the operations of a {@linkcode Client} are told, and what they return.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";
import type { OnExistWord } from "../protocol/tandem_command.ts";

/** A file or folder at the server. */
export interface RemoteEntry {
  /**
   * The name, as the server sent it: escape it before a terminal sees it. In a
   * recursive listing the path from the folder that was listed.
   */
  readonly name: string;
  /** What it names. */
  readonly kind: "file" | "directory";
  /** Its size in bytes; undefined where the exchange does not tell, and for folders. */
  readonly size: number | undefined;
  /** When it was changed last; undefined where the exchange does not tell. */
  readonly mtime: Date | undefined;
  /** Its permission bits; undefined where the exchange does not tell, or the server's system has none. */
  readonly mode: number | undefined;
  /** In a recursive listing: why what is in this folder is missing from it. */
  readonly error: ErrorCode | undefined;
}

/** What every operation can be told. */
export interface CallOptions {
  /** Ends the operation when it is aborted. The session can be used further. */
  readonly signal?: AbortSignal;
}

/** How a folder is listed or made, or something is removed. */
export interface RecursiveOptions extends CallOptions {
  /** Whether the folders below (to make one: above) are meant as well. Needs a tandem peer. Default: no. */
  readonly recursive?: boolean;
}

/** How a transfer is checked. */
export interface VerifyOptions extends CallOptions {
  /** Whether SHA-256 is compared besides CRC-32, at half the speed. Needs a tandem peer. Default: no. */
  readonly verify?: boolean;
}

/** Which part of a file is fetched. Needs a tandem peer. */
export interface GetOptions extends VerifyOptions {
  /** Where to begin, in bytes. Default: at the first byte. */
  readonly offset?: number;
  /** How many bytes at the most. Default: up to the end. */
  readonly length?: number;
  /** The `version` of a {@linkcode Download} that the file must still have; else it is `changed`. */
  readonly ifUnchanged?: string;
}

/** How a file is moved into a sink. */
export interface GetIntoOptions extends GetOptions {
  /** Called with the bytes moved so far. */
  readonly onProgress?: (movedBytes: number) => void;
}

/** What a file gets and replaces at the server. */
export interface StoreOptions extends VerifyOptions {
  /**
   * What happens to a file of that name: `error` keeps it, `overwrite` replaces
   * it, `newer` replaces it if it is older. Default: what the server's rights
   * allow. The plain exchange has no word for it; only `newer` is refused there.
   */
  readonly onExist?: OnExistWord;
}

/** How a body is sent. */
export interface PutOptions extends StoreOptions {
  /** The size of a stream in bytes. Without it, in the plain exchange a stream is held in memory until its end, up to 16 MiB. */
  readonly size?: number;
  /** When the file was changed last. Default: now. */
  readonly mtime?: Date;
  /** The file's permission bits. Default: the usual ones of the server. */
  readonly mode?: number;
}

/** How a file is sent from disk. */
export interface UploadOptions extends StoreOptions {
  /** Whether what the server has of it is continued, once it is sure that it is the file's beginning. Needs a tandem peer. Default: no. */
  readonly resume?: boolean;
}

/** How a file is fetched to disk. */
export interface DownloadOptions extends VerifyOptions {
  /** Whether a file of that name is replaced. Default: no. */
  readonly overwrite?: boolean;
  /**
   * Whether what is here of it is continued, once it is sure that it is the
   * file's beginning: a part of a transfer that was cut off, or else the file of
   * that name. Needs a tandem peer. Default: no.
   */
  readonly resume?: boolean;
}

/** Which part of a file is hashed. */
export interface HashOptions extends CallOptions {
  /** Where to begin, in bytes. Default: at the first byte. */
  readonly offset?: number;
  /** How many bytes at the most. Default: up to the end. */
  readonly length?: number;
}

/** How a file or folder is renamed. */
export interface RenameOptions extends CallOptions {
  /** Whether a file of the new name is replaced. Default: no. */
  readonly overwrite?: boolean;
}

/** What became of a file. */
export interface TransferResult {
  /**
   * `fetched`: here, whole; `stored`: at the server, whole and durably; `sent`:
   * every byte was sent and the server closed in order, which is all that the
   * plain exchange can tell.
   */
  readonly outcome: "fetched" | "stored" | "sent";
  /** The file's size in bytes. */
  readonly bytes: number;
  /** How many of those were there already. */
  readonly resumedBytes: number;
  /** Whether there was a part to continue, which turned out not to be the file's beginning. */
  readonly startedOver: boolean;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}
