/**
 * Tests of the decoder: its vectors, each in every way to cut it, and what it
 * promises to whoever pushes and pulls.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { Decoder, END, NEED_MORE } from "../../src/protocol/decoder.ts";
import type { HeaderGrammar, Sign } from "../../src/protocol/header.ts";
import { assert, assertEquals, assertThrows, fail } from "../deps.ts";
import { byteByByte, concat, cuts, latin1, type Reading, readStream, type StreamEvent } from "./reading.ts";
import { bytesOf, readVectors, testName, type Text, type Vector } from "./vectors.ts";

interface StreamVector extends Vector {
  readonly read: Reading["read"];
  readonly grammar?: HeaderGrammar;
  readonly limit?: number;
  readonly input: Text;
  /** Whether the stream ends after its input, or only pauses. */
  readonly end: boolean;
  readonly events: readonly VectorEvent[];
  /** How many bytes bring the last event out, when they come one by one. */
  readonly after?: number;
}

type VectorEvent =
  | (Extract<StreamEvent, string | { readonly error: unknown }>)
  | { readonly header: number; readonly sign?: Sign }
  | { readonly message: Text; readonly sign?: Sign }
  | { readonly file: Text; readonly sign?: Sign };

const vectors = readVectors<StreamVector>("stream.json", [
  "read",
  "grammar",
  "limit",
  "input",
  "end",
  "events",
  "after",
]);

for (const vector of vectors) {
  const refused = vector.events.some((event) => typeof event === "object" && "error" in event);
  const verdict = refused ? "refuses" : "takes";
  Deno.test(testName(vector, `Decoder ${verdict}`), () => {
    const events = vector.events.map(expectedEvent);
    const input = bytesOf(vector.input);
    for (const pieces of cuts(input)) {
      assertEquals(readStream(vector, pieces, vector.end).events, events);
    }
    const { after } = readStream(vector, byteByByte(input), vector.end);
    assertEquals(after, vector.after ?? input.length);
    testWithTrailingBytes(vector, input, events);
  });
}

function expectedEvent(event: VectorEvent): StreamEvent {
  if (typeof event === "string" || "error" in event) return event;
  const { sign = "" } = event;
  if ("header" in event) return { header: event.header, sign };
  if ("message" in event) {
    return { message: latin1(bytesOf(event.message)), sign };
  }
  return { file: latin1(bytesOf(event.file)), sign };
}

/**
 * What came out stays the same when more follows: after a clean end one more
 * of the same kind, after an error anything. A stream that stands or ends
 * inside a message has no such run: more bytes would complete it.
 */
function testWithTrailingBytes(
  vector: StreamVector,
  input: Uint8Array,
  events: readonly StreamEvent[],
): void {
  const sign: Sign = vector.grammar === "tandem" ? "+" : "";
  const last = events.at(-1) ?? fail();
  if (last === "end") {
    const more = bytesOf(sign === "" ? "0000000000" : "+000000000");
    const one: StreamEvent = vector.read === "headers"
      ? { header: 0, sign }
      : vector.read === "messages"
      ? { message: "", sign }
      : { file: "", sign };
    for (const pieces of cuts(concat(input, more))) {
      assertEquals(
        readStream(vector, pieces, true).events,
        [...events.slice(0, -1), one, "end"],
      );
    }
  } else if (vector.after !== undefined) {
    for (const pieces of cuts(concat(input, bytesOf("0000000002ls")))) {
      assertEquals(readStream(vector, pieces, true).events, events);
    }
  }
}

Deno.test("Decoder tells a clean end from a cut one at every place of a stream", () => {
  const input = bytesOf("0000000002ls00000000000000000004quit");
  const clean = new Set([0, 12, 22, input.length]);
  for (let at = 0; at <= input.length; at++) {
    const { events } = readStream(
      { read: "messages", limit: 4 },
      [input.subarray(0, at)],
      true,
    );
    const expected = clean.has(at) ? "end" : { error: "disconnected" } as const;
    assertEquals(events.at(-1), expected, `after ${at} bytes`);
  }
});

Deno.test("Decoder says how much came when a stream ends inside a message", () => {
  const decoder = new Decoder();
  decoder.push(bytesOf("0000000004qui"));
  decoder.end();
  assertThrows(
    () => decoder.message("plain", 4),
    TandemError,
    "inside a message: 3 of 4 bytes",
  );
});

Deno.test("Decoder.push() throws when end() was called", () => {
  const decoder = new Decoder();
  decoder.end();
  assert(decoder.ended);
  assertThrows(() => decoder.push(bytesOf("0")), TypeError, "after end()");
});

Deno.test("Decoder.push() copies, so that the caller may reuse its buffer", () => {
  const decoder = new Decoder();
  const buffer = bytesOf("0000000002ls");
  decoder.push(buffer);
  buffer.fill(0);
  assertEquals(bodyOf(decoder), "ls");
});

Deno.test("Decoder.message() returns a copy that later bytes do not change", () => {
  const decoder = new Decoder();
  decoder.push(bytesOf("0000000002ls"));
  const first = decoder.message("plain", 4096);
  decoder.push(bytesOf("0000000004quit"));
  assertEquals(bodyOf(decoder), "quit");
  assert(typeof first === "object");
  assertEquals(latin1(first.body), "ls");
});

