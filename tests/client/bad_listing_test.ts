/**
 * Tests of the client against servers whose listings are an attack: K1, K4.
 *
 * @module
 */

import { MAX_MESSAGE_BYTES } from "../../src/limits.ts";
import type { ErrorCode } from "../../src/errors.ts";
import { assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { acceptsData, answers, answersGet, floods, header, sends, sendsPort, takesCommand } from "./scripted_server.ts";
import { attempt, list } from "./session.ts";

/** What the kernel's buffers on both sides of a connection may hold at the most, in bytes. */
const SOCKET_BUFFERS_BYTES = 16 * 1024 * 1024;

// Names that no honest server sends, and what the client makes of a wish for one.
const BAD_NAMES: readonly (readonly [string, ErrorCode])[] = [
  ["../escaped", "outside-root"],
  ["a/../../escaped", "outside-root"],
  ["..\\escaped", "outside-root"],
  ["\x1b[2Jcleared", "bad-request"],
  ["bell\x07", "bad-request"],
  ["return\rover", "bad-request"],
  ["nul\0", "bad-request"],
  [".tandem-x.part", "denied"],
];

Deno.test("K1 Client.list() gives a server's names as they came, and touches no file", async () => {
  const names = [...BAD_NAMES.map(([name]) => name), "/etc/passwd", "..", "."];
  const body = names.map((name) => `${name}\n`).join("");
  await attempt(
    answers("ls", sends(header(body.length), body)),
    async ({ client, folder }) => {
      assertEquals(await list(client), names);
      assertEquals([...Deno.readDirSync(folder)], []);
    },
  );
});

Deno.test("K1 Client.list() shows broken UTF-8 as what no path may hold", async () => {
  await attempt(
    answers("ls", sends(header(4), "a\ufffd")),
    async ({ client }) => {
      assertEquals(await list(client), ["a\ufffd"]);
      await assertFails(client.get("a\ufffd"), "bad-request");
    },
  );
});

Deno.test("K1 Client asks for no name that a listing should not have", async () => {
  await attempt([], async ({ client, folder }) => {
    for (const [name, code] of BAD_NAMES) {
      const local = `${folder}/local`;
      await assertFails(client.download(name, local), code);
      await assertFails(client.get(name), code);
      await assertFails(client.put(name, "x"), code);
      await assertFails(client.upload(local, name), code);
      await assertFails(list(client, name), code);
    }
    assertEquals([...Deno.readDirSync(folder)], []);
  });
});

Deno.test("K1 Client.download() writes where its caller says, whatever the name", async () => {
  await attempt(
    answersGet("etc/passwd", "not yours"),
    async ({ client, folder }) => {
      await client.download("/etc/passwd", `${folder}/mine`);
      assertEquals(Deno.readTextFileSync(`${folder}/mine`), "not yours");
      const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
      assertEquals(names, ["mine"]);
    },
  );
});

Deno.test("K4 Client.list() refuses a listing of over 16 MiB at its header", async () => {
  for (const size of [MAX_MESSAGE_BYTES + 1, 9_999_999_999]) {
    await attempt(
      answers(
        "ls",
        sends(header(size)),
        floods("data", "name\n".repeat(10_000), SOCKET_BUFFERS_BYTES),
      ),
      async ({ client }) => {
        await assertFails(list(client), "too-large");
      },
    );
  }
});

Deno.test("K4 Client.list() takes a listing of 16 MiB", async () => {
  const line = `${"x".repeat(255)}\n`;
  const count = MAX_MESSAGE_BYTES / line.length;
  await attempt(
    answers("ls", sends(header(MAX_MESSAGE_BYTES), line.repeat(count))),
    async ({ client }) => {
      assertEquals((await list(client)).length, count);
    },
    { limits: {} },
  );
});

Deno.test("K4 Client.list() takes no more of an endless listing than was announced", async () => {
  await attempt(
    answers(
      "ls",
      sends(header(1_000_000)),
      floods("data", "name\n".repeat(10_000), SOCKET_BUFFERS_BYTES),
    ),
    async ({ client }) => {
      await assertFails(list(client), "protocol");
    },
    { limits: {} },
  );
});

Deno.test("K4 Client.close() ends when a server sends on control without an end", async () => {
  await attempt(
    [
      takesCommand("ls"),
      sendsPort(),
      acceptsData(),
      sends(header(3), "ok\n"),
      floods("control", "0".repeat(50_000), SOCKET_BUFFERS_BYTES),
    ],
    async ({ client }) => {
      assertEquals(await list(client), ["ok"]);
    },
    { sessionEnds: true },
  );
});

Deno.test("K4 Client ends the session when a server answers with an endless header", async () => {
  await attempt(
    [takesCommand("ls"), floods("control", " ".repeat(50_000), 16_000_000)],
    async ({ client }) => {
      await assertFails(list(client), "protocol");
    },
    { sessionEnds: true },
  );
});

Deno.test("K4 Client.put() fails when a server answers with bytes, and takes no more of them", async () => {
  await attempt(
    answers("put a", floods("data", "x".repeat(50_000), SOCKET_BUFFERS_BYTES)),
    async ({ client }) => {
      await assertFails(client.put("a", "hello"), "denied");
    },
  );
});
