/**
 * What running something came to, as a value that tests and fuzz targets can
 * compare: what it returned, or the code of the error that it is allowed to
 * throw. Every other error is a bug and is thrown on.
 *
 * @module
 */

import { type ErrorCode, ProtocolError, TandemError } from "../../src/errors.ts";

/** A value, or the code of a {@linkcode TandemError}. */
export type Outcome<T> =
  | { readonly value: T }
  | { readonly error: ErrorCode };

/** Runs `run`; what it throws besides a {@linkcode TandemError} goes on. */
export function outcomeOf<T>(run: () => T): Outcome<T> {
  try {
    return { value: run() };
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    if ((error.code === "protocol") !== (error instanceof ProtocolError)) {
      throw new TypeError("only a ProtocolError has the code protocol");
    }
    return { error: error.code };
  }
}