Deno.test("Decoder.peek() shows what has come, at most so much, and takes nothing of it", () => {
  const decoder = new Decoder();
  assertEquals(latin1(decoder.peek(10)), "");
  decoder.push(bytesOf("-00000"));
  assertEquals(latin1(decoder.peek(10)), "-00000");
  assertEquals(latin1(decoder.peek(2)), "-0");
  assertEquals(latin1(decoder.peek(0)), "");
  decoder.push(bytesOf("0000+000000002ls"));
  assertEquals(latin1(decoder.peek(10)), "-000000000");
  assertEquals(latin1(decoder.peek(10)), "-000000000");
  assertEquals(decoder.bufferedBytes, 22);
  assertEquals(decoder.header("tandem"), { value: 0, sign: "-" });
  assertEquals(latin1(decoder.peek(12)), "+000000002ls");
  assertEquals(bodyOf(decoder, "tandem"), "ls");
  assertEquals(latin1(decoder.peek(10)), "");
});

Deno.test("Decoder.peek() shows what comes next, inside a message and when the stream has ended", () => {
  const decoder = new Decoder();
  decoder.push(bytesOf("+000000004pi"));
  assertEquals(decoder.message("tandem", 10), NEED_MORE);
  assertEquals(latin1(decoder.peek(10)), "pi");
  decoder.end();
  assertEquals(latin1(decoder.peek(10)), "pi");
});

Deno.test("Decoder.peek() returns a copy: later bytes do not change it, nor does it change them", () => {
  const decoder = new Decoder();
  decoder.push(bytesOf("+000000002ls"));
  const first = decoder.peek(12);
  assertEquals(bodyOf(decoder, "tandem"), "ls");
  decoder.push(bytesOf("+000000002xx"));
  assertEquals(latin1(first), "+000000002ls");
  decoder.peek(12).fill(0);
  assertEquals(bodyOf(decoder, "tandem"), "xx");
});

Deno.test("Decoder.take() moves as much as came and as fits", () => {
  const decoder = new Decoder();
  const target = new Uint8Array(4);
  assertEquals(decoder.take(target), 0);
  decoder.push(bytesOf("abcdef"));
  assertEquals(decoder.take(target), 4);
  assertEquals(latin1(target), "abcd");
  assertEquals(decoder.bufferedBytes, 2);
  assertEquals(decoder.take(target), 2);
  assertEquals(latin1(target), "efcd");
  assertEquals(decoder.bufferedBytes, 0);
});

Deno.test("Decoder.exactly() waits for all bytes, and throws when they cannot come", () => {
  const decoder = new Decoder();
  decoder.push(bytesOf("abc"));
  assertEquals(decoder.exactly(4, "a ticket"), NEED_MORE);
  assertEquals(decoder.exactly(2, "a ticket"), bytesOf("ab"));
  decoder.end();
  assertThrows(
    () => decoder.exactly(4, "a ticket"),
    TandemError,
    "inside a ticket: 1 of 4 bytes",
  );
});

Deno.test("Decoder.insideMessage is true from the first byte of a header to the last of its message", () => {
  const decoder = new Decoder();
  const input = bytesOf("0000000002ls");
  for (const [count, piece] of byteByByte(input).entries()) {
    assertEquals(decoder.insideMessage, count > 0, `after ${count} bytes`);
    assertEquals(decoder.message("plain", 4096), NEED_MORE);
    // Nor does it change when the header has been read and no byte is left.
    assertEquals(decoder.insideMessage, count > 0, `after ${count} bytes`);
    decoder.push(piece);
  }
  assertEquals(bodyOf(decoder), "ls");
  assert(!decoder.insideMessage);
});

Deno.test("Decoder keeps END apart from NEED_MORE", () => {
  const decoder = new Decoder();
  assertEquals(decoder.header(), NEED_MORE);
  assertEquals(decoder.message("plain", 1), NEED_MORE);
  decoder.end();
  assertEquals(decoder.header(), END);
  assertEquals(decoder.message("plain", 1), END);
});

Deno.test("Decoder keeps the bytes in order when its buffer moves and grows", () => {
  const decoder = new Decoder();
  const target = new Uint8Array(100);
  let [pushed, pulled] = ["", ""];
  for (let round = 0; round < 200; round++) {
    // More in than out at first, then less: it grows, then only moves.
    const size = round < 100 ? 130 : 70;
    const piece = Uint8Array.from({ length: size }, (_, i) => round * 31 + i);
    decoder.push(piece);
    pushed += latin1(piece);
    pulled += latin1(target.subarray(0, decoder.take(target)));
    assertEquals(decoder.bufferedBytes, pushed.length - pulled.length);
  }
  assertEquals(pushed.slice(0, pulled.length), pulled);
});

function bodyOf(decoder: Decoder, grammar: HeaderGrammar = "plain"): string {
  const message = decoder.message(grammar, 4096);
  return typeof message === "symbol" ? fail(String(message)) : latin1(message.body);
}
