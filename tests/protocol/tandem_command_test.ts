/**
 * Tests of the commands of the tandem exchange: their vectors in both
 * directions, how long a command can be, and the messages of a ticket.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { MAX_COMMAND_BYTES, MAX_TANDEM_COMMAND_BYTES } from "../../src/limits.ts";
import { parseRemotePath, type PathRules, type RemotePath, ROOT } from "../../src/protocol/path.ts";
import { encodeSealed } from "../../src/protocol/sealed.ts";
import {
  decodeCommandLines,
  decodeTicket,
  encodeTandemCommand,
  encodeTicket,
  isTicketMessage,
  parseTandemCommand,
  showCommand,
  type TandemCommand,
} from "../../src/protocol/tandem_command.ts";
import { assert, assertEquals, assertThrows, fail } from "../deps.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";
import { latin1 } from "./reading.ts";
import { bytesOf, readVectors, testName, type Vector } from "./vectors.ts";

interface CommandVector extends Vector {
  /** Whether the command is only read, or written too. */
  readonly way: "both" | "parse";
  /** The message's text, without header and seal. */
  readonly text: string;
  readonly rules?: PathRules;
  /** The command; flags that are false are left out. */
  readonly command?: TandemCommand;
  readonly error?: TandemError["code"];
}

const vectors = readVectors<CommandVector>("tandem_command.json", ["way", "text", "rules", "command", "error"]);

for (const vector of vectors) {
  const { text, rules, command, error, way } = vector;
  Deno.test(testName(vector, `parseTandemCommand() ${error ? "refuses" : "takes"}`), () => {
    const outcome = outcomeOf(() => told(parseTandemCommand(decodeCommandLines(bodyOf(text)), rules)));
    const expected: Outcome<TandemCommand> = error === undefined ? { value: command ?? fail() } : { error };
    assertEquals(outcome, expected);
  });
  if (way === "parse") continue;
  Deno.test(testName(vector, "encodeTandemCommand() writes"), () => {
    assertEquals(latin1(encodeTandemCommand(command ?? fail())), latin1(encodeSealed(text)));
  });
}

/** A message without its header. */
function bodyOf(text: string): Uint8Array {
  return encodeSealed(text).subarray(10);
}

/** A command with what it tells: no undefined fields, and no flags that are false. */
function told(command: TandemCommand): TandemCommand {
  const fields = Object.entries(command).filter(([, value]) => value !== undefined && value !== false);
  return Object.fromEntries(fields) as TandemCommand;
}

Deno.test("encodeTandemCommand() leaves out what is undefined", () => {
  const command = { verb: "get", path: parseRemotePath("a"), offset: undefined, digest: undefined } as const;
  assertEquals(latin1(encodeTandemCommand(command)), latin1(encodeSealed("get a\n{}")));
});

/** A path of that many bytes: names of 250, and what is left. */
function pathOf(bytes: number, letter = "x"): RemotePath {
  const names = `${letter.repeat(249)}/`.repeat(Math.floor(bytes / 250));
  const rest = letter.repeat(bytes - names.length);
  return parseRemotePath(rest === "" ? `${names.slice(0, -1)}${letter}` : names + rest);
}

Deno.test("encodeTandemCommand() takes a line of 4,096 bytes, and refuses one of 4,097", () => {
  assertEquals(encodeTandemCommand({ verb: "get", path: pathOf(4_092) }).length, 10 + MAX_COMMAND_BYTES + 3 + 9);
  const error = assertThrows(() => encodeTandemCommand({ verb: "get", path: pathOf(4_093) }), TandemError);
  assertEquals(error.code, "bad-request");
  assertThrows(() => encodeTandemCommand({ verb: "stat", path: pathOf(4_092) }), TandemError, "4097");
});

Deno.test("encodeTandemCommand() refuses a target of 4,097 bytes, and counts bytes and not letters", () => {
  const path = parseRemotePath("a");
  encodeTandemCommand({ verb: "mv", path, to: pathOf(4_096) });
  const to = [pathOf(4_097), parseRemotePath(Array(17).fill("\u20ac".repeat(83)).join("/"))];
  for (const one of to) {
    const error = assertThrows(() => encodeTandemCommand({ verb: "mv", path, to: one }), TandemError);
    assertEquals(error.code, "bad-request");
  }
});

