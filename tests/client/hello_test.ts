/**
 * Tests of the first words of a session, with scripted servers of both kinds and
 * those in between: NEG-2 to NEG-8, T7, T8.
 *
 * @module
 */

import type { Client, ConnectOptions, Mode } from "../../mod.ts";
import { assert, assertEquals, toText } from "../deps.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import {
  acceptsData,
  closesControl,
  closesData,
  does,
  ScriptedServer,
  sends,
  sendsOnControl,
  sendsPort,
  type Step,
  takesCommand,
  takesControlEnd,
} from "./scripted_server.ts";
import { list, openSession, QUICK } from "./session.ts";
import {
  acceptsEntrance,
  attemptTandem,
  END,
  errorMessage,
  listingOf,
  object,
  opensWith,
  signed,
  takesFirst,
  takesNext,
  takesQuit,
  takesSigned,
  takesTicket,
  TICKET,
  WELCOME,
  welcomes,
} from "./tandem_script.ts";

Deno.test("NEG-5 Client opens its data connection at the same address and port, and nothing else", async () => {
  using spy = spyOnConnect();
  await attemptTandem([...opensWith("ls"), sends(listingOf("a"))], async ({ client }) => {
    assertEquals(await list(client), ["a"]);
    assertEquals(spy.attempts.map(({ port }) => port), [spy.attempts[0]?.port, spy.attempts[0]?.port]);
  });
});

Deno.test("NEG-5 Client sends the ticket and its first command in one write", async () => {
  using spy = spyOnConnect();
  await attemptTandem([...opensWith("ls"), sends(listingOf("a"))], async ({ client }) => {
    await list(client);
    const [first] = spy.attempts[1]?.writes ?? [];
    const text = new TextDecoder().decode(first);
    assert(text.includes(TICKET) && text.includes("\nls\n") || text.includes("ls\n{}"), text);
  });
});

const BAD_WELCOMES: Readonly<Record<string, string>> = {
  "garbage": END + "garbage, and more of it",
  "a seal that does not fit": WELCOME.slice(0, -1) + (WELCOME.endsWith("0") ? "1" : "0"),
  "no ticket": END + object({ tandem: 1 }),
  "a ticket that is too short": END + object({ tandem: 1, ticket: "abc" }),
  "a ticket that is no text": END + object({ tandem: 1, ticket: 5 }),
  "a ticket with a line feed": END + object({ tandem: 1, ticket: `${TICKET.slice(0, -2)}\nx` }),
  "version 0": END + object({ tandem: 0, ticket: TICKET }),
  "no version": END + object({ ticket: TICKET }),
  "an endless message": END + signed(999_999_999),
  "an error": END + errorMessage("busy"),
  "an unsigned message": END + "0000000010{}\n00000000",
  "no object": END + signed(11) + "[]\n00000000",
};

for (const [what, welcome] of Object.entries(BAD_WELCOMES)) {
  Deno.test(`K2 Client ends the session when port 0 is followed by ${what}`, async () => {
    for (const mode of [undefined, "tandem"] as const) {
      await attemptTandem([takesSigned("ls"), welcomes(welcome), takesControlEnd()], async ({ client }) => {
        using spy = spyOnConnect();
        const { code } = await failureOf(list(client));
        assert(code === "protocol" || code === "integrity", code);
        assertEquals((await failureOf(client.get("a"))).code, code);
        assertEquals(spy.attempts, []);
      }, {
        ...(mode === undefined ? {} : { mode }),
        sessionEnds: what.startsWith("a seal") || what === "no object" ? "integrity" : "protocol",
      });
    }
  });
}

/** A session with a scripted server, of which nothing is expected afterwards. */
async function withScript(
  script: readonly Step[],
  run: (client: Client) => Promise<void>,
  options: ConnectOptions = {},
): Promise<void> {
  await using server = await ScriptedServer.start(script);
  await using session = await openSession(server.port, { limits: QUICK, ...options });
  await run(session.client);
  await within(server.finished, PATIENCE_MS, "the script");
}

