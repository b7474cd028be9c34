/**
 * Tests that a large transfer whose client or server was killed half way goes
 * on from there, and comes out whole.
 *
 * @module
 */

import { type Client, type SessionClosedEvent, TandemError, type TransferResult } from "../../mod.ts";
import { assert, assertEquals, assertLess } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { within } from "../net/deadline.ts";
import { eventually } from "../server/deadline.ts";
import type { EventLog } from "../server/event_log.ts";
import { SOAK } from "../server/test_bed.ts";
import { type Bed, connectTo, openBed, sha256Of, tell, writeRandom } from "./bed.ts";
import { startClient, startServer } from "./far.ts";

const SIZE_BYTES = (SOAK ? 300 : 24) * 1024 ** 2;

/** How long one of these transfers may take, in milliseconds. */
const LONG_MS = SOAK ? 60_000 : 15_000;

/** A transfer, from one folder to the other. */
interface Way {
  readonly verb: "get" | "put";
  /** Which way its bytes go. */
  readonly direction: "up" | "down";
  readonly from: string;
  readonly to: string;
  run(client: Client, options: { readonly resume: boolean }): Promise<TransferResult>;
}

function wayOf(verb: Way["verb"], root: string, folder: string): Way {
  const ways = {
    get: {
      direction: "down",
      from: root,
      to: folder,
      run: (client, options) => client.download("large.bin", `${folder}/large.bin`, options),
    },
    put: {
      direction: "up",
      from: folder,
      to: root,
      run: (client, options) => client.upload(`${folder}/large.bin`, "large.bin", options),
    },
  } satisfies Record<string, Omit<Way, "verb">>;
  return { verb, ...ways[verb] };
}

/** Waits until half of the file is there, as a part; the proxy lets no more through. */
async function untilHalf({ proxy }: Bed, { direction, to }: Way, begin: () => void): Promise<void> {
  const stopped = proxy.stopAfter({ direction, bytes: SIZE_BYTES / 2 });
  begin();
  await within(stopped, LONG_MS, "half of the file");
  await eventually("half of the file is written", () => {
    const [part, ...others] = temporaries(to);
    return part !== undefined && others.length === 0 && Deno.statSync(`${to}/${part}`).size > SIZE_BYTES * 0.45;
  });
  assertEquals(sha256Of(`${to}/large.bin`), undefined);
}

/** Continues the transfer, and checks how it goes and what comes of it. */
async function assertContinues({ proxy }: Bed, way: Way): Promise<void> {
  const before = proxy.allBytes;
  const startedMs = performance.now();
  await using client = await connectTo(proxy.port);
  const result = await within(way.run(client, { resume: true }), LONG_MS, "the rest");
  const share = (proxy.allBytes - before) / SIZE_BYTES;
  tell(`${way.verb}: ${(share * 100).toFixed(1)} % again, ${(performance.now() - startedMs).toFixed(0)} ms`);
  assertLess(share, 0.7);
  assert(result.resumedBytes > SIZE_BYTES * 0.3, `${result.resumedBytes} bytes were continued`);
  assertEquals([result.bytes, result.startedOver], [SIZE_BYTES, false]);
  assertEquals(sha256Of(`${way.to}/large.bin`), sha256Of(`${way.from}/large.bin`));
  assertEquals([...temporaries(way.from), ...temporaries(way.to)], []);
}

/** Waits until the server has let go of a session that was cut off. */
function sessionEnd(log: EventLog): Promise<unknown> {
  return log.take("the end of a session", (event): event is SessionClosedEvent => event.event === "session-closed");
}

for (const verb of ["get", "put"] as const) {
  Deno.test(`X2 a ${verb} goes on half way after the client was killed`, async () => {
    await using bed = await openBed();
    const { root, folder, log, proxy } = bed;
    const way = wayOf(verb, root, folder);
    writeRandom(`${way.from}/large.bin`, SIZE_BYTES);
    await using client = startClient(proxy.port, [[[verb, "large.bin", `${folder}/large.bin`]]]);
    await untilHalf(bed, way, () => {});
    await client[Symbol.asyncDispose]();
    await proxy.cutAll();
    await sessionEnd(log);
    await assertContinues(bed, way);
  });

  Deno.test(`X1 a ${verb} goes on half way after the server was killed and started again`, async () => {
    await using bed = await openBed();
    const { root, folder, proxy } = bed;
    const way = wayOf(verb, root, folder);
    writeRandom(`${way.from}/large.bin`, SIZE_BYTES);
    await using server = await startServer(root);
    proxy.upstreamPort = server.port;
    const client = await bed.connect();
    let failing: Promise<unknown> = Promise.resolve();
    await untilHalf(bed, way, () => {
      failing = way.run(client, { resume: false }).catch((error) => error);
    });
    await server[Symbol.asyncDispose]();
    await proxy.cutAll();
    const failure = await within(failing, LONG_MS, "the failure");
    assert(failure instanceof TandemError, String(failure));
    assertEquals(failure.code, "disconnected");
    assertEquals(sha256Of(`${way.to}/large.bin`), undefined);
    await using again = await startServer(root);
    proxy.upstreamPort = again.port;
    await assertContinues(bed, way);
  });
}
