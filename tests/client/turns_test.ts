/**
 * Tests of giving up what waits for its turn or holds it, and of the signals
 * that say so.
 *
 * @module
 */

import { MemoryStore } from "../../mod.ts";
import { assertEquals, assertLess } from "../deps.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { at } from "../store/store_case.ts";
import { openBoth } from "./both_ends.ts";
import { bothModes } from "./modes.ts";
import {
  acceptsData,
  answersList,
  closesData,
  does,
  isLeft,
  sends,
  sendsPort,
  takesCommand,
} from "./scripted_server.ts";
import { attempt, list } from "./session.ts";

/** How long giving up may take, in milliseconds: far less than any limit. */
const AT_ONCE_MS = 500;

/** Limits that end nothing here: only the signal does. */
const PATIENT = { limits: {} };

const LARGE = new Uint8Array(50_000_000);

Deno.test("Client gives up an operation that waits for its turn, and those behind it go on", async () => {
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const script = [
    takesCommand("ls"),
    does("is there", () => reached.resolve()),
    does("waits", () => goOn.promise),
    sendsPort(),
    acceptsData(),
    sends("0000000006a.txt\n"),
    closesData(),
    ...answersList("b.txt\n"),
  ];
  await attempt(script, async ({ client, folder }) => {
    const controller = new AbortController();
    const { signal } = controller;
    const first = list(client);
    await within(reached.promise, PATIENCE_MS, "the moment");
    const waiting = Promise.all([
      assertFails(client.get("a", { signal }), "aborted"),
      assertFails(client.put("a", "x", { signal }), "aborted"),
      assertFails(client.download("a", `${folder}/a`, { signal }), "aborted"),
      assertFails(
        Array.fromAsync(client.list("/", { signal })),
        "aborted",
      ),
    ]);
    const last = list(client);
    const tookMs = await timed(
      () => {
        controller.abort();
        return waiting;
      },
      1_000,
      "four aborts",
    );
    assertLess(tookMs, AT_ONCE_MS);
    goOn.resolve();
    assertEquals([await first, await last], [["a.txt"], ["b.txt"]]);
    assertEquals([...Deno.readDirSync(folder)], []);
  }, PATIENT);
});

Deno.test("Client sends nothing for a signal that is aborted already", async () => {
  await attempt([], async ({ client, folder }) => {
    const signal = AbortSignal.abort();
    await assertFails(client.get("a", { signal }), "aborted");
    await assertFails(client.put("a", "x", { signal }), "aborted");
    await assertFails(
      client.download("a", `${folder}/a`, { signal }),
      "aborted",
    );
    Deno.writeTextFileSync(`${folder}/b`, "b");
    await assertFails(client.upload(`${folder}/b`, "b", { signal }), "aborted");
    await assertFails(
      Array.fromAsync(client.list("/", { signal })),
      "aborted",
    );
  });
});

Deno.test("Client fails with timeout when its signal is one of a timeout", async () => {
  const script = [takesCommand("get a"), sendsPort(), acceptsData(), isLeft()];
  await attempt(script, async ({ client }) => {
    const signal = AbortSignal.timeout(50);
    await assertFails(client.get("a", { signal }), "timeout");
  }, PATIENT);
});

/** A store with a file that takes more than one buffer. */
function largeStore(): MemoryStore {
  const store = new MemoryStore();
  store.addFile(at("a"), LARGE);
  return store;
}

bothModes("Download is given up when its stream is cancelled, left or disposed of", async ({ mode }) => {
  await using both = await openBoth(mode, { store: largeStore() });
  const { client } = both;
  {
    const { readable } = await client.get("a");
    const reader = readable.getReader();
    await reader.read();
    await within(reader.cancel(), AT_ONCE_MS, "cancel()");
  }
  assertEquals(await within(list(client), PATIENCE_MS, "ls"), ["a"]);
  for await (const _ of (await client.get("a")).readable) break;
  assertEquals(await within(list(client), PATIENCE_MS, "ls"), ["a"]);
  {
    await using _download = await client.get("a");
  }
  assertEquals(await within(list(client), PATIENCE_MS, "ls"), ["a"]);
  {
    await using download = await client.get("a");
    await download.readable.cancel();
    await download.readable.cancel();
  }
  assertEquals(await within(list(client), PATIENCE_MS, "ls"), ["a"]);
});

bothModes("Client goes on when a download that nobody reads is given up by its signal", async ({ mode }) => {
  await using both = await openBoth(mode, { store: largeStore() });
  const { client } = both;
  const controller = new AbortController();
  const { readable } = await client.get("a", { signal: controller.signal });
  try {
    controller.abort();
    assertEquals(await within(list(client), 1_000, "ls"), ["a"]);
  } finally {
    await readable.cancel().catch(() => {});
  }
});
