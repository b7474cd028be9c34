/**
 * Tests that a process may be killed at any moment of its transfers: nothing
 * torn ever has a final name, what was acknowledged is there, and whoever comes
 * next finishes what was begun and leaves nothing over.
 *
 * @module
 */

import { type Client, serve, type SessionClosedEvent, TandemError } from "../../mod.ts";
import { assert, assertEquals, fc } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { sameBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { eventually, pause } from "../server/deadline.ts";
import { pattern, SOAK } from "../server/test_bed.ts";
import { type Bed, connectTo, openBed, tell } from "./bed.ts";
import { startClient, startServer } from "./far.ts";

/** Processes that are killed, for each test. */
const KILLS = SOAK ? 150 : 8;

/** The files of each transfer: sent at once, just not, and longer. Some of them stand there already. */
const FILES = [
  { name: "small", sizeBytes: 30_000, isOld: true },
  { name: "new small", sizeBytes: 100_000, isOld: false },
  { name: "medium", sizeBytes: 300_000, isOld: true },
  { name: "new large", sizeBytes: 2_500_000, isOld: false },
] as const;

const ALL_BYTES = FILES.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
const OLD = new TextEncoder().encode("old");
const contentOf = (file: number, trial: number) => pattern(FILES[file]?.sizeBytes ?? 0, trial * 100 + file * 2 + 1);

/** When a process is killed: once so many bytes have gone through, and a moment later. */
const killPoints = fc.sample(
  fc.record({
    bytes: fc.oneof(fc.integer({ min: 1, max: ALL_BYTES }), fc.integer({ min: ALL_BYTES, max: ALL_BYTES + 2_000 })),
    laterMs: fc.oneof(fc.constant(0), fc.nat(12)),
    standsStill: fc.boolean(),
  }),
  { numRuns: KILLS, seed: 2121 },
);

/** How long a process may take to start and to come to its moment, in milliseconds. */
const START_MS = 4 * PATIENCE_MS;

/** Puts the files of a trial where they come from, and the old ones where they go. */
function layOut(from: string, to: string, trial: number): void {
  for (const [file, { name, isOld }] of FILES.entries()) {
    Deno.writeFileSync(`${from}/${name}`, contentOf(file, trial));
    if (isOld) Deno.writeFileSync(`${to}/${name}`, OLD);
    else if (trial > 0) Deno.removeSync(`${to}/${name}`);
  }
}

/** Checks that every file is an old one or a whole new one; the new one where it was acknowledged. */
function assertNothingTorn(to: string, trial: number, acknowledged: ReadonlySet<string>): void {
  for (const [file, { name, isOld }] of FILES.entries()) {
    let content: Uint8Array | undefined;
    try {
      content = Deno.readFileSync(`${to}/${name}`);
    } catch (error) {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
    }
    const isNew = content !== undefined && sameBytes(content, contentOf(file, trial));
    const untouched = isOld ? content !== undefined && sameBytes(content, OLD) : content === undefined;
    assert(isNew || untouched, `"${name}" of trial ${trial} is torn: ${content?.length} bytes`);
    assert(isNew || !acknowledged.has(name), `"${name}" of trial ${trial} was acknowledged and is not there`);
  }
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await pause(1);
}

/** Resolved when the moment of a kill has come, at the latest when all has gone through. */
async function killPoint({ proxy }: Bed, direction: "up" | "down", trial: number, over: Promise<unknown>) {
  const { bytes, laterMs, standsStill } = killPoints[trial] ?? { bytes: 1, laterMs: 0, standsStill: true };
  const goal = proxy.bytes(direction) + bytes;
  let isOver = false;
  const end = over.then(() => isOver = true);
  const reached = standsStill
    ? proxy.stopAfter({ direction, bytes })
    : until(() => isOver || proxy.bytes(direction) >= goal);
  const startedMs = performance.now();
  try {
    await within(Promise.race([reached, end]), START_MS, "the moment of a kill");
  } catch (error) {
    isOver = true;
    const { connections } = proxy;
    throw new Error(`trial ${trial}, ${bytes} bytes ${direction}, ${connections.length} connections`, { cause: error });
  }
  const tookMs = performance.now() - startedMs;
  if (tookMs > 2_000) tell(`trial ${trial} took ${tookMs} ms to come to its moment`);
  await pause(laterMs);
}

/** Transfers all files anew, continuing what is there, and checks that they are right and nothing is left over. */
async function finish(client: Client, verb: "get" | "put", { root, folder }: Bed, trial: number): Promise<void> {
  for (const { name } of FILES) {
    const local = `${folder}/${name}`;
    const working = verb === "get"
      ? client.download(name, local, { resume: true, overwrite: true })
      : client.upload(local, name, { resume: true, onExist: "overwrite" });
    const result = await within(working, PATIENCE_MS, `to continue "${name}"`);
    assertEquals(result.bytes, FILES.find((file) => file.name === name)?.sizeBytes);
  }
  const to = verb === "get" ? folder : root;
  assertNothingTorn(to, trial, new Set(FILES.map(({ name }) => name)));
}

Deno.test("X1 a server killed at any moment of some puts leaves nothing torn, and starts again clean", async () => {
  await using bed = await openBed();
  const { root, folder, proxy } = bed;
  let [acknowledgements, leftovers] = [0, 0];
  for (let trial = 0; trial < KILLS; trial++) {
    layOut(folder, root, trial);
    await using server = await startServer(root);
    proxy.upstreamPort = server.port;
    await using client = await connectTo(proxy.port);
    const acknowledged = new Set<string>();
    const puts = Promise.all(FILES.map(async ({ name }) => {
      try {
        await client.upload(`${folder}/${name}`, name);
        acknowledged.add(name);
      } catch (error) {
        // Who has not had the first answer cannot tell a server that is gone from one that speaks plain.
        const codes: unknown[] = ["disconnected", "unsupported"];
        assert(error instanceof TandemError && codes.includes(error.code), String(error));
      }
    }));
    await killPoint(bed, "up", trial, puts);
    await server[Symbol.asyncDispose]();
    await proxy.cutAll();
    await within(puts, PATIENCE_MS, "the end of the puts");
    acknowledgements += acknowledged.size;
    leftovers += temporaries(root).length;
    assertNothingTorn(root, trial, acknowledged);
    // Without a process this time: it only matters that another one serves the folder.
    await using again = serve({ root, port: 0, overwrite: true });
    await using next = await connectTo(again.addr.port);
    await finish(next, "put", bed, trial);
    await eventually("the leftovers are swept", () => temporaries(root).length === 0);
  }
  tell(`X1: ${KILLS} kills, ${acknowledgements} of ${KILLS * 4} puts acknowledged, ${leftovers} temporaries left`);
});

for (const verb of ["get", "put"] as const) {
  Deno.test(`X2 a client killed at any moment of some ${verb}s leaves nothing torn, and the next one finishes`, async () => {
    await using bed = await openBed();
    const { root, folder, proxy, log } = bed;
    const [from, to] = verb === "get" ? [root, folder] : [folder, root];
    let [acknowledgements, leftovers] = [0, 0];
    for (let trial = 0; trial < KILLS; trial++) {
      layOut(from, to, trial);
      await using client = startClient(proxy.port, [FILES.map(({ name }) => [verb, name, `${folder}/${name}`])]);
      const acknowledged = new Set<string>();
      const said = (async () => {
        for (const _ of FILES) {
          const { step, result } = await client.next() as { step: string[]; result: string };
          assert(["fetched", "stored"].includes(result), result);
          acknowledged.add(step[1] ?? "");
        }
      })();
      const over = said.catch(() => {});
      await killPoint(bed, verb === "get" ? "down" : "up", trial, over);
      await client[Symbol.asyncDispose]();
      await proxy.cutAll();
      await over;
      await log.take("the end of a session", (e): e is SessionClosedEvent => e.event === "session-closed");
      log.clear();
      acknowledgements += acknowledged.size;
      leftovers += temporaries(to).length;
      assertNothingTorn(to, trial, acknowledged);
      await using next = await connectTo(proxy.port);
      await finish(next, verb, bed, trial);
      await next.close();
      await log.take("the end of a session", (e): e is SessionClosedEvent => e.event === "session-closed");
      log.clear();
      await eventually("the leftovers are swept", () => temporaries(to).length === 0);
    }
    tell(`X2 ${verb}: ${KILLS} kills, ${acknowledgements} of ${KILLS * 4} acknowledged, ${leftovers} temporaries left`);
  });
}
