/**
 * A program for `data_port_test.ts`: dials a port that nobody listens on, which
 * is the only one that its own connections can come from, and tells how that
 * ended.
 *
 * @module
 */

import { TandemError } from "../../src/errors.ts";
import { dial } from "../../src/net/data_port.ts";

try {
  using _channel = await dial("127.0.0.1", 40_001, { timeoutMs: 1_000, retryMs: 100, what: "the data port" });
  console.log("connected to itself");
} catch (error) {
  console.log(error instanceof TandemError ? error.code : String(error));
}
