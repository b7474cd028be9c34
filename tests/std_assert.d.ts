/**
 * Types of the functions of `@std/assert` that the tests use: the npm build has
 * none. After https://jsr.io/@std/assert.
 */

/** What was asserted did not hold. */
export class AssertionError extends Error {}

/** Throws unless `actual` is truthy. */
export function assert(actual: unknown, message?: string): asserts actual;

/** Throws unless both are equal, all the way down. */
export function assertEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;

/** Throws if both are equal, all the way down. */
export function assertNotEquals<T>(
  actual: T,
  expected: T,
  message?: string,
): void;

/** Throws unless both are the same value, as `Object.is` sees it. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  message?: string,
): asserts actual is T;

/** Throws if `actual` is null or undefined. */
export function assertExists<T>(
  actual: T,
  message?: string,
): asserts actual is NonNullable<T>;

/** Throws unless `actual` is an instance of `expected`. */
export function assertInstanceOf<T>(
  actual: unknown,
  expected: abstract new (...args: never[]) => T,
  message?: string,
): asserts actual is T;

/** Throws unless `actual` is more than `expected`. */
export function assertGreater<T>(
  actual: T,
  expected: T,
  message?: string,
): void;

/** Throws unless `actual` is `expected` or more. */
export function assertGreaterOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
): void;

/** Throws unless `actual` is less than `expected`. */
export function assertLess<T>(actual: T, expected: T, message?: string): void;

/** Throws unless `actual` is `expected` or less. */
export function assertLessOrEqual<T>(
  actual: T,
  expected: T,
  message?: string,
): void;

/** Throws unless `actual` matches `expected`. */
export function assertMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void;

/** Throws if `actual` matches `expected`. */
export function assertNotMatch(
  actual: string,
  expected: RegExp,
  message?: string,
): void;

/** Throws unless `actual` has `expected` in it. */
export function assertStringIncludes(
  actual: string,
  expected: string,
  message?: string,
): void;

/** Throws unless everything in `expected` is in `actual` too. */
export function assertObjectMatch(
  actual: object,
  expected: Record<PropertyKey, unknown>,
  message?: string,
): void;

/** Throws unless `run` throws an `errorClass` with `includes` in its message; returns that error. */
export function assertThrows<E extends Error = Error>(
  run: () => unknown,
  errorClass: abstract new (...args: never[]) => E,
  includes?: string,
  message?: string,
): E;

/** Throws unless `run` rejects with an `errorClass` with `includes` in its message; resolves to that error. */
export function assertRejects<E extends Error = Error>(
  run: () => PromiseLike<unknown>,
  errorClass: abstract new (...args: never[]) => E,
  includes?: string,
  message?: string,
): Promise<E>;

/** Throws, with `message`. */
export function fail(message?: string): never;
