/**
 * Invariant: a command of the tandem exchange that is written is read back the
 * same. Of all lines and objects `parseTandemCommand()` takes exactly those that
 * a table of kinds and the rules for paths take, and what it takes has the
 * values that were given, nothing more, and no way out of the shared folder. The
 * results are taken exactly where each of their fields is of its kind. Nothing
 * is thrown but TandemErrors that leave the session alive.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { parseRemotePath, type PathRules, ROOT } from "../../src/protocol/path.ts";
import type { JsonObject } from "../../src/protocol/sealed.ts";
import {
  decodeCommandLines,
  encodeTandemCommand,
  parseTandemCommand,
  parseWelcome,
  type TandemCommand,
} from "../../src/protocol/tandem_command.ts";
import {
  encodeError,
  parseAuth,
  parseChecksums,
  parseEntry,
  parseError,
  parseFileInfo,
  parseHash,
  parseReady,
} from "../../src/protocol/tandem_result.ts";
import { decodeObject } from "../../src/protocol/sealed.ts";
import { fail, fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { ordinaryPath, pathLike, pathRules } from "./arbitraries.ts";
import { checkInside, isOrdinaryPath } from "./name.ts";
import { assertSame, target } from "./target.ts";

/** The kinds of fields, described once more. */
const KINDS = {
  count: (value: unknown) => isWhole(value, 0, 2 ** 53 - 1),
  mode: (value: unknown) => isWhole(value, 0, 511),
  time: (value: unknown) => typeof value === "number" && value >= -8.64e15 && value <= 8.64e15,
  flag: (value: unknown) => value === true || value === false,
  text: (value: unknown) => typeof value === "string",
  sha256: (value: unknown) => typeof value === "string" && /^[0-9a-f]{64}$/.test(value) && value.length === 64,
  crc32: (value: unknown) => typeof value === "string" && /^[0-9a-f]{8}$/.test(value) && value.length === 8,
  ticket: (value: unknown) => typeof value === "string" && /^[0-9a-f]{32}$/.test(value) && value.length === 32,
  word: (value: unknown) => value === "error" || value === "overwrite" || value === "newer",
  kind: (value: unknown) => value === "file" || value === "directory",
} as const;

type Shape = { readonly [field: string]: keyof typeof KINDS };

function isWhole(value: unknown, least: number, most: number): boolean {
  return typeof value === "number" && value >= least && value <= most && value % 1 === 0;
}

/** Whether each field of an object that a shape names is missing, null or of its kind. */
function fits(object: JsonObject, shape: Shape, required: readonly string[] = []): boolean {
  return Object.entries(shape).every(([field, kind]) => isMissing(object[field]) || KINDS[kind](object[field])) &&
    !required.some((field) => isMissing(object[field]));
}

function isMissing(value: unknown): boolean {
  return value === undefined || value === null;
}

/** The parameters of each verb. */
const SHAPES: { readonly [verb: string]: Shape } = {
  ls: { recursive: "flag" },
  stat: {},
  get: { offset: "count", length: "count", prefix: "sha256", ifUnchanged: "text", digest: "flag" },
  put: {
    size: "count",
    mtime: "time",
    mode: "mode",
    onExist: "word",
    resume: "flag",
    ready: "flag",
    digest: "flag",
  },
  mkdir: { recursive: "flag" },
  rm: { recursive: "flag" },
  mv: { to: "text", onExist: "word" },
  hash: { offset: "count", length: "count" },
  auth: { nonce: "ticket", proof: "sha256" },
  ping: {},
  abort: { command: "count" },
  quit: {},
};

const ALONE = ["auth", "ping", "abort", "quit"];

const FIELDS = [
  ...new Set(Object.values(SHAPES).flatMap((shape) => Object.keys(shape))),
  ...[
    "later",
    "name",
    "kind",
    "version",
    "crc32",
    "sha256",
    "ticket",
    "tandem",
    "nonce",
    "proof",
    "code",
    "message",
    "hint",
    "error",
  ],
];

const SHA = "0123456789abcdef".repeat(4);

/** Values that are right somewhere, or nearly. */
const value: fc.Arbitrary<unknown> = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.constantFrom<unknown>(
      ...[
        0,
        1,
        -1,
        0.5,
        511,
        512,
        2 ** 31,
        2 ** 32,
        2 ** 32 + 420,
        2 ** 53 - 1,
        2 ** 53,
        8.64e15,
        8.64e15 + 1,
        -8.64e15,
      ],
      ...[true, false, null, "", "error", "newer", "overwrite", "file", "directory", "Error", "not-found", "a", "../a"],
      ...[SHA, SHA.toUpperCase(), SHA.slice(1), SHA.slice(0, 32), "0123abcd", "0123ABCD", "a/b", ".tandem-a", [], {}],
    ),
  },
  { weight: 1, arbitrary: fc.jsonValue({ maxDepth: 1 }) },
);

