/**
 * A server's events as log lines: one a line, `outcome` always in it, and
 * whatever came from a peer escaped.
 *
 * @module
 */

import type { ServerEvent } from "../../mod.ts";
import { jsonLine } from "./terminal.ts";

/** Formats one event, as JSON or as `key=value` words that people read as well. */
export function serverLogLine(
  event: ServerEvent,
  format: "text" | "json",
  now: Date,
): string {
  const time = now.toISOString();
  if (format === "json") return jsonLine({ time, ...event });
  const fields = Object.entries(event)
    .filter(([key]) => key !== "event")
    .map(([key, value]) => `${key}=${field(typeof value === "object" ? JSON.stringify(value) : String(value))}`);
  return `${time} ${event.event} ${fields.join(" ")}`;
}

function field(text: string): string {
  return /^[\w.:[\]/-]+$/.test(text) ? text : jsonLine(text);
}
