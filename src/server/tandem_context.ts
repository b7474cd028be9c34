/**
 * What the handlers of the tandem exchange work with.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import type { ServerLimits } from "../limits.ts";
import type { TandemLink } from "../net/tandem_link.ts";
import type { FileStore } from "../store/file_store.ts";
import type { Rights } from "./rights.ts";

/** What a handler works with: one command of one session. */
export interface TandemContext {
  /** Where the files are. */
  readonly store: FileStore;
  /** What the client may do. */
  readonly rights: Rights;
  /** What is allowed to take how long, and to be how large. */
  readonly limits: ServerLimits;
  /** The session's data connection. */
  readonly link: TandemLink;
  /** Aborted when the client has given the command up. */
  readonly signal: AbortSignal;
  /** Counts the bytes of the body, for the log. */
  onProgress(movedBytes: number): void;
  /** Sends an error as the result, before the command is over; only the first one is sent. */
  refuse(error: TandemError): Promise<void>;
}

/**
 * Makes sure that the client has a right.
 *
 * @throws {TandemError} `denied`.
 */
export function assertMay(may: boolean, rights?: Rights): void {
  if (may) return;
  throw rights?.write
    ? new TandemError("denied", "this server lets clients add, but not change what is there")
    : new TandemError("denied", "this server is read-only");
}
