/**
 * The same tests over both exchanges, the tandem one with and without a secret,
 * and in one table what SPEC.md has differ between them.
 *
 * @module
 */

import type { ConnectOptions, ErrorCode, Mode, ServeOptions } from "../../mod.ts";
import { SECRET } from "../net/secrets.ts";

/** How a session is set up: the exchange, or the tandem one with a secret at both ends. */
export type Setting = Mode | "secret";

/** What a session with our own server does in one exchange and not in the other. */
export interface Expected {
  /** How it is set up. */
  readonly mode: Setting;
  /** The exchange. */
  readonly spoken: Mode;
  /** Whether all is encrypted. */
  readonly encrypted: boolean;
  /** What a `put` that went well is called (CLT-6, TCM-9). */
  readonly outcome: "sent" | "stored";
  /** What is said of a file that is not there (SRV-8, TCM-3). */
  readonly missing: { readonly message: string; readonly hint: RegExp; readonly folder: ErrorCode };
  /** What is said of a `put` to a server that is read-only (SRV-9, TCM-3). */
  readonly readOnly: { readonly message: RegExp; readonly hint: RegExp };
  /** What a `put` to a name that exists is for those who may only add (SRV-15, TCM-13). */
  readonly present: ErrorCode;
  /** What a `put` is for which there is no room (SRV-10, TCM-3). */
  readonly noRoom: ErrorCode;
  /** Whether a listing tells more than names (LST-1, TCM-4). */
  readonly details: boolean;
  /** Whether size zero can mean that a file is missing, where that was asked for. */
  readonly zeroIsMissing: boolean;
  /** Whether a stream of any length goes without its size (BDY-1). */
  readonly sendsAnyStream: boolean;
  /** Whether operations may overlap, so that what is waited for first need not end first (TCM-2). */
  readonly overlaps: boolean;
  /** What the session speaks before the first answer: with `mode` plain, nothing is found out. */
  readonly modeBefore: Mode | undefined;
  /** How often a session that only lists connects: to every port of SRV-1, or once more to the first (NEG-5). */
  readonly connections: number;
}

const NO_HINT = /^$/;

const TANDEM: Expected = {
  mode: "tandem",
  spoken: "tandem",
  encrypted: false,
  outcome: "stored",
  missing: { message: '"a": there is no such file or folder', hint: NO_HINT, folder: "not-found" },
  readOnly: { message: /read-only/, hint: NO_HINT },
  present: "exists",
  noRoom: "no-space",
  details: true,
  zeroIsMissing: false,
  sendsAnyStream: true,
  overlaps: true,
  modeBefore: undefined,
  connections: 2,
};

/** What differs, by setting. */
export const EXPECTED: Readonly<Record<Setting, Expected>> = {
  plain: {
    mode: "plain",
    spoken: "plain",
    encrypted: false,
    outcome: "sent",
    missing: { message: 'the server did not send "a"', hint: /this server cannot say which/, folder: "not-found" },
    readOnly: { message: /^the server did not take "a"$/, hint: /may be read-only/ },
    present: "denied",
    noRoom: "denied",
    details: false,
    zeroIsMissing: true,
    sendsAnyStream: false,
    overlaps: false,
    modeBefore: "plain",
    connections: 3,
  },
  tandem: TANDEM,
  secret: { ...TANDEM, mode: "secret", encrypted: true },
};

/** All settings. */
export const MODES: readonly Setting[] = ["plain", "tandem", "secret"];

/** What the server is told for a setting. */
export function servedIn(setting: Setting): ServeOptions {
  return setting === "secret" ? { secret: SECRET, hostname: "127.0.0.1" } : {};
}

/** What the client is told for it; tandem is found out by the sign, as it is where nobody says anything. */
export function connectedIn(setting: Setting): ConnectOptions {
  return setting === "plain" ? { mode: setting } : setting === "secret" ? { secret: SECRET } : {};
}

/** Registers a test for each setting. */
export function bothModes(name: string, run: (expected: Expected) => Promise<void>): void {
  for (const mode of MODES) Deno.test(`${name} (${mode})`, () => run(EXPECTED[mode]));
}
