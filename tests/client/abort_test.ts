/**
 * Tests of giving up: whatever an operation waits for, its signal ends it at
 * once, and the session can be used further.
 *
 * @module
 */

import { MemoryStore } from "../../mod.ts";
import { assertEquals, assertLess } from "../deps.ts";
import { serveForTest } from "../helpers.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import {
  acceptsData,
  answersList,
  answersPut,
  closesData,
  does,
  isLeft,
  sends,
  sendsClosedPort,
  sendsPort,
  type Step,
  takes,
  takesBytes,
  takesCommand,
} from "./scripted_server.ts";
import { attempt, list, openSession, type TestSession } from "./session.ts";

/** How long giving up may take, in milliseconds: far less than any limit. */
const AT_ONCE_MS = 500;

/** Limits that end nothing here: only the signal does. */
const PATIENT = { limits: { dataPortRetryMs: 700 } };

/** An operation that a signal can end. */
type Operation = (
  session: TestSession,
  signal: AbortSignal,
) => Promise<unknown>;

const LARGE = new Uint8Array(50_000_000);

const GETS: Readonly<Record<string, Operation>> = {
  "download()": ({ client, folder }, signal) => client.download("a", `${folder}/a`, { signal }),
  "get()": async ({ client }, signal) => {
    await using download = await client.get("a", { signal });
    for await (const _ of download.readable);
  },
};

/** One moment at which an operation is given up. */
interface Moment {
  /** The operation, for the test's name. */
  readonly what: string;
  /** What it waits for then. */
  readonly while: string;
  /** The operation. */
  readonly operation: Operation;
  /** What the server has done by then. */
  readonly before: readonly Step[];
  /** What it does when the operation was given up. */
  readonly after: readonly Step[];
}

const getMoments = Object.entries(GETS).flatMap(([what, operation]) => {
  const asked = takesCommand("get a");
  const opened = [asked, sendsPort(), acceptsData()];
  const moment = { what, operation };
  return [
    {
      ...moment,
      while: "it waits for a port",
      before: [asked],
      after: [sendsPort(), acceptsData(), isLeft()],
    },
    {
      ...moment,
      while: "it tries a closed port again",
      before: [asked, sendsClosedPort()],
      after: [],
    },
    {
      ...moment,
      while: "it waits for the size",
      before: opened,
      after: [isLeft()],
    },
    {
      ...moment,
      while: "it waits for more of the body",
      before: [...opened, sends("0000000005he")],
      after: [isLeft()],
    },
  ];
});

const putOpened = [takesCommand("put a"), sendsPort(), acceptsData()];

const MOMENTS: readonly Moment[] = [
  ...getMoments,
  {
    what: "list()",
    while: "it waits for more of the listing",
    operation: ({ client }, signal) => Array.fromAsync(client.list("/", { signal })),
    before: [
      takesCommand("ls"),
      sendsPort(),
      acceptsData(),
      sends("0000000010a.txt\n"),
    ],
    after: [isLeft()],
  },
  {
    what: "put()",
    while: "it waits for a port",
    operation: ({ client }, signal) => client.put("a", "hello", { signal }),
    before: [takesCommand("put a")],
    after: [sendsPort(), acceptsData(), isLeft()],
  },
  {
    what: "put()",
    while: "the server takes no more",
    operation: ({ client }, signal) => client.put("a", LARGE, { signal }),
    before: [...putOpened, takesBytes(1_000)],
    after: [isLeft()],
  },
  {
    what: "put()",
    while: "it waits for the server to close",
    operation: ({ client }, signal) => client.put("a", "hello", { signal }),
    before: [...putOpened, takes("0000000005hello")],
    after: [isLeft()],
  },
  {
    what: "put()",
    while: "its stream gives no more",
    operation: ({ client }, signal) => client.put("a", endlessStream("he"), { size: 5, signal }),
    before: putOpened,
    after: [isLeft()],
  },
];

/** A stream that gives a text and then neither more nor an end. */
function endlessStream(text: string): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(text)),
    pull: () => new Promise(() => {}),
  });
}

for (const moment of MOMENTS) {
  const { what, operation, before, after } = moment;
  Deno.test(`Client.${what} is given up at once while ${moment.while}`, async () => {
    const controller = new AbortController();
    const reached = Promise.withResolvers<void>();
    const givenUp = Promise.withResolvers<void>();
    const script = [
      ...before,
      does("is there", () => reached.resolve()),
      does("waits for the abort", () => givenUp.promise),
      ...after,
      ...answersPut("b", "next"),
    ];
    await attempt(script, async (session) => {
      const failing = assertFails(
        operation(session, controller.signal),
        "aborted",
      );
      await within(reached.promise, PATIENCE_MS, "the moment");
      const tookMs = await timed(
        () => {
          controller.abort();
          return failing;
        },
        1_000,
        "an abort",
      );
      givenUp.resolve();
      assertLess(tookMs, AT_ONCE_MS);
      assertEquals([...Deno.readDirSync(session.folder)], []);
      await within(session.client.put("b", "next"), PATIENCE_MS, "a put");
    }, PATIENT);
  });
}

Deno.test("Client.put() is given up at once while it holds a stream of unknown size", async () => {
  await attempt([], async ({ client }) => {
    const controller = new AbortController();
    const { signal } = controller;
    const failing = assertFails(
      client.put("a", endlessStream("x"), { signal }),
      "aborted",
    );
    const tookMs = await timed(
      () => {
        controller.abort();
        return failing;
      },
      1_000,
      "an abort",
    );
    assertLess(tookMs, AT_ONCE_MS);
  });
});

Deno.test("Client gives up an operation at once while an earlier one that was given up is not settled", async () => {
  const first = new AbortController();
  const second = new AbortController();
  const reached = Promise.withResolvers<void>();
  const givenUp = Promise.withResolvers<void>();
  const script = [
    takesCommand("get a"),
    does("is there", () => reached.resolve()),
    does("waits for the second abort", () => givenUp.promise),
    sendsPort(),
    acceptsData(),
    isLeft(),
  ];
  await attempt(script, async ({ client }) => {
    const failing = assertFails(
      client.get("a", { signal: first.signal }),
      "aborted",
    );
    await within(reached.promise, PATIENCE_MS, "the moment");
    first.abort();
    await failing;
    const next = assertFails(
      client.get("b", { signal: second.signal }),
      "aborted",
    );
    // Its turn has come, and it waits for what the first one has left.
    await new Promise((resolve) => setTimeout(resolve));
    try {
      const tookMs = await timed(
        () => {
          second.abort();
          return next;
        },
        1_000,
        "the second abort",
      );
      assertLess(tookMs, AT_ONCE_MS);
    } finally {
      givenUp.resolve();
    }
  }, PATIENT);
});

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
  store.addFile("a" as Parameters<typeof store.addFile>[0], LARGE);
  return store;
}

Deno.test("Download is given up when its stream is cancelled, left or disposed of", async () => {
  await using server = serveForTest("", { store: largeStore() });
  await using session = await openSession(server.addr.port);
  const { client } = session;
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

Deno.test("Client goes on when a download that nobody reads is given up by its signal", async () => {
  await using server = serveForTest("", { store: largeStore() });
  await using session = await openSession(server.addr.port);
  const { client } = session;
  const controller = new AbortController();
  const { readable } = await client.get("a", { signal: controller.signal });
  try {
    controller.abort();
    assertEquals(await within(list(client), 1_000, "ls"), ["a"]);
  } finally {
    await readable.cancel().catch(() => {});
  }
});
