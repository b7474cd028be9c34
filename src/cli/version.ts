/**
 * The version, which `deno.json` has as well (a test keeps them equal): a
 * program that runs from a URL has no `deno.json` beside it.
 *
 * @module
 */

/** The version of this program. */
export const VERSION = "0.1.0";