Deno.test("encodeTandemCommand() writes nothing that a server finds too long, whatever the names are", () => {
  for (const letter of ["x", '"', " ", "~"]) {
    const command = {
      verb: "mv",
      path: pathOf(4_093, letter),
      to: pathOf(4_096, letter),
      onExist: "overwrite",
    } as const;
    const { length } = encodeTandemCommand(command);
    assert(length - 10 <= MAX_TANDEM_COMMAND_BYTES, `${length} bytes of ${letter}`);
  }
});

Deno.test("encodeTandemCommand() writes nothing that a server finds too long, whatever version is asked for", () => {
  const path = parseRemotePath("a");
  const outcome = outcomeOf(() => encodeTandemCommand({ verb: "get", path, ifUnchanged: "v".repeat(20_000) }));
  if ("value" in outcome) {
    assert(outcome.value.length - 10 <= MAX_TANDEM_COMMAND_BYTES, `${outcome.value.length} bytes`);
  } else assertEquals(outcome.error, "bad-request");
});

Deno.test("decodeCommandLines() refuses a damaged message before it looks at it", () => {
  const body = bodyOf("ping\n{}");
  body[0] = 0;
  assertEquals(outcomeOf(() => decodeCommandLines(body)), { error: "integrity" });
});

Deno.test("decodeCommandLines() parts the line at its first space", () => {
  assertEquals(decodeCommandLines(bodyOf("get a b\n{}")), { verb: "get", rest: "a b", parameters: {} });
  assertEquals(decodeCommandLines(bodyOf(" \n{}")), { verb: "", rest: "", parameters: {} });
  assertEquals(decodeCommandLines(bodyOf('ls\n{"a":1}')), { verb: "ls", rest: undefined, parameters: { a: 1 } });
});

const TICKET = "00112233445566778899aabbccddeeff";

Deno.test("encodeTicket() writes what decodeTicket() reads", () => {
  const message = encodeTicket(TICKET);
  assertEquals(latin1(message), latin1(encodeSealed(`data ${TICKET}\n{"tandem":1}`)));
  assertEquals(isTicketMessage(message.subarray(10)), true);
  assertEquals(decodeTicket(message.subarray(10)), TICKET);
});

Deno.test("decodeTicket() refuses what is damaged or has no object", () => {
  const body = encodeTicket(TICKET).subarray(10);
  assertEquals(outcomeOf(() => decodeTicket(body.with(7, 0x39))), { error: "integrity" });
  assertEquals(outcomeOf(() => decodeTicket(bodyOf(`data ${TICKET}`))), { error: "bad-request" });
});

Deno.test("isTicketMessage() is true of what begins with data and a space, and of nothing else", () => {
  for (const text of ["data ", "data x", "data  x\n"]) assertEquals(isTicketMessage(bytesOf(text)), true, text);
  for (const text of ["", "data", "Data x", " data x", "get data ", "dat", "data\nx"]) {
    assertEquals(isTicketMessage(bytesOf(text)), false, text);
  }
});

Deno.test("showCommand() shows the line as it came, without parameters", () => {
  assertEquals(showCommand({ verb: "ls", rest: undefined, parameters: {} }), "ls");
  assertEquals(showCommand({ verb: "get", rest: "a b", parameters: { offset: 1 } }), "get a b");
  assertEquals(showCommand(decodeCommandLines(bodyOf("ls \n{}"))), "ls ");
});

Deno.test("parseTandemCommand() takes the shared folder only for ls and stat", () => {
  assertEquals(told(parseTandemCommand({ verb: "ls", rest: undefined, parameters: {} })), { verb: "ls", path: ROOT });
  for (const verb of ["get", "put", "mkdir", "rm", "mv", "hash"]) {
    const outcome = outcomeOf(() => parseTandemCommand({ verb, rest: undefined, parameters: { to: "b" } }));
    assertEquals(outcome, { error: "bad-request" }, verb);
  }
});
