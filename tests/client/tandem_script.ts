/**
 * What a scripted server says and takes in the tandem exchange, written from
 * SPEC.md alone; it shares no code with the program.
 *
 * Texts on the wire are strings here, so that a test can damage them where it
 * likes. Contents are ASCII.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import type { ConnectOptions, ErrorCode } from "../../mod.ts";
import { assertEquals, assertObjectMatch } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import type { Wire } from "../net/wire.ts";
import {
  closesControl,
  closesData,
  dataOf,
  ScriptedServer,
  type ScriptOptions,
  sends,
  type Step,
  step,
} from "./scripted_server.ts";
import { list, openSession, QUICK, type TestSession } from "./session.ts";

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The ticket that a scripted server gives. */
export const TICKET = "0123456789abcdef0123456789abcdef";

/** The end of a body: BDY-1. */
export const END = "+000000000";

/** What a client may say at any time, and means nothing: MSG-7. */
export const NOTHING = "-000000000";

/** Any object of a message. */
export type Parameters = Readonly<Record<string, unknown>>;

/** A header with a sign: MSG-1. */
export function signed(value: number, sign: "+" | "-" = "+"): string {
  return sign + String(value).padStart(9, "0");
}

/** The CRC-32 of a text as it stands in messages: MSG-2. */
export function crcOf(text: string): string {
  return crc32(encoder.encode(text)).toString(16).padStart(8, "0");
}

/** A text as a message, with its header and its seal: MSG-2. */
export function sealed(text: string, sign: "+" | "-" = "+", seal = crcOf(text)): string {
  const whole = `${text}\n${seal}`;
  return signed(encoder.encode(whole).length, sign) + whole;
}

/** An object as a message: MSG-3. */
export function object(value: Parameters): string {
  return sealed(JSON.stringify(value));
}

/** An error as a message: MSG-5. */
export function errorMessage(code: string, message = "no", more: Parameters = {}): string {
  return sealed(JSON.stringify({ code, message, ...more }), "-");
}

/** A chunk of a body: BDY-1. */
export function chunk(content: string): string {
  return signed(encoder.encode(content).length) + content;
}

/** A body of these chunks, its end and its checksum: BDY-1, BDY-2. */
export function bodyOf(...chunks: string[]): string {
  return chunks.map(chunk).join("") + END + object({ crc32: crcOf(chunks.join("")) });
}

/** What precedes the body of a `get`: TCM-6. */
export function infoOf(sizeBytes: number, more: Parameters = {}): string {
  return object({ size: sizeBytes, offset: 0, length: sizeBytes, version: "1", ...more });
}

/** The whole answer to a `get`: TCM-6. */
export function fileOf(content: string): string {
  return infoOf(content.length) + bodyOf(content);
}

/** A file as a line of a listing: TCM-4. */
export function lineOf(name: string): string {
  return `${JSON.stringify({ name, kind: "file", size: 0 })}\n`;
}

/** The whole answer to an `ls`: TCM-4. */
export function listingOf(...names: string[]): string {
  return bodyOf(names.map(lineOf).join(""));
}

/** The next message of a connection, whose seal must fit. */
async function takeSealed(wire: Wire): Promise<string> {
  const header = decoder.decode((await wire.take(10)).bytes);
  if (header === NOTHING) return await takeSealed(wire);
  assertEquals(/^[+-]\d{9}$/.test(header), true, `no header: "${header}"`);
  const { bytes } = await wire.take(Number(header.slice(1)));
  const whole = decoder.decode(bytes);
  const text = whole.slice(0, -9);
  assertEquals(whole, `${text}\n${crcOf(text)}`);
  return header.charAt(0) === "-" ? `-${text}` : text;
}

async function takeCommand(
  wire: Wire,
  command: string,
  parameters: Parameters,
  skipsAborts = false,
): Promise<void> {
  const [line, json = "", ...rest] = (await takeSealed(wire)).split("\n");
  if (skipsAborts && line === "abort") return await takeCommand(wire, command, parameters, true);
  assertEquals([line, rest], [command, []]);
  assertObjectMatch(JSON.parse(json), { ...parameters });
}

/**
 * Takes a command over the control connection: TCM-1. An `abort` before it is
 * for a command that was answered already, and of no consequence: TCM-19.
 */
export function takesNext(command: string, parameters: Parameters = {}): Step {
  return step(`takes ${command}`, ({ control }) => takeCommand(control, command, parameters, true));
}

/** Takes an `abort` of a command: TCM-19. */
export function takesAbort(number: number): Step {
  return step(`takes the abort of ${number}`, ({ control }) => takeCommand(control, "abort", { command: number }));
}

/** Takes an object over the data connection; a `-` stands before the code of an error. */
export function takesObject(expected: Parameters): Step {
  return step(`takes ${JSON.stringify(expected)}`, async (session) => {
    const text = await takeSealed(dataOf(session));
    assertObjectMatch(JSON.parse(text), { ...expected });
  });
}

/** Takes an error over the data connection. */
export function takesError(code: string): Step {
  return step(`takes the error ${code}`, async (session) => {
    const text = await takeSealed(dataOf(session));
    assertEquals(text.charAt(0), "-", text);
    assertObjectMatch(JSON.parse(text.slice(1)), { code });
  });
}

