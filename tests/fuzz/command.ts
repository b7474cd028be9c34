/**
 * Invariant: a command that is written is read back the same, and its header
 * has its length in bytes. Of all bytes, `parseCommand()` takes exactly what a
 * regular expression and the rules for paths take; what it takes has no way out
 * of the shared folder, and is written as it was read. Nothing is thrown but
 * TandemErrors that leave the session alive.
 *
 * @module
 */

import { Buffer, isUtf8 } from "node:buffer";
import { type Command, encodeCommand, formatCommand, parseCommand } from "../../src/protocol/command.ts";
import { parseRemotePath, type PathRules, ROOT } from "../../src/protocol/path.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { latin1 } from "../protocol/reading.ts";
import { ordinaryPath, pathLike, pathRules } from "./arbitraries.ts";
import { checkInside, isOrdinaryPath } from "./name.ts";
import { assertSame, target } from "./target.ts";

const path = ordinaryPath.map((text) => parseRemotePath(text));

const command: fc.Arbitrary<Command> = fc.oneof(
  fc.constant({ verb: "quit" } as const),
  fc.constant({ verb: "ls", path: ROOT } as const),
  fc.record({ verb: fc.constantFrom("ls", "get", "put"), path }),
);

const roundTrip = target(
  "commands round trip",
  fc.tuple(command, fc.constantFrom("", "+")),
  ([command, sign]) => {
    const bytes = encodeCommand(command, sign);
    const length = bytes.length - 10;
    const digits = String(length).padStart(sign === "" ? 10 : 9, "0");
    assertSame(latin1(bytes.subarray(0, 10)), sign + digits);
    const read = parseCommand(bytes.subarray(10));
    assertSame(read.verb, command.verb);
    assertSame(pathOf(read), pathOf(command));
    assertSame(formatCommand(read), formatCommand(command));
  },
);

// Half of them well formed, but for the path.
const words = fc.tuple(
  fc.oneof(
    { weight: 5, arbitrary: fc.constantFrom("ls ", "get ", "put ") },
    {
      weight: 1,
      arbitrary: fc.constantFrom("", "ls", "quit", "GET ", "gets ", "quit ", "get\t", "\ufeffls", "ls\u00a0"),
    },
  ),
  fc.oneof(pathLike, ordinaryPath),
  fc.constantFrom("", "", "", "", "/", "//", " ", "\0"),
).map((parts) => Buffer.from(parts.join("")));

const damaged = fc.tuple(words, fc.nat(20), fc.uint8Array({ maxLength: 3 }))
  .map(([bytes, at, other]) => Buffer.concat([bytes.subarray(0, at), other, bytes.subarray(at)]));

// Overlong dots and slashes, surrogates, cut letters: none of it is UTF-8.
const broken = fc.tuple(
  fc.constantFrom("get ", "put ", "ls ", "ls"),
  fc.constantFrom("c0ae", "c0af", "e080af", "c080", "eda080", "f09f9a", "ff"),
  pathLike,
).map(([verb, hex, rest]) => Buffer.concat([Buffer.from(verb), Buffer.from(hex, "hex"), Buffer.from(rest)]));

const hostile = target(
  "C1 commands are taken exactly as the rules say",
  fc.tuple(
    fc.oneof(
      // What is not UTF-8 takes ten times as long to refuse.
      { weight: 9, arbitrary: words },
      { weight: 1, arbitrary: damaged },
      { weight: 1, arbitrary: broken },
      { weight: 1, arbitrary: fc.uint8Array({ maxLength: 12 }) },
    ),
    pathRules,
  ),
  ([bytes, rules]) => {
    const text = Buffer.from(bytes).toString("utf8");
    const outcome = outcomeOf(() => parseCommand(bytes, rules));
    assertSame("value" in outcome, isUtf8(bytes) && isCommand(text, rules));
    if ("error" in outcome) {
      assertSame(/^(?:protocol|internal)$/.test(outcome.error), false);
      return;
    }
    const path = pathOf(outcome.value);
    if (path !== "") checkInside(path);
    const written = formatCommand(outcome.value);
    // Of what is read, only a folder's last slash is not written again.
    if (written !== text) assertSame(`${written}/`, text);
  },
);

/** The rules for a command, described once more. */
function isCommand(text: string, rules: PathRules): boolean {
  if (text === "ls" || text === "quit") return true;
  const [, verb, name = ""] = /^(ls|get|put) (.+)$/s.exec(text) ?? [];
  switch (verb) {
    case "ls":
      return isOrdinaryPath(name.replace(/\/$/, ""), rules);
    case "get":
      return isOrdinaryPath(name, rules);
    case "put":
      return isOrdinaryPath(name, { ...rules, create: true });
    default:
      return false;
  }
}

function pathOf(command: Command): string {
  return command.verb === "quit" ? "" : command.path;
}

/** The targets of commands. */
export const commandTargets = [roundTrip, hostile] as const;
