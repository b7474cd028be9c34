/**
 * Tests of the end of a session: whatever is under way, `close()` takes about
 * a second at the most and never rejects.
 *
 * @module
 */

import { type Client, MemoryStore } from "../../mod.ts";
import { assertEquals, assertLess } from "../deps.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { fullPort } from "../net/door.ts";
import { assertFails } from "../net/failure.ts";
import { at } from "../store/store_case.ts";
import { openBoth } from "./both_ends.ts";
import { bothModes } from "./modes.ts";
import {
  acceptsData,
  closesControl,
  closesData,
  does,
  header,
  isLeft,
  sends,
  sendsOnControl,
  sendsPort,
  type Step,
  takesCommand,
  takesControlEnd,
} from "./scripted_server.ts";
import { attempt, list, SHORT } from "./session.ts";

/** What "about a second" is, with some patience for a busy machine, in milliseconds. */
const ABOUT_A_SECOND_MS = 1_500;

/** Closes a client, which must not take long. */
async function closeSoon(client: Client): Promise<number> {
  return await timed(() => client.close(), ABOUT_A_SECOND_MS, "close()");
}

const GOODBYES: Readonly<Record<string, readonly Step[]>> = {
  "closes the control connection": [takesCommand("quit"), closesControl()],
  "sends a port and takes the connection": [
    takesCommand("quit"),
    sendsPort(),
    acceptsData(),
    isLeft(),
    closesControl(),
  ],
  "sends a port and closes it": [
    takesCommand("quit"),
    sendsPort(),
    closesData(),
    closesControl(),
  ],
  "resets nothing and says nothing": [takesCommand("quit"), takesControlEnd()],
  "is gone already": [closesControl()],
};

for (const [what, script] of Object.entries(GOODBYES)) {
  Deno.test(`Client.close() ends within its limit when the server ${what}`, async () => {
    await attempt(script, async ({ client }) => {
      const tookMs = await closeSoon(client);
      assertLess(tookMs, (SHORT.quitTimeoutMs ?? 0) * 1.2 + 1_000);
    }, { sessionEnds: true, limits: SHORT });
  });
}

Deno.test("Client.close() connects to the port after quit, for servers that wait there", async () => {
  const reached = Promise.withResolvers<void>();
  await attempt([
    takesCommand("quit"),
    sendsPort(),
    acceptsData(),
    does("was reached", () => reached.resolve()),
    isLeft(),
    closesControl(),
  ], async ({ client }) => {
    await closeSoon(client);
    await within(reached.promise, PATIENCE_MS, "the last connection");
  }, { sessionEnds: true });
});

bothModes("Client.close() ends with our own server at once", async ({ mode }) => {
  await using session = await openBoth(mode, { store: new MemoryStore() });
  assertEquals(await list(session.client), []);
  assertLess(await closeSoon(session.client), 500);
});

bothModes("Client.close() does no harm twice, also at the same time", async ({ mode }) => {
  await using session = await openBoth(mode, { store: new MemoryStore() });
  const { client } = session;
  await within(
    Promise.all([client.close(), client.close()]),
    ABOUT_A_SECOND_MS,
    "two of them",
  );
  await client.close();
});

bothModes("Client does nothing more when it was closed", async ({ mode }) => {
  await using session = await openBoth(mode, { store: new MemoryStore() });
  const { client, folder } = session;
  await client.close();
  await assertFails(list(client), "aborted");
  await assertFails(client.get("a"), "aborted");
  await assertFails(client.put("a", "x"), "aborted");
  const { message } = await assertFails(
    client.download("a", `${folder}/a`),
    "aborted",
  );
  assertEquals(message, "the session was closed");
  assertEquals([...Deno.readDirSync(folder)], []);
});

const LARGE = new Uint8Array(50_000_000);

bothModes("Client.close() ends a download() and what waits behind it", async ({ mode }) => {
  const store = new MemoryStore();
  store.addFile(at("a"), LARGE);
  const begun = Promise.withResolvers<void>();
  await using session = await openBoth(mode, {
    store,
    limits: { bytesPerSecond: 1_000_000 },
    client: { onEvent: ({ event }) => event === "progress" && begun.resolve() },
  });
  const { client, folder } = session;
  const downloading = assertFails(
    client.download("a", `${folder}/a`),
    "aborted",
  );
  await within(begun.promise, PATIENCE_MS, "the first megabyte");
  const waiting = assertFails(list(client), "aborted");
  await closeSoon(client);
  await within(Promise.all([downloading, waiting]), 1_000, "two failures");
  assertEquals([...Deno.readDirSync(folder)], []);
});

Deno.test("Client.close() ends a download whose stream is being read", async () => {
  const script = [
    takesCommand("get a"),
    sendsPort(),
    acceptsData(),
    sends("0000000005he"),
    isLeft(),
    takesCommand("quit"),
    closesControl(),
  ];
  await attempt(script, async ({ client }) => {
    await using download = await client.get("a");
    const reader = download.readable.getReader();
    await reader.read();
    const reading = assertFails(reader.read(), "aborted");
    await closeSoon(client);
    await reading;
  }, { sessionEnds: true, limits: {} });
});

bothModes("Client.close() ends a download whose stream nobody reads", async ({ mode }) => {
  const store = new MemoryStore();
  store.addFile(at("a"), LARGE);
  await using session = await openBoth(mode, { store });
  const download = await session.client.get("a");
  try {
    await closeSoon(session.client);
  } finally {
    await download[Symbol.asyncDispose]();
  }
});

bothModes("Client.close() ends a put() whose stream gives no more", async ({ mode }) => {
  await using session = await openBoth(mode, { store: new MemoryStore() });
  const { client } = session;
  const stalled = Promise.withResolvers<void>();
  let giveUp = () => {};
  const stream = new ReadableStream<Uint8Array>({
    pull(controller) {
      stalled.resolve();
      return new Promise<void>((resolve) => {
        giveUp = () => {
          controller.error(new Error("the test is over"));
          resolve();
        };
      });
    },
  }, { highWaterMark: 0 });
  const putting = client.put("a", stream, { size: 5 });
  const failing = putting.then(() => {}, () => {});
  await within(stalled.promise, PATIENCE_MS, "the stream's turn");
  try {
    await closeSoon(client);
    await within(failing, 1_000, "the put's end");
  } finally {
    giveUp();
    await failing;
  }
});

Deno.test({
  name: "Client.close() ends when an operation that was given up hangs in connecting",
  ignore: Deno.build.os !== "linux",
  async fn() {
    using full = await fullPort();
    using spy = spyOnConnect();
    const script = [takesCommand("get a"), sendsOnControl(header(full.port))];
    await attempt(script, async ({ client }) => {
      const controller = new AbortController();
      const { signal } = controller;
      const failing = assertFails(client.get("a", { signal }), "aborted");
      await spy.until((attempts) => attempts.at(-1)?.port === full.port);
      controller.abort();
      await failing;
      await closeSoon(client);
    }, { sessionEnds: true, limits: { timeoutMs: 4_000 } });
  },
});
