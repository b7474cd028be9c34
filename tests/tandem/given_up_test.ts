/**
 * Tests of sessions whose first operation is given up before it is known what
 * the server speaks.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { eventually, pause } from "../server/deadline.ts";
import { type Bed, openBed } from "./bed.ts";

/** How many bytes the welcome of this server has, behind its header. */
async function welcomeBytes(bed: Bed): Promise<number> {
  const client = await bed.connect();
  await client.ping();
  await client.close();
  return bed.proxy.connections[0]?.down.bytes ?? 0;
}

/** A session that has the server's welcome and gets nothing more, its first operation given up at that moment. */
async function openGivenUp(bed: Bed): Promise<Client> {
  const bytes = await welcomeBytes(bed);
  const client = await bed.connect();
  const stop = new AbortController();
  const stopped = bed.proxy.stopAfter({ direction: "down", bytes });
  const listing = assertFails(Array.fromAsync(client.list("/", { signal: stop.signal })), "aborted");
  await within(stopped, PATIENCE_MS, "the welcome");
  stop.abort();
  await listing;
  // It finishes what it has begun.
  await eventually("it connects again", () => (bed.proxy.connections[3]?.up.bytes ?? 0) > 0);
  return client;
}

/** Collects what nobody handles. */
function unhandled(): Disposable & { readonly reasons: readonly unknown[] } {
  const reasons: unknown[] = [];
  const listener = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    reasons.push(String(event.reason));
  };
  globalThis.addEventListener("unhandledrejection", listener);
  return { reasons, [Symbol.dispose]: () => globalThis.removeEventListener("unhandledrejection", listener) };
}

Deno.test("Client whose first operation was given up leaves no rejection unhandled when the connection is lost", async () => {
  await using bed = await openBed();
  const client = await openGivenUp(bed);
  using found = unhandled();
  await bed.proxy.cutAll();
  // The report comes a step of the event loop after what it is about, which no event tells of.
  await pause(20);
  assertEquals(found.reasons, []);
  await assertFails(client.ping(), "disconnected");
});

Deno.test("Client whose first operation was given up can give up the next one, too", async () => {
  await using bed = await openBed();
  const client = await openGivenUp(bed);
  const stop = new AbortController();
  const next = assertFails(client.stat("a", { signal: stop.signal }), "aborted");
  stop.abort();
  await within(next, 1_000, "the next operation to be given up");
  await bed.proxy.cutAll();
});

Deno.test("Client whose first operation was given up is closed in time, though nothing comes any more", async () => {
  await using bed = await openBed();
  const client = await openGivenUp(bed);
  await within(client.close(), PATIENCE_MS, "close()");
});

Deno.test("Client does the next operation after its first one was given up at any moment", async () => {
  await using bed = await openBed({ proxy: { delayMs: 3 } });
  const { root } = bed;
  const old = "old ".repeat(500);
  for (let ms = 0; ms < 40; ms++) {
    Deno.writeTextFileSync(`${root}/a`, old);
    const client = await bed.connect();
    const stop = new AbortController();
    const { signal } = stop;
    const first = [
      () => client.put("a", new Uint8Array(400_000), { signal }),
      () => client.put("a", "new", { signal }),
      () => client.get("a", { signal }),
    ][ms % 3];
    const working = first?.().then(() => "done", (error) => error.code);
    await pause(ms / 2);
    stop.abort();
    assertEquals(["done", "aborted"].includes(await within(Promise.resolve(working), 1_000, "its end")), true);
    const { size } = await within(client.stat("a"), PATIENCE_MS, `the next answer after ${ms} ms`);
    assertEquals([old.length, 3, 400_000].includes(size ?? -1), true, `${size}`);
    await client.close();
  }
});
