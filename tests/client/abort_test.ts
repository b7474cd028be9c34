/**
 * Tests of giving up: whatever an operation waits for, its signal ends it at
 * once, and the session can be used further.
 *
 * @module
 */

import { assertEquals, assertLess } from "../deps.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import {
  acceptsData,
  answersPut,
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
import { attempt, type TestSession } from "./session.ts";

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
