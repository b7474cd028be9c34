/**
 * One connection as headers, messages and bytes.
 *
 * A channel reads through the pure decoder and writes whole pieces. It has one
 * way to die early: `fail(error)` closes the socket, which is what unblocks a
 * pending read or write in Deno, and from then on everything rejects with that
 * error. Deadlines, stall guards and abort signals are all just somebody who
 * calls it. What is sent and received, and why, is for others to know.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { Decoder, type End, type Message, NEED_MORE, type NeedMore } from "../protocol/decoder.ts";
import type { Header, HeaderGrammar } from "../protocol/header.ts";
import { abortError, whenAborted } from "./abort.ts";
import { brokenConnection } from "./net_error.ts";

/** What one read of headers and small messages may bring, in bytes; bodies are read into buffers of their own. */
const SCRATCH_BYTES = 4_096;

/** An open connection, with TLS or without. */
export type Conn = Deno.TcpConn | Deno.TlsConn;

/** A connection that speaks in headers and messages. Disposing of it closes it. */
export class Channel implements Disposable {
  /** Who is at the other end: `address:port`, for messages. */
  readonly peer: string;
  /** When a server that has not answered yet may be waiting for a sign of life, in milliseconds; undefined where it never does. */
  readonly nudgeAfterMs: number | undefined;
  /** The address of this end. */
  readonly localAddr: Deno.NetAddr;
  /** The address of the other end. */
  readonly remoteAddr: Deno.NetAddr;
  readonly #conn: Conn;
  readonly #decoder = new Decoder();
  #scratch: Uint8Array | undefined;
  #scratchBytes = SCRATCH_BYTES;
  #filling: Promise<void> | undefined;
  #owesAnswer = false;
  /** What a read failed with that had brought something before. */
  #broken: unknown;
  #failure: TandemError | undefined;
  #closed = false;
  #onClose: (() => void)[] = [];

  /** Takes over an open connection. */
  constructor(conn: Conn, nudgeAfterMs?: number) {
    // Two small writes with no answer between them would else wait 40 ms.
    if (!isTls(conn)) noDelay(conn);
    this.#conn = conn;
    this.nudgeAfterMs = nudgeAfterMs;
    this.localAddr = unmapped(conn.localAddr);
    this.remoteAddr = unmapped(conn.remoteAddr);
    this.peer = formatAddress(this.remoteAddr.hostname, this.remoteAddr.port);
  }

