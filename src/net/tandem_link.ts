/**
 * The data connection of the tandem exchange: messages and bodies, both ways.
 *
 * What is sent is gathered and goes out in writes of up to 256 KiB, so that a
 * thousand small files do not cost a thousand writes; whoever is about to wait
 * for the other side flushes first. What is received is read a message or a
 * chunk at a time. A `-` message may stand wherever something else is expected
 * and is thrown as an {@linkcode AnsweredError}.
 *
 * @module
 */

import { ProtocolError, TandemError } from "../errors.ts";
import { MAX_OBJECT_BYTES, WORKING_SIGN_MS } from "../limits.ts";
import { END, type Message, NEED_MORE } from "../protocol/decoder.ts";
import { encodeHeader, type Header, HEADER_BYTES } from "../protocol/header.ts";
import { DamagedError, decodeObject, encodeObject, type JsonObject } from "../protocol/sealed.ts";
import { AnsweredError, encodeError, isWorkingSign, parseError, WORKING_SIGN } from "../protocol/tandem_result.ts";
import { abortError } from "./abort.ts";
import { lendBuffer, type LentBuffer } from "./buffers.ts";
import { type BulkOptions, type ByteSource, Pace, paced, readWhileOpen, shrunk } from "./bulk.ts";
import type { Channel } from "./channel.ts";
import type { Checksum } from "./checksum.ts";
import { StallGuard } from "./stall_guard.ts";

/** What is gathered at the most before it goes out, in bytes; also the size of a large body's chunks. */
export const GATHER_BYTES = 256 * 1024;

/** What one read of small messages may bring, in bytes. */
const READ_AHEAD_BYTES = 16 * 1024;

/** How a body is moved. */
export interface BodyOptions extends BulkOptions {
  /** Takes the body's bytes as they pass. */
  readonly checksum: Checksum;
  /** Ends the body between two chunks. */
  readonly signal?: AbortSignal | undefined;
}

/** How a link behaves. */
export interface LinkOptions {
  /** How long what was gathered may take to go out, in milliseconds. */
  readonly stallTimeoutMs: number;
  /**
   * Whether a wait for the other side flushes first. Not where one part of the
   * program writes while another one reads.
   */
  readonly flushes: boolean;
}

/** The data connection of one session. */
export class TandemLink {
  /** The connection. */
  readonly channel: Channel;
  #lent: LentBuffer | undefined;
  #filled = 0;
  #writing: Promise<void> = Promise.resolve();

  readonly #options: LinkOptions;

  /** Takes over an open data connection. */
  constructor(channel: Channel, options: LinkOptions) {
    this.channel = channel;
    this.#options = options;
    channel.readAhead(READ_AHEAD_BYTES);
  }

  /** Sends an encoded message, at the next flush at the latest. In one step: a sign of work or a refusal may be sent at any time. */
  async send(message: Uint8Array): Promise<void> {
    let room = this.#room(message.length);
    while (room === undefined) {
      await this.flush();
      room = this.#room(message.length);
    }
    room.set(message);
    this.#filled += message.length;
  }

  /** Sends an object. */
  sendObject(object: JsonObject): Promise<void> {
    return this.send(encodeObject(object));
  }

  /** Sends an error in place of what is expected. */
  sendError(error: TandemError): Promise<void> {
    return this.send(encodeError(error));
  }

  /** Makes everything that was sent go out. */
  async flush(): Promise<void> {
    const lent = this.#lent;
    const filled = this.#filled;
    this.#lent = undefined;
    this.#filled = 0;
    // One write after the other: a sign of work may go out at any time.
    const writing = lent === undefined ? this.#writing : this.#writing.then(() => this.#write(lent, filled));
    this.#writing = writing;
    await writing;
  }

  async #write(lent: LentBuffer, filled: number): Promise<void> {
    using _deadline = this.channel.deadline(this.#options.stallTimeoutMs, "room to send");
    // A buffer is only given back once nothing of it is being written.
    await this.channel.write(lent.bytes.subarray(0, filled));
    lent[Symbol.dispose]();
  }

