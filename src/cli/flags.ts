/**
 * Flags, as tables: what is parsed, what `help` prints and what the README lists
 * are the same rows.
 *
 * Strict on purpose: an unknown flag, a missing or doubtful value and a flag
 * given twice each stop with a hint. Nothing is ever turned into a number that
 * was not asked to be one, so a file may be called `007`.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { closestString, levenshteinDistance, parseArgs } from "../deps.ts";

/** One flag of the command line. */
export interface Flag {
  /** Its long name, without the dashes. */
  readonly name: string;
  /** Its short name, without the dash. */
  readonly short?: string;
  /** What its value is called in `help`; without it the flag has none. */
  readonly value?: string;
  /** What it does, as one line of `help`. */
  readonly about: string;
}

/** Arguments, parsed against a table. */
export interface ParsedArgs {
  /** What is no flag, in order. */
  readonly words: readonly string[];
  /** Whether a flag without a value was given. */
  has(name: string): boolean;
  /** The value of a flag, as typed. */
  text(name: string): string | undefined;
}

/** How arguments are parsed. */
export interface ParseRules {
  /** Whether the first word ends the flags; what follows it is then all words. */
  readonly stopAtWord?: boolean;
}

/**
 * Parses `args` against a table of flags.
 *
 * @throws {TandemError} `usage` for whatever is not in the table, and as the text above says.
 */
export function parseFlags(
  args: readonly string[],
  flags: readonly Flag[],
  rules: ParseRules = {},
): ParsedArgs {
  const plain = flags.filter(({ value }) => value === undefined);
  const valued = flags.filter(({ value }) => value !== undefined);
  const names = (some: readonly Flag[]) => some.map(({ name }) => name);
  const parsed = parseArgs(args, {
    boolean: names(plain),
    string: ["_", ...names(valued)],
    collect: names(flags),
    alias: Object.fromEntries(
      flags.map((
        { name, short },
      ) => [name, short === undefined ? [] : [short]]),
    ),
    stopEarly: rules.stopAtWord ?? false,
    unknown: (arg) => {
      if (arg.startsWith("-") && arg !== "-") throw unknownFlag(arg, flags);
    },
  });
  const values = new Map<string, string | true>();
  for (const { name, value } of flags) {
    const given = [parsed[name] ?? []].flat().filter((one) => one !== false);
    if (given.length > 1) throw usage(`--${name} was given twice`);
    const only = given[0];
    if (only === undefined) continue;
    if (value !== undefined && (typeof only !== "string" || only === "")) {
      throw usage(`--${name} needs a value: --${name} ${value}`);
    }
    values.set(name, typeof only === "string" ? only : true);
  }
  assertNoStrayValue(args, plain);
  return {
    words: parsed._,
    has: (name) => values.has(name),
    text(name) {
      const value = values.get(name);
      return typeof value === "string" ? value : undefined;
    },
  };
}

/** `--quiet=no` would count as given: a flag without a value must not have one. */
function assertNoStrayValue(
  args: readonly string[],
  plain: readonly Flag[],
): void {
  for (const arg of args) {
    if (arg === "--") return;
    const flag = plain.find(({ name }) => arg.startsWith(`--${name}=`));
    if (flag !== undefined) throw usage(`--${flag.name} takes no value`);
  }
}

function unknownFlag(arg: string, flags: readonly Flag[]): TandemError {
  const bare = arg.replace(/=.*$/, "");
  const known = flags.flatMap(({ name, short }) =>
    short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]
  );
  return usage(`unknown flag ${bare}`, nearMiss(bare, known));
}

/** A hint with the known word that is nearest to `word`, where one is near. */
export function nearMiss(
  word: string,
  known: readonly string[],
): string | undefined {
  if (known.length === 0) return undefined;
  const nearest = closestString(word, known);
  const near =
    levenshteinDistance(word, nearest) <= Math.max(1, word.length / 3);
  return near ? `did you mean ${nearest}?` : undefined;
}

/** The error of a command line that cannot be understood. */
export function usage(message: string, hint?: string): TandemError {
  return new TandemError("usage", message, {
    hint: hint ?? "`help` shows what there is",
  });
}

/**
 * The value of a flag as a whole number.
 *
 * @throws {TandemError} `usage` if it is none, or not from `min` to `max`.
 */
export function wholeNumber(
  args: ParsedArgs,
  name: string,
  min: number,
  max: number,
): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const value = /^[0-9]{1,15}$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw usage(
    `--${name} ${text}: expected a whole number from ${min} to ${max}`,
  );
}

/**
 * The value of a flag as seconds, in milliseconds.
 *
 * @throws {TandemError} `usage` if it is no positive number.
 */
export function secondsAsMs(
  args: ParsedArgs,
  name: string,
): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const seconds = /^[0-9]{1,7}(\.[0-9]{1,3})?$/.test(text) ? Number(text) : 0;
  if (seconds > 0) return seconds * 1_000;
  throw usage(`--${name} ${text}: expected seconds, as in 30 or 0.5`);
}

const UNITS: Readonly<Record<string, number>> = {
  "": 1,
  "K": 1024,
  "M": 1024 ** 2,
  "G": 1024 ** 3,
  "T": 1024 ** 4,
};

/**
 * The value of a flag as a number of bytes: `4096`, `64K`, `10M`, `2G`, `1T`.
 *
 * @throws {TandemError} `usage` if it is none.
 */
export function byteCount(args: ParsedArgs, name: string): number | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const match = /^([0-9]{1,15})([KMGT]?)$/i.exec(text);
  const unit = UNITS[match?.[2]?.toUpperCase() ?? ""] ?? 1;
  const value = match === null ? NaN : Number(match[1]) * unit;
  if (Number.isSafeInteger(value)) return value;
  throw usage(`--${name} ${text}: expected bytes, as in 4096, 64K, 10M or 2G`);
}

/**
 * The value of a flag as one of some words.
 *
 * @throws {TandemError} `usage` if it is none of them.
 */
export function oneOf<T extends string>(
  args: ParsedArgs,
  name: string,
  words: readonly T[],
): T | undefined {
  const text = args.text(name);
  if (text === undefined) return undefined;
  const found = words.find((word) => word === text);
  if (found !== undefined) return found;
  throw usage(
    `--${name} ${text}: expected one of ${words.join(", ")}`,
    nearMiss(text, words),
  );
}

/** The lines of `help` about some flags. */
export function flagLines(flags: readonly Flag[]): string[] {
  const left = flags.map(({ name, short, value }) => {
    const long = value === undefined ? `--${name}` : `--${name} ${value}`;
    return short === undefined ? `    ${long}` : `-${short}, ${long}`;
  });
  const width = Math.max(...left.map(({ length }) => length));
  return flags.map(({ about }, i) =>
    `  ${(left[i] ?? "").padEnd(width)}  ${about}`
  );
}
