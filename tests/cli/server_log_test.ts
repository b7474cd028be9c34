/**
 * A server's events as lines: one each, with its outcome, and nothing in it that
 * a peer could have written in the server's name.
 *
 * @module
 */

import { serverLogLine } from "../../src/cli/server_log.ts";
import type { ServerEvent } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes, fc } from "../deps.ts";
import { hostileText } from "./texts.ts";

const NOW = new Date("2026-01-02T03:04:05.678Z");
const peer = "127.0.0.1:4000";

const COMMAND: ServerEvent = {
  event: "command",
  session: 7,
  peer,
  command: "get a.bin",
  bytes: 1_234,
  durationMs: 5,
  outcome: "ok",
};

const EVENTS: readonly ServerEvent[] = [
  { event: "session-opened", session: 7, peer, outcome: "ok" },
  { event: "session-closed", session: 7, peer, outcome: "ok" },
  { event: "session-closed", session: 7, peer: "[::1]:4000", outcome: "timeout", message: "waited 1 s" },
  COMMAND,
  { ...COMMAND, outcome: "not-found", message: 'there is no "a.bin"' },
  { event: "warning", outcome: "session-refused", message: "256 sessions are open", peer },
  { event: "warning", outcome: "accept-failed", message: "" },
];

/** The fields of a text line: `key=word` or `key="JSON string"`. */
function fieldsOf(line: string): Record<string, string> {
  const fields: Record<string, string> = {};
  const [, , ...rest] = line.split(" ");
  const text = rest.join(" ");
  const field = /([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^\s"]+)(?: |$)/y;
  while (field.lastIndex < text.length) {
    const match = field.exec(text);
    const [, key = "", value = ""] = match ?? [];
    if (match === null || key in fields) throw new Error(`no line of fields: ${line}`);
    fields[key] = value.startsWith('"') ? JSON.parse(value) : value;
  }
  return fields;
}

/** An event as its fields are written. */
function written(event: ServerEvent): Record<string, string> {
  const pairs = Object.entries(event).filter(([key]) => key !== "event").map(([key, value]) => [key, String(value)]);
  return Object.fromEntries(pairs);
}

for (const event of EVENTS) {
  const about = `${event.event} ${event.outcome}`;

  Deno.test(`serverLogLine() writes ${about} as a line of text with time, event and every field`, () => {
    const line = serverLogLine(event, "text", NOW);
    assertStringIncludes(line, `2026-01-02T03:04:05.678Z ${event.event} `);
    assertNotMatch(line, /\n/);
    assertEquals(fieldsOf(line), written(event));
  });

  Deno.test(`serverLogLine() writes ${about} as a line of JSON`, () => {
    const line = serverLogLine(event, "json", NOW);
    assertNotMatch(line, /\n/);
    const { time, ...fields } = JSON.parse(line);
    assertEquals(time, "2026-01-02T03:04:05.678Z");
    assertEquals(fields, { ...event });
  });
}

Deno.test("serverLogLine() lets no peer write a field, a line or an escape sequence of its own", () => {
  fc.assert(
    fc.property(hostileText, hostileText, (command, message) => {
      const event: ServerEvent = { ...COMMAND, command, outcome: "denied", message };
      const line = serverLogLine(event, "text", NOW);
      // deno-lint-ignore no-control-regex
      assertNotMatch(line, /[\0-\x1f\x7f-\x9f\u202e]/);
      assertEquals(fieldsOf(line), written(event));
      const json = serverLogLine(event, "json", NOW);
      // deno-lint-ignore no-control-regex
      assertNotMatch(json, /[\0-\x1f\x7f-\x9f\u202e]/);
      assertEquals(JSON.parse(json), { time: NOW.toISOString(), ...event });
    }),
    { numRuns: 1_000 },
  );
});

Deno.test("serverLogLine() can be read by people", () => {
  assertMatch(serverLogLine(COMMAND, "text", NOW), /command="get a\.bin" .*outcome=ok$/);
});
