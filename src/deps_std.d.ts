// The parts of the standard library that `deps.ts` takes, as they are used here.

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

/** A pattern with `*`, `?` and `[…]` as a regular expression for a whole path. */
export function globToRegExp(
  glob: string,
  options?: { readonly extended?: boolean; readonly globstar?: boolean; readonly os?: "linux" | "windows" | "darwin" },
): RegExp;
