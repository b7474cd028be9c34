/**
 * Every way in which tandem fails, under one closed list of codes.
 *
 * The same words stand in `--json` output, in the tandem exchange and in
 * `error.code`, so that a script, a peer and a program can tell failures apart
 * without reading the text that is meant for people. Three kinds matter to the
 * code here: a {@linkcode ProtocolError} ends the session, any other
 * {@linkcode TandemError} ends one operation and leaves the session alive, and
 * everything else that is thrown is a bug of ours (`internal`).
 *
 * @module
 */

/** The closed list of what can go wrong; `cli.md` maps each to an exit code. */
export const ERROR_CODES = [
  "internal",
  "is-directory",
  "not-directory",
  "usage",
  "connect",
  "busy",
  "not-found",
  "denied",
  "outside-root",
  "auth-required",
  "auth-failed",
  "local-io",
  "no-space",
  "too-large",
  "protocol",
  "disconnected",
  "bad-request",
  "unsupported",
  "integrity",
  "changed",
  "partial",
  "exists",
  "timeout",
  "aborted",
] as const;

/** One word of {@linkcode ERROR_CODES}. */
export type ErrorCode = typeof ERROR_CODES[number];

/** What may be said beside the message of a {@linkcode TandemError}. */
export interface TandemErrorOptions {
  /** What the reader can do about it: a line of its own, without a full stop needed before it. */
  readonly hint?: string;
  /** The error underneath, if one was caught. */
  readonly cause?: unknown;
}

/**
 * An operation failed for a reason that has a code. The session it belonged to
 * can be used further, unless its control connection is what is gone: then every
 * later operation fails as well.
 */
export class TandemError extends Error {
  /** The class name, for logs. */
  override readonly name: string = "TandemError";
  /** Why it failed, in one word that programs can rely on. */
  readonly code: ErrorCode;
  /** What to do about it, where that is known. */
  readonly hint: string | undefined;

  /** Makes an error with `code`, a message for people, and perhaps a hint. */
  constructor(
    code: ErrorCode,
    message: string,
    options: TandemErrorOptions = {},
  ) {
    super(message, "cause" in options ? { cause: options.cause } : undefined);
    this.code = code;
    this.hint = options.hint;
  }
}

/** The peer sent what the protocol does not allow: nothing after it can be trusted, so the session ends. */
export class ProtocolError extends TandemError {
  /** The class name, for logs. */
  override readonly name = "ProtocolError";

  /** Makes an error with the code `protocol`. */
  constructor(message: string, options: TandemErrorOptions = {}) {
    super("protocol", message, options);
  }
}

/** Returns `error` as a {@linkcode TandemError}; what is none of ours becomes `internal`, its text kept. */
export function asTandemError(error: unknown): TandemError {
  if (error instanceof TandemError) return error;
  const text = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
  return new TandemError("internal", text, { cause: error });
}
