/**
 * Tests of the client against servers that send less or more than they
 * announce, and that go away in the middle: K3, K5, K6.
 *
 * @module
 */

import type { ErrorCode } from "../../src/errors.ts";
import { assert, assertEquals, assertStringIncludes, toText } from "../deps.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import {
  answers,
  answersGet,
  closesData,
  header,
  resetsData,
  sends,
  type Step,
  takes,
  takesBytes,
  takesDataEnd,
} from "./scripted_server.ts";
import { attempt, list, type TestSession } from "./session.ts";

const BODY = "hello";
const WHOLE = header(BODY.length) + BODY;

/** How a server may leave: in order, or with a reset. */
const LEAVINGS = { FIN: closesData(), RST: resetsData() } as const;
type Leaving = keyof typeof LEAVINGS;

/** What a body that was cut after `at` bytes may be called. */
function codesAt(at: number, leaving: Leaving): ErrorCode[] {
  // A reset that comes at once may be there before the connection is.
  if (at === 0) return leaving === "RST" ? ["not-found", "connect"] : ["not-found"];
  const insideHeader = at < header(0).length;
  return leaving === "RST" && insideHeader ? ["not-found"] : ["disconnected"];
}

/** Fetches a file in one of the ways that there are. */
type Fetch = (session: TestSession) => Promise<unknown>;

const FETCHES: Readonly<Record<string, readonly [string, Fetch]>> = {
  "download()": [
    "get a",
    ({ client, folder }) => client.download("a", `${folder}/a`),
  ],
  "get()": [
    "get a",
    async ({ client }) => {
      await using download = await client.get("a");
      return await toText(download.readable);
    },
  ],
  "list()": ["ls", ({ client }) => list(client)],
};

for (const [name, [command, fetch]] of Object.entries(FETCHES)) {
  for (const leaving of ["FIN", "RST"] as const) {
    Deno.test(`K5 Client.${name} fails and stores nothing when a ${leaving} comes at any place`, async () => {
      for (let at = 0; at < WHOLE.length; at++) {
        await attempt(
          answers(command, sends(WHOLE.slice(0, at)), LEAVINGS[leaving]),
          async (session) => {
            const failure = await failureOf(fetch(session));
            const allowed = codesAt(at, leaving).includes(failure.code);
            assert(allowed, `cut after ${at}: ${failure.code}, ${failure}`);
            assertEquals([...Deno.readDirSync(session.folder)], []);
          },
          { resets: leaving === "RST" },
        );
      }
    });
  }
}

Deno.test("K5 Client.download() takes a body that nothing is missing of", async () => {
  await attempt(answersGet("a", BODY), async ({ client, folder }) => {
    const result = await client.download("a", `${folder}/a`);
    assertEquals([result.outcome, result.bytes], ["fetched", 5]);
    assertEquals(Deno.readTextFileSync(`${folder}/a`), BODY);
  });
});

Deno.test("K5 Client.download() keeps the old file when the new one comes short", async () => {
  await attempt(
    answers("get a", sends(WHOLE.slice(0, 12))),
    async ({ client, folder }) => {
      Deno.writeTextFileSync(`${folder}/a`, "old");
      const { message } = await assertFails(
        client.download("a", `${folder}/a`, { overwrite: true }),
        "disconnected",
      );
      assertEquals(message.startsWith("incomplete: 2 of 5 bytes"), true);
      assertEquals(Deno.readTextFileSync(`${folder}/a`), "old");
    },
  );
});

Deno.test("K5 Client.put() fails when a RST comes at any place", async () => {
  for (let at = 0; at <= WHOLE.length; at++) {
    await attempt(
      answers("put a", takes(WHOLE.slice(0, at)), resetsData()),
      async ({ client }) => {
        const { code } = await failureOf(client.put("a", BODY));
        assert(code === "denied" || code === "disconnected", code);
      },
      { resets: true },
    );
  }
});

Deno.test("K5 Client.put() fails when a server leaves in the middle of a large body", async () => {
  for (const leaving of ["FIN", "RST"] as const) {
    await attempt(
      answers("put a", takesBytes(1_000_000), LEAVINGS[leaving]),
      async ({ client }) => {
        const { code } = await failureOf(
          client.put("a", new Uint8Array(50_000_000)),
        );
        assert(code === "denied" || code === "disconnected", code);
      },
      { resets: leaving === "RST" },
    );
  }
});

Deno.test("K3 Client.download() fails when 9,999,999,999 bytes were announced and few come", async () => {
  await attempt(
    answers("get a", sends("9999999999", "few")),
    async ({ client, folder }) => {
      const { message } = await assertFails(
        client.download("a", `${folder}/a`),
        "disconnected",
      );
      assertStringIncludes(message, "3 of 9999999999 bytes");
      assertEquals([...Deno.readDirSync(folder)], []);
    },
  );
});

Deno.test("K3 Client.get() tells the announced size and fails when few bytes come", async () => {
  await attempt(
    answers("get a", sends("9999999999", "few")),
    async ({ client }) => {
      await using download = await client.get("a");
      assertEquals(download.size, 9_999_999_999);
      await assertFails(toText(download.readable), "disconnected");
    },
  );
});

const NO_HEADERS: readonly string[] = [
  ...["abcdefghij", "-000000005", "0x00000005", "          ", "5e00000000"],
  ...["<html>\n<bo", "\0\0\0\0\0\0\0\0\0\x05"],
];

for (const [name, [command, fetch]] of Object.entries(FETCHES)) {
  Deno.test(`K3 Client.${name} fails when a size is no number, and the session goes on`, async () => {
    for (const text of NO_HEADERS) {
      await attempt(answers(command, sends(text, BODY)), async (session) => {
        await assertFails(fetch(session), "protocol");
        assertEquals([...Deno.readDirSync(session.folder)], []);
      });
    }
  });

  Deno.test(`K6 Client.${name} fails and stores nothing when more comes than was announced`, async () => {
    const tails: Step[] = [
      sends(`${WHOLE}!`),
      sends(WHOLE, "!"),
      sends(...WHOLE, ..."and much more"),
      sends("0000000000", "!"),
    ];
    for (const tail of tails) {
      await attempt(answers(command, tail), async (session) => {
        const { message } = await assertFails(fetch(session), "protocol");
        assertStringIncludes(message, "more bytes came");
        assertEquals([...Deno.readDirSync(session.folder)], []);
      });
    }
  });
}

Deno.test("Client.download() takes a file whose server waits for the client to close", async () => {
  await attempt(
    answers("get a", sends(WHOLE), takesDataEnd()),
    async ({ client, folder }) => {
      await client.download("a", `${folder}/a`);
      assertEquals(Deno.readTextFileSync(`${folder}/a`), BODY);
    },
  );
});
