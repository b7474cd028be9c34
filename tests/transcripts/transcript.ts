/**
 * Whole sessions as lines of text, and how a run is compared with them.
 *
 * A line says who, which way and what. `C` is the control connection, `D` the
 * data connection, `X` one from another address; `>` goes to the server, `<`
 * comes from it:
 *
 *     C> 0000000002ls        the client sends a command
 *     C< PORT                the server answers with a port
 *     D connects             the client connects to it
 *     D< 0000000006          the server sends a size
 *     D< a.txt⏎              and a listing
 *     D< EOF                 and closes
 *     D> EOF                 so does the client
 *     D< whatever EOF        the server closes, perhaps not without a word
 *
 * A text may hold `{x*65537}`: that letter so many times. How messages of the
 * tandem exchange are written stands in `messages.ts`; its data connection
 * `enters` by the door of the control connection. Both runners write
 * down what happened in the same lines, up to the first that is not as it
 * should be, so that a failure shows as a difference between two transcripts.
 *
 * @module
 */

import { assertEquals, fail } from "../deps.ts";
import { sameBytes } from "../net/bytes.ts";
import type { Received, Wire } from "../net/wire.ts";
import { bytesOfMessage, expanded, isMessage, takeMessage } from "./messages.ts";
import { Memory } from "./objects.ts";
import { testName, type Vector } from "../protocol/vectors.ts";

/** A session as it must go. */
export interface Transcript extends Vector {
  /** What happens, in order; some of it perhaps several times. */
  readonly lines: readonly (string | { readonly times: number; readonly lines: readonly string[] })[];
  /** The systems that can play it. Default: all. */
  readonly needs?: "linux" | "unix";
  /** The ways to play it, where one shows as much as three and each takes its time. Default: all. */
  readonly ways?: readonly Way[];
  /** What both sides have; then all of it is inside TLS. It is written as a generated one. Default: none. */
  readonly secret?: string;
}

/** How the side that is played by the test sends what it has to send. */
export const WAYS = ["whole", "byte by byte", "coalesced"] as const;

/** One of {@linkcode WAYS}. */
export type Way = typeof WAYS[number];

/** A line, taken apart. */
export interface Line {
  /** The line itself. */
  readonly text: string;
  /** The connection, or what else acts. */
  readonly who: string;
  /** `>` to the server, `<` from it; empty for what is no message. */
  readonly way: "" | ">" | "<";
  /** What is sent or done. */
  readonly what: string;
}

/** The lines of a transcript. */
export function linesOf({ lines }: Transcript): Line[] {
  return lines.flatMap((one) => typeof one === "string" ? one : Array(one.times).fill(one.lines).flat()).map((text) => {
    const [, who = "", way = "", what = ""] = /^([A-Za-z]+)([<>]?) (.*)$/s.exec(text) ?? [];
    if (who === "") throw new TypeError(`no line of a transcript: "${text}"`);
    return { text, who, way: way as Line["way"], what };
  });
}

/** How long nothing must have come for it to count as nothing, in milliseconds. */
const A_MOMENT_MS = 50;

/** The bytes that a line writes which is no message. */
export function bytesOfLine(what: string): Uint8Array {
  return new TextEncoder().encode(expanded(what));
}

/** A run that is not as its transcript says: it goes no further. */
class Differs extends Error {}

/** What has happened so far, beside what should. */
export class Run {
  /** What has been told so far that may be asked for again. */
  readonly memory: Memory;
  readonly #happened: string[] = [];

  /** Begins a run of a session with that secret, or without one. */
  constructor(secret?: string) {
    this.memory = new Memory(secret);
  }

  /** Writes down a line that went as it should. */
  agrees({ text }: Line): void {
    this.#happened.push(text);
  }

  /** Writes down what happened instead of a line, and ends the run. */
  differs({ who, way }: Line, what: string): never {
    this.#happened.push(`${who}${way} ${what}`);
    throw new Differs();
  }

  /** Compares a line with what happened in its place. */
  compare(line: Line, happened: string): void {
    if (happened === line.what) this.agrees(line);
    else this.differs(line, happened);
  }

