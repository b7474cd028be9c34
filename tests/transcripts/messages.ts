/**
 * Messages of the tandem exchange in transcripts: they are written as what they
 * say, and get their header and their checksum here.
 *
 *     C> +000000002ls            bytes, as in the plain exchange: a digit follows the sign
 *     C< TICKET                  the answer to that: +000000000, and a welcome
 *     C< TICKET {nonce: NONCE}   the same with more in the welcome
 *     D> TICKET                  the message that shows the ticket
 *     C> +get a {offset: 3}      a command
 *     D< +{sha256: SHA(hello)}   an object (see `objects.ts`)
 *     D< -not-found              an error: its code, whatever it says beside that
 *     D> damaged +{}             a message of which one bit is another
 *     D> CHUNK hel               one chunk of a body
 *     D> BODY hello              a body, of one chunk if it is not empty, with its end
 *     D< BODY hello              a body with its end, however it is cut
 *     D< BODY 300000 bytes       of that many bytes, whatever they are
 *     D< BODY broken off: -changed    as many chunks as come, and an error
 *     D< ENTRIES {…}; {…}        a body of lines of JSON
 *     D> END                     the end of a body
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Received, Wire } from "../net/wire.ts";
import {
  crcOf,
  type Json,
  type JsonRecord,
  matches,
  type Memory,
  parseObject,
  resolved,
  showObject,
} from "./objects.ts";

/** Replaces `{x*3}` by `xxx`. */
export function expanded(text: string): string {
  return text.replaceAll(/\{(.)\*(\d+)\}/g, (_, letter, times) => letter.repeat(Number(times)));
}

