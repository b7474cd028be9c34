/**
 * The client's half of the plain exchange, against any server that speaks it.
 *
 * Every command is answered with a port, and the data connection to it must be
 * made, or some servers wait in accept for ever: so once a command is sent,
 * opening its data connection goes on even if the caller has given up, and the
 * next command waits for that. All that goes wrong on the data connection ends
 * the operation; what goes wrong on the control connection ends the session.
 *
 * @module
 */

import { asTandemError, ProtocolError, TandemError } from "../errors.ts";
import { type ClientLimits, MAX_MESSAGE_BYTES } from "../limits.ts";
import { assertEndOfBody, receiveBody, sendBody } from "../net/bulk.ts";
import { abortError, untilAborted } from "../net/abort.ts";
import type { Channel } from "../net/channel.ts";
import { dial } from "../net/data_port.ts";
import { isRefusal } from "../net/net_error.ts";
import { asksForTls, wantsSecret } from "../net/tls.ts";
import { type Command, encodeCommand } from "../protocol/command.ts";
import { END } from "../protocol/decoder.ts";
import { MAX_UNSIGNED_VALUE } from "../protocol/header.ts";
import { decodeListing } from "../protocol/listing.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { Entry } from "../protocol/tandem_result.ts";
import {
  type Exchange,
  type GetRequest,
  type IncomingFile,
  needsTandem,
  type OperationOptions,
  type PutRequest,
  type PutResult,
  type PutSource,
} from "./exchange.ts";
import { IncomingPlainFile } from "./incoming_plain_file.ts";
import { held } from "./sources.ts";

/** How the plain exchange is spoken. */
export interface PlainOptions {
  /** What is waited for how long. */
  readonly limits: ClientLimits;
  /** Whether a `get` of size zero means that there is no such file, as some servers have it. */
  readonly zeroIsMissing: boolean;
}

/** How long the control connection is watched to tell a refusal from a server that is gone, in milliseconds. */
const GONE_MS = 100;

/** The plain exchange over one control connection. */
export class PlainExchange implements Exchange {
  /** Which exchange this is. */
  readonly mode = "plain";
  /** How many operations may be under way at one time. */
  readonly concurrency = 1;
  readonly #control: Channel;
  readonly #options: PlainOptions;
  readonly #closed = new AbortController();
  #answered = false;
  /** A command that was sent before this exchange was chosen, and the port that answered it. */
  #begun: { readonly command: Uint8Array; readonly port: number } | undefined;
  /** What an operation that was given up has left to do. */
  #unsettled: Promise<void> = Promise.resolve();

  /** Takes over an open control connection. */
  constructor(control: Channel, options: PlainOptions) {
    this.#control = control;
    this.#options = options;
  }

  /**
   * Says that a command was sent already, with a sign, and answered with a port.
   * An operation that begins with that command goes on from there.
   *
   * @throws {ProtocolError} if the port is none.
   */
  resumeAt(port: number, command: Uint8Array): void {
    this.#answered = true;
    this.#begun = { command, port: checkedPort(port) };
  }

