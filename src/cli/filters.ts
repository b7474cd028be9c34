/**
 * `--include` and `--exclude`: which files of a folder are meant.
 *
 * @module
 */

import type { Flag, ParsedArgs } from "./flags.ts";
import { patternRegExp } from "./globs.ts";

/** The flags. */
export const FILTER_FLAGS: readonly Flag[] = [
  {
    name: "include",
    value: "PATTERN",
    repeats: true,
    about: "of folders, only files that match (more than one may be given)",
  },
  { name: "exclude", value: "PATTERN", repeats: true, about: "leave out files and folders that match" },
];

/**
 * Which paths of a folder are meant: files that match one of `include`, where
 * there are any, and nothing that matches one of `exclude`, or is in a folder
 * that does. A pattern with a `/` is matched with the path from the folder that
 * is moved, another one with the name.
 */
export class Filter {
  readonly #include: readonly Matcher[];
  readonly #exclude: readonly Matcher[];

  /** Takes both lists of patterns. */
  constructor(include: readonly string[], exclude: readonly string[]) {
    this.#include = include.map(matcher);
    this.#exclude = exclude.map(matcher);
  }

  /** The filter that flags ask for. */
  static of(args: ParsedArgs): Filter {
    return new Filter(args.texts("include"), args.texts("exclude"));
  }

  /** Whether a file or folder is meant, by its path from the folder that is moved. */
  takes(path: string, kind: "file" | "directory"): boolean {
    const parts = path.split("/");
    const isExcluded = parts.some((_, i) => {
      const upTo = parts.slice(0, i + 1).join("/");
      return this.#exclude.some((matches) => matches(upTo));
    });
    if (isExcluded) return false;
    return kind === "directory" || this.#include.length === 0 || this.#include.some((matches) => matches(path));
  }
}

type Matcher = (path: string) => boolean;

function matcher(pattern: string): Matcher {
  const trimmed = pattern.replace(/\/+$/, "");
  const isPath = trimmed.includes("/");
  const regExp = patternRegExp(trimmed.replace(/^\//, ""), true);
  return (path) => regExp.test(isPath ? path : path.slice(path.lastIndexOf("/") + 1));
}