  /** To be called before a read that may have to wait. */
  async beforeRead(): Promise<void> {
    if (this.#options.flushes) await this.flush();
  }

  /** See {@linkcode nudge}. */
  #nudge(when: "at-once" | "later"): Disposable {
    return nudge(this.channel, when, (message) => {
      this.#writing = this.#writing.then(() => this.channel.write(message));
      // Whoever writes next finds out.
      this.#writing.catch(() => {});
    });
  }

  /** Takes messages that say nothing, as far as they have come. */
  skipNothing(): void {
    for (;;) {
      const next = this.channel.peek(HEADER_BYTES);
      if (!NOTHING.every((byte, i) => byte === next[i])) return;
      this.channel.bufferedHeader("tandem");
    }
  }

  /** Room for at least `bytes` in the buffer; undefined where what is in it must go out first. */
  #room(bytes: number): Uint8Array | undefined {
    const present = this.#lent;
    if (present !== undefined && this.#filled + bytes <= present.bytes.length) {
      return present.bytes.subarray(this.#filled);
    }
    if (this.#filled + bytes > GATHER_BYTES) return undefined;
    const larger = lendBuffer(this.#filled + bytes);
    if (present !== undefined) {
      larger.bytes.set(present.bytes.subarray(0, this.#filled));
      present[Symbol.dispose]();
    }
    this.#lent = larger;
    return larger.bytes.subarray(this.#filled);
  }

  /**
   * Sends a body without its end: all of `source`, or exactly `sizeBytes` of it.
   * Returns how many bytes that were.
   *
   * @throws {TandemError} `changed` if the source ends before `sizeBytes`;
   * `aborted`; what the channel or the source throws.
   */
  async sendBody(source: ByteSource, sizeBytes: number | undefined, options: BodyOptions): Promise<number> {
    const pace = new Pace(options.bytesPerSecond);
    using guard = new StallGuard(this.channel, paced(options));
    const { checksum, signal } = options;
    let sent = 0;
    while (sent !== sizeBytes) {
      throwIfAborted(signal);
      const left = (sizeBytes ?? Infinity) - sent;
      const whole = this.#room(Math.min(HEADER_BYTES + left, GATHER_BYTES / 2));
      if (whole === undefined) {
        await this.flush();
        continue;
      }
      const room = pace.limit(whole);
      const space = room.subarray(HEADER_BYTES, HEADER_BYTES + Math.min(left, room.length - HEADER_BYTES));
      const reading = source.read(space);
      const lent = this.#lent as LentBuffer;
      const count = reading instanceof Promise ? await readWhileOpen(this.channel, reading, lent) : reading;
      if (count === null) {
        if (sizeBytes === undefined) return sent;
        throw shrunk(sent, sizeBytes);
      }
      if (count === 0) continue;
      checksum.update(space.subarray(0, count));
      room.set(encodeHeader(count, "+"));
      this.#filled += HEADER_BYTES + count;
      sent += count;
      if (sent !== sizeBytes) {
        await this.flush();
        guard.moved(count);
        await pace.after(count);
      }
      options.onProgress?.(sent);
    }
    return sent;
  }

  /** Sends the end of a body. */
  endBody(): Promise<void> {
    return this.send(BODY_END);
  }

  /**
   * The next object. One that says only that the other side is at work makes the
   * wait begin anew.
   *
   * @param after what must have ended before the time is counted: somebody else
   * has an eye on that.
   * @throws {AnsweredError} if an error comes instead.
   * @throws {TandemError} `timeout`, `disconnected`, `protocol`, `integrity`: then the connection is of no more use.
   */
  async receiveObject(waitedFor: string, timeoutMs: number, after?: Promise<unknown>): Promise<JsonObject> {
    for (;;) {
      const message = await this.#receiveMessage(waitedFor, timeoutMs, after);
      if (message.header.sign === "-") throw parseError(decodeObject(message.body));
      const object = decodeObject(message.body);
      if (!isWorkingSign(object)) return object;
    }
  }

  async #receiveMessage(waitedFor: string, timeoutMs: number, after?: Promise<unknown>): Promise<Message> {
    const { channel } = this;
    this.skipNothing();
    let message = channel.bufferedMessage("tandem", MAX_OBJECT_BYTES);
    if (message === NEED_MORE) {
      await this.beforeRead();
      using stack = new DisposableStack();
      stack.use(this.#nudge("at-once"));
      const begin = () => {
        if (!stack.disposed) stack.use(channel.deadline(timeoutMs, waitedFor));
      };
      if (after === undefined) begin();
      else after.then(begin, begin);
      do {
        message = await channel.message("tandem", MAX_OBJECT_BYTES);
      } while (message !== END && isNothing(message.header));
    }
    if (message === END) throw this.#ended(waitedFor);
    return message;
  }

  /** The next header of a body, its `first` one or another; undefined where the connection has ended before it. */
  async receiveHeader(first: boolean): Promise<Header | undefined> {
    const { channel } = this;
    this.skipNothing();
    let header = channel.bufferedHeader("tandem");
    if (header === NEED_MORE) {
      await this.beforeRead();
      // The chunks of a large body come of themselves.
      using _nudge = first ? this.#nudge("later") : undefined;
      do {
        header = await channel.header("tandem");
      } while (header !== END && isNothing(header));
    }
    return header === END ? undefined : header;
  }

  /** The message behind a header that has come: an error in place of a chunk. */
  receiveErrorBody(header: Header): Promise<AnsweredError> {
    return receiveErrorBody(this.channel, header);
  }

  #ended(waitedFor: string): TandemError {
    return new TandemError("disconnected", `${this.channel.peer} closed the data connection before ${waitedFor}`);
  }

  /**
   * Waits for `work`, which may take long, and tells the other side meanwhile
   * that it is being done; no more once `signal` is aborted, for then that side
   * has had its answer.
   */
  async working<T>(work: Promise<T>, signal?: AbortSignal): Promise<T> {
    let telling: Promise<void> = Promise.resolve();
    const timer = setInterval(() => {
      if (signal?.aborted) return;
      telling = telling.then(() => this.send(WORKING_SIGN)).then(() => this.flush());
      // A connection that breaks meanwhile is found out about by whoever uses it next.
      telling.catch(() => {});
    }, WORKING_SIGN_MS);
    try {
      return await work;
    } finally {
      clearInterval(timer);
      await telling;
    }
  }
}

/**
 * The message behind the header of an error, on either connection.
 *
 * @throws {TandemError} `disconnected`, `protocol`, `integrity`.
 */
export async function receiveErrorBody(channel: Channel, { value }: Header): Promise<AnsweredError> {
  if (value > MAX_OBJECT_BYTES) throw new ProtocolError(`an error of ${value} bytes was announced`);
  const body = new Uint8Array(value);
  let filled = 0;
  while (filled < value) {
    const count = await channel.read(body.subarray(filled));
    if (count === null) {
      throw new TandemError("disconnected", `${channel.peer} closed the connection before the rest of an error`);
    }
    filled += count;
  }
  return parseError(decodeObject(body));
}

const BODY_END = encodeHeader(0, "+");

const NOTHING = encodeHeader(0, "-");

/** Whether a message is one that says nothing: see {@linkcode nudge}. */
export function isNothing({ sign, value }: Header): boolean {
  return sign === "-" && value === 0;
}

/**
 * While an answer is waited for, says nothing to the server, so that its system
 * learns that its last words have come: at once if they were messages, and
 * later, after a round trip, for those of TLS itself, which nobody here sees.
 *
 * An accepted connection with TLS holds small packets back until then (Nagle's
 * algorithm, which Deno cannot switch off there), and this end's system is in no
 * hurry to tell: 40 ms for each small answer without this.
 */
export function nudge(
  channel: Channel,
  when: "at-once" | "later",
  say: (message: Uint8Array) => void,
): Disposable {
  const { nudgeAfterMs } = channel;
  if (nudgeAfterMs === undefined) return { [Symbol.dispose]() {} };
  if (when === "at-once" && channel.owesAnswer) say(NOTHING);
  const timer = setTimeout(() => say(NOTHING), nudgeAfterMs);
  return { [Symbol.dispose]: () => clearTimeout(timer) };
}

/** Throws what `signal` was aborted with. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw abortError(signal);
}

/** Whether an error is about the connection itself, of which nothing can be trusted any more, and not about one command. */
export function endsConnection(error: unknown): boolean {
  if (error instanceof AnsweredError || !(error instanceof TandemError)) return false;
  return error instanceof DamagedError || error.code === "disconnected" || error.code === "protocol";
}
