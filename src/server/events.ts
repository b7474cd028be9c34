/**
 * What a server tells about itself while it runs: one event for each session
 * that begins or ends and for each command, always with its outcome.
 *
 * @module
 */

import type { ErrorCode } from "../errors.ts";

/** Something that happened in a server. Text that came from a peer is as it came: escape it before a terminal sees it. */
export type ServerEvent =
  | SessionOpenedEvent
  | SessionClosedEvent
  | CommandEvent
  | WarningEvent;

/** A session began. */
export interface SessionOpenedEvent {
  /** What happened. */
  readonly event: "session-opened";
  /** The session's number, counted from 1. */
  readonly session: number;
  /** The client's address and port. */
  readonly peer: string;
  /** Always `ok`: one that is not let in is a warning. */
  readonly outcome: "ok";
}

/** A session ended. */
export interface SessionClosedEvent {
  /** What happened. */
  readonly event: "session-closed";
  /** The session's number. */
  readonly session: number;
  /** The client's address and port. */
  readonly peer: string;
  /** `ok` after `quit` or a clean end, else why it was ended. */
  readonly outcome: "ok" | ErrorCode;
  /** The error's text, where there was one. */
  readonly message?: string;
}

/** A command was answered or refused. */
export interface CommandEvent {
  /** What happened. */
  readonly event: "command";
  /** The session's number. */
  readonly session: number;
  /** The client's address and port. */
  readonly peer: string;
  /** The command as the client sent it. */
  readonly command: string;
  /** Its parameters in the tandem exchange, where it had any. */
  readonly parameters?: { readonly [name: string]: unknown };
  /** The bytes of the body that were moved. */
  readonly bytes: number;
  /** From the command to the end of its answer, in milliseconds. */
  readonly durationMs: number;
  /** `ok`, or why it failed. */
  readonly outcome: "ok" | ErrorCode;
  /** The error's text, where there was one. */
  readonly message?: string;
}

/** Something that whoever runs the server should know. */
export interface WarningEvent {
  /** What happened. */
  readonly event: "warning";
  /** What it is about. */
  readonly outcome:
    | "session-refused"
    | "stranger-on-data-port"
    | "ticket-refused"
    | "handshake-failed"
    | "accept-failed"
    | "sweep-failed"
    | "internal";
  /** The session's number, where it belongs to one. */
  readonly session?: number;
  /** The address it came from, where there is one. */
  readonly peer?: string;
  /** What happened, for people. */
  readonly message: string;
}
