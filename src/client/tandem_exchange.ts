/**
 * The tandem exchange from the client's side: commands out over one connection,
 * results in over the other, in the order of the commands.
 *
 * Operations overlap. Each sends its command at once and then waits for its turn
 * to read, which is when all results before its own have been read; bodies of
 * `put` likewise have turns to be written. So nobody has to know what the others
 * are doing, and a folder of small files goes at the speed of the link. An
 * operation that is given up has its result read all the same, behind its
 * caller's back. What goes wrong with either connection ends the session.
 *
 * @module
 */

import { asTandemError, ProtocolError, TandemError } from "../errors.ts";
import { type ClientLimits, MAX_OUTSTANDING_COMMANDS, SMALL_FILE_BYTES } from "../limits.ts";
import { abortError, untilAborted } from "../net/abort.ts";
import type { Channel } from "../net/channel.ts";
import { Checksum, emptySha256, hexOf } from "../net/checksum.ts";
import { IncomingBody } from "../net/incoming_body.ts";
import { endsConnection, type TandemLink } from "../net/tandem_link.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import { encodeTandemCommand, type PutCommand, type TandemCommand } from "../protocol/tandem_command.ts";
import {
  AnsweredError,
  type Entry,
  parseAuth,
  parseChecksums,
  parseEntry,
  parseFileInfo,
  parseHash,
  parseReady,
} from "../protocol/tandem_result.ts";
import type {
  Exchange,
  GetRequest,
  HashRequest,
  IncomingFile,
  OperationOptions,
  PutRequest,
  PutResult,
  PutSource,
} from "./exchange.ts";
import { EntryLines } from "./entry_lines.ts";
import { IncomingTandemFile } from "./incoming_tandem_file.ts";
import { OutgoingFile } from "./outgoing_file.ts";
import { type Turn, Turns } from "./turns.ts";

/** How the first command reaches the server: behind the ticket. */
export type SendFirst = (command: Uint8Array) => Promise<void>;

/** A command that was sent, and its turn to read the result. */
interface Sent {
  readonly number: number;
  readonly turn: Turn;
}

/** The tandem exchange over both connections of a session. */
export class TandemExchange implements Exchange {
  /** Which exchange this is. */
  readonly mode = "tandem";
  /** How many operations may be under way at one time. */
  readonly concurrency: number = MAX_OUTSTANDING_COMMANDS;
  readonly #control: Channel;
  readonly #link: TandemLink;
  readonly #limits: ClientLimits;
  readonly #reads = new Turns();
  readonly #writes = new Turns();
  #sendFirst: SendFirst | undefined;
  #sent = 0;
  #toSend: Uint8Array[] = [];
  #sending: Promise<void> | undefined;

  /** Takes over both connections. */
  constructor(control: Channel, link: TandemLink, limits: ClientLimits, sendFirst: SendFirst) {
    this.#control = control;
    this.#link = link;
    this.#limits = limits;
    this.#sendFirst = sendFirst;
    this.#watchControl();
  }

