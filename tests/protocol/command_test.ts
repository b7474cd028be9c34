/**
 * Tests of the commands: their vectors, each behind its header in every way to
 * cut it, and what does not fit a command.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { MAX_COMMAND_BYTES } from "../../src/limits.ts";
import { type Command, encodeCommand, formatCommand, parseCommand, type Verb } from "../../src/protocol/command.ts";
import { Decoder } from "../../src/protocol/decoder.ts";
import type { Sign } from "../../src/protocol/header.ts";
import { parseRemotePath, type PathRules, ROOT } from "../../src/protocol/path.ts";
import { assert, assertEquals, assertNotMatch, assertStringIncludes, assertThrows, fail } from "../deps.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { concat, cuts, latin1 } from "./reading.ts";
import { bytesOf, readVectors, testName, type Text, textOf, type Vector } from "./vectors.ts";

interface CommandVector extends Vector {
  /** Whether the command is only read, or written too. */
  readonly way: "both" | "parse";
  readonly text: Text;
  readonly rules?: PathRules;
  readonly sign?: Sign;
  /** The text behind its header, where the vector shows that too. */
  readonly message?: Text;
  readonly verb?: Verb;
  readonly path?: Text;
  readonly error?: TandemError["code"];
}

const vectors = readVectors<CommandVector>("command.json", [
  "way",
  "text",
  "rules",
  "sign",
  "message",
  "verb",
  "path",
  "error",
]);

for (const vector of vectors) {
  const verdict = vector.error ? "refuses" : "takes";
  Deno.test(testName(vector, `parseCommand() ${verdict}`), () => {
    const expected = expectedOutcome(vector);
    const text = bytesOf(vector.text);
    assertEquals(outcomeOf(() => parseCommand(text, vector.rules)), expected);
    const message = framed(vector);
    for (const pieces of cuts(message)) {
      testPieces(vector, pieces, expected, 0);
    }
    const trailing = bytesOf("0000000004quit");
    testPieces(vector, [concat(message, trailing)], expected, 14);
  });
  if (vector.way === "parse") continue;
  Deno.test(testName(vector, "encodeCommand() writes"), () => {
    const outcome = expectedOutcome(vector);
    const command = "value" in outcome ? outcome.value : fail();
    assertEquals(formatCommand(command), textOf(vector.text));
    assertEquals(
      latin1(encodeCommand(command, vector.sign)),
      latin1(framed(vector)),
    );
  });
}

function expectedOutcome(vector: CommandVector): Outcome<Command> {
  const { error, verb, path } = vector;
  assert((error === undefined) !== (verb === undefined));
  if (error !== undefined) return { error };
  const command = verb === "quit" ? { verb } : { verb, path: textOf(path ?? fail()) };
  return { value: command as Command };
}

/** The text behind its header: as the vector has it, or made without the code under test. */
function framed(vector: CommandVector): Uint8Array {
  if (vector.message !== undefined) return bytesOf(vector.message);
  const text = bytesOf(vector.text);
  return concat(bytesOf(String(text.length).padStart(10, "0")), text);
}

function testPieces(
  { rules, sign = "" }: CommandVector,
  pieces: readonly Uint8Array[],
  expected: Outcome<Command>,
  left: number,
): void {
  const decoder = new Decoder();
  for (const piece of pieces) decoder.push(piece);
  const message = decoder.message("plain", MAX_COMMAND_BYTES);
  assert(typeof message === "object");
  assertEquals(message.header.sign, sign);
  assertEquals(outcomeOf(() => parseCommand(message.body, rules)), expected);
  assertEquals(decoder.bufferedBytes, left);
}

/** `get` of a path whose command has exactly so many bytes. */
function getOf(bytes: number): Command {
  const path = "d/".repeat(bytes / 2).slice(0, bytes - 5) + "e";
  return { verb: "get", path: parseRemotePath(path) };
}

Deno.test("encodeCommand() takes a command of 4,096 bytes", () => {
  assertEquals(encodeCommand(getOf(4_096)).length, 10 + 4_096);
});

Deno.test("C2 encodeCommand() refuses a command of 4,097 bytes", () => {
  assertEquals(formatCommand(getOf(4_097)).length, 4_097);
  const error = assertThrows(
    () => encodeCommand(getOf(4_097)),
    TandemError,
    "holds 4096 bytes, this one has 4097",
  );
  assertEquals(error.code, "bad-request");
});

Deno.test("encodeCommand() counts bytes and not letters when it refuses a command", () => {
  // 17 names of 83 letters, 250 bytes each with its slash: 1,428 letters.
  const path = parseRemotePath(Array(17).fill("\u20ac".repeat(83)).join("/"));
  assert(path.length < MAX_COMMAND_BYTES);
  assertThrows(
    () => encodeCommand({ verb: "put", path }),
    TandemError,
    "this one has 4253",
  );
});

Deno.test("encodeCommand() puts a sign before nine digits when it has one", () => {
  const command = { verb: "ls", path: ROOT } as const;
  assertEquals(latin1(encodeCommand(command)), "0000000002ls");
  assertEquals(latin1(encodeCommand(command, "+")), "+000000002ls");
});

Deno.test("parseCommand() names what it takes when the verb is unknown", () => {
  const error = assertThrows(
    () => parseCommand(bytesOf("delete a")),
    TandemError,
    '"delete"',
  );
  assertStringIncludes(error.hint ?? "", "ls, get, put and quit");
});

Deno.test("C1 parseCommand() knows none of the verbs with a byte added, left out or changed", () => {
  for (const verb of ["ls", "get", "put", "quit"]) {
    for (const other of neighbours(verb)) {
      const name = `${other} a`;
      assertEquals(outcomeOf(() => parseCommand(bytesOf(name))), {
        error: "unsupported",
      }, JSON.stringify(name));
    }
  }
});

function* neighbours(verb: string): Generator<string> {
  for (let place = 0; place <= verb.length; place++) {
    const [before, after] = [verb.slice(0, place), verb.slice(place)];
    if (after !== "") yield before + after.slice(1);
    for (let byte = 0; byte < 0x80; byte++) {
      const letter = String.fromCharCode(byte);
      // A space ends the verb.
      if (letter === " ") continue;
      yield before + letter + after;
      if (!after.startsWith(letter) && after !== "") {
        yield before + letter + after.slice(1);
      }
    }
  }
}

Deno.test("C3 parseCommand() refuses every control character wherever it stands in the command", () => {
  for (let code = 0; code < 0x20; code++) {
    const control = String.fromCharCode(code);
    for (const text of ["get a", "ls", "put a/b", "quit"]) {
      for (let at = 0; at <= text.length; at++) {
        const bytes = bytesOf(text.slice(0, at) + control + text.slice(at));
        const outcome = outcomeOf(() => parseCommand(bytes));
        assert("error" in outcome, `U+${code.toString(16)} in "${text}"`);
        assertNotMatch(outcome.error, /^(?:protocol|internal)$/);
      }
    }
  }
});
