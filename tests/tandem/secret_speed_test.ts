/**
 * What encryption may not cost: a server's system holds small packets back until
 * the last ones are acknowledged, and the client's is in no hurry to do that, 40
 * ms for each small answer, unless the client says something (MSG-7).
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assert, assertLess } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { SECRET } from "../net/secrets.ts";
import { quickFolder } from "../store/places.ts";
import { type Bed, openBed, tell } from "./bed.ts";

/** How long a small operation may take at the median, in milliseconds: half of what it takes without the nudge. */
const SOON_MS = 20;

/** The same of the first one, with two handshakes and two proofs before it; without the nudge 85. */
const FIRST_SOON_MS = 50;

const COUNT = 30;

const OPERATIONS: Readonly<Record<string, (client: Client, i: number, bed: Bed) => Promise<unknown>>> = {
  ping: (client) => client.ping(),
  stat: (client) => client.stat("small"),
  ls: (client) => Array.fromAsync(client.list("/")),
  hash: (client) => client.hash("small"),
  get: async (client) => await new Response((await client.get("small")).readable).arrayBuffer(),
  download: (client, i, { folder }) => client.download("small", `${folder}/got ${i}`),
  "get of more than one write": async (client) =>
    await new Response((await client.get("larger")).readable).arrayBuffer(),
  put: (client, i) => client.put(`put ${i}`, "a small content"),
  upload: (client, i, { folder }) => client.upload(`${folder}/from`, `sent ${i}`),
  "upload that continues": (client, i, { folder }) => client.upload(`${folder}/from`, `more ${i}`, { resume: true }),
  mkdir: (client, i) => client.mkdir(`folder ${i}`),
};

async function openSmallBed(delayMs = 0): Promise<Bed> {
  const bed = await openBed({ secret: SECRET, makeFolder: quickFolder, proxy: { delayMs } });
  Deno.writeTextFileSync(`${bed.root}/small`, "a small content");
  Deno.writeFileSync(`${bed.root}/larger`, new Uint8Array(300_000));
  Deno.writeTextFileSync(`${bed.folder}/from`, "a small content");
  return bed;
}

async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await within(run(), PATIENCE_MS, "an operation");
  return performance.now() - startedMs;
}

function median(times: readonly number[]): number {
  return times.toSorted((a, b) => a - b)[Math.floor(times.length / 2)] ?? Infinity;
}

for (const [what, run] of Object.entries(OPERATIONS)) {
  Deno.test(`Client with a secret does ${what} again and again without waiting 40 ms for each`, async () => {
    await using bed = await openSmallBed();
    const client = await bed.connect({ port: bed.server.addr.port });
    const times: number[] = [];
    for (let i = 0; i < COUNT; i++) times.push(await timeOf(() => run(client, i, bed)));
    tell(`${what}: ${median(times).toFixed(1)} ms, the first ${times[0]?.toFixed(1)} ms`);
    assertLess(median(times), SOON_MS, what);
  });

  Deno.test(`Client with a secret does ${what} first in a session without waiting 40 ms`, async () => {
    await using bed = await openSmallBed();
    const times: number[] = [];
    for (let i = 0; i < 9; i++) {
      times.push(
        await timeOf(async () => {
          const client = await bed.connect({ port: bed.server.addr.port });
          await run(client, i, bed);
        }),
      );
    }
    tell(`${what}, first: ${median(times).toFixed(1)} ms`);
    assertLess(median(times), FIRST_SOON_MS, what);
  });
}

Deno.test("Client with a secret needs no two round trips more for any command, 25 ms away", async () => {
  const roundTripMs = 50;
  await using bed = await openSmallBed(roundTripMs / 2);
  const client = await bed.connect();
  await client.ping();
  const slow: string[] = [];
  for (const [what, run] of Object.entries(OPERATIONS)) {
    const times: number[] = [];
    for (let i = 0; i < 5; i++) times.push(await timeOf(() => run(client, 100 + i, bed)));
    tell(`${what}: ${median(times).toFixed(1)} ms of a round trip of ${roundTripMs} ms`);
    // What continues asks before it sends.
    const roundTrips = what === "upload that continues" ? 2 : 1;
    assert(median(times) > roundTrips * roundTripMs - 1, `${what}: the proxy delays nothing`);
    if (median(times) >= (roundTrips + 2) * roundTripMs) slow.push(`${what}: ${median(times).toFixed(0)} ms`);
  }
  assert(slow.length === 0, slow.join(", "));
});
