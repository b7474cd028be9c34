/**
 * Tests of the results of the tandem exchange: their vectors, and that errors
 * come out at the other side as they went in, without what is nobody's business.
 *
 * @module
 */

import { ERROR_CODES, ProtocolError, TandemError } from "../../src/errors.ts";
import { decodeObject, type JsonObject, parseObject } from "../../src/protocol/sealed.ts";
import { parseWelcome } from "../../src/protocol/tandem_command.ts";
import {
  AnsweredError,
  encodeError,
  isWorkingSign,
  parseAuth,
  parseBegin,
  parseChecksums,
  parseEntry,
  parseError,
  parseFileInfo,
  parseHash,
  parseReady,
  WORKING_SIGN,
} from "../../src/protocol/tandem_result.ts";
import { assertEquals, assertInstanceOf, fail } from "../deps.ts";
import { outcomeOf } from "./outcome.ts";
import { latin1 } from "./reading.ts";
import { readVectors, testName, type Vector } from "./vectors.ts";

const PARSERS = {
  entry: parseEntry,
  info: parseFileInfo,
  checksums: parseChecksums,
  ready: parseReady,
  begin: parseBegin,
  hash: parseHash,
  auth: parseAuth,
  welcome: parseWelcome,
  error: errorTold,
} as const;

interface ResultVector extends Vector {
  /** Which result it is. */
  readonly kind: keyof typeof PARSERS;
  /** The JSON text of the object. */
  readonly text: string;
  /** What is read from it; what is undefined is left out. */
  readonly value?: unknown;
  readonly error?: TandemError["code"];
}

const vectors = readVectors<ResultVector>("tandem_result.json", ["kind", "text", "value", "error"]);

for (const vector of vectors) {
  const { kind, text, value, error } = vector;
  const parse: (object: JsonObject) => unknown = PARSERS[kind];
  Deno.test(testName(vector, `${parse.name}() ${error ? "refuses" : "takes"}`), () => {
    const object = parseObject(text) ?? fail("the vector has no object");
    const outcome = outcomeOf(() => told(parse(object)));
    assertEquals(outcome, error === undefined ? { value } : { error });
  });
}

/** What an error says. */
function errorTold(object: JsonObject): JsonObject {
  const { code, message, hint } = parseError(object);
  return { code, message, hint };
}

/** A value without undefined fields. */
function told(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value));
}

const WIRE_CODES = [
  "not-found exists denied outside-root is-directory not-directory no-space too-large changed integrity",
  "busy timeout aborted bad-request unsupported auth-required auth-failed",
].join(" ").split(" ");

/** What an error comes to at the other side. */
function crossed(error: TandemError): JsonObject {
  const message = encodeError(error);
  assertEquals(latin1(message.subarray(0, 10)), `-${String(message.length - 10).padStart(9, "0")}`);
  const object = decodeObject(message.subarray(10));
  assertEquals(told(errorTold(object)), object);
  return object;
}

for (const code of ERROR_CODES) {
  // Who breaks the protocol is told so as what it is to the side that answers: a bad request.
  const told = code === "protocol" ? "bad-request" : code;
  const isTold = WIRE_CODES.includes(told);
  Deno.test(`encodeError() ${isTold ? "tells" : "keeps to itself"} what is ${code}`, () => {
    const error = code === "protocol"
      ? new ProtocolError("a secret", { hint: "h" })
      : new TandemError(code, "a secret", {
        hint: "h",
      });
    const came = crossed(error);
    if (isTold) {
      assertEquals(came, { code: told, message: "a secret", hint: "h" });
    } else {
      assertEquals(came["code"], "internal");
      assertEquals(JSON.stringify(came).includes("secret"), false);
      assertEquals(came["hint"], undefined);
    }
  });
}

Deno.test("encodeError() has no hint where there is none", () => {
  const message = encodeError(new TandemError("busy", "later"));
  assertEquals(decodeObject(message.subarray(10)), { code: "busy", message: "later" });
});

Deno.test("encodeError() tells any text as it is", () => {
  for (const text of ["", "\n\0\x1b[2J", "\ud83d", "é🚃", '"\\']) {
    assertEquals(crossed(new TandemError("busy", text))["message"], text);
  }
});

Deno.test("parseError() gives an error that leaves the session alive, with a text in any case", () => {
  const error = parseError({});
  assertInstanceOf(error, AnsweredError);
  assertEquals(error instanceof ProtocolError, false);
  assertEquals(error.code, "internal");
  assertEquals(error.message === "", false);
});

Deno.test("parseError() gives no ProtocolError, whatever code it is told", () => {
  for (const code of ERROR_CODES) {
    const error = parseError({ code, message: "m" });
    assertEquals(error instanceof ProtocolError, false);
    // Only what is on the list of what sides tell each other is taken for that.
    const expected = WIRE_CODES.includes(code) ? code : "internal";
    assertEquals(error.code, expected);
  }
});

Deno.test("isWorkingSign() is true of the sign, and of nothing else", () => {
  assertEquals(isWorkingSign(decodeObject(WORKING_SIGN.subarray(10))), true);
  assertEquals(isWorkingSign({ working: true, more: 1 }), true);
  for (const working of [false, 1, "true", null, {}, undefined]) assertEquals(isWorkingSign({ working }), false);
  assertEquals(isWorkingSign({}), false);
});
