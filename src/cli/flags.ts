/**
 * Flags, as tables: what is parsed, what `help` prints and what the README lists
 * are the same rows.
 *
 * Strict on purpose: an unknown flag, a missing or doubtful value and a flag
 * given twice each stop with a hint. Nothing is ever turned into a number that
 * was not asked to be one, so a file may be called `007`. Built on the tokens of
 * `node:util`: the standard library's parser swallows the `--` that a command
 * behind the host still needs.
 *
 * @module
 */

import { parseArgs } from "node:util";
import { TandemError } from "../../mod.ts";
import { environment } from "./terminal.ts";
import { closestString, levenshteinDistance } from "../deps.ts";

/** One flag of the command line. */
export interface Flag {
  /** Its long name, without the dashes. */
  readonly name: string;
  /** Its short name, without the dash. */
  readonly short?: string;
  /** What its value is called in `help`; without it the flag has none. */
  readonly value?: string;
  /** Whether it may be given more than once. */
  readonly repeats?: boolean;
  /** The values that it takes, where they are a closed list. */
  readonly choices?: readonly string[];
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
  /** Where the value of a flag is from, for errors: `--port 7` or `TANDEM_PORT=7`. */
  spelled?(name: string): string;
  /** The values of a flag that may be given more than once. */
  texts(name: string): readonly string[];
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
  const { tokens } = parseArgs({
    args: [...args],
    options: Object.fromEntries(
      flags.map(({ name, short, value }) => [name, {
        type: value === undefined ? "boolean" : "string",
        ...(short === undefined ? {} : { short }),
      }]),
    ),
    strict: false,
    allowPositionals: true,
    tokens: true,
  });
  const words: string[] = [];
  const values = new Map<string, (string | true)[]>();
  for (const token of tokens) {
    if (token.kind === "positional") {
      if (rules.stopAtWord) {
        words.push(...args.slice(token.index));
        break;
      }
      words.push(token.value);
    } else if (token.kind === "option-terminator") {
      // The parser takes the second dash of `-q-` for one.
      const arg = args[token.index] ?? "";
      if (arg !== "--") throw unknownFlag(arg, flags);
    } else {
      const flag = flags.find(({ name }) => name === token.name);
      if (flag === undefined) throw unknownFlag(token.rawName, flags);
      const present = values.get(flag.name) ?? [];
      if (present.length > 0 && !flag.repeats) throw usage(`--${flag.name} was given twice`);
      // Behind a value that was forgotten stands the next flag: it must not be swallowed.
      const swallowed = token.inlineValue === false && /^-./.test(token.value ?? "");
      values.set(flag.name, [...present, valueOf(flag, swallowed ? undefined : token.value)]);
    }
  }
  return {
    words,
    has: (name) => values.has(name),
    text: (name) => values.get(name)?.find((value) => typeof value === "string"),
    texts: (name) => values.get(name)?.filter((value) => typeof value === "string") ?? [],
  };
}

/** The variable that sets a flag: `TANDEM_MAX_FILE` is `--max-file`. */
export function variableOf(flag: Flag): string {
  return `TANDEM_${flag.name.replaceAll("-", "_").toUpperCase()}`;
}

const ON = ["1", "true", "yes", "on"];
const OFF = ["", "0", "false", "no", "off"];

/**
 * The same arguments, and where a flag was not given, what its variable in the
 * environment says.
 *
 * @throws {TandemError} `usage` if the variable of a flag without a value says neither yes nor no.
 */
export function withEnvironment(args: ParsedArgs, flags: readonly Flag[]): ParsedArgs {
  const values = new Map<string, string | true>();
  if (args.has("help")) return args;
  for (const flag of flags) {
    if (flag.name === "help" || args.has(flag.name)) continue;
    const variable = variableOf(flag);
    let value: string | undefined;
    try {
      value = environment(variable);
    } catch {
      throw usage(`${variable}: its value is not text in UTF-8`);
    }
    if (value === undefined) continue;
    if (flag.value !== undefined) {
      if (value !== "") values.set(flag.name, value);
    } else if (ON.includes(value.toLowerCase())) {
      values.set(flag.name, true);
    } else if (!OFF.includes(value.toLowerCase())) {
      throw usage(`${variable}=${value}: expected 1 or 0`);
    }
  }
  return {
    words: args.words,
    has: (name) => args.has(name) || values.has(name),
    text(name) {
      const value = values.get(name);
      return args.text(name) ?? (typeof value === "string" ? value : undefined);
    },
    texts: (name) => args.texts(name),
    spelled: (name) =>
      args.has(name) || !values.has(name)
        ? `--${name} ${args.text(name) ?? ""}`
        : `${variableOf({ name, about: "" })}=${values.get(name)}`,
  };
}

/** Whether a flag was given by its variable and not on the command line. */
export function isFromEnvironment(args: ParsedArgs, name: string): boolean {
  return args.has(name) && args.spelled?.(name).startsWith("TANDEM_") === true;
}

/** A flag and its value as they were given. */
export function spelled(args: ParsedArgs, name: string): string {
  return args.spelled?.(name) ?? `--${name} ${args.text(name) ?? ""}`;
}

function valueOf(
  { name, value }: Flag,
  given: string | undefined,
): string | true {
  if (value === undefined) {
    if (given !== undefined) throw usage(`--${name} takes no value`);
    return true;
  }
  if (given === undefined || given === "") {
    throw usage(`--${name} needs a value: --${name} ${value}`);
  }
  return given;
}

function unknownFlag(bare: string, flags: readonly Flag[]): TandemError {
  const known = flags.flatMap(({ name, short }) => short === undefined ? [`--${name}`] : [`--${name}`, `-${short}`]);
  const isSecret = /^--?(secret|password|key)$/.test(bare) && known.includes("--secret-file");
  const hint = isSecret
    ? "a secret is no argument: it comes from --secret-file FILE or TANDEM_SECRET"
    : nearMiss(bare, known);
  return usage(`unknown flag ${bare}`, hint);
}

/** A hint with the known word that is nearest to `word`, where one is near. */
export function nearMiss(
  word: string,
  known: readonly string[],
): string | undefined {
  if (known.length === 0) return undefined;
  const nearest = closestString(word, known);
  const near = levenshteinDistance(word, nearest) <= Math.max(1, word.length / 3);
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
    `${spelled(args, name)}: expected a whole number from ${min} to ${max}`,
  );
}

/** The longest delay that a timer holds, in milliseconds. */
const MAX_DELAY_MS = 2 ** 31 - 1;

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
  // Timers hold 24 days; a longer delay would be over at once.
  if (seconds > 0) return Math.min(seconds * 1_000, MAX_DELAY_MS);
  throw usage(`${spelled(args, name)}: expected seconds, as in 30 or 0.5`);
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
  throw usage(`${spelled(args, name)}: expected bytes, as in 4096, 64K, 10M or 2G`);
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
    `${spelled(args, name)}: expected one of ${words.join(", ")}`,
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
  return flags.map(({ about }, i) => `  ${(left[i] ?? "").padEnd(width)}  ${about}`);
}