  /** Takes from a connection what a line says must come: its bytes, or its end. */
  async receive(line: Line, wire: Wire): Promise<void> {
    const { who, what } = line;
    if (what === "EOF" || what === "RST") return this.compare(line, shown(await wire.takeEnd()));
    if (what === "whatever EOF") return this.compare(line, `whatever ${await wire.drain()}`);
    if (what === "nothing") {
      const { ending } = await wire.takeEnd(A_MOMENT_MS);
      return this.compare(line, ending === "silence" ? what : ending ?? "a byte");
    }
    if (isMessage(what)) return this.compare(line, await takeMessage(who, what, wire, this.memory));
    const expected = bytesOfLine(line.what);
    const received = await wire.take(expected.length);
    if (sameBytes(expected, received.bytes)) this.agrees(line);
    else this.differs(line, shown(received));
  }

  /** The bytes of a line that is sent. */
  bytesOf({ who, what }: Line): Uint8Array {
    return isMessage(what) ? bytesOfMessage(who, what, this.memory) : bytesOfLine(what);
  }

  /**
   * Runs `play`, and compares what happened with `transcript`. Ending before
   * its last line is a difference like any other.
   */
  static async check(transcript: Transcript, play: (run: Run) => Promise<void>): Promise<void> {
    const run = new Run(transcript.secret);
    const happened = run.#happened;
    let expected = linesOf(transcript).map(({ text }) => text);
    try {
      await play(run);
    } catch (error) {
      if (!(error instanceof Differs)) {
        happened.push(`(${error instanceof Error ? error.message : String(error)})`);
      }
      // What would have come after the first difference is none.
      expected = expected.slice(0, happened.length);
    }
    assertEquals(pageOf(happened), pageOf(expected), transcript.about);
  }
}

/** Lines as a text of which a difference can be shown. */
function pageOf(lines: readonly string[]): string {
  return lines.map((line) => line.replaceAll("\n", "⏎")).join("\n");
}

/** What came, in the words of a transcript. */
export function shown({ bytes, ending }: Received): string {
  const text = new TextDecoder().decode(bytes.subarray(0, 200));
  if (ending === undefined) return text;
  return text === "" ? ending : `${text} and then ${ending}`;
}

/** The port that a header tells. */
export function portOf(received: Received): number {
  const text = shown(received);
  return /^\d{10}$/.test(text) ? Number(text) : fail(`"${text}" is no port`);
}

/** Registers the test of a transcript, which is run in every way. */
export function transcriptTest(
  transcript: Transcript,
  verdict: string,
  testedWay: ">" | "<",
  run: (way: Way) => Promise<void>,
): void {
  const { needs } = transcript;
  const { os } = Deno.build;
  const ignore = needs === "linux" ? os !== "linux" : needs === "unix" && os === "windows";
  const name = testName(transcript, verdict) + (ignore ? ` (skipped: needs ${needs})` : "");
  Deno.test({
    name,
    ignore,
    async fn(t) {
      assertFinished(transcript, testedWay);
      for (const way of waysOf(transcript, testedWay)) await t.step(way, () => run(way));
    },
  });
}

/** The ways to play a transcript: one where there is nothing to cut or to join. */
function waysOf(transcript: Transcript, testedWay: ">" | "<"): readonly Way[] {
  const sendsText = linesOf(transcript).some(({ way, what }) =>
    way !== "" && way !== testedWay && !/^(EOF|RST)$/.test(what)
  );
  return sendsText ? transcript.ways ?? WAYS : ["whole"];
}

/**
 * Checks that a transcript says how everything ends: the session by the end of
 * the control connection as the side under test closes it, and each data
 * connection by an end or a reset.
 */
export function assertFinished(transcript: Transcript, testedWay: ">" | "<"): void {
  const lines = linesOf(transcript);
  const last = lines.findLast(({ who }) => who === "C");
  if (last?.way !== testedWay || last.what !== "EOF") fail(`${transcript.id} leaves its session open`);
  for (const [index, { who, what }] of lines.entries()) {
    if (what !== "connects" && what !== "enters") continue;
    const rest = lines.slice(index + 1).filter((line) => line.who === who);
    const next = rest.findIndex((line) => line.what === "connects" || line.what === "enters");
    const own = next < 0 ? rest : rest.slice(0, next);
    const ends = own.some(({ way, what }) => way !== "" && /^(whatever )?EOF$|^RST$/.test(what));
    if (!ends) fail(`${transcript.id} leaves a connection open (line ${index + 1})`);
  }
}
