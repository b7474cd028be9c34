/**
 * The bulk path: the bytes of a file from a source to a channel and from a
 * channel to a sink, as fast as this runtime can.
 *
 * Not `pipeTo`, which moves 64 KiB at a time through several promises and takes
 * five times as long: a loop of one large read and one `await write`, and on the
 * receiving side one large buffer filled from several reads before it is written
 * (`speed.md` has the numbers, `deno task bench` measures them again).
 *
 * @module
 */

import { ProtocolError, TandemError } from "../errors.ts";
import { encodeHeader, HEADER_BYTES, type Sign } from "../protocol/header.ts";
import { lendBuffer, type LentBuffer } from "./buffers.ts";
import type { Channel } from "./channel.ts";
import { StallGuard, type StallLimits } from "./stall_guard.ts";

/** Where the bytes of a body come from. */
export interface ByteSource {
  /** Fills the beginning of `buffer`; returns how many bytes, or `null` at the end. At once where it can. */
  read(buffer: Uint8Array): number | null | Promise<number | null>;
}

/** Where the bytes of a body go. */
export interface ByteSink {
  /** Takes all of `bytes`, which change once this has ended. At once where it can. */
  write(bytes: Uint8Array): void | Promise<void>;
}

/** How a body is moved. */
export interface BulkOptions extends StallLimits {
  /** The highest rate, in bytes per second. Default: none. */
  readonly bytesPerSecond?: number;
  /** Called with the bytes moved so far, after each write to or read from the network. */
  readonly onProgress?: ((movedBytes: number) => void) | undefined;
}

/** The header is sent along with the first bytes, and the loop reads this much at a time. */
const SEND_BUFFER_BYTES = 256 * 1024;

/** A paced transfer moves a piece this often, in times per second. */
const PACED_PIECES_PER_SECOND = 8;

/**
 * Sends a header and then exactly `sizeBytes` bytes of `source`; what the source
 * has beyond them is left.
 *
 * @throws {TandemError} `changed` if the source ends before; what the channel or the source throws.
 */
export async function sendBody(
  channel: Channel,
  source: ByteSource,
  sizeBytes: number,
  options: BulkOptions,
  sign: Sign = "",
): Promise<void> {
  const pace = new Pace(options.bytesPerSecond);
  using guard = new StallGuard(channel, paced(options));
  using lent = lendBuffer(
    Math.min(sizeBytes + HEADER_BYTES, SEND_BUFFER_BYTES),
  );
  const buffer = pace.limit(lent.bytes);
  buffer.set(encodeHeader(sizeBytes, sign));
  let filled = HEADER_BYTES;
  let sent = 0;
  for (;;) {
    const space = buffer.subarray(
      filled,
      filled + Math.min(buffer.length - filled, sizeBytes - sent),
    );
    if (space.length > 0) {
      const reading = source.read(space);
      const count = reading instanceof Promise ? await readWhileOpen(channel, reading, lent) : reading;
      if (count === null) throw shrunk(sent, sizeBytes);
      filled += count;
      sent += count;
    }
    await channel.write(buffer.subarray(0, filled));
    guard.moved(filled);
    options.onProgress?.(sent);
    if (sent === sizeBytes) return;
    await pace.after(filled);
    filled = 0;
  }
}

/** Waits for a source, which may have nothing for ever: then the channel's own clocks end the wait. */
export async function readWhileOpen(
  channel: Channel,
  reading: Promise<number | null>,
  lent: LentBuffer,
): Promise<number | null> {
  lent.usedBy(reading);
  return await channel.whileOpen(reading);
}

/**
 * Receives exactly `sizeBytes` bytes into `sink`.
 *
 * @throws {TandemError} `disconnected` if the peer closes before; what the channel or the sink throws.
 */
export async function receiveBody(
  channel: Channel,
  sink: ByteSink,
  sizeBytes: number,
  options: BulkOptions,
): Promise<void> {
  const pace = new Pace(options.bytesPerSecond);
  using guard = new StallGuard(channel, paced(options));
  using lent = lendBuffer(sizeBytes);
  const buffer = pace.limit(lent.bytes);
  let received = 0;
  while (received < sizeBytes) {
    const wanted = Math.min(buffer.length, sizeBytes - received);
    let filled = 0;
    while (filled < wanted) {
      const count = await channel.read(buffer.subarray(filled, wanted));
      if (count === null) throw incomplete(received + filled, sizeBytes);
      filled += count;
      guard.moved(count);
      options.onProgress?.(received + filled);
    }
    const writing = sink.write(buffer.subarray(0, filled));
    if (writing !== undefined) await writing;
    received += filled;
    await pace.after(filled);
  }
}

/** How long a peer that has sent a whole body may take to close, in milliseconds, before it counts as one that waits for our close. */
const BODY_END_MS = 200;

/**
 * Makes sure that nothing comes after a body: one byte more means that the two
 * sides do not agree on what the file is. The peer need not close: some wait
 * for the other side to do so.
 *
 * @throws {ProtocolError} if something comes.
 */
export async function assertEndOfBody(channel: Channel): Promise<void> {
  const waited = Promise.withResolvers<null>();
  const timer = setTimeout(waited.resolve, BODY_END_MS, null);
  const more = await Promise.race([
    channel.read(new Uint8Array(1)),
    waited.promise,
  ]).finally(() => clearTimeout(timer));
  if (more === null) return;
  throw new ProtocolError(
    `more bytes came from ${channel.peer} than were announced`,
  );
}

/** The error of a body that ended before its announced end. */
export function incomplete(
  cameBytes: number,
  sizeBytes: number,
): TandemError {
  return new TandemError(
    "disconnected",
    `incomplete: ${cameBytes} of ${sizeBytes} bytes came before the connection ended`,
  );
}

/** The error of a file that ended before the size that it had. */
export function shrunk(sentBytes: number, sizeBytes: number): TandemError {
  return new TandemError(
    "changed",
    `the file shrank while it was sent: ${sentBytes} of ${sizeBytes} bytes were there`,
  );
}

/** A transfer that is held back on purpose must not be taken for a stalled one. */
export function paced(options: BulkOptions): StallLimits {
  const { stallTimeoutMs, minBytesPerSecond, bytesPerSecond } = options;
  return {
    stallTimeoutMs,
    minBytesPerSecond: Math.min(
      minBytesPerSecond,
      (bytesPerSecond ?? Infinity) / 2,
    ),
  };
}

/** Holds a transfer to a rate, by sleeping after each piece. */
export class Pace {
  readonly #bytesPerSecond: number;
  readonly #startedMs = performance.now();
  #movedBytes = 0;

  constructor(bytesPerSecond = Infinity) {
    this.#bytesPerSecond = bytesPerSecond;
  }

  /** The part of `buffer` that keeps a paced transfer smooth; all of it where there is no limit. */
  limit(buffer: Uint8Array): Uint8Array {
    const piece = Math.ceil(this.#bytesPerSecond / PACED_PIECES_PER_SECOND);
    return buffer.subarray(0, Math.max(piece, HEADER_BYTES + 1));
  }

  /** Waits until `bytes` more are due. */
  async after(bytes: number): Promise<void> {
    if (this.#bytesPerSecond === Infinity) return;
    this.#movedBytes += bytes;
    const dueMs = this.#startedMs +
      this.#movedBytes / this.#bytesPerSecond * 1_000;
    const waitMs = dueMs - performance.now();
    if (waitMs > 1) await new Promise((resolve) => setTimeout(resolve, waitMs));
  }
}
