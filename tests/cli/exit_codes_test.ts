/**
 * The exit codes, which scripts rely on, as they were promised.
 *
 * @module
 */

import { EXIT_CODES, EXIT_INTERRUPTED, EXIT_TERMINATED } from "../../src/cli/exit_codes.ts";
import { ERROR_CODES } from "../../mod.ts";
import { assertEquals } from "../deps.ts";

const PROMISED: Readonly<Record<number, readonly string[]>> = {
  1: ["internal", "is-directory", "not-directory"],
  2: ["usage"],
  3: ["connect", "busy"],
  4: ["not-found"],
  5: ["denied", "outside-root", "auth-required", "auth-failed"],
  6: ["local-io", "no-space", "too-large"],
  7: ["protocol", "disconnected", "bad-request", "unsupported"],
  8: ["integrity", "changed"],
  9: ["partial"],
  10: ["exists"],
  11: ["timeout"],
  130: ["aborted"],
};

Deno.test("EXIT_CODES maps every code to the exit code that was promised", () => {
  const promised = Object.entries(PROMISED).flatMap(([exit, codes]) => codes.map((code) => [code, Number(exit)]));
  assertEquals({ ...EXIT_CODES } as Record<string, number>, Object.fromEntries(promised));
  assertEquals([...ERROR_CODES].sort(), Object.keys(EXIT_CODES).sort());
});

Deno.test("the exit codes of signals are 128 and the signal's number", () => {
  assertEquals([EXIT_INTERRUPTED, EXIT_TERMINATED], [128 + 2, 128 + 15]);
});
