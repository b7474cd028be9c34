/**
 * What `serve` tells while it runs: a line an event on stderr, with an outcome,
 * and nothing in it that moves a cursor.
 *
 * @module
 */

import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { message, RawClient } from "../server/raw_client.ts";
import { linesOf, startServe, tandem } from "./program.ts";
import { writeFiles } from "./place.ts";

const HOSTILE = "ls \x1b]0;owned\x07\x1b[2J\r\nfaked line outcome=ok\u009b31m\u202e";

/** Runs a server with these flags, and clients that behave and do not; returns the lines of its stderr. */
async function logOf(flags: readonly string[]): Promise<string[]> {
  using folder = tempFolder();
  writeFiles(folder.path, { file: "content" });
  await using server = await startServe(tandem(["serve", "-p0", ...flags, folder.path]));
  const open = async () => new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: server.port }));
  {
    using client = await open();
    assertEquals((await client.get("file"))?.length, 7);
    assertEquals(await client.get("none"), undefined);
    assertEquals(await client.get("../file"), undefined);
    assertEquals(await client.put("new", "x"), "refused");
    assertEquals(await client.answerTo(HOSTILE), undefined);
    assertEquals(await client.answerTo(new Uint8Array([0x6c, 0x73, 0x20, 0xff, 0x1b])), undefined);
    await client.quit();
  }
  {
    using client = await open();
    await client.send("not a header");
    await client.assertEnds();
  }
  {
    using client = await open();
    await client.send(message("ls").subarray(0, 5));
    client.close();
  }
  {
    using client = await open();
    assertEquals(await client.list(), ["file"]);
    // So that the server has seen its end before it is told of its own.
    await client.quit();
  }
  server.process.kill("SIGTERM");
  const { stderr, stdout, code } = await server.process.ended();
  assertEquals([code, linesOf(stdout).length], [0, 1]);
  return linesOf(stderr);
}

Deno.test("serve --log json writes a JSON object a line, each with time, event and outcome", async () => {
  const lines = (await logOf(["--log", "json"])).filter((line) => line.startsWith("{"));
  const events = lines.map((line) => {
    // deno-lint-ignore no-control-regex
    assertNotMatch(line, /[\0-\x1f\x7f-\x9f\u202e]/);
    return JSON.parse(line);
  });
  const outcomes = (event: string) => events.filter((one) => one.event === event).map(({ outcome }) => outcome);
  assertEquals(outcomes("command"), [
    "ok",
    "not-found",
    "outside-root",
    "denied",
    "bad-request",
    "bad-request",
    "ok",
    "ok",
    "ok",
  ]);
  assertEquals(outcomes("session-closed").sort(), ["disconnected", "ok", "ok", "protocol"]);
  const command = events.find((one) => one.event === "command");
  assertEquals([command.command, command.bytes, typeof command.durationMs], ["get file", 7, "number"]);
  assertMatch(command.peer, /^127\.0\.0\.1:[0-9]+$/);
  for (const { time, event, outcome } of events) {
    assertEquals(new Date(time).toISOString(), time);
    assertEquals(typeof outcome, "string", `${event} has no outcome`);
  }
});

Deno.test("serve --log json writes nothing to stderr that is no JSON", async () => {
  const lines = await logOf(["--log=json"]);
  assertEquals(lines.filter((line) => !line.startsWith("{")), []);
});

Deno.test("serve writes a line of text for each command, with its outcome, and escapes what a peer sent", async () => {
  const lines = await logOf(["-v", "--log", "text"]);
  // deno-lint-ignore no-control-regex
  for (const line of lines) assertNotMatch(line, /[\0-\x1f\x7f-\x9f\u202e]/);
  const commands = lines.filter((line) => /^\S+Z command /.test(line));
  assertEquals(commands.length, 9);
  for (const line of commands) assertMatch(line, / outcome=[a-z-]+( |$)/);
  assertStringIncludes(commands[0] ?? "", 'command="get file"');
  assertStringIncludes(commands[4] ?? "", "\\u001b");
  assertMatch(commands[4] ?? "", / outcome=bad-request/);
  assertEquals(lines.filter((line) => line.startsWith("faked")), []);
  const closed = lines.filter((line) => /^\S+Z session-closed /.test(line));
  assertEquals(closed.length, 4, "with -v sessions are logged too");
  for (const line of closed) assertMatch(line, / outcome=[a-z-]+( |$)/);
});
