/**
 * What our client's sign comes to with the server in Python, which knows
 * nothing of the tandem exchange.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { list, openSession, QUICK } from "../client/session.ts";
import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { closedPort } from "../net/door.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { PythonServer, pythonTest } from "./python.ts";

/** What has no word in the plain exchange. */
const TANDEM_ONLY: Readonly<Record<string, (client: Client) => Promise<unknown>>> = {
  "stat()": (client) => client.stat("a"),
  "mkdir()": (client) => client.mkdir("b"),
  "remove()": (client) => client.remove("a"),
  "rename()": (client) => client.rename("a", "b"),
  "hash()": (client) => client.hash("a"),
  "ping()": (client) => client.ping(),
};

for (const [name, operation] of Object.entries(TANDEM_ONLY)) {
  pythonTest(`Client.${name} fails with unsupported with a plain server, and the session goes on`, async () => {
    using folder = tempFolder();
    Deno.writeTextFileSync(`${folder.path}/a`, "a");
    await using server = await PythonServer.start(folder.path);
    await using session = await openSession(server.port);
    const { client } = session;
    await assertFails(within(operation(client), PATIENCE_MS, name), "unsupported");
    assertEquals(await list(client), ["a"]);
    await assertFails(within(operation(client), PATIENCE_MS, name), "unsupported");
    await client.download("a", `${session.folder}/a`);
    // The first one is asked for with an ls, the second one is not.
    const reports = await server.take(3);
    assertEquals(
      reports.map(({ header, command, outcome }) => `${header} ${command}: ${outcome}`),
      ["+000000002 ls: ok", "0000000002 ls: ok", "0000000005 get a: ok"],
    );
  });
}

const PADDINGS: readonly (readonly string[])[] = [[], ["--pad=plus"], ["--pad=space-left"], ["--pad=space-right"]];

for (const options of PADDINGS) {
  const how = options[0] ?? "no options";
  pythonTest(`NEG-8 Client for which only tandem will do stops at a plain server's port (${how})`, async () => {
    using folder = tempFolder();
    await using server = await PythonServer.start(folder.path, ...options);
    using spy = spyOnConnect();
    await using session = await openSession(server.port, { mode: "tandem", limits: QUICK });
    const { client } = session;
    await assertFails(list(client), "unsupported");
    await assertFails(client.put("a", "x"), "unsupported");
    await assertFails(client.ping(), "unsupported");
    assertEquals(spy.attempts.length, 1);
    assertEquals([...Deno.readDirSync(folder.path)], []);
  });
}

pythonTest(
  "NEG-8 Client for which only tandem will do sends a plain server nothing more than its first command",
  async () => {
    using folder = tempFolder();
    const port = String(closedPort()).padStart(9, "0");
    await using server = await PythonServer.start(folder.path, `--bad-port=+${port}`);
    {
      await using session = await openSession(server.port, { mode: "tandem", limits: QUICK });
      await assertFails(session.client.put("a", "x"), "unsupported");
      await assertFails(session.client.put("a", "x"), "unsupported");
    }
    await using other = await openSession(server.port, { mode: "plain", limits: QUICK });
    await assertFails(list(other.client), "connect");
    const reports = await server.take(2);
    assertEquals(
      reports.map(({ header, command }) => `${header} ${command}`),
      ["+000000005 put a", "0000000002 ls"],
    );
  },
);

pythonTest("NEG-7 Client connects once more to a server that drops signed headers, and then speaks plain", async () => {
  using folder = tempFolder();
  await using server = await PythonServer.start(folder.path, "--drop-signed");
  using spy = spyOnConnect();
  await using session = await openSession(server.port);
  const { client } = session;
  await client.put("a", "content");
  assertEquals(client.mode, "plain");
  assertEquals(await list(client), ["a"]);
  const reports = await server.take(3);
  assertEquals(
    reports.map(({ header, command, outcome }) => `${header} ${command}: ${outcome}`),
    ["+000000005 undefined: signed", "0000000005 put a: ok", "0000000002 ls: ok"],
  );
  assertEquals(spy.attempts.filter(({ port }) => port === server.port).length, 2);
});

pythonTest(
  "NEG-7 Client for which only tandem will do does not connect again to a server that drops signed headers",
  async () => {
    using folder = tempFolder();
    await using server = await PythonServer.start(folder.path, "--drop-signed");
    using spy = spyOnConnect();
    await using session = await openSession(server.port, { mode: "tandem" });
    const { hint } = await assertFails(list(session.client), "unsupported");
    assertStringIncludes(hint ?? "", "--require-tandem");
    await assertFails(list(session.client), "unsupported");
    assertEquals(spy.attempts.length, 1);
    assertEquals((await server.next()).outcome, "signed");
  },
);

for (const step of ["after-accept", "after-command", "in-port"]) {
  pythonTest(`NEG-7 Client connects no third time to a server that closes ${step} whatever the sign`, async () => {
    using folder = tempFolder();
    await using server = await PythonServer.start(folder.path, `--close-at=${step}`);
    using spy = spyOnConnect();
    await using session = await openSession(server.port, { limits: QUICK });
    const { code } = await failureOf(list(session.client));
    // Whoever closes with something unread resets, and that looks like a broken connection.
    assert(code === "disconnected" || code === "connect" && step !== "in-port", code);
    // A port that is cut short was an answer.
    assertEquals(spy.attempts.length, step === "in-port" ? 1 : 2);
  });
}