  /** What is in a folder. */
  async list(
    path: RemotePath,
    { recursive }: { readonly recursive: boolean },
    { signal }: OperationOptions,
  ): Promise<Entry[]> {
    return await this.#ask({ verb: "ls", path, ...(recursive ? { recursive } : {}) }, signal, async () => {
      const checksum = new Checksum();
      const body = new IncomingBody(this.#link);
      const lines = new EntryLines();
      await body.receive(lines, SMALL_FILE_BYTES, { ...this.#limits, checksum });
      const sums = parseChecksums(await this.#receive());
      if (!checksum.fits(sums)) {
        throw new TandemError("integrity", "a listing was damaged on its way: its checksum does not fit");
      }
      return lines.entries();
    });
  }

  /** What a path names. */
  async stat(path: RemotePath, { signal }: OperationOptions): Promise<Entry> {
    return await this.#ask({ verb: "stat", path }, signal, async () => parseEntry(await this.#receive()));
  }

  /** Makes a folder. */
  async mkdir(
    path: RemotePath,
    { recursive }: { readonly recursive: boolean },
    { signal }: OperationOptions,
  ): Promise<void> {
    await this.#ask({ verb: "mkdir", path, ...(recursive ? { recursive } : {}) }, signal, () => this.#receive());
  }

  /** Removes a file or folder. */
  async remove(
    path: RemotePath,
    { recursive }: { readonly recursive: boolean },
    { signal }: OperationOptions,
  ): Promise<void> {
    await this.#ask({ verb: "rm", path, ...(recursive ? { recursive } : {}) }, signal, () => this.#receive());
  }

  /** Gives a file or folder another name. */
  async rename(
    path: RemotePath,
    request: Parameters<Exchange["rename"]>[1],
    { signal }: OperationOptions,
  ): Promise<void> {
    await this.#ask({ verb: "mv", path, ...request }, signal, () => this.#receive());
  }

  /** The SHA-256 of a file or a part of it. */
  async hash(path: RemotePath, request: HashRequest, { signal }: OperationOptions): Promise<string> {
    return await this.#ask({ verb: "hash", path, ...request }, signal, async () => parseHash(await this.#receive()));
  }

  /** Proves that this side has the secret; returns the server's proof. The first command of a session. */
  async authenticate(nonce: string, proof: string): Promise<string> {
    return await this.#ask({ verb: "auth", nonce, proof }, undefined, async () => parseAuth(await this.#receive()));
  }

  /** Asks for nothing but an answer. */
  async ping({ signal }: OperationOptions): Promise<void> {
    await this.#ask({ verb: "ping" }, signal, () => this.#receive());
  }

  /** Asks for a file. */
  async get(path: RemotePath, request: GetRequest, options: OperationOptions): Promise<IncomingFile> {
    const { signal, onProgress } = options;
    if (signal?.aborted) throw abortError(signal);
    const { prefix, digest, ...rest } = request;
    const sent = this.#send({ verb: "get", path, ...rest, digest, prefix: prefix && hexOf(prefix) });
    const beginning = this.#inTurn(sent, async () => {
      const info = parseFileInfo(await this.#receive());
      if (info.offset !== 0 && info.offset !== request.offset) {
        throw new ProtocolError(`the server begins at byte ${info.offset}, which nobody asked for`);
      }
      return new IncomingTandemFile(this.#link, info, {
        ...this.#limits,
        shown: `"${path}"`,
        checksum: new Checksum(digest ? (info.offset > 0 && prefix) || emptySha256() : undefined),
        onProgress,
        onEnd: () => sent.turn.end(),
        signal,
        onGivenUp: (drain) => this.#giveUp(sent, drain),
        onFailure: (error) => this.#noteFailure(error),
      });
    });
    beginning.catch(() => sent.turn.end());
    try {
      return await untilAborted(beginning, signal);
    } catch (error) {
      if (signal?.aborted) {
        this.#abort(sent);
        beginning.then((incoming) => incoming[Symbol.asyncDispose](), () => {});
      }
      throw error;
    }
  }

