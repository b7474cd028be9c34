/**
 * What the operating system says about a connection, in this project's words.
 *
 * @module
 */

import { TandemError } from "../errors.ts";

/** Returns what broke an open connection as a {@linkcode TandemError}. */
export function brokenConnection(error: unknown, peer: string): TandemError {
  if (error instanceof TandemError) return error;
  const text = error instanceof Error ? error.message : String(error);
  return new TandemError(
    "disconnected",
    `the connection to ${peer} broke: ${text}`,
    { cause: error },
  );
}

/** Whether nobody listened, or the peer reset the connection: what a server does with what it refuses. */
export function isRefusal(error: unknown): boolean {
  const cause = error instanceof TandemError ? error.cause : error;
  const { ConnectionRefused, ConnectionReset, BrokenPipe, NotConnected } = Deno.errors;
  // The last is what closing one half says of a connection that was reset before.
  return [ConnectionRefused, ConnectionReset, BrokenPipe, NotConnected].some((kind) => cause instanceof kind);
}
