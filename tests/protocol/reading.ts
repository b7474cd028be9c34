/**
 * Drives a {@linkcode Decoder} over a stream that arrives in pieces and writes
 * down what comes out, in the words of `tests/vectors/stream.json`. The tests
 * and the fuzz targets compare such records, one for each way to cut a stream.
 *
 * @module
 */

import type { ErrorCode } from "../../src/errors.ts";
import { Decoder, END, NEED_MORE } from "../../src/protocol/decoder.ts";
import type { HeaderGrammar, Sign } from "../../src/protocol/header.ts";
import { outcomeOf } from "./outcome.ts";

/** One thing that came out of a stream; bytes are shown as Latin-1. */
export type StreamEvent =
  | { readonly header: number; readonly sign: Sign }
  | { readonly message: string; readonly sign: Sign }
  | { readonly file: string; readonly sign: Sign }
  | { readonly error: ErrorCode }
  | "end"
  | "need more";

/** How a stream is read. */
export interface Reading {
  /** Bare headers (as ports are), messages, or files: a header and bytes that are taken as they come. */
  readonly read: "headers" | "messages" | "files";
  /** The grammar of its headers; `plain` if none is given. */
  readonly grammar?: HeaderGrammar;
  /** The longest message that is taken, in bytes. */
  readonly limit?: number;
}

/** Everything that came out, and how many bytes had gone in by then. */
export interface StreamRecord {
  readonly events: readonly StreamEvent[];
  readonly after: number;
}

/** Reads a stream that arrives in `pieces`, to its end or (unless `ended`) to where it stands. */
export function readStream(
  reading: Reading,
  pieces: Iterable<Uint8Array>,
  ended: boolean,
): StreamRecord {
  const decoder = new Decoder();
  const pull = pullers[reading.read](decoder, reading);
  const events: StreamEvent[] = [];
  let after = 0;
  for (const piece of pieces) {
    decoder.push(piece);
    after += piece.length;
    if (!drain(pull, events)) return { events, after };
  }
  if (ended) decoder.end();
  if (drain(pull, events)) events.push("need more");
  return { events, after };
}

/** Bytes as Latin-1, one letter each: quick to compare and legible in a diff. */
export function latin1(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
}

type Pull = () => StreamEvent;

/** Pulls until nothing more comes; whether something may come after more bytes. */
function drain(pull: Pull, events: StreamEvent[]): boolean {
  for (;;) {
    const outcome = outcomeOf(pull);
    const event = "error" in outcome ? outcome : outcome.value;
    if (event === "need more") return true;
    events.push(event);
    if (event === "end" || "error" in event) return false;
  }
}

const pullers: {
  readonly [R in Reading["read"]]: (
    decoder: Decoder,
    reading: Reading,
  ) => Pull;
} = {
  headers: (decoder, { grammar }) => () => {
    const header = decoder.header(grammar);
    if (header === NEED_MORE) return "need more";
    if (header === END) return "end";
    return { header: header.value, sign: header.sign };
  },

  messages: (decoder, { grammar = "plain", limit = Infinity }) => () => {
    const message = decoder.message(grammar, limit);
    if (message === NEED_MORE) return "need more";
    if (message === END) return "end";
    return { message: latin1(message.body), sign: message.header.sign };
  },

  files: (decoder, { grammar }) => {
    // Shorter than most files, so that one takes several turns.
    const target = new Uint8Array(7);
    let file: { text: string; left: number; sign: Sign } | undefined;
    return () => {
      if (file === undefined) {
        const header = decoder.header(grammar);
        if (header === NEED_MORE) return "need more";
        if (header === END) return "end";
        file = { text: "", left: header.value, sign: header.sign };
      }
      while (file.left > 0) {
        const count = decoder.take(target.subarray(0, file.left));
        if (count === 0) return "need more";
        file.text += latin1(target.subarray(0, count));
        file.left -= count;
      }
      const { text, sign } = file;
      file = undefined;
      return { file: text, sign };
    };
  },
};

/** Every way to cut bytes that a vector is run in: whole, byte by byte, and in two at each place (of long ones, at some). */
export function* cuts(bytes: Uint8Array): Generator<Uint8Array[]> {
  yield [bytes];
  yield byteByByte(bytes);
  const step = bytes.length > 2_000 ? 61 : 1;
  for (let at = 0; at <= bytes.length; at += step) {
    yield [bytes.subarray(0, at), bytes.subarray(at)];
  }
}

/** One piece for each byte. */
export function byteByByte(bytes: Uint8Array): Uint8Array[] {
  return Array.from(bytes, (_, i) => bytes.subarray(i, i + 1));
}

/** Two runs of bytes as one. */
export function concat(first: Uint8Array, second: Uint8Array): Uint8Array {
  const both = new Uint8Array(first.length + second.length);
  both.set(first);
  both.set(second, first.length);
  return both;
}