Deno.test("NEG-6 Client fails when its ticket is refused, and does not fall back to plain", async () => {
  const script = [takesSigned("put a"), welcomes(), acceptsEntrance(), takesTicket(), closesData(), closesControl()];
  await withScript(script, async (client) => {
    await assertFails(client.put("a", "x"), "disconnected");
    await assertFails(client.put("a", "x"), "disconnected");
  });
});

Deno.test("NEG-2 Client takes a welcome that comes byte by byte, or with fields that it does not know", async () => {
  const later = END + object({ tandem: 7, ticket: TICKET, later: "x", more: [1] });
  for (const pieces of [[...WELCOME], [later]]) {
    const script = [
      takesSigned("ls"),
      ...pieces.map((piece) => welcomes(piece)),
      ...[acceptsEntrance(), takesTicket(), takesFirst("ls"), sends(listingOf("a"))],
    ];
    await attemptTandem(script, async ({ client }) => assertEquals(await list(client), ["a"]));
  }
});

Deno.test("T7 Client for which only tandem will do stops when only plain is offered, and sends nothing", async () => {
  using spy = spyOnConnect();
  const port = (port: number) => `+${String(port).padStart(9, "0")}`;
  for (const write of [port, undefined]) {
    await withScript([takesSigned("put a"), sendsPort(write), takesControlEnd()], async (client) => {
      await assertFails(client.put("a", "secret"), "unsupported");
      await assertFails(list(client), "unsupported");
      await assertFails(client.ping(), "unsupported");
    }, { mode: "tandem" });
  }
  assertEquals(spy.attempts.map(({ writes }) => writes.length), [1, 1]);
});

Deno.test("T8 Client speaks plain when a proxy strips its sign, and says so at the first answer", async () => {
  const hellos: Mode[] = [];
  // The proxy hands on what an honest tandem server answers to a command without a sign: a port.
  const script = [
    takesSigned("get a"),
    sendsPort(),
    acceptsData(),
    sends("0000000001x"),
    closesData(),
    takesCommand("quit"),
    closesControl(),
  ];
  await withScript(script, async (client) => {
    assertEquals(await toText((await client.get("a")).readable), "x");
    assertEquals([client.mode, hellos], ["plain", ["plain"]]);
    await client.close();
  }, { onEvent: (event) => event.event === "hello" && hellos.push(event.mode) });
});

const ALTERED = ["-000000000", "0000000000", "+00000000 ", " 000000000", "+0000000-0"];

for (const header of ALTERED) {
  Deno.test(`T8 Client ends the session when the hello of a tandem server was altered to "${header}"`, async () => {
    const script = [takesSigned("put a"), sendsOnControl(header + WELCOME.slice(10)), takesControlEnd()];
    await withScript(script, async (client) => {
      await assertFails(client.put("a", "x"), "protocol");
      await client.close();
    });
  });
}

Deno.test("NEG-3 Client sends nothing with a sign after a plain answer", async () => {
  const script = [
    takesSigned("ls"),
    sendsPort(),
    ...[acceptsData(), sends("0000000000"), closesData()],
    takesCommand("ls"),
    sendsPort(),
    ...[acceptsData(), sends("0000000000"), closesData()],
    takesCommand("quit"),
    closesControl(),
  ];
  await withScript(script, async (client) => {
    assertEquals([await list(client), await list(client)], [[], []]);
    await client.close();
  });
});

Deno.test("Client that gives up while it waits for the welcome speaks tandem afterwards", async () => {
  const reached = Promise.withResolvers<void>();
  const goOn = Promise.withResolvers<void>();
  const script = [
    takesSigned("get a"),
    does("is there", () => reached.resolve()),
    does("waits", () => goOn.promise),
    ...[welcomes(), acceptsEntrance(), takesTicket(), takesFirst("ping"), sends(object({}))],
    ...[takesNext("ls"), sends(listingOf("b")), ...takesQuit()],
  ];
  await withScript(script, async (client) => {
    const controller = new AbortController();
    const failing = assertFails(client.get("a", { signal: controller.signal }), "aborted");
    await within(reached.promise, PATIENCE_MS, "the moment");
    controller.abort();
    await within(failing, 500, "an abort");
    const next = list(client);
    goOn.resolve();
    assertEquals(await within(next, PATIENCE_MS, "ls"), ["b"]);
    await client.close();
  });
});
