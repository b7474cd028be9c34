/**
 * Tests of the client against servers that answer with a port that is none: K2.
 *
 * @module
 */

import { assertEquals, assertStringIncludes } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import {
  acceptsData,
  closesControl,
  closesData,
  sends,
  sendsClosedPort,
  sendsOnControl,
  sendsPort,
  takesCommand,
  takesControlEnd,
} from "./scripted_server.ts";
import { attempt, list } from "./session.ts";

const NO_PORTS: readonly string[] = [
  ...["0000000000", "0000065536", "9999999999", "+000000000", "+000065536"],
  ...["abcdefghij", "-000040000", "0x0000ffff", "          ", "1e4       "],
  ...["40000.0000", "\t000040000", "4000\n\n\n\n\n\n", "4 00000000"],
];

for (const port of NO_PORTS) {
  Deno.test(`K2 Client ends the session when ${JSON.stringify(port)} stands where a port should`, async () => {
    await attempt(
      [takesCommand("ls"), sendsOnControl(port), takesControlEnd()],
      async ({ client }) => {
        await assertFails(list(client), "protocol");
        // Nothing that comes after can be told apart, so nothing more is tried.
        await assertFails(client.get("a"), "protocol");
      },
      { sessionEnds: true },
    );
  });
}

const PADDINGS: Readonly<Record<string, (port: number) => string>> = {
  "zeros": (port) => String(port).padStart(10, "0"),
  "spaces before": (port) => String(port).padStart(10),
  "spaces after": (port) => String(port).padEnd(10),
  "a sign": (port) => `+${String(port).padStart(9, "0")}`,
};

for (const [padding, write] of Object.entries(PADDINGS)) {
  Deno.test(`Client takes a port with ${padding}`, async () => {
    await attempt(
      [
        takesCommand("ls"),
        sendsPort(write),
        acceptsData(),
        sends("0000000002a\n"),
        closesData(),
      ],
      async ({ client }) => {
        assertEquals(await list(client), ["a"]);
      },
    );
  });
}

Deno.test("Client fails with connect when a data port is closed, and the session goes on", async () => {
  for (const command of ["ls", "get a"]) {
    await attempt(
      [takesCommand(command), sendsClosedPort()],
      async ({ client }) => {
        const { message } = await assertFails(
          command === "ls" ? list(client) : client.get("a"),
          "connect",
        );
        assertStringIncludes(message, "the data port 127.0.0.1:");
        assertStringIncludes(message, "refused the connection");
      },
    );
  }
});

Deno.test("Client fails with connect when a server ends the session unanswered", async () => {
  await attempt(
    [takesCommand("ls"), closesControl()],
    async ({ client }) => {
      const { message, hint } = await assertFails(list(client), "connect");
      assertStringIncludes(message, "closed the session unanswered");
      assertStringIncludes(hint ?? "", "may be full");
    },
    { sessionEnds: true },
  );
});

Deno.test("Client fails with disconnected when a server ends the session later", async () => {
  await attempt(
    [
      takesCommand("ls"),
      sendsPort(),
      acceptsData(),
      sends("0000000000"),
      closesData(),
      takesCommand("get a"),
      closesControl(),
    ],
    async ({ client }) => {
      assertEquals(await list(client), []);
      await assertFails(client.get("a"), "disconnected");
    },
    { sessionEnds: true },
  );
});

Deno.test("Client fails with disconnected when the session ends inside a port", async () => {
  await attempt(
    [takesCommand("ls"), sendsOnControl("00000"), closesControl()],
    async ({ client }) => {
      const { message } = await assertFails(list(client), "disconnected");
      assertStringIncludes(message, "5 of 10 bytes");
    },
    { sessionEnds: true },
  );
});