  /** Connects to the port of a command that nobody goes on with, for the server waits for that. */
  async settle(): Promise<void> {
    const begun = this.#begun;
    this.#begun = undefined;
    if (begun !== undefined) (await this.#dial(begun.port)).close();
  }

  /** The names in a folder. */
  async list(
    path: RemotePath,
    request: { readonly recursive: boolean },
    options: OperationOptions,
  ): Promise<Entry[]> {
    if (request.recursive) throw needsTandem("a recursive listing");
    const { limits } = this.#options;
    using data = await this.#open({ verb: "ls", path }, options.signal);
    using _abort = data.failOn(options.signal);
    const shown = path === "" ? "the shared folder" : `"${path}"`;
    const sizeBytes = await this.#receiveSize(data, shown);
    if (sizeBytes > MAX_MESSAGE_BYTES) {
      throw new TandemError(
        "too-large",
        `a listing of ${sizeBytes} bytes was announced, at most ${MAX_MESSAGE_BYTES} are taken`,
      );
    }
    const body = new Uint8Array(sizeBytes);
    let filled = 0;
    const write = (bytes: Uint8Array) => {
      body.set(bytes, filled);
      filled += bytes.length;
    };
    await receiveBody(data, { write }, sizeBytes, limits);
    await assertEndOfBody(data);
    return decodeListing(body);
  }

  /** Asks for a file. */
  async get(
    path: RemotePath,
    request: GetRequest,
    options: OperationOptions,
  ): Promise<IncomingFile> {
    if (request.digest) throw needsTandem("a checksum");
    if (request.offset !== undefined || request.length !== undefined) throw needsTandem("a part of a file");
    const { limits, zeroIsMissing } = this.#options;
    using stack = new DisposableStack();
    const data = stack.use(
      await this.#open({ verb: "get", path }, options.signal),
    );
    stack.use(data.failOn(options.signal));
    const sizeBytes = await this.#receiveSize(data, `"${path}"`);
    if (sizeBytes === 0 && zeroIsMissing) {
      throw new TandemError(
        "not-found",
        `the server answered "${path}" with size zero, which counts as missing`,
      );
    }
    return new IncomingPlainFile(data, sizeBytes, stack.move(), {
      ...limits,
      onProgress: options.onProgress,
    });
  }

  /** Sends a file. */
  async put(
    path: RemotePath,
    unsized: PutSource,
    request: PutRequest,
    options: OperationOptions,
  ): Promise<PutResult> {
    if (request.digest) throw needsTandem("a checksum");
    if (request.resume) throw needsTandem("continuing a file");
    if (request.onExist === "newer") throw needsTandem("a comparison of times");
    const source = await held(unsized, options.signal);
    const { sizeBytes } = source;
    if (sizeBytes > MAX_UNSIGNED_VALUE) throw tooLarge(path, sizeBytes);
    const { limits } = this.#options;
    try {
      using data = await this.#open({ verb: "put", path }, options.signal);
      using _abort = data.failOn(options.signal);
      const { onProgress } = options;
      await sendBody(data, source, sizeBytes, { ...limits, onProgress });
      await data.closeWrite();
      using _deadline = data.deadline(
        limits.putCloseTimeoutMs,
        "the end of a put, of which every byte was sent,",
      );
      // Whoever says something here has not taken the file, or is not the one that was meant.
      if (await data.read(new Uint8Array(1)) !== null) throw refused(path, undefined);
      return { outcome: "sent", sizeBytes, resumedBytes: 0, startedOver: false };
    } catch (error) {
      if (isRefusal(error) && !await this.#isGone()) throw refused(path, error);
      throw error;
    }
  }

  /** @throws {TandemError} `unsupported`. */
  stat(): Promise<Entry> {
    return Promise.reject(needsTandem("stat"));
  }

  /** @throws {TandemError} `unsupported`. */
  mkdir(): Promise<void> {
    return Promise.reject(needsTandem("mkdir"));
  }

  /** @throws {TandemError} `unsupported`. */
  remove(): Promise<void> {
    return Promise.reject(needsTandem("rm"));
  }

  /** @throws {TandemError} `unsupported`. */
  rename(): Promise<void> {
    return Promise.reject(needsTandem("mv"));
  }

  /** @throws {TandemError} `unsupported`. */
  hash(): Promise<string> {
    return Promise.reject(needsTandem("hash"));
  }

  /** @throws {TandemError} `unsupported`. */
  ping(): Promise<void> {
    return Promise.reject(needsTandem("ping"));
  }

  /** Ends the session in order. */
  async quit(): Promise<void> {
    const { quitTimeoutMs } = this.#options.limits;
    const timer = setTimeout(() => this.close(), quitTimeoutMs);
    try {
      await this.#unsettled;
      using _data = await this.#openNow(encodeCommand({ verb: "quit" }));
    } catch {
      // Whichever way the server ends a session, it has ended.
    } finally {
      clearTimeout(timer);
      this.close();
    }
  }

  /** Ends the session now. */
  close(): void {
    this.#closed.abort(new TandemError("aborted", "the session was closed"));
    this.#control.close();
  }

  /**
   * Sends a command and opens the data connection for it.
   *
   * @throws {TandemError} `aborted` at once when `signal` is; what is begun is
   * then finished behind the caller's back, because the server waits for it.
   */
  async #open(command: Command, signal: AbortSignal | undefined): Promise<Channel> {
    const message = encodeCommand(command);
    const before = this.#unsettled;
    const opening = (async () => {
      await before;
      if (signal?.aborted) throw abortError(signal);
      return await this.#openNow(message);
    })();
    try {
      return await untilAborted(opening, signal);
    } catch (error) {
      if (signal?.aborted) {
        this.#unsettled = opening.then((data) => data.close(), () => {
          // The next command finds the control connection as this has left it.
        });
      }
      throw error;
    }
  }

  async #openNow(message: Uint8Array): Promise<Channel> {
    const begun = this.#begun;
    if (begun !== undefined && isSameCommand(begun.command, message)) {
      this.#begun = undefined;
      return await this.#dial(begun.port);
    }
    await this.settle();
    await this.#control.write(message);
    return await this.#dial(await this.#receivePort(this.#options.limits.timeoutMs));
  }

  #dial(port: number): Promise<Channel> {
    const { timeoutMs, dataPortRetryMs } = this.#options.limits;
    return dial(this.#control.remoteAddr.hostname, port, {
      timeoutMs,
      retryMs: dataPortRetryMs,
      what: "the data port",
      signal: this.#closed.signal,
    });
  }

  async #receivePort(timeoutMs: number): Promise<number> {
    using _deadline = this.#control.deadline(timeoutMs, "a data port");
    try {
      const header = await this.#control.header();
      if (header === END) throw this.#ended();
      const port = checkedPort(header.value);
      this.#answered = true;
      return port;
    } catch (error) {
      const failure = asksForTls(this.#control) ? wantsSecret(this.#control.peer) : asTandemError(error);
      // Nothing that comes after a bad answer can be told apart.
      this.#control.fail(failure);
      throw failure;
    }
  }

  /**
   * The header of an answer. A server has no other way to say no than to close
   * before it.
   */
  async #receiveSize(data: Channel, shown: string): Promise<number> {
    using _deadline = data.deadline(
      this.#options.limits.timeoutMs,
      "the size of a file",
    );
    let cause: unknown;
    try {
      const header = await data.header();
      if (header !== END) return header.value;
    } catch (error) {
      if (data.failure !== undefined || !isRefusal(error)) throw error;
      cause = error;
    }
    throw new TandemError("not-found", `the server did not send ${shown}`, {
      cause,
      hint: "it is not there, or may not be read; this server cannot say which",
    });
  }

  #ended(): TandemError {
    const { peer } = this.#control;
    return this.#answered
      ? new TandemError("disconnected", `${peer} closed the session`)
      : new TandemError("connect", `${peer} closed the session unanswered`, {
        hint: "the server may be full, or another program may listen on that port",
      });
  }

  /** Whether the control connection has ended: looked at for a moment, since the news may be on its way. */
  async #isGone(): Promise<boolean> {
    const control = this.#control;
    const looked = Promise.withResolvers<void>();
    const timer = setTimeout(looked.resolve, GONE_MS);
    try {
      await Promise.race([control.fill(), looked.promise]);
      return control.ended;
    } catch {
      return true;
    } finally {
      clearTimeout(timer);
    }
  }
}

function checkedPort(value: number): number {
  if (value >= 1 && value <= 65_535) return value;
  throw new ProtocolError(`${value} is no port`);
}

/** Whether two commands are the same but for the sign. */
function isSameCommand(signed: Uint8Array, unsigned: Uint8Array): boolean {
  return signed.length === unsigned.length && signed.every((byte, i) => i === 0 || byte === unsigned[i]);
}

function tooLarge(path: RemotePath, sizeBytes: number): TandemError {
  return new TandemError(
    "unsupported",
    `"${path}" has ${sizeBytes} bytes; the plain exchange reaches ${MAX_UNSIGNED_VALUE}`,
    { hint: "split the file, or use tandem on both sides" },
  );
}

function refused(path: RemotePath, cause: unknown): TandemError {
  return new TandemError("denied", `the server did not take "${path}"`, {
    cause,
    hint: "it may be read-only, have a file of that name, or have no room; this server cannot say which",
  });
}
