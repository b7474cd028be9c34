/**
 * Every bound on what a peer can make this program do, in one place, each with
 * its unit in its name and its reason beside it. Checked before anything is
 * allocated or waited for.
 *
 * @module
 */

/** The longest command, in bytes: a path of 4,000 bytes and its verb; longer ones are refused unread. */
export const MAX_COMMAND_BYTES = 4_096;

/** The longest command of the tandem exchange, in bytes: two paths, escaped, and some parameters. */
export const MAX_TANDEM_COMMAND_BYTES = 16 * 1024;

/** The longest JSON message of the tandem exchange that is taken, in bytes: an entry with a long name is 2 KiB. */
export const MAX_OBJECT_BYTES = 64 * 1024;

/** The longest chunk of a body that is taken, in bytes: it is never held whole, so this only bounds nonsense. */
export const MAX_CHUNK_BYTES = 64 * 1024 * 1024;

/** The most commands that may be outstanding in a session; a server reads no further, a client sends no more. */
export const MAX_OUTSTANDING_COMMANDS = 64;

/** The most entries of a recursive listing: half a million are 60 MiB and some seconds. */
export const MAX_TREE_ENTRIES = 500_000;

/** The longest body of a tandem listing that a client takes into memory, in bytes. */
export const MAX_TREE_BYTES = 128 * 1024 * 1024;

/** How deep folders are followed in a recursive listing: a path of 4,000 bytes has no more. */
export const MAX_TREE_DEPTH = 2_000;

/** Files of fewer bytes are sent at once, without waiting for the server to be ready, and are not kept when they are cut off. */
export const SMALL_FILE_BYTES = 256 * 1024;

/** A part of a file that nobody continued is swept after this time, in milliseconds: a week. */
export const KEPT_PART_AGE_MS = 7 * 24 * 60 * 60 * 1_000;

/** How often a side that is at work says so, in milliseconds: less than any timeout that is sensible. */
export const WORKING_SIGN_MS = 1_000;

/** The longest message (a listing) that is taken into memory, in bytes. */
export const MAX_MESSAGE_BYTES = 16 * 1024 * 1024;

/** The longest name of one file or folder, in bytes: what Linux, macOS and Windows all hold. */
export const MAX_NAME_BYTES = 255;

/** The most entries of one folder that are listed: 100,000 names are about 2 MiB and 0.3 s. */
export const MAX_LISTED_ENTRIES = 100_000;

/** How many commands may wait on a control connection before reading from it pauses, in bytes. */
export const MAX_BUFFERED_CONTROL_BYTES = 64 * 1024;

/** Files being opened at one time: Deno's file work has 32 threads, and one open may hang on a slow disk. */
export const MAX_OPENS_IN_FLIGHT = 16;

/** The most of a stream of unknown length that is held to learn its size for a plain `put`, in bytes. */
export const MAX_BUFFERED_PUT_BYTES = 16 * 1024 * 1024;

/** How many data ports a server tries at the most for one command when `dataPorts` are given. */
export const MAX_DATA_PORT_TRIES = 256;

/**
 * TLS handshakes that may be unfinished before a server stops accepting: each
 * takes 16 KiB and a descriptor until its peer goes away.
 */
export const MAX_UNFINISHED_HANDSHAKES = 10_000;

/** The longest that somebody who has just failed to show the secret is kept waiting, in milliseconds; who has longer to wait is turned away. */
export const MAX_PENALTY_HOLD_MS = 2_000;

/** What a server allows a peer; every one can be set by {@linkcode ServeOptions.limits}. */
export interface ServerLimits {
  /** Sessions at one time, in all. One more is closed at once. */
  readonly maxSessions: number;
  /** Sessions at one time from one address. One more is closed at once. */
  readonly maxSessionsPerAddress: number;
  /** The largest file that a `put` may store, in bytes. */
  readonly maxFileBytes: number;
  /** Free space that must remain after a `put`, in bytes; `undefined` is 64 MiB or 1 % of the disk, whichever is more. */
  readonly minFreeBytes: number | undefined;
  /** From the connection to the end of the TLS handshake, in milliseconds. */
  readonly handshakeTimeoutMs: number;
  /** From the connection to its first whole command, TLS included, in milliseconds. */
  readonly firstCommandTimeoutMs: number;
  /** Between two commands, in milliseconds; does not run during a transfer. */
  readonly idleTimeoutMs: number;
  /** From the first byte of a header or command to its last, in milliseconds. */
  readonly commandTimeoutMs: number;
  /** From the sending of a data port or a ticket to the right peer's connection, in milliseconds. */
  readonly dataAcceptTimeoutMs: number;
  /** Without a byte moving on a data connection, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** Slower than this over one stall timeout counts as a stall, in bytes per second. */
  readonly minBytesPerSecond: number;
  /** How long a transfer may go on after its control connection ended, in milliseconds: enough for what is already under way. */
  readonly orphanGraceMs: number;
  /** How long running transfers may take to end after a shutdown was asked for, in milliseconds. */
  readonly shutdownGraceMs: number;
  /** The rate of each transfer, in bytes per second; `Infinity` is no limit. */
  readonly bytesPerSecond: number;
}

/** The limits of a server that was told nothing else. */
export const DEFAULT_SERVER_LIMITS: ServerLimits = {
  maxSessions: 1_024,
  maxSessionsPerAddress: 256,
  maxFileBytes: Number.MAX_SAFE_INTEGER,
  minFreeBytes: undefined,
  handshakeTimeoutMs: 5_000,
  firstCommandTimeoutMs: 30_000,
  idleTimeoutMs: 300_000,
  commandTimeoutMs: 10_000,
  dataAcceptTimeoutMs: 10_000,
  stallTimeoutMs: 60_000,
  minBytesPerSecond: 1_024,
  orphanGraceMs: 2_000,
  shutdownGraceMs: 10_000,
  bytesPerSecond: Infinity,
};

/** What a client waits for and takes; every one can be set by {@linkcode ConnectOptions.limits}. */
export interface ClientLimits {
  /** For each answer of the server (a connection, a port, a header), in milliseconds. */
  readonly timeoutMs: number;
  /** Without a byte moving on a data connection, in milliseconds. */
  readonly stallTimeoutMs: number;
  /** Slower than this over one stall timeout counts as a stall, in bytes per second. */
  readonly minBytesPerSecond: number;
  /** How long a refused data port is tried again, in milliseconds: some servers name it before they listen. */
  readonly dataPortRetryMs: number;
  /** After `quit`, for a last port or the end of the control connection, in milliseconds. */
  readonly quitTimeoutMs: number;
  /** After the last byte of a `put`, for the server to close the data connection, in milliseconds. */
  readonly putCloseTimeoutMs: number;
}

/** The limits of a client that was told nothing else. */
export const DEFAULT_CLIENT_LIMITS: ClientLimits = {
  timeoutMs: 30_000,
  stallTimeoutMs: 60_000,
  minBytesPerSecond: 1_024,
  dataPortRetryMs: 1_000,
  quitTimeoutMs: 1_000,
  putCloseTimeoutMs: 10_000,
};
