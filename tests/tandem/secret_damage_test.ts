/**
 * T8, T9: whatever somebody on the way does to the records of TLS (turns a bit
 * over, leaves one out, sends it twice, in another order, or puts something of
 * their own between), nothing wrong gets a name, nothing is said to be there
 * that is not, and the client never says a word outside of TLS.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type Client, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreater, fc } from "../deps.ts";
import { sameBytes } from "../net/bytes.ts";
import { forAll, within } from "../net/deadline.ts";
import { SECRET } from "../net/secrets.ts";
import { RECORD_KINDS, recordsOf } from "../net/tls_records.ts";
import { pattern, SOAK } from "../server/test_bed.ts";
import { quickFolder } from "../store/places.ts";
import { type Bed, openBed, tell } from "./bed.ts";
import type { Connection, Direction, Proxy, ProxyOptions, RecordPlace } from "./proxy.ts";

const FLIPS = SOAK ? 3_000 : 150;

/** Trials at a time: most of the time is spent on waiting for what does not come. */
const AT_ONCE = 16;

/** Limits that end what waits for bytes which a damaged length promised. */
const STALL_MS = 800;
const CLIENT_LIMITS = { timeoutMs: 2 * STALL_MS, stallTimeoutMs: 2 * STALL_MS, quitTimeoutMs: 200 };
const SERVER_LIMITS = {
  stallTimeoutMs: STALL_MS,
  commandTimeoutMs: STALL_MS,
  dataAcceptTimeoutMs: STALL_MS,
  firstCommandTimeoutMs: STALL_MS,
  handshakeTimeoutMs: STALL_MS,
  shutdownGraceMs: 100,
};

const OLD = new TextEncoder().encode("old");
const FETCHED = pattern(100_000, 3);
const SMALL = pattern(20_000, 5);
const SENT = pattern(290_000, 7);

/** What a session does, one after the other; each with where it puts what. */
const OPERATIONS = {
  "distinctive-fetched": {
    content: FETCHED,
    run: (client, folder) => client.download("distinctive-fetched", `${folder}/distinctive-fetched`),
  },
  "distinctive-small": {
    content: SMALL,
    run: (client) => client.put("distinctive-small", SMALL, { onExist: "overwrite" }),
  },
  "distinctive-sent": {
    content: SENT,
    run: (client, folder) => client.upload(`${folder}/source`, "distinctive-sent"),
  },
} satisfies Record<string, { content: Uint8Array; run(client: Client, folder: string): Promise<unknown> }>;

type Name = keyof typeof OPERATIONS;
const NAMES = Object.keys(OPERATIONS) as Name[];

/** How each operation ended: `ok` or a code. */
type Ends = Readonly<Record<string, string>>;

/** A session, and what came of it. */
interface Outcome {
  readonly ends: Ends;
  readonly proxy: Proxy;
}

/** Runs the session with a server of its own, and checks what is on both sides afterwards. */
async function runSession(how: ProxyOptions, what: string): Promise<Outcome> {
  await using bed = await openBed({
    secret: SECRET,
    makeFolder: quickFolder,
    serve: { limits: SERVER_LIMITS },
    proxy: { record: true, ...how },
  });
  const { root, folder, proxy } = bed;
  Deno.writeFileSync(`${root}/distinctive-fetched`, FETCHED);
  Deno.writeFileSync(`${root}/distinctive-small`, OLD);
  Deno.writeFileSync(`${folder}/source`, SENT);
  const ends: Record<string, string> = {};
  const codeOf = (error: unknown) => {
    if (error instanceof TandemError) return error.code;
    throw error;
  };
  const client = await within(bed.connect({ limits: CLIENT_LIMITS }), 6 * STALL_MS, `connect(): ${what}`).catch(codeOf);
  for (const name of NAMES) {
    if (typeof client === "string") ends[name] = client;
    else {
      const running = OPERATIONS[name].run(client, folder).then(() => "ok");
      ends[name] = await within(running, 6 * STALL_MS, `${name}: ${what}`).catch(codeOf);
    }
  }
  if (typeof client !== "string") await client.close();
  assertNothingWrong(bed, ends, what);
  assertNothingPlain(proxy.connections, what);
  assertEquals(bed.log.internalErrors(), [], what);
  return { ends, proxy };
}

