/**
 * What a client tells about itself while it works, and what it returns.
 *
 * @module
 */

/** Which exchange a session speaks. */
export type Mode = "plain";

/** Something that happened in a client. */
export type ClientEvent = HelloEvent | ProgressEvent | FileEvent;

/** The session is open. */
export interface HelloEvent {
  /** What happened. */
  readonly event: "hello";
  /** Which exchange is spoken. */
  readonly mode: Mode;
  /** The server's address. */
  readonly hostname: string;
  /** The server's control port. */
  readonly port: number;
}

/** A transfer moved on: sent after each write to or read from the network, so as often as thousands of times a second. */
export interface ProgressEvent {
  /** What happened. */
  readonly event: "progress";
  /** The file's name at the server. */
  readonly path: string;
  /** The bytes that were moved so far. */
  readonly bytes: number;
  /** The bytes that will be moved in all. */
  readonly totalBytes: number;
}

/** A file was transferred. */
export interface FileEvent {
  /** What happened. */
  readonly event: "file";
  /** The file's name at the server. */
  readonly path: string;
  /** Its size in bytes. */
  readonly bytes: number;
  /**
   * `fetched`: it is here, whole. `sent`: every byte was sent and the server
   * closed in order; the plain exchange has no acknowledgement.
   */
  readonly outcome: "fetched" | "sent";
  /** How long the transfer took, in milliseconds. */
  readonly durationMs: number;
}