  /** Reads what is left of a file that nobody wants any more. */
  async #giveUp(sent: Sent, drain: () => Promise<void>): Promise<void> {
    try {
      this.#abort(sent);
      await drain();
    } catch (error) {
      this.#noteFailure(error);
    } finally {
      sent.turn.end();
    }
  }

  /** Sends a file. */
  async put(
    path: RemotePath,
    source: PutSource,
    request: PutRequest,
    options: OperationOptions,
  ): Promise<PutResult> {
    const { signal } = options;
    if (signal?.aborted) throw abortError(signal);
    const { sizeBytes: size } = source;
    const { mtimeMs: mtime, mode, onExist, resume, digest } = request;
    const ready = resume || size === undefined || size > SMALL_FILE_BYTES;
    const command: PutCommand = { verb: "put", path, size, mtime, mode, onExist, resume, ready, digest };
    const sent = this.#send(command);
    const outgoing = new OutgoingFile(this.#link, source, {
      ...this.#limits,
      signal,
      onProgress: options.onProgress,
      digest: digest ?? false,
    });
    const writeTurn = this.#writes.take();
    const work = ready ? this.#putWhenReady(sent, writeTurn, outgoing) : this.#putAtOnce(sent, writeTurn, outgoing);
    const ended = work.catch((error) => {
      throw this.#noteFailure(error);
    }).finally(() => {
      writeTurn.end();
      sent.turn.end();
    });
    try {
      return await untilAborted(ended, signal);
    } catch (error) {
      if (signal?.aborted) {
        this.#abort(sent);
        ended.catch(() => {});
      }
      throw error;
    }
  }

  /** A small file: its body goes out without waiting for anything but the bodies before it. */
  async #putAtOnce(sent: Sent, writeTurn: Turn, outgoing: OutgoingFile): Promise<PutResult> {
    const writing = (async () => {
      await writeTurn.come;
      try {
        await outgoing.send(0);
      } finally {
        writeTurn.end();
      }
    })();
    await this.#stored(outgoing, 0, writing, this.#inTurn(sent, () => this.#receive(writing)));
    return { outcome: "stored", sizeBytes: outgoing.sentBytes, resumedBytes: 0, startedOver: false };
  }

  /** A large file, or one that is continued: it goes out when the server is ready for it. */
  async #putWhenReady(sent: Sent, writeTurn: Turn, outgoing: OutgoingFile): Promise<PutResult> {
    await sent.turn.come;
    const ready = parseReady(await this.#receive());
    await writeTurn.come;
    let offset = 0;
    try {
      offset = await outgoing.prefix(ready.offset, ready.sha256);
    } catch (error) {
      // The server waits for a word.
      await outgoing.breakOff(asTandemError(error));
      await this.#receive().catch(ignoreAnswer);
      throw error;
    }
    await this.#link.sendObject({ offset });
    const writing = outgoing.send(offset);
    await this.#stored(outgoing, offset, writing, this.#receive(writing));
    const startedOver = ready.offset > 0 && offset === 0;
    return { outcome: "stored", sizeBytes: offset + outgoing.sentBytes, resumedBytes: offset, startedOver };
  }

  /** Waits until a body has gone out and the server has said that it stored it. */
  async #stored(
    outgoing: OutgoingFile,
    offset: number,
    writing: Promise<void>,
    answer: Promise<JsonObject>,
  ): Promise<void> {
    const result = answer.catch((error) => {
      // Refused: what is left of the body is of no use.
      outgoing.stop(asTandemError(error));
      throw error;
    });
    const [written, stored] = await Promise.allSettled([writing, result]);
    if (stored.status === "rejected") throw outgoing.failure ?? stored.reason;
    if (written.status === "rejected") throw written.reason;
    outgoing.compare(stored.value, offset);
  }

  /** Ends the session in order. */
  async quit(): Promise<void> {
    const timer = setTimeout(() => this.close(), this.#limits.quitTimeoutMs);
    try {
      // What was given up must first be read.
      await this.#reads.ended;
      if (!this.#control.isClosed) {
        const sent = this.#send({ verb: "quit" });
        await this.#sending;
        await this.#link.flush();
        sent.turn.end();
        while (!this.#control.ended) await this.#control.fill();
      }
    } catch {
      // Whichever way the server ends a session, it has ended.
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }

  /** Ends the session now. */
  close(): void {
    this.#control.close();
    this.#link.channel.close();
  }

  /** Asks for a result that is read to its end whatever the caller does. */
  async #ask<T>(command: TandemCommand, signal: AbortSignal | undefined, read: () => Promise<T>): Promise<T> {
    if (signal?.aborted) throw abortError(signal);
    const sent = this.#send(command);
    const result = this.#inTurn(sent, read).finally(() => sent.turn.end());
    try {
      return await untilAborted(result, signal);
    } catch (error) {
      if (signal?.aborted) {
        this.#abort(sent);
        result.catch(() => {});
      }
      throw error;
    }
  }

  async #inTurn<T>(sent: Sent, read: () => Promise<T>): Promise<T> {
    await sent.turn.come;
    try {
      return await read();
    } catch (error) {
      throw this.#noteFailure(error);
    }
  }

  /** The next object. Its time is counted from the end of `after`: the answer to a body comes when that has gone out. */
  #receive(after?: Promise<unknown>): Promise<JsonObject> {
    return this.#link.receiveObject("an answer", this.#limits.timeoutMs, after);
  }

  /** Sends a command, and takes its turn to read the result. */
  #send(command: TandemCommand): Sent {
    const message = encodeTandemCommand(command);
    if (this.#control.failure !== undefined) throw this.#control.failure;
    const first = this.#sendFirst;
    this.#sendFirst = undefined;
    if (first !== undefined) {
      const turn = this.#writes.take();
      // Other commands follow it over the other connection.
      this.#sending = first(message).catch((error) => this.#fail(asTandemError(error))).finally(() => {
        turn.end();
        this.#sending = undefined;
        this.#sendAll();
      });
    } else {
      this.#toSend.push(message);
      this.#sendAll();
    }
    return { number: this.#sent++, turn: this.#reads.take() };
  }

  #abort({ number }: Sent): void {
    if (this.#control.isClosed) return;
    this.#toSend.push(encodeTandemCommand({ verb: "abort", command: number }));
    this.#sendAll();
  }

  /** Sends all commands that are waiting for it, in one write. */
  #sendAll(): void {
    if (this.#sending !== undefined || this.#toSend.length === 0) return;
    this.#sending = (async () => {
      // Those that are asked for in one go, go in one go.
      await Promise.resolve();
      while (this.#toSend.length > 0) {
        const messages = this.#toSend;
        this.#toSend = [];
        await this.#control.write(joined(messages));
      }
    })().catch((error) => this.#fail(asTandemError(error))).finally(() => {
      this.#sending = undefined;
      // One may have come since the last look.
      this.#sendAll();
    });
  }

  /** The server says nothing more on the control connection; its end is that of the session. */
  async #watchControl(): Promise<void> {
    const { peer } = this.#control;
    try {
      await this.#control.fill();
      const error = this.#control.ended
        ? new TandemError("disconnected", `${peer} closed the session`)
        : new ProtocolError(`${peer} sent something on the control connection, where nothing comes`);
      // What was sent before it closed can still be read.
      this.#control.fail(error);
      if (!this.#control.ended) this.#fail(error);
    } catch (error) {
      this.#fail(asTandemError(error));
    }
  }

  /** Ends the session if an error is about a connection, or if the server makes no sense. */
  #noteFailure(error: unknown): unknown {
    const { channel } = this.#link;
    if (error instanceof AnsweredError) return error;
    let failure = asTandemError(error);
    // What the server sends is read here and nowhere else: a field that is wrong is its fault.
    if (failure.code === "bad-request") failure = new ProtocolError(failure.message, { cause: failure });
    if (channel.isClosed || endsConnection(failure)) {
      this.#fail(channel.failure ?? failure);
      return channel.failure ?? failure;
    }
    return failure;
  }

  #fail(error: TandemError): void {
    this.#control.fail(error);
    this.#link.channel.fail(error);
  }
}

/** Messages as one. */
function joined(messages: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(messages.reduce((sum, { length }) => sum + length, 0));
  let filled = 0;
  for (const message of messages) {
    whole.set(message, filled);
    filled += message.length;
  }
  return whole;
}

function ignoreAnswer(error: unknown): void {
  if (!(error instanceof AnsweredError)) throw error;
}
