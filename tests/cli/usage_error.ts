/**
 * The one way in which a command line is refused, as tests see it.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { assertEquals, assertStringIncludes, assertThrows } from "../deps.ts";

/** Checks that `run` is refused as a wrong command line, with all of these texts in the message; returns its hint. */
export function assertUsage(run: () => unknown, ...texts: readonly string[]): string {
  const error = assertThrows(run, TandemError);
  assertEquals(error.code, "usage", error.message);
  for (const text of texts) assertStringIncludes(error.message, text);
  assertEquals(typeof error.hint, "string", `"${error.message}" has no hint`);
  return error.hint ?? "";
}