/** A value that is right for each kind. */
const RIGHT: { readonly [K in keyof typeof KINDS]: readonly unknown[] } = {
  count: [0, 1, 2 ** 53 - 1],
  mode: [0, 420, 511],
  time: [0, -1.5, 8.64e15],
  flag: [true, false],
  text: ["", "a", "b/c"],
  sha256: [SHA],
  crc32: ["0123abcd"],
  ticket: [SHA.slice(0, 32)],
  word: ["error", "newer"],
  kind: ["file"],
};

/** What a field of a kind may get: mostly what is right, so that one that is wrong stands out. */
function valueOf(kind: keyof typeof KINDS): fc.Arbitrary<unknown> {
  return fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...RIGHT[kind]) }, { weight: 1, arbitrary: value });
}

/** An object with some of the fields of a shape, and perhaps others. */
function objectOf(shape: Shape, leftOut: number): fc.Arbitrary<JsonObject> {
  const own = Object.entries(shape).map(([field, kind]) =>
    fc.tuple(fc.constant(field), fc.option(valueOf(kind), { nil: undefined, freq: leftOut }))
  );
  return fc.tuple(fc.option(fc.tuple(fc.constantFrom(...FIELDS), value), { nil: undefined }), ...own)
    .map((fields) =>
      Object.fromEntries(fields.flatMap((field) => field === undefined || field[1] === undefined ? [] : [field]))
    );
}

const verb = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom(...Object.keys(SHAPES)) },
  { weight: 1, arbitrary: fc.constantFrom("", "GET", "data", "AUTH", "__proto__", "toString") },
);

const hostile = target(
  "C1 tandem commands are taken exactly as the table says",
  verb.chain((verb) =>
    fc.record({
      verb: fc.constant(verb),
      rest: fc.oneof(fc.constant(undefined), ordinaryPath, ordinaryPath, pathLike),
      parameters: objectOf(Object.hasOwn(SHAPES, verb) ? SHAPES[verb] ?? {} : {}, 1),
      rules: pathRules,
    })
  ),
  ({ verb, rest, parameters, rules }) => {
    const outcome = outcomeOf(() => parseTandemCommand({ verb, rest, parameters }, rules));
    const expected = isCommand(verb, rest, parameters, rules);
    assertSame("value" in outcome, expected);
    if ("error" in outcome) {
      assertSame(/^(?:bad-request|unsupported|outside-root|denied)$/.test(outcome.error), true);
      return;
    }
    const command: JsonObject = { ...outcome.value };
    assertSame(command["verb"], verb);
    if ("path" in command) assertSame(command["path"], rest ?? "");
    if (!ALONE.includes(verb) && rest !== undefined) checkInside(rest);
    for (const [field, kind] of Object.entries(SHAPES[verb] ?? {})) {
      const missing = kind === "flag" ? false : undefined;
      assertSame(command[field] ?? missing, isMissing(parameters[field]) ? missing : parameters[field]);
    }
    const known = ["verb", "path", ...Object.keys(SHAPES[verb] ?? {})];
    assertSame(Object.keys(command).every((field) => known.includes(field)), true);
  },
);

/** The rules for a command, described once more. */
function isCommand(verb: string, rest: string | undefined, parameters: JsonObject, rules: PathRules): boolean {
  const shape = Object.hasOwn(SHAPES, verb) ? SHAPES[verb] : undefined;
  if (shape === undefined || !fits(parameters, shape)) return false;
  const has = (field: string) => !isMissing(parameters[field]);
  if (verb === "auth" && !(has("nonce") && has("proof"))) return false;
  if (ALONE.includes(verb)) return rest === undefined;
  if (verb === "get" && has("prefix") && !has("offset")) return false;
  if (verb === "put" && parameters["resume"] === true && parameters["ready"] !== true) return false;
  const creates = { ...rules, create: true };
  if (verb === "mv" && !(has("to") && isOrdinaryPath(String(parameters["to"]), creates))) return false;
  if (rest === undefined) return verb === "ls" || verb === "stat";
  return isOrdinaryPath(rest, verb === "put" || verb === "mkdir" ? creates : rules);
}

const path = ordinaryPath.map((text) => parseRemotePath(text));
const flag = fc.option(fc.constant(true), { nil: undefined });
const count = fc.option(fc.maxSafeNat(), { nil: undefined });
const word = fc.option(fc.constantFrom("error", "overwrite", "newer"), { nil: undefined });
const sha256 = fc.constant(SHA);

