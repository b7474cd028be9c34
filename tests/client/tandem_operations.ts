/**
 * The operations that tests try on scripted tandem servers, each with the
 * answer that an honest one would give.
 *
 * @module
 */

import { assertEquals, toText } from "../deps.ts";
import type { Step } from "./scripted_server.ts";
import {
  bodyOf,
  crcOf,
  fileOf,
  infoOf,
  lineOf,
  listingOf,
  object,
  opensWith,
  type Parameters,
  takesBody,
} from "./tandem_script.ts";
import { list, type TestSession } from "./session.ts";

/** What a file has in these tests. */
export const CONTENT = "hello";

/** An operation, and how it goes. */
export interface Operation {
  /** Runs it. What is fetched goes to `a` in the session's folder. */
  run(session: TestSession): Promise<unknown>;
  /** The opening with it as the first command, and what it sends then. */
  readonly asked: readonly Step[];
  /** The parts of an honest answer, in their order. */
  readonly answer: readonly string[];
}

const BODY = [bodyOf(CONTENT).slice(0, 15), bodyOf(CONTENT).slice(15, 25), bodyOf(CONTENT).slice(25)];
const LISTING = listingOf("one");
const LINE = lineOf("one").length + 10;

function operation(
  opening: readonly [string, Parameters?, string?],
  answer: readonly string[],
  run: Operation["run"],
  ...sent: Step[]
): Operation {
  return { asked: [...opensWith(...opening), ...sent], answer, run };
}

const SIZE = CONTENT.length;
const STORED = object({ size: SIZE, crc32: crcOf(CONTENT) });

/** Those that fetch a file. */
export const FETCHES: Readonly<Record<string, Operation>> = {
  "download()": operation(
    ["get a"],
    [infoOf(SIZE), ...BODY],
    ({ client, folder }) => client.download("a", `${folder}/a`),
  ),
  "get()": operation(["get a"], [infoOf(SIZE), ...BODY], async ({ client }) => {
    await using download = await client.get("a");
    return await toText(download.readable);
  }),
};

/** A `put` of a stream of unknown size, which waits for the server to be ready. */
export const READY_PUT: Operation = operation(
  ["put a", { ready: true }, "put a"],
  [object({ offset: 0 })],
  ({ client }) => client.put("a", new Blob([CONTENT]).stream()),
);

/** Whether it has gone well. */
export function assertFetched({ folder }: TestSession, result: unknown): void {
  if (result === CONTENT) return;
  assertEquals(Deno.readTextFileSync(`${folder}/a`), CONTENT);
}

/** All that wait for an answer and nothing else. */
export const OPERATIONS: Readonly<Record<string, Operation>> = {
  ...FETCHES,
  "list()": operation(
    ["ls"],
    [LISTING.slice(0, LINE), LISTING.slice(LINE, LINE + 10), LISTING.slice(LINE + 10)],
    ({ client }) => list(client),
  ),
  "stat()": operation(
    ["stat a", {}, "ls"],
    [object({ name: "a", kind: "file" })],
    ({ client }) => client.stat("a"),
  ),
  "mkdir()": operation(["mkdir a", {}, "ls"], [object({})], ({ client }) => client.mkdir("a")),
  "hash()": operation(
    ["hash a", {}, "ls"],
    [object({ sha256: "0".repeat(64), size: 1 })],
    ({ client }) => client.hash("a"),
  ),
  "ping()": operation(["ping", {}, "ls"], [object({})], ({ client }) => client.ping()),
  "put()": operation(
    ["put a", { size: SIZE }],
    [STORED],
    ({ client }) => client.put("a", CONTENT),
    takesBody(CONTENT),
  ),
};

/** An honest answer to each of the fetches, whole. */
export const WHOLE_FILE = fileOf(CONTENT);
