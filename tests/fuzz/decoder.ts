/**
 * Invariant: what comes out of a Decoder does not depend on how the bytes were
 * cut, is what a decoder written without any care for speed gives, and a length
 * over the limit is refused with the tenth byte of its header, before any byte
 * of the message. Nothing is thrown but TandemErrors.
 *
 * @module
 */

import { ProtocolError, TandemError } from "../../src/errors.ts";
import { Decoder, END, NEED_MORE } from "../../src/protocol/decoder.ts";
import { encodeHeader, MAX_UNSIGNED_VALUE } from "../../src/protocol/header.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { byteByByte, concat, latin1, type Reading, readStream } from "../protocol/reading.ts";
import { ascii, headerBytes } from "./arbitraries.ts";
import { HEADER_PATTERNS } from "./header.ts";
import { assertSame, target } from "./target.ts";

const LIMIT = 1_000;

/** A message; one in ten of a length about which the decoder's buffer grows. */
const message = fc.tuple(
  fc.oneof(
    { weight: 9, arbitrary: fc.nat(12) },
    { weight: 1, arbitrary: fc.integer({ min: 490, max: LIMIT + 1 }) },
  ),
  fc.nat(255),
  fc.constantFrom("0", " "),
).map(([length, fill, padding]) => {
  const header = ascii(String(length).padStart(10, padding));
  const body = Uint8Array.from({ length }, (_, i) => fill + i);
  return concat(header, body);
});

const bytesOfAnyKind = fc.oneof(
  message,
  message,
  message,
  headerBytes,
  fc.uint8Array({ maxLength: 11 }),
);

const stream = fc.array(bytesOfAnyKind, { maxLength: 4 })
  .map((parts) => parts.reduce(concat, new Uint8Array()));

const reading: fc.Arbitrary<Reading> = fc.record({
  read: fc.constantFrom("headers", "messages", "files"),
  grammar: fc.constantFrom("plain", "plain", "tandem"),
  limit: fc.constantFrom(LIMIT, 8),
});

const chunking = target(
  "decoder gives the same events however a stream is cut",
  fc.record({
    reading,
    stream,
    lengths: fc.array(fc.nat(30), { maxLength: 12 }),
    ended: fc.boolean(),
  }),
  ({ reading, stream, lengths, ended }) => {
    const whole = readStream(reading, [stream], ended).events;
    for (const pieces of [byteByByte(stream), cutAt(stream, lengths)]) {
      assertSame(readStream(reading, pieces, ended).events, whole);
    }
  },
);

/** Pieces of the given lengths, and what is left as the last. */
function cutAt(bytes: Uint8Array, lengths: readonly number[]): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  let start = 0;
  for (const length of lengths) {
    pieces.push(bytes.subarray(start, start + length));
    start = Math.min(start + length, bytes.length);
  }
  return [...pieces, bytes.subarray(start)];
}

const limit = target(
  "decoder refuses a length over the limit with the tenth byte",
  fc.tuple(
    fc.integer({ min: 0, max: MAX_UNSIGNED_VALUE }),
    fc.integer({ min: 0, max: MAX_UNSIGNED_VALUE }),
    fc.integer({ min: -1, max: 1 }),
  ),
  ([value, other, distance]) => {
    checkLimit(value, other);
    checkLimit(value, value + distance);
  },
);

function checkLimit(value: number, limit: number): void {
  const decoder = new Decoder();
  const header = encodeHeader(value);
  decoder.push(header.subarray(0, 9));
  assertSame(decoder.message("plain", limit), NEED_MORE);
  decoder.push(header.subarray(9));
  const outcome = outcomeOf(() => decoder.message("plain", limit));
  if (value > limit) assertSame(outcome, { error: "protocol" });
  else if (value > 0) assertSame(outcome, { value: NEED_MORE });
  else assertSame("value" in outcome && typeof outcome.value, "object");
}

/** What can be done to a decoder. */
type Step =
  | { readonly do: "push"; readonly bytes: Uint8Array }
  | { readonly do: "header" | "message" | "end" }
  | { readonly do: "take" | "exactly" | "peek"; readonly count: number };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({ do: fc.constant("push"), bytes: bytesOfAnyKind }),
  fc.record({
    do: fc.constant("push"),
    bytes: fc.uint8Array({ maxLength: 9 }),
  }),
  fc.record({ do: fc.constantFrom("header", "message", "message", "end") }),
  fc.record({ do: fc.constantFrom("take", "exactly", "peek"), count: fc.nat(600) }),
);