function assertNothingWrong({ root, folder }: Bed, ends: Ends, what: string): void {
  for (const name of NAMES) {
    const there = readIfThere(`${name === "distinctive-fetched" ? folder : root}/${name}`);
    const isNew = there !== undefined && sameBytes(there, OPERATIONS[name].content);
    const isOld = name === "distinctive-small" ? there !== undefined && sameBytes(there, OLD) : there === undefined;
    const shown = `${what}: ${JSON.stringify(ends)}`;
    assert(isNew || isOld, `${name}: ${there?.length} wrong bytes, ${shown}`);
    assert(isNew || ends[name] !== "ok", `${name} is said to be there, and is not: ${shown}`);
  }
}

/** Checks that a client has sent nothing but whole records of TLS, and no name or content in them. */
function assertNothingPlain(connections: readonly Connection[], what: string): void {
  for (const { up } of connections) {
    const sent = up.recorded();
    for (const { kind } of recordsOf(sent)) {
      assert(Object.values(RECORD_KINDS).includes(kind), `the client sent something else than TLS, ${kind}: ${what}`);
    }
    const bytes = Buffer.from(sent);
    for (const needle of ["distinctive", "ls", "data ", "+0000", "00000000"].map((text) => Buffer.from(text))) {
      // Two letters stand in random bytes now and then; a command has them behind its length.
      const at = needle.length > 2 ? bytes.indexOf(needle) : -1;
      assertEquals(at, -1, `the client sent ${needle}: ${what}`);
    }
    assert(!bytes.includes(Buffer.from(SENT.subarray(100, 120))), what);
  }
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** Runs many at a time. */
async function forEach<T>(items: readonly T[], run: (item: T) => Promise<void>): Promise<void> {
  const queue = items.values();
  const work = async () => {
    for (const item of queue) await run(item);
  };
  await forAll(Array.from({ length: AT_ONCE }, () => work), (work) => work());
}

/** The records of each stream of a session that goes well. */
async function placesOf(): Promise<(RecordPlace & { readonly kind: string; readonly length: number })[]> {
  const { ends, proxy } = await runSession({}, "nothing damaged");
  assertEquals(ends, Object.fromEntries(NAMES.map((name) => [name, "ok"])));
  assertEquals(proxy.connections.length, 2);
  return proxy.connections.flatMap(({ up, down }, connection) =>
    ([["up", up], ["down", down]] as const).flatMap(([direction, stream]) =>
      recordsOf(stream.recorded()).map(({ kind, bytes }, record) => ({
        connection,
        direction,
        record,
        kind,
        length: bytes.length,
      }))
    )
  );
}

function isAt(a: RecordPlace, b: RecordPlace): boolean {
  return a.connection === b.connection && a.direction === b.direction && a.record === b.record;
}

Deno.test(`T9: a bit turned over in any of ${FLIPS} places in the records of TLS damages nothing`, async () => {
  const places = await placesOf();
  const flips = fc.constantFrom(...places).chain(({ length, ...place }) =>
    fc.record({
      place: fc.constant(place),
      // The header of a record as often as what it holds.
      offset: fc.oneof(fc.nat(4), fc.nat(length - 1)),
      bit: fc.nat(7),
    })
  );
  const seen: Record<string, number> = {};
  await forEach(fc.sample(flips, { numRuns: FLIPS, seed: 2121 }), async ({ place, offset, bit }) => {
    let flipped = false;
    const what = JSON.stringify({ place, offset, bit });
    const { ends } = await runSession({
      change(record, at) {
        // A record may be another one, and shorter, from session to session.
        if (!isAt(at, place) || offset >= record.length) return record;
        flipped = true;
        record[offset] = (record[offset] ?? 0) ^ 1 << bit;
        return record;
      },
    }, what);
    const failed = Object.values(ends).filter((end) => end !== "ok");
    // What is left over in the end, and versions that nobody looks at, may go wrong unseen.
    const first = !flipped ? "not reached" : failed[0] ?? "unseen";
    seen[first] = (seen[first] ?? 0) + 1;
    if (flipped && place.kind === "data" && offset > 4) assert(failed.length > 0 || isLast(places, place), what);
  });
  tell(`T9: ${FLIPS} bits turned over: ${JSON.stringify(seen)}`);
  const { "not reached": missed = 0, unseen = 0 } = seen;
  assertGreater(FLIPS - missed - unseen, FLIPS / 2, JSON.stringify(seen));
});

/** Whether a record is one of the last of its stream: said after everything was done, or before nothing more was to be said. */
function isLast(places: readonly RecordPlace[], { connection, direction, record }: RecordPlace): boolean {
  const later = places.filter((place) =>
    place.connection === connection && place.direction === direction && place.record > record
  );
  return later.length < 3;
}

/** What may be done to one record, and the one behind it. */
const ALTERATIONS: Readonly<Record<string, (record: Uint8Array, isNext: boolean) => readonly Uint8Array[] | "hold">> = {
  "left out": (record, isNext) => isNext ? [record] : [],
  "sent twice": (record, isNext) => isNext ? [record] : [record, record],
  "sent behind the next one": (record, isNext) => isNext ? [record] : "hold",
  "cut short": (record, isNext) => {
    if (isNext) return [record];
    const shorter = record.slice(0, -1);
    new DataView(shorter.buffer).setUint16(3, shorter.length - 5);
    return [shorter];
  },
  "preceded by a plain header": (record, isNext) => isNext ? [record] : [Buffer.from("+000000000"), record],
  "preceded by a fatal alert": (record, isNext) => isNext ? [record] : [Uint8Array.of(21, 3, 3, 0, 2, 2, 40), record],
  "preceded by an alert that says that this is the end": (record, isNext) =>
    isNext ? [record] : [Uint8Array.of(21, 3, 3, 0, 2, 1, 0), record],
  "preceded by data of somebody else": (record, isNext) =>
    isNext ? [record] : [Uint8Array.of(23, 3, 3, 0, 10, ...new TextEncoder().encode("+000000000")), record],
  "followed by the alert that this is the end, and then the end": (record, isNext) =>
    isNext ? [] : [record, Uint8Array.of(21, 3, 3, 0, 2, 1, 0)],
};

for (const [how, alter] of Object.entries(ALTERATIONS)) {
  Deno.test(`T8 T9: a record of TLS that is ${how} damages nothing, and nothing plain is said`, async () => {
    const places = await placesOf();
    // The first ones of each stream, in which the two find out about each other, and one of many later.
    const chosen = places.filter(({ record }) => record < 8 || SOAK || record % 9 === 0);
    const seen: Record<string, number> = {};
    await forEach(chosen, async (place) => {
      let held: Uint8Array | undefined;
      const what = `${JSON.stringify(place)} ${how}`;
      const next = { ...place, record: place.record + 1 };
      const { ends } = await runSession({
        change(record, at) {
          if (isAt(at, place)) {
            const altered = alter(record, false);
            if (altered !== "hold") return Buffer.concat(altered);
            held = record;
            return new Uint8Array();
          }
          if (!isAt(at, next)) return record;
          const altered = alter(record, true);
          assert(altered !== "hold");
          return Buffer.concat(held === undefined ? altered : [...altered, held]);
        },
      }, what);
      const first = Object.values(ends).find((end) => end !== "ok") ?? "unseen";
      seen[first] = (seen[first] ?? 0) + 1;
    });
    tell(`${how}: ${JSON.stringify(seen)}`);
    assertGreater(chosen.length - (seen["unseen"] ?? 0), chosen.length / 3, JSON.stringify(seen));
  });
}

/** What somebody on the way says in place of a server, once the client has said its first word. */
const STRIPPERS: Readonly<Record<string, string>> = {
  "a port": "0000041873",
  "a port with a sign": "+000041873",
  "a welcome": '+000000000+000000079{"tandem":1,"ticket":"0123456789abcdef0123456789abcdef"}\n00000000',
  "a page": "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n",
};

for (const direction of ["up", "down"] as Direction[]) {
  Deno.test(`T8: a session whose first bytes ${direction} are replaced by others says nothing plain`, async () => {
    for (const [what, text] of Object.entries(STRIPPERS)) {
      const { ends, proxy } = await runSession({
        change: (record, at) =>
          at.direction === direction ? at.record === 0 ? new TextEncoder().encode(text) : new Uint8Array() : record,
      }, what);
      assertEquals(proxy.connections.length, 1, what);
      for (const end of Object.values(ends)) {
        assert(["unsupported", "disconnected", "timeout", "protocol"].includes(end), `${what}: ${end}`);
      }
    }
  });
}
