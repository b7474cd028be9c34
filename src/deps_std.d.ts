// The parts of the standard library that `deps.ts` takes, as they are used here.

/** How `parseArgs` reads its arguments. */
export interface ParseOptions {
  /** Flags without a value. */
  readonly boolean?: readonly string[];
  /** Flags with a value, never turned into a number; `_` for the positional arguments. */
  readonly string?: readonly string[];
  /** Flags that are collected into an array each time they are given. */
  readonly collect?: readonly string[];
  /** Other names of flags. */
  readonly alias?: Readonly<Record<string, readonly string[]>>;
  /** Whether the first positional argument ends the flags. */
  readonly stopEarly?: boolean;
  /** Called for what is no known flag. */
  readonly unknown?: (arg: string, key?: string, value?: unknown) => unknown;
}

/** Parses command line arguments: https://jsr.io/@std/cli/doc/parse-args. */
export declare function parseArgs(
  args: readonly string[],
  options: ParseOptions,
): { readonly _: readonly string[] } & Readonly<Record<string, unknown>>;

/** Formats a number of bytes: https://jsr.io/@std/fmt/doc/bytes. */
export declare function format(
  num: number,
  options?: {
    readonly binary?: boolean;
    readonly maximumFractionDigits?: number;
  },
): string;

/** The nearest of some words: https://jsr.io/@std/text/doc/closest-string. */
export declare function closestString(
  givenWord: string,
  possibleWords: readonly string[],
): string;

/** How many letters two words differ in: https://jsr.io/@std/text/doc/levenshtein-distance. */
export declare function levenshteinDistance(str1: string, str2: string): number;