function hexadecimal(digits: number): fc.Arbitrary<string> {
  return fc.string({ unit: fc.constantFrom(..."0123456789abcdef"), minLength: digits, maxLength: digits });
}

const command: fc.Arbitrary<TandemCommand> = fc.oneof(
  fc.record({ verb: fc.constantFrom("ls", "mkdir", "rm"), path, recursive: flag }),
  fc.record({ verb: fc.constantFrom("ls", "stat"), path: fc.constant(ROOT) }),
  fc.record({ verb: fc.constant("get"), path, offset: fc.maxSafeNat(), length: count, prefix: sha256, digest: flag }),
  fc.record({ verb: fc.constant("get"), path, offset: count, ifUnchanged: fc.string({ unit: "grapheme" }) }),
  fc.record({
    verb: fc.constant("put"),
    path,
    size: count,
    mtime: fc.option(fc.double({ min: -8.64e15, max: 8.64e15, noNaN: true }).map((time) => time + 0), {
      nil: undefined,
    }),
    mode: fc.option(fc.nat(0o777), { nil: undefined }),
    onExist: word,
    resume: flag,
    ready: fc.constant(true),
    digest: flag,
  }),
  fc.record({ verb: fc.constant("mv"), path, to: path, onExist: word }),
  fc.record({ verb: fc.constant("hash"), path, offset: count, length: count }),
  fc.record({ verb: fc.constant("abort"), command: count }),
  fc.record({ verb: fc.constant("auth"), nonce: hexadecimal(32), proof: hexadecimal(64) }),
  fc.record({ verb: fc.constantFrom("ping", "quit") }),
);

const roundTrip = target(
  "tandem commands round trip",
  command,
  (command) => {
    const message = encodeTandemCommand(command);
    const read = parseTandemCommand(decodeCommandLines(message.subarray(10)));
    assertSame(told(read), told(command));
  },
);

/** What a command tells, in the order of its fields: no undefined, and no flag that is false. */
function told(command: TandemCommand): readonly [string, unknown][] {
  return Object.entries(command)
    .filter(([, value]) => value !== undefined && value !== false)
    .sort(([a], [b]) => a < b ? -1 : 1);
}

/** How each result is read, what it may have, and what it must. */
const RESULTS: { readonly [name: string]: readonly [(object: JsonObject) => unknown, Shape, readonly string[]] } = {
  entry: [
    parseEntry,
    { name: "text", kind: "kind", size: "count", mtime: "time", mode: "mode", error: "text" },
    ["name", "kind"],
  ],
  info: [
    parseFileInfo,
    { size: "count", offset: "count", length: "count", mtime: "time", mode: "mode", version: "text" },
    ["size", "offset", "length", "version"],
  ],
  checksums: [parseChecksums, { crc32: "crc32", sha256: "sha256" }, ["crc32"]],
  ready: [parseReady, { offset: "count", sha256: "sha256" }, ["offset"]],
  hash: [parseHash, { sha256: "sha256" }, ["sha256"]],
  welcome: [parseWelcome, { tandem: "count", ticket: "ticket", nonce: "ticket" }, ["tandem", "ticket"]],
  auth: [parseAuth, { proof: "sha256" }, ["proof"]],
  error: [parseError, { code: "text", message: "text", hint: "text" }, []],
};

const results = target(
  "tandem results are taken exactly where their fields fit",
  fc.constantFrom(...Object.entries(RESULTS).map(([name, [, shape]]) => ({ name, shape })))
    .chain(({ name, shape }) => fc.tuple(fc.constant(name), objectOf(shape, 9))),
  ([name, object]) => {
    const [parse, shape, required] = RESULTS[name] ?? fail(name);
    const outcome = outcomeOf(() => parse(object));
    assertSame("value" in outcome, fits(object, shape, required));
    if ("error" in outcome) assertSame(outcome.error, "bad-request");
  },
);

const errors = target(
  "tandem errors of any text cross over the wire",
  fc.record({
    code: fc.constantFrom("not-found", "denied", "aborted", "internal", "local-io", "disconnected"),
    message: fc.oneof(pathLike, fc.string({ unit: "binary" })),
    hint: fc.option(pathLike, { nil: undefined }),
  }),
  ({ code, message, hint }) => {
    const error = new TandemError(code, message, hint === undefined ? {} : { hint });
    const came = parseError(decodeObject(encodeError(error).subarray(10)));
    const isTold = code === "not-found" || code === "denied" || code === "aborted";
    assertSame(came.code, isTold ? code : "internal");
    assertSame(came.message === message, isTold);
    assertSame(came.hint, isTold ? hint : undefined);
  },
);

/** The targets of the tandem exchange's commands and results. */
export const tandemTargets = [hostile, roundTrip, results, errors] as const;
