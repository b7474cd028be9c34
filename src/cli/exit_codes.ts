/**
 * The exit codes, which scripts rely on.
 *
 * @module
 */

import type { ErrorCode } from "../../mod.ts";

/** The exit code that each error code leads to. */
export const EXIT_CODES: Readonly<Record<ErrorCode, number>> = {
  "internal": 1,
  "is-directory": 1,
  "not-directory": 1,
  "usage": 2,
  "connect": 3,
  "busy": 3,
  "not-found": 4,
  "denied": 5,
  "outside-root": 5,
  "auth-required": 5,
  "auth-failed": 5,
  "local-io": 6,
  "no-space": 6,
  "too-large": 6,
  "protocol": 7,
  "disconnected": 7,
  "bad-request": 7,
  "unsupported": 7,
  "integrity": 8,
  "changed": 8,
  "partial": 9,
  "exists": 10,
  "timeout": 11,
  "aborted": 130,
};

/** The exit code of a program that SIGTERM ended. */
export const EXIT_TERMINATED = 143;

/** The exit code of a program whose terminal was closed (SIGHUP). */
export const EXIT_HUNG_UP = 129;

/** The exit code of a program that SIGINT ended. */
export const EXIT_INTERRUPTED = 130;