const model = target(
  "decoder does what a naive one does",
  fc.array(step, { maxLength: 20 }),
  (steps) => {
    const [real, naive] = [new Decoder(), new NaiveDecoder()];
    for (const step of steps) {
      if (step.do === "push" && real.ended) continue;
      const outcome = outcomeOf(() => apply(real, step));
      assertSame(outcome, outcomeOf(() => apply(naive, step)));
      // Nothing after an error is meant to be read.
      if ("error" in outcome) return;
    }
  },
);

/** Does one step, and tells everything that can be seen after it. */
function apply(decoder: Decoder | NaiveDecoder, step: Step): string {
  const result = act(decoder, step);
  const { bufferedBytes, insideMessage, ended } = decoder;
  return [result, bufferedBytes, insideMessage, ended].join(" ");
}

function act(decoder: Decoder | NaiveDecoder, step: Step): string {
  switch (step.do) {
    case "push":
      decoder.push(step.bytes);
      return "pushed";
    case "end":
      decoder.end();
      return "ended";
    case "take": {
      const bytes = new Uint8Array(step.count);
      return `${decoder.take(bytes)} ${latin1(bytes)}`;
    }
    case "exactly":
      return shown(decoder.exactly(step.count, "it"));
    case "peek":
      return shown(decoder.peek(step.count));
    case "header":
      return shown(decoder.header());
    case "message":
      return shown(decoder.message("plain", LIMIT));
  }
}

type Pulled = ReturnType<
  Decoder["exactly"] | Decoder["header"] | Decoder["message"]
>;

function shown(pulled: Pulled): string {
  if (typeof pulled === "symbol") return String(pulled);
  if (pulled instanceof Uint8Array) return latin1(pulled);
  if ("body" in pulled) return `${shown(pulled.header)} ${latin1(pulled.body)}`;
  return `${pulled.sign}${pulled.value}`;
}

/** A decoder that keeps its bytes in an array, and reads headers with a regular expression. */
class NaiveDecoder {
  #bytes: number[] = [];
  #announced: ReturnType<Decoder["header"]> = NEED_MORE;
  ended = false;

  get bufferedBytes(): number {
    return this.#bytes.length;
  }

  get insideMessage(): boolean {
    return this.#announced !== NEED_MORE || this.#bytes.length > 0;
  }

  push(bytes: Uint8Array): void {
    this.#bytes = [...this.#bytes, ...bytes];
  }

  end(): void {
    this.ended = true;
  }

  peek(count: number): Uint8Array {
    return Uint8Array.from(this.#bytes.slice(0, count));
  }

  take(target: Uint8Array): number {
    const taken = this.#bytes.splice(0, target.length);
    target.set(taken);
    return taken.length;
  }

  exactly(count: number, what: string): Uint8Array | typeof NEED_MORE {
    if (this.#bytes.length >= count) {
      return Uint8Array.from(this.#bytes.splice(0, count));
    }
    if (this.ended) throw new TandemError("disconnected", what);
    return NEED_MORE;
  }

  header(): ReturnType<Decoder["header"]> {
    if (this.ended && this.#bytes.length === 0) return END;
    const bytes = this.exactly(10, "a header");
    if (bytes === NEED_MORE) return NEED_MORE;
    const text = latin1(bytes);
    if (!HEADER_PATTERNS.plain.test(text)) throw new ProtocolError(text);
    return {
      sign: text.startsWith("+") ? "+" : "",
      value: Number(text.replace("+", "")),
    };
  }

  message(_grammar: "plain", limit: number): ReturnType<Decoder["message"]> {
    if (this.#announced === NEED_MORE) this.#announced = this.header();
    const header = this.#announced;
    if (header === NEED_MORE || header === END) {
      this.#announced = NEED_MORE;
      return header;
    }
    if (header.value > limit) throw new ProtocolError("too long");
    const body = this.exactly(header.value, "a message");
    if (body === NEED_MORE) return NEED_MORE;
    this.#announced = NEED_MORE;
    return { header, body };
  }
}

/** The targets of the decoder. */
export const decoderTargets = [chunking, limit, model] as const;
