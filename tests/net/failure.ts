/**
 * How an operation failed, so that a test can ask for the code and not only
 * for the text.
 *
 * @module
 */

import { type ErrorCode, TandemError } from "../../src/errors.ts";
import { assertEquals, AssertionError } from "../deps.ts";
import { PATIENCE_MS, within } from "./deadline.ts";

/** The {@linkcode TandemError} that `promise` rejects with, soon. */
export async function failureOf(
  promise: Promise<unknown>,
): Promise<TandemError> {
  try {
    await within(promise, PATIENCE_MS, "a failure");
  } catch (error) {
    if (error instanceof TandemError) return error;
    throw error;
  }
  throw new AssertionError("expected a TandemError, but it succeeded");
}

/**
 * Checks that `promise` rejects with a {@linkcode TandemError} of `code`, and
 * returns that. A test may begin this, do something else, and await it then.
 */
export function assertFails(
  promise: Promise<unknown>,
  code: ErrorCode,
): Promise<TandemError> {
  const checking = failureOf(promise).then((failure) => {
    assertEquals(failure.code, code, `${failure.code}: ${failure.message}`);
    return failure;
  });
  // Until it is awaited, a failed check must not end the other tests.
  checking.catch(() => {});
  return checking;
}