/** Whether a line writes a message, and not bytes. */
export function isMessage(what: string): boolean {
  return /^(damaged )?[+-](?!\d)/.test(what) || /^END$|^TICKET( \{|$)|^(CHUNK|BODY|ENTRIES)( |$)/.test(what);
}

/** What a message says. */
interface Said {
  readonly sign: string;
  /** The line before the object; undefined where there is none. */
  readonly line: string | undefined;
  /** The object; undefined where there is none. */
  readonly object: Json | undefined;
}

/** Takes apart `+get a {offset: 3}`, `+{offset: 3}`, `-not-found`. */
function parseSaid(what: string): Said {
  const sign = what.slice(0, 1);
  const text = what.slice(1);
  if (sign === "-" && !text.startsWith("{")) {
    return { sign, line: undefined, object: parseObject(`{code: '${text}', message: TEXT}`) };
  }
  const start = text.search(/(^| )\{/);
  if (start < 0) return { sign, line: text, object: undefined };
  const object = parseObject(text.slice(start));
  return { sign, line: text.startsWith("{") ? undefined : text.slice(0, start), object };
}

/** A message with its header and its checksum, made without the code under test. */
export function sealed(text: string, sign = "+"): Uint8Array {
  const bytes = Buffer.from(text);
  const header = sign + String(bytes.length + 9).padStart(9, "0");
  return Buffer.concat([Buffer.from(header), bytes, Buffer.from(`\n${crcOf(bytes)}`)]);
}

function chunk(text: string): Uint8Array {
  const bytes = Buffer.from(text);
  return Buffer.concat([Buffer.from(`+${String(bytes.length).padStart(9, "0")}`), bytes]);
}

const END = "+000000000";

/** The bytes of a line that writes a message. */
export function bytesOfMessage(who: string, what: string, memory: Memory): Uint8Array {
  const text = expanded(what);
  const [, keyword = "", rest = ""] = /^([A-Z]+) ?(.*)$/s.exec(text) ?? [];
  switch (keyword) {
    case "TICKET": {
      const welcome = { tandem: 1, ticket: memory.ticket, ...resolvedObject(rest, memory) };
      return who === "C"
        ? Buffer.concat([Buffer.from(END), sealed(JSON.stringify(welcome))])
        : sealed(`data ${memory.ticket}\n{"tandem":1}`);
    }
    case "END":
      return Buffer.from(END);
    case "CHUNK":
      return chunk(rest);
    case "BODY":
      memory.body = Buffer.from(rest);
      return Buffer.concat([rest === "" ? Buffer.of() : chunk(rest), Buffer.from(END)]);
    case "ENTRIES": {
      const lines = rest.split("; ").map((one) => `${JSON.stringify(resolved(parseObject(one), memory))}\n`);
      return bytesOfMessage(who, `BODY ${lines.join("")}`, memory);
    }
  }
  const damaged = text.startsWith("damaged ");
  const bytes = sealedSaid(parseSaid(damaged ? text.slice("damaged ".length) : text), memory);
  if (damaged) {
    const middle = 10 + Math.floor((bytes.length - 10) / 2);
    bytes[middle] = (bytes[middle] ?? 0) ^ 1;
  }
  return bytes;
}

/** What an object of a line says, or nothing. */
function resolvedObject(text: string, memory: Memory): JsonRecord {
  return text === "" ? {} : resolved(parseObject(text), memory) as JsonRecord;
}

function sealedSaid({ sign, line, object }: Said, memory: Memory): Uint8Array {
  const isError = sign === "-" && line === undefined;
  const json = object === undefined ? [] : [JSON.stringify(resolved(isError ? withReason(object) : object, memory))];
  return sealed([...line === undefined ? [] : [line.replaceAll("TICKET", memory.ticket)], ...json].join("\n"), sign);
}

function withReason(object: Json): Json {
  const { code } = object as { code: Json };
  return { ...object as object, code, message: "the other side says so" };
}

/** Takes what a line says from a connection; returns that line's text, or what came instead. */
export async function takeMessage(who: string, what: string, wire: Wire, memory: Memory): Promise<string> {
  const text = expanded(what);
  let came = await taken(who, text, wire, memory);
  // An abort has no result: whether one is sent once more, or for what has ended, makes no difference.
  while (came !== text && came.startsWith("+abort ")) came = await taken(who, text, wire, memory);
  return came === text ? what : came;
}

async function taken(who: string, text: string, wire: Wire, memory: Memory): Promise<string> {
  const [, keyword = "", rest = ""] = /^([A-Z]+) ?(.*)$/s.exec(text) ?? [];
  switch (keyword) {
    case "TICKET":
      return await takenTicket({ who, text, more: rest }, wire, memory);
    case "END": {
      const header = shownBytes(await wire.take(10));
      return header === END ? text : header;
    }
    case "CHUNK": {
      const { bytes, then } = await takeChunks(wire, Buffer.byteLength(rest));
      return `CHUNK ${Buffer.from(bytes)}${then}`;
    }
    case "BODY":
      return await takenBody(text, rest, wire, memory);
    case "ENTRIES": {
      const { bytes, then } = await takeChunks(wire);
      if (then !== END) return `${Buffer.from(bytes)}${then}`;
      memory.body = bytes;
      const wanted = rest === "" ? [] : rest.split("; ").map(parseObject);
      const came: Json[] = Buffer.from(bytes).toString().split("\n").slice(0, -1).map((line) => JSON.parse(line));
      const same = came.length === wanted.length && wanted.every((one, i) => matches(one, came[i], memory));
      return same ? text : `ENTRIES ${came.map(showObject).join("; ")}`;
    }
  }
  return await takenSaid(text, wire, memory);
}

/** The ticket in either direction, each in one write. */
async function takenTicket(
  { who, text, more }: { readonly who: string; readonly text: string; readonly more: string },
  wire: Wire,
  memory: Memory,
): Promise<string> {
  if (who === "C") {
    const header = shownBytes(await wire.take(10));
    if (header !== END) return header;
  }
  const welcome = more === "" ? "+{tandem: 1, ticket: TICKET}" : `+{tandem: 1, ticket: TICKET, ${more.slice(1)}`;
  const expected = who === "C" ? welcome : `+data ${memory.ticket} {tandem: 1}`;
  const came = await takenSaid(expected, wire, memory);
  return came === expected ? text : came;
}

async function takenBody(text: string, rest: string, wire: Wire, memory: Memory): Promise<string> {
  const [, error] = /^broken off: (-.*)$/.exec(rest) ?? [];
  const { bytes, then } = await takeChunks(wire);
  if (error !== undefined && then.startsWith("-")) {
    const came = await takenSaid(error, wire, memory, then);
    return came === error ? text : `BODY broken off: ${came}`;
  }
  if (then !== END) return `${Buffer.from(bytes).subarray(0, 200)}${then}`;
  memory.body = bytes;
  const [, count] = /^(\d+) bytes$/.exec(rest) ?? [];
  if (count !== undefined) return `BODY ${bytes.length} bytes`;
  return bytes.length === 0 ? "BODY" : `BODY ${Buffer.from(bytes)}`;
}

/** Takes chunks up to a number of bytes, or to what is no chunk: its header, or how the connection ended. */
async function takeChunks(wire: Wire, mostBytes = Infinity): Promise<{ readonly bytes: Uint8Array; then: string }> {
  const pieces: Uint8Array[] = [];
  let count = 0;
  let then = "";
  while (count < mostBytes) {
    const header = shownBytes(await wire.take(10));
    then = header;
    if (header === END || !/^\+\d{9}$/.test(header)) break;
    const { bytes, ending } = await wire.take(Number(header));
    pieces.push(bytes);
    count += bytes.length;
    then = ending === undefined ? "" : ` and then ${ending}`;
    if (ending !== undefined) break;
  }
  return { bytes: Buffer.concat(pieces), then };
}

/** Takes a message, of which the header may have come already. */
async function takenSaid(text: string, wire: Wire, memory: Memory, begun?: string): Promise<string> {
  const header = begun ?? shownBytes(await wire.take(10));
  if (!/^[+-]\d{9}$/.test(header)) return header;
  const { bytes, ending } = await wire.take(Number(header.slice(1)));
  const message = Buffer.from(bytes);
  if (ending !== undefined) return `${header}${message} and then ${ending}`;
  const body = message.subarray(0, -9);
  const said = body.toString();
  if (message.subarray(-9).toString() !== `\n${crcOf(body)}`) return `damaged ${header}${message}`;
  const sign = header.slice(0, 1);
  const lineEnd = said.startsWith("{") ? 0 : said.indexOf("\n") + 1;
  const line = lineEnd === 0 ? undefined : said.slice(0, lineEnd - 1);
  const object: Json = JSON.parse(said.slice(lineEnd));
  const expected = parseSaid(text);
  if (sign === expected.sign && line === expected.line && matchesSaid(expected, object, memory)) return text;
  return `${sign}${line === undefined ? "" : `${line} `}${showObject(object)}`;
}

/** An error may come with a hint, whether or not it was expected. */
function matchesSaid({ sign, object }: Said, came: Json, memory: Memory): boolean {
  if (object === undefined) return false;
  if (sign === "-" && typeof came === "object" && came !== null && "hint" in came) {
    const { hint, ...rest } = came as JsonRecord;
    return typeof hint === "string" && matches(object, rest, memory);
  }
  return matches(object, came, memory);
}

function shownBytes({ bytes, ending }: Received): string {
  const text = Buffer.from(bytes).toString();
  return ending === undefined ? text : text === "" ? ending : `${text} and then ${ending}`;
}
