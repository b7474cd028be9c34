/**
 * Tests of the client against tandem servers that fall silent, or never come to
 * an end: K4, K7. Every wait has a deadline of its own, which is short here.
 *
 * @module
 */

import { assertEquals, assertGreaterOrEqual, assertLess } from "../deps.ts";
import { forAll, PATIENCE_MS, timed } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { floods, isLeft, sends, type Step, takesBytes, takesControlEnd } from "./scripted_server.ts";
import { list, SHORT, type TestSession } from "./session.ts";
import {
  acceptsEntrance,
  attemptTandem,
  bodyOf,
  chunk,
  finalNames,
  infoOf,
  lineOf,
  object,
  opensWith,
  takesNext,
  takesSigned,
  takesTicket,
  WELCOME,
  welcomes,
} from "./tandem_script.ts";
import { OPERATIONS, READY_PUT } from "./tandem_operations.ts";

const LIMIT_MS = 300;

/** Checks that an operation times out when its limit is over: not before, and soon after. */
async function assertTimesOut(script: readonly Step[], run: (session: TestSession) => Promise<unknown>): Promise<void> {
  await attemptTandem(script, async (session) => {
    const tookMs = await timed(() => assertFails(run(session), "timeout"), PATIENCE_MS, "a timeout");
    assertGreaterOrEqual(tookMs, LIMIT_MS * 0.8);
    assertLess(tookMs, LIMIT_MS * 1.2 + 1_000);
    assertEquals(finalNames(session.folder), []);
  }, { sessionEnds: "timeout", limits: SHORT });
}

const OPENINGS: Readonly<Record<string, readonly Step[]>> = {
  "the first command": [takesSigned("ls"), takesControlEnd()],
  "half a header": [takesSigned("ls"), welcomes("+0000"), takesControlEnd()],
  "port 0": [takesSigned("ls"), welcomes(WELCOME.slice(0, 10)), takesControlEnd()],
  "half a welcome": [takesSigned("ls"), welcomes(WELCOME.slice(0, 40)), takesControlEnd()],
  "the welcome": [takesSigned("ls"), welcomes(), takesControlEnd()],
  "the ticket": [takesSigned("ls"), welcomes(), acceptsEntrance(), takesTicket(), isLeft()],
};

Deno.test("K7 Client times out when a tandem server is silent at any step of the opening", async () => {
  await forAll(Object.values(OPENINGS), (script) => assertTimesOut(script, ({ client }) => list(client)));
});

for (const [name, { asked, answer, run }] of Object.entries({ ...OPERATIONS, "put() of a stream": READY_PUT })) {
  Deno.test(`K7 Client.${name} times out when a tandem server is silent in any part of its answer`, async () => {
    await forAll([...answer.keys()], async (parts) => {
      const part = answer[parts] ?? "";
      const before = answer.slice(0, parts).join("");
      await assertTimesOut([...asked, sends(before + part.slice(0, part.length / 2)), isLeft()], run);
    });
  });
}

Deno.test("K7 Client.put() times out when a tandem server takes no more of a body", async () => {
  const asked = [...opensWith("put a", { ready: true }, "put a"), sends(object({ offset: 0 }))];
  await assertTimesOut([...asked, takesBytes(1_000), isLeft()], ({ client }) => {
    return client.put("a", new Uint8Array(50_000_000));
  });
});

Deno.test("MSG-6 Client waits as long as a server says that it is at work, and no longer", async () => {
  const works: Step = {
    about: "says for twice the limit that it is at work",
    async run({ data }) {
      // Time that passes is what this is about.
      for (let i = 0; i < 6; i++) {
        await data?.send(new TextEncoder().encode(object({ working: true })));
        await new Promise((resolve) => setTimeout(resolve, LIMIT_MS / 3));
      }
    },
  };
  await attemptTandem([...opensWith("hash a", {}, "ls"), works, sends(object({ sha256: "0".repeat(64), size: 1 }))], (
    { client },
  ) => client.hash("a"), { limits: { ...SHORT, timeoutMs: LIMIT_MS } });
  await attemptTandem([...opensWith("hash a", {}, "ls"), works, isLeft()], async ({ client }) => {
    await assertFails(client.hash("a"), "timeout");
  }, { sessionEnds: "timeout", limits: SHORT });
});

Deno.test("K7 Client.close() ends when a tandem server is silent after quit", async () => {
  const script = [...opensWith("ping", {}, "ls"), sends(object({})), takesNext("quit"), takesControlEnd()];
  await attemptTandem(script, async ({ client }) => {
    await client.ping();
    const tookMs = await timed(() => client.close(), PATIENCE_MS, "close()");
    assertLess(tookMs, LIMIT_MS * 1.2 + 1_000);
  }, { sessionEnds: "aborted", limits: SHORT });
});

Deno.test("K4 Client.list() takes no endless listing of a tandem server", async () => {
  const lines = chunk(lineOf("x".repeat(200)).repeat(250));
  const most = 160 * 1024 * 1024;
  await attemptTandem([...opensWith("ls"), floods("data", lines.repeat(20), most)], async ({ client }) => {
    await assertFails(list(client), "protocol");
  }, { sessionEnds: "protocol", limits: {} });
});

Deno.test("K4 Client.download() takes no endless body of a tandem server", async () => {
  const script = [
    ...opensWith("get a"),
    sends(infoOf(10)),
    floods("data", chunk("x".repeat(60_000)), Infinity),
  ];
  await attemptTandem(script, async ({ client, folder }) => {
    await assertFails(client.download("a", `${folder}/a`), "integrity");
    assertEquals(finalNames(folder), []);
    await client.close();
  }, { sessionEnds: "aborted", limits: SHORT });
});

const HOSTILE = [
  "../x",
  "a/../../x",
  "/etc/passwd",
  "..",
  ".",
  "",
  "\x1b[2J",
  "a\nb",
  "nul\0",
  "..\\x",
  ".tandem-x.part",
];

Deno.test("K1 Client.list() gives a tandem server's names as they came, and asks for none that cannot be", async () => {
  const body = HOSTILE.map(lineOf).join("");
  const script = [...opensWith("ls"), sends(bodyOf(body))];
  await attemptTandem(script, async ({ client, folder }) => {
    assertEquals(await list(client), HOSTILE);
    // These name the shared folder or something in it, and could be asked for.
    for (const name of HOSTILE.filter((name) => !["", ".", "/etc/passwd"].includes(name))) {
      const { code } = await failureOf(client.download(name, `${folder}/x`));
      assertEquals(["outside-root", "bad-request", "denied"].includes(code), true, `${name}: ${code}`);
      assertEquals((await failureOf(client.stat(name))).code, code);
      assertEquals((await failureOf(client.remove(name))).code, code);
      assertEquals((await failureOf(client.rename("a", name))).code, code);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

const BAD_LINES = [
  '{"name":"a"}',
  '{"kind":"file"}',
  '{"name":1,"kind":"file"}',
  '{"name":"a","kind":"link"}',
  "a",
  "[]",
  "",
];

Deno.test("TCM-4 Client.list() ends the session with protocol when a line is no entry", async () => {
  for (const body of [...BAD_LINES.map((line) => `${line}\n`), lineOf("a").trim(), `${lineOf("a")}{`]) {
    await attemptTandem([...opensWith("ls"), sends(bodyOf(body))], async ({ client }) => {
      await assertFails(list(client), "protocol");
    }, { sessionEnds: "protocol" });
  }
});