/** Takes a body in whatever chunks, and its checksum. */
export function takesBody(content: string): Step {
  return step("takes a body", async (session) => {
    const wire = dataOf(session);
    let got = "";
    for (;;) {
      const header = decoder.decode((await wire.take(10)).bytes);
      assertEquals(/^\+\d{9}$/.test(header), true, `no chunk: "${header}" after ${got.length} bytes`);
      if (header === END) break;
      got += decoder.decode((await wire.take(Number(header.slice(1)))).bytes);
    }
    assertEquals(got, content);
    await takesObject({ crc32: crcOf(content) }).run(session);
  });
}

/**
 * Takes one chunk of a body, refuses it, and takes what comes of it all the
 * same: up to its end and its checksum, or up to an error that breaks it off.
 */
export function refusesBody(error: string): Step {
  return step("refuses a body in the middle", async (session) => {
    const wire = dataOf(session);
    for (let chunks = 0;; chunks++) {
      const header = decoder.decode((await wire.take(10)).bytes);
      assertEquals(/^[+-]\d{9}$/.test(header), true, `no chunk: "${header}"`);
      if (header === END) return void await takeSealed(wire);
      await wire.take(Number(header.slice(1)));
      if (header.startsWith("-")) return;
      if (chunks === 0) await wire.send(encoder.encode(error));
    }
  });
}

/** The names in a folder that are no temporary ones. */
export function finalNames(folder: string): string[] {
  return [...Deno.readDirSync(folder)].map(({ name }) => name).filter((name) => !name.startsWith(".tandem-"));
}

/** Takes the first command, which is a plain one with a sign, in one piece: NEG-1. */
export function takesSigned(command: string): Step {
  return step(`takes ${command} with a sign`, async ({ control }) => {
    const { bytes } = await control.takePiece();
    // Whoever waits longer than a round trip may have said nothing behind it: MSG-7.
    const text = decoder.decode(bytes).replace(/(-000000000)+$/, "");
    assertEquals(text, signed(encoder.encode(command).length) + command);
  });
}

/** The answer that a tandem server gives to it: NEG-2. */
export const WELCOME = END + object({ tandem: 1, ticket: TICKET });

/** Sends a text over the control connection, in one write. */
export function welcomes(text = WELCOME): Step {
  return step("sends the welcome", async ({ control }) => {
    await control.send(encoder.encode(text));
  });
}

/** Accepts the data connection, which comes through the same port: NEG-5. */
export function acceptsEntrance(): Step {
  return step("accepts the data connection", async (session) => {
    session.data = await session.entrance.accept();
  });
}

/** Takes the ticket: NEG-5. */
export function takesTicket(): Step {
  return step("takes the ticket", async (session) => {
    await takeCommand(dataOf(session), `data ${TICKET}`, { tandem: 1 });
  });
}

/** Takes the command behind the ticket: NEG-5. */
export function takesFirst(command: string, parameters: Parameters = {}): Step {
  return step(`takes ${command} behind the ticket`, async (session) => {
    await takeCommand(dataOf(session), command, parameters);
  });
}

/** The whole opening, up to command 0; `plain` is the command that asks for it. */
export function opensWith(command: string, parameters: Parameters = {}, plain = command): Step[] {
  return [takesSigned(plain), welcomes(), acceptsEntrance(), takesTicket(), takesFirst(command, parameters)];
}

/** Takes `quit` and ends both connections: TCM-20. */
export function takesQuit(): Step[] {
  return [takesNext("quit"), closesData(), closesControl()];
}

/** How a session with a bad tandem server goes. */
export interface TandemAttemptOptions extends ScriptOptions, ConnectOptions {
  /** How the session has ended afterwards. Default: it goes on. */
  readonly sessionEnds?: ErrorCode;
}

/**
 * Runs `run` against a server that follows `script`, and checks that the script
 * came to its end, that the session then still answers `ls`, or fails with what
 * it was said to, and that no temporary file is left in the local folder where a
 * part could not be continued.
 */
export async function attemptTandem(
  script: readonly Step[],
  run: (session: TestSession) => Promise<unknown>,
  options: TandemAttemptOptions = {},
): Promise<void> {
  const { sessionEnds, limits = QUICK, ...rest } = options;
  const after = sessionEnds === undefined ? [takesNext("ls"), sends(listingOf("ok")), ...takesQuit()] : [];
  await using server = await ScriptedServer.start([...script, ...after], rest);
  const session = await openSession(server.port, { ...rest, limits });
  try {
    await run(session);
    const listing = within(list(session.client), PATIENCE_MS, "ls");
    const [result] = await Promise.allSettled([listing]);
    const got = result.status === "fulfilled" ? result.value : result.reason.code;
    assertEquals(got, sessionEnds ?? ["ok"]);
    // Where the connection is gone, or of no more use, a part may be kept to be continued.
    if (sessionEnds === undefined || sessionEnds === "integrity") assertEquals(temporaries(session.folder), []);
  } catch (error) {
    // What went wrong first tells more than an end that then hangs.
    await session[Symbol.asyncDispose]().catch(() => {});
    throw error;
  }
  await session[Symbol.asyncDispose]();
  await within(server.finished, PATIENCE_MS, "the script");
}
