/**
 * Every outside module that the tests use, in one place. The npm build of the
 * Deno standard library has no types, so the stubs beside this file give the
 * few functions here theirs.
 *
 * @module
 */

// @ts-types="./std_assert.d.ts"
export {
  assert,
  assertEquals,
  assertExists,
  assertGreater,
  assertGreaterOrEqual,
  assertInstanceOf,
  AssertionError,
  assertLess,
  assertLessOrEqual,
  assertMatch,
  assertNotEquals,
  assertNotMatch,
  assertObjectMatch,
  assertRejects,
  assertStrictEquals,
  assertStringIncludes,
  assertThrows,
  fail,
} from "@std/assert";
// @ts-types="./std_streams.d.ts"
export { toBytes } from "@std/streams/to-bytes";
// @ts-types="./std_streams.d.ts"
export { toText } from "@std/streams/to-text";
export { default as fc } from "fast-check";
