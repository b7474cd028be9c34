/**
 * What a client tells about itself while it works, and what it returns.
 *
 * @module
 */

/** Which exchange a session speaks. */
export type Mode = "plain" | "tandem";

/** Something that happened in a client. */
export type ClientEvent = HelloEvent | ProgressEvent | FileEvent;

/** The server has answered for the first time, so that it is known what it speaks. */
export interface HelloEvent {
  /** What happened. */
  readonly event: "hello";
  /** Which exchange is spoken. */
  readonly mode: Mode;
  /** The server's address. */
  readonly hostname: string;
  /** The server's control port. */
  readonly port: number;
  /** Whether everything is encrypted, and the server the right one. */
  readonly encrypted: boolean;
}

/** A transfer moved on: sent after each write to or read from the network, so as often as thousands of times a second. */
export interface ProgressEvent {
  /** What happened. */
  readonly event: "progress";
  /** The file's name at the server. */
  readonly path: string;
  /** The bytes that were moved so far. */
  readonly bytes: number;
  /** The bytes that will be moved in all; undefined where that is not known (a stream). */
  readonly totalBytes: number | undefined;
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
   * `fetched`: it is here, whole. `stored`: the server has it, durably. `sent`:
   * every byte was sent and the server closed in order; the plain exchange has no
   * acknowledgement.
   */
  readonly outcome: "fetched" | "sent" | "stored";
  /** How many of its bytes were on the other side already, from a transfer that was cut off. */
  readonly resumedBytes: number;
  /** Whether there was a part to continue, which turned out not to be the file's beginning: then all of it was moved. */
  readonly startedOver: boolean;
  /** How long the transfer took, in milliseconds. */
  readonly durationMs: number;
}
