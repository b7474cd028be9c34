/**
 * Tests of the client against servers that fall silent: K7. Every wait has a
 * deadline of its own, which is short here.
 *
 * @module
 */

import type { ClientLimits } from "../../src/limits.ts";
import { assertGreaterOrEqual, assertLess, assertMatch, toText } from "../deps.ts";
import { PATIENCE_MS, timed } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import {
  acceptsData,
  closesControl,
  header,
  isLeft,
  opensPort,
  sends,
  sendsOnControl,
  sendsPort,
  type Step,
  takes,
  takesBytes,
  takesCommand,
  takesControlEnd,
} from "./scripted_server.ts";
import { attempt, list, SHORT, type TestSession } from "./session.ts";

/** One place where a server falls silent. */
interface Silence {
  /** What it has done by then, for the test's name. */
  readonly after: string;
  /** What it does. */
  readonly script: readonly Step[];
  /** The limit that ends the wait. */
  readonly limit: keyof ClientLimits;
  /** What the error says. */
  readonly says: RegExp;
  /** Whether the control connection was what was silent. */
  readonly sessionEnds?: boolean;
}

const ASKED = [takesCommand("get a"), sendsPort(), acceptsData()];

const DURING_GET: readonly Silence[] = [
  {
    after: "the command",
    script: [takesCommand("get a"), takesControlEnd()],
    limit: "timeoutMs",
    says: /waited 0\.3 s for a data port from 127/,
    sessionEnds: true,
  },
  {
    after: "half a port",
    script: [
      takesCommand("get a"),
      sendsOnControl("00000"),
      takesControlEnd(),
    ],
    limit: "timeoutMs",
    says: /waited 0\.3 s for a data port from 127/,
    sessionEnds: true,
  },
  {
    after: "a port on which it accepts nobody",
    script: [takesCommand("get a"), sendsPort()],
    limit: "timeoutMs",
    says: /waited 0\.3 s for the size of a file from 127/,
  },
  {
    after: "the data connection",
    script: [...ASKED, isLeft()],
    limit: "timeoutMs",
    says: /waited 0\.3 s for the size of a file from 127/,
  },
  {
    after: "half a size",
    script: [...ASKED, sends("00000"), isLeft()],
    limit: "timeoutMs",
    says: /waited 0\.3 s for the size of a file from 127/,
  },
];

const DURING_BODY: readonly Silence[] = [
  {
    after: "the size",
    script: [...ASKED, sends("0000000005"), isLeft()],
    limit: "stallTimeoutMs",
    says: /stalled: 0 bytes in 0\.3 s|waited 0\.3 s for more of a file/,
  },
  {
    after: "a part of the body",
    script: [...ASKED, sends("0000000005", "he"), isLeft()],
    limit: "stallTimeoutMs",
    says: /stalled: \d bytes in 0\.3 s|waited 0\.3 s for more of a file/,
  },
];

/** Checks that `run` fails with a timeout when the limit is over: not before, and soon after. */
async function assertTimesOut(
  { limit, says }: Silence,
  run: () => Promise<unknown>,
): Promise<void> {
  let message = "";
  const tookMs = await timed(
    async () => ({ message } = await assertFails(run(), "timeout")),
    PATIENCE_MS,
    "a timeout",
  );
  assertMatch(message, says);
  const limitMs = SHORT[limit] ?? 0;
  assertGreaterOrEqual(tookMs, limitMs * 0.8);
  assertLess(tookMs, limitMs * 1.2 + 1_000);
}

function silenceTest(
  what: string,
  silence: Silence,
  run: (session: TestSession) => Promise<unknown>,
): void {
  const { after, script, sessionEnds = false } = silence;
  Deno.test(`K7 ${what} times out when the server is silent after ${after}`, async () => {
    await attempt(
      script,
      (session) => assertTimesOut(silence, () => run(session)),
      { sessionEnds, limits: SHORT },
    );
  });
}

for (const silence of [...DURING_GET, ...DURING_BODY]) {
  silenceTest("Client.download()", silence, async (session) => {
    const { client, folder } = session;
    await client.download("a", `${folder}/a`);
  });

  silenceTest("Client.get()", silence, async ({ client }) => {
    await using download = await client.get("a");
    await toText(download.readable);
  });
}

const LISTING = [takesCommand("ls"), sendsPort(), acceptsData()];

const DURING_LIST: readonly Silence[] = [
  {
    after: "the data connection",
    script: [...LISTING, isLeft()],
    limit: "timeoutMs",
    says: /waited 0\.3 s for the size of a file from 127/,
  },
  {
    after: "a part of a listing",
    script: [...LISTING, sends("0000000010", "a.txt\n"), isLeft()],
    limit: "stallTimeoutMs",
    says: /stalled/,
  },
];

for (const silence of DURING_LIST) {
  silenceTest("Client.list()", silence, ({ client }) => list(client));
}

const LARGE_BYTES = 50_000_000;
const PUTTING = [takesCommand("put a"), sendsPort(), acceptsData()];

silenceTest("Client.put()", {
  after: "the data connection, and takes no body",
  script: [...PUTTING, takes(header(LARGE_BYTES)), takesBytes(1)],
  limit: "stallTimeoutMs",
  says: /stalled/,
}, ({ client }) => client.put("a", new Uint8Array(LARGE_BYTES)));

silenceTest("Client.put()", {
  after: "the last byte of a body, and does not close",
  script: [...PUTTING, takes("0000000005hello")],
  limit: "putCloseTimeoutMs",
  says: /waited 0\.3 s for the end of a put, of which every byte was sent/,
}, ({ client }) => client.put("a", "hello"));

silenceTest("Client.put() of a stream that gives no more", {
  after: "the data connection, as is the stream",
  script: [...PUTTING, isLeft()],
  limit: "stallTimeoutMs",
  says: /stalled: \d+ bytes in 0\.3 s/,
}, ({ client }) => {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let i = 0; i < 3; i++) controller.enqueue(new Uint8Array(1));
    },
  });
  return client.put("a", stream, { size: 5 });
});

Deno.test("K7 Client.download() times out when a server sends slower than is taken", async () => {
  const drips: Step = {
    about: "sends a byte at a time until the client leaves",
    async run({ data }) {
      // A pause is the fault itself: bytes come, so nothing is silent.
      while (await data?.send(new Uint8Array(1))) {
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
  };
  const silence: Silence = {
    after: "",
    script: [...ASKED, sends("0000100000"), drips],
    limit: "stallTimeoutMs",
    says: /stalled: \d+ bytes in 0\.3 s/,
  };
  await attempt(silence.script, async ({ client, folder }) => {
    await assertTimesOut(
      silence,
      () => client.download("a", `${folder}/a`),
    );
  }, { limits: { ...SHORT, minBytesPerSecond: 10_000 } });
});

Deno.test("K7 Client.close() ends when the server is silent after quit", async () => {
  const ends: readonly (readonly Step[])[] = [
    [takesCommand("quit"), takesControlEnd()],
    [takesCommand("quit"), sendsOnControl("00000"), takesControlEnd()],
    [takesCommand("quit"), sendsPort(), takesControlEnd()],
    [takesCommand("quit"), sendsPort(), acceptsData(), takesControlEnd()],
    [takesCommand("quit"), opensPort(), closesControl()],
  ];
  for (const script of ends) {
    await attempt(script, async ({ client }) => {
      const tookMs = await timed(() => client.close(), PATIENCE_MS, "close()");
      assertLess(tookMs, (SHORT.quitTimeoutMs ?? 0) * 1.2 + 1_000);
    }, { sessionEnds: true, limits: SHORT });
  }
});
