/**
 * What every {@linkcode FileStore} promises, as cases that run over any of
 * them, in this process or in one with fewer rights.
 *
 * @module
 */

import { CHANGING_CASES } from "./changing_cases.ts";
import { LANDING_CASES } from "./landing_cases.ts";
import { READING_CASES } from "./reading_cases.ts";
import { RESUMING_CASES } from "./resuming_cases.ts";
import type { StoreCase } from "./store_case.ts";

/** All that every store promises. */
export const STORE_CASES: readonly StoreCase[] = [
  ...READING_CASES,
  ...LANDING_CASES,
  ...CHANGING_CASES,
  ...RESUMING_CASES,
];