  /** Whether all that is sent and received is encrypted. */
  get isEncrypted(): boolean {
    return isTls(this.#conn);
  }

  /** Why the channel died early, if it did. */
  get failure(): TandemError | undefined {
    return this.#failure;
  }

  /** How many bytes have come that nobody has asked for yet. */
  get bufferedBytes(): number {
    return this.#decoder.bufferedBytes;
  }

  /** Whether something has come since this end has written last. */
  get owesAnswer(): boolean {
    return this.#owesAnswer;
  }

  /** A copy of the first bytes that have come and nobody has asked for yet, at most so many. */
  peek(count: number): Uint8Array {
    return this.#decoder.peek(count);
  }

  /** Whether this end has closed it. */
  get isClosed(): boolean {
    return this.#closed;
  }

  /** Whether the other end has closed its half. */
  get ended(): boolean {
    return this.#decoder.ended;
  }

  /** Whether a part of a message has come and the rest has not. */
  get insideMessage(): boolean {
    return this.#decoder.insideMessage;
  }

  /**
   * The next header, or `END` where the peer has closed before it.
   *
   * @throws {ProtocolError} if it is none.
   * @throws {TandemError} `disconnected` if the connection ended inside it or broke.
   */
  header(grammar: HeaderGrammar = "plain"): Promise<Header | End> {
    return this.#pull(() => this.#decoder.header(grammar));
  }

  /**
   * The next header, from what has come already.
   *
   * @throws {ProtocolError} if it is none.
   * @throws {TandemError} `disconnected` if the connection ended inside it.
   */
  bufferedHeader(grammar: HeaderGrammar): Header | NeedMore | End {
    return this.#decoder.header(grammar);
  }

  /**
   * The next header and the message that it announces, from what has come already.
   *
   * @throws {ProtocolError} if the header is none or announces over `maxBytes`.
   * @throws {TandemError} `disconnected` if the connection ended inside it.
   */
  bufferedMessage(
    grammar: HeaderGrammar,
    maxBytes: number,
  ): Message | NeedMore | End {
    return this.#decoder.message(grammar, maxBytes);
  }

  /**
   * The next header and the message that it announces, or `END` where the peer
   * has closed before it.
   *
   * @throws {ProtocolError} if the header is none or announces over `maxBytes`.
   * @throws {TandemError} `disconnected` if the connection ended inside it or broke.
   */
  message(grammar: HeaderGrammar, maxBytes: number): Promise<Message | End> {
    return this.#pull(() => this.#decoder.message(grammar, maxBytes));
  }

  /** Has the next reads of headers and messages bring up to `bytes`: for a peer that sends many small ones. */
  readAhead(bytes: number): void {
    this.#scratchBytes = bytes;
    this.#scratch = undefined;
  }

  /**
   * Reads up to `limit` bytes of a body into the beginning of `buffer`, and lets
   * the same reads bring up to `beyond` bytes of what follows, which then come
   * first at the next read. Returns how many bytes of the body those are, or
   * `null` where the peer has closed.
   *
   * Without a `goOn` it returns what one read brings. TLS brings 16 KiB at the
   * most, so a large body goes faster where many reads are one call: then it goes
   * on until `limit` is reached, as long as `goOn`, which is told of the bytes of
   * each, returns true. What breaks the connection then is thrown by the next call.
   *
   * @throws {TandemError} `disconnected` if the connection broke.
   */
  async readWithin(
    buffer: Uint8Array,
    limit: number,
    beyond: number,
    goOn?: (count: number) => boolean,
  ): Promise<number | null> {
    if (this.#decoder.bufferedBytes === 0) await this.#filling;
    if (this.#decoder.bufferedBytes > 0) {
      const count = this.#decoder.take(buffer.subarray(0, limit));
      goOn?.(count);
      return count;
    }
    if (this.#decoder.ended) return null;
    const wanted = Math.min(limit, buffer.length);
    let filled = 0;
    do {
      let count: number | null;
      try {
        count = this.#broken === undefined ? await this.#conn.read(buffer.subarray(filled, limit + beyond)) : null;
      } catch (error) {
        this.#broken = error;
        count = null;
      }
      if (count === null) break;
      const upTo = Math.min(filled + count, wanted);
      const counts = goOn?.(upTo - filled);
      filled += count;
      if (counts !== true) break;
    } while (filled < wanted);
    this.#owesAnswer = true;
    if (filled > wanted) this.#decoder.push(buffer.subarray(wanted, filled));
    if (filled > 0) return Math.min(filled, wanted);
    if (this.#broken !== undefined) throw this.#failure ?? brokenConnection(this.#broken, this.peer);
    return null;
  }

  /**
   * Reads body bytes into the beginning of `buffer`; returns how many, or
   * `null` where the peer has closed.
   *
   * @throws {TandemError} `disconnected` if the connection broke.
   */
  async read(buffer: Uint8Array): Promise<number | null> {
    if (this.#decoder.bufferedBytes === 0) await this.#filling;
    if (this.#decoder.bufferedBytes > 0) return this.#decoder.take(buffer);
    if (this.#decoder.ended) return null;
    return await this.#readSocket(buffer);
  }

  /**
   * Reads once from the socket into the decoder. Calls while one is under way
   * share it.
   *
   * @throws {TandemError} `disconnected` if the connection broke.
   */
  fill(): Promise<void> {
    this.#filling ??= this.#fillOnce().finally(() => {
      this.#filling = undefined;
    });
    return this.#filling;
  }

  async #fillOnce(): Promise<void> {
    const scratch = this.#scratch ??= new Uint8Array(this.#scratchBytes);
    const count = await this.#readSocket(scratch);
    if (count === null) this.#decoder.end();
    else this.#decoder.push(scratch.subarray(0, count));
  }

  async #pull<T>(next: () => T | NeedMore): Promise<T> {
    for (;;) {
      const value = next();
      if (value !== NEED_MORE) return value;
      await this.fill();
    }
  }

  async #readSocket(buffer: Uint8Array): Promise<number | null> {
    try {
      if (this.#broken !== undefined) throw this.#broken;
      const count = await this.#conn.read(buffer);
      this.#owesAnswer = true;
      return count;
    } catch (error) {
      throw this.#failure ?? brokenConnection(error, this.peer);
    }
  }

  /**
   * Writes all of `bytes`; they must not change until this has ended.
   *
   * @throws {TandemError} `disconnected` if the connection broke.
   */
  async write(bytes: Uint8Array): Promise<void> {
    this.#owesAnswer = false;
    try {
      let rest = bytes;
      while (rest.length > 0) {
        const writing = this.#conn.write(rest);
        // Before Deno 2.9 closing does not end the wait of a write under TLS.
        rest = rest.subarray(await (this.isEncrypted ? this.whileOpen(writing) : writing));
      }
    } catch (error) {
      throw this.#failure ?? brokenConnection(error, this.peer);
    }
  }

  /** Says that nothing more will be written; reading goes on. */
  async closeWrite(): Promise<void> {
    try {
      await this.#conn.closeWrite();
    } catch (error) {
      throw this.#failure ?? brokenConnection(error, this.peer);
    }
  }

  /** Ends the channel with `error`: what is pending, and what comes later, rejects with it. */
  fail(error: TandemError): void {
    this.#failure ??= error;
    this.close();
  }

  /** Fails the channel with a `timeout` if the returned guard is not disposed of within `timeoutMs`. */
  deadline(timeoutMs: number, waitedFor: string): Disposable {
    const timer = setTimeout(() => {
      this.fail(timedOut(waitedFor, this.peer, timeoutMs));
    }, timeoutMs);
    return { [Symbol.dispose]: () => clearTimeout(timer) };
  }

  /** Fails the channel when `signal` is aborted, until the returned guard is disposed of. */
  failOn(signal: AbortSignal | undefined): Disposable {
    return whenAborted(signal, () => this.fail(abortError(signal)));
  }

  /** Closes the connection; more than once does no harm. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
    for (const callback of this.#onClose) callback();
  }

  /**
   * Waits for `work` that this channel needs, but no longer than until it closes.
   *
   * @throws {TandemError} what the channel failed with; what `work` rejects with.
   */
  async whileOpen<T>(work: Promise<T>): Promise<T> {
    const closed = Promise.withResolvers<never>();
    const reject = () => closed.reject(this.#failure ?? brokenConnection(new Error("it was closed"), this.peer));
    this.onClose(reject);
    try {
      return await Promise.race([closed.promise, work]);
    } finally {
      this.#onClose = this.#onClose.filter((callback) => callback !== reject);
    }
  }

  /** Has `callback` called when the channel closes. */
  onClose(callback: () => void): void {
    if (this.#closed) callback();
    else this.#onClose.push(callback);
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** The error of a wait that took too long. */
export function timedOut(
  waitedFor: string,
  peer: string,
  timeoutMs: number,
): TandemError {
  return new TandemError(
    "timeout",
    `waited ${timeoutMs / 1_000} s for ${waitedFor} from ${peer}`,
  );
}

/** Has small writes go out at once. */
export function noDelay(conn: Deno.TcpConn): void {
  try {
    conn.setNoDelay(true);
  } catch {
    // It has been reset already, which some systems say here: so will its first read.
  }
}

/** Whether a connection is one with TLS. */
export function isTls(conn: Conn): conn is Deno.TlsConn {
  return "handshake" in conn;
}

/** What an IPv4 address begins with where a port that is open for IPv6 takes it in. */
const MAPPED = /^::ffff:(?=[0-9.]+$)/i;

/** An address as it is known elsewhere: IPv4 where a socket for IPv6 calls it otherwise. */
export function unmapped(addr: Deno.NetAddr): Deno.NetAddr {
  return { ...addr, hostname: addr.hostname.replace(MAPPED, "") };
}

/** An address and port as people and URLs write them. */
export function formatAddress(hostname: string, port: number): string {
  return hostname.includes(":") ? `[${hostname}]:${port}` : `${hostname}:${port}`;
}
