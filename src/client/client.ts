/**
 * `Client`: what a program does with an open session.
 *
 * One operation runs at a time; others wait for their turn, and a download holds
 * it until its stream has ended or was cancelled. What an operation looks like on
 * the wire is the {@linkcode Exchange}'s business, which was chosen when the
 * session was opened.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { TandemError } from "../errors.ts";
import { untilAborted } from "../net/abort.ts";
import { type RemotePath, resolveRemotePath, ROOT } from "../protocol/path.ts";
import { openDiskFile } from "../store/disk_file.ts";
import { openLanding } from "../store/landing.ts";
import { Download } from "./download.ts";
import type { ClientEvent, Mode } from "./events.ts";
import type { Exchange, IncomingFile } from "./exchange.ts";
import { type PutBody, type SizedSource, sourceOf } from "./sources.ts";

/** One name in a folder at the server. */
export interface RemoteEntry {
  /** The name, as the server sent it: escape it before a terminal sees it. */
  readonly name: string;
  /** What it names. */
  readonly kind: "file" | "directory";
  /** Its size in bytes; undefined where the exchange does not tell. */
  readonly size: number | undefined;
}

/** What every operation can be told. */
export interface CallOptions {
  /** Ends the operation when it is aborted. The session can be used further. */
  readonly signal?: AbortSignal;
}

/** How a file is sent. */
export interface PutOptions extends CallOptions {
  /** The size of a stream in bytes. Without it a stream is held in memory until its end, up to 16 MiB. */
  readonly size?: number;
}

/** How a file is fetched to disk. */
export interface DownloadOptions extends CallOptions {
  /** Whether a file of that name is replaced. Default: no. */
  readonly overwrite?: boolean;
}

/** What became of a file. */
export interface TransferResult {
  /** `fetched`: here, whole; `sent`: every byte was sent and the server closed in order. */
  readonly outcome: "fetched" | "sent";
  /** The file's size in bytes. */
  readonly bytes: number;
  /** How long it took, in milliseconds. */
  readonly durationMs: number;
}

/** An open session with a server. Disposing of it ends it in order. */
export class Client implements AsyncDisposable {
  readonly #exchange: Exchange;
  readonly #onEvent: (event: ClientEvent) => void;
  readonly #closing = new AbortController();
  #lastTurn: Promise<void> = Promise.resolve();

  /** Takes over an exchange; use {@linkcode connect}. */
  constructor(exchange: Exchange, onEvent: (event: ClientEvent) => void) {
    this.#exchange = exchange;
    this.#onEvent = onEvent;
  }

  /** Which exchange the session speaks. */
  get mode(): Mode {
    return this.#exchange.mode;
  }

  /**
   * The files and folders in a folder; `/` is the shared one.
   *
   * @throws {TandemError} `not-found` if the server does not list it; `outside-root`,
   * `bad-request` for a path that cannot be; `timeout`, `disconnected`, `aborted`.
   */
  async *list(
    path = "/",
    options: CallOptions = {},
  ): AsyncIterableIterator<RemoteEntry> {
    const folder = resolveRemotePath(ROOT, path);
    const signal = this.#signal(options.signal);
    let names;
    {
      using _turn = await this.#takeTurn(signal);
      names = await this.#exchange.list(folder, { signal });
    }
    for (const { name, kind } of names) yield { name, kind, size: undefined };
  }

  /**
   * Asks for a file, to be read as a stream. No other operation begins before the
   * stream has ended or was cancelled.
   *
   * @throws {TandemError} as {@linkcode Client.list}; the stream fails with
   * `disconnected` if it ends short.
   */
  async get(path: string, options: CallOptions = {}): Promise<Download> {
    const remote = checked(path);
    const signal = this.#signal(options.signal);
    using stack = new DisposableStack();
    stack.use(await this.#takeTurn(signal));
    const startedMs = performance.now();
    const incoming = await this.#get(remote, signal);
    const turn = stack.move();
    return new Download(path, incoming, {
      signal,
      end: () => turn.dispose(),
      done: () => this.#tellFile(remote, "fetched", incoming.sizeBytes, startedMs),
    });
  }

  /**
   * Sends a file. Resolved when the server has closed the data connection in
   * order; the plain exchange has no word for "stored".
   *
   * @throws {TandemError} `denied` if the server does not take it; `unsupported`
   * if it is too large for the exchange, or a stream of unknown size is;
   * `changed` if a stream is not of the promised size; and as {@linkcode Client.list}.
   */
  async put(
    path: string,
    body: PutBody,
    options: PutOptions = {},
  ): Promise<TransferResult> {
    const remote = checked(path, true);
    const signal = this.#signal(options.signal);
    using _turn = await this.#takeTurn(signal);
    await using source = await sourceOf(body, { sizeBytes: options.size, signal });
    return await this.#send(remote, source, signal);
  }

  /**
   * Fetches a file to `local`, where it appears whole or not at all.
   *
   * @throws {TandemError} `exists` if there is a file already, and it may not be
   * replaced; `is-directory`, `no-space`, `local-io` for the local side; and as
   * {@linkcode Client.get}.
   */
  async download(
    path: string,
    local: string,
    options: DownloadOptions = {},
  ): Promise<TransferResult> {
    const remote = checked(path);
    const signal = this.#signal(options.signal);
    using _turn = await this.#takeTurn(signal);
    await using landing = await openLanding(dirname(local), basename(local), local, {
      replace: options.overwrite ?? false,
    }).catch(failLocally);
    const startedMs = performance.now();
    await using incoming = await this.#get(remote, signal);
    await incoming.receive(landing);
    await landing.commit();
    return this.#tellFile(remote, "fetched", incoming.sizeBytes, startedMs);
  }

  /**
   * Sends the file at `local`, as large as it is when it is opened.
   *
   * @throws {TandemError} `is-directory`, `local-io` for the local side; and as
   * {@linkcode Client.put}.
   */
  async upload(
    local: string,
    path: string,
    options: CallOptions = {},
  ): Promise<TransferResult> {
    const remote = checked(path, true);
    const signal = this.#signal(options.signal);
    using _turn = await this.#takeTurn(signal);
    await using file = await openDiskFile(local, local, "follow").catch(failLocally);
    return await this.#send(remote, file, signal);
  }

  async #get(remote: RemotePath, signal: AbortSignal): Promise<IncomingFile> {
    let totalBytes = 0;
    const onProgress = (bytes: number) => this.#tellProgress(remote, bytes, totalBytes);
    const incoming = await this.#exchange.get(remote, { signal, onProgress });
    totalBytes = incoming.sizeBytes;
    return incoming;
  }

  async #send(remote: RemotePath, source: SizedSource, signal: AbortSignal): Promise<TransferResult> {
    const startedMs = performance.now();
    const { sizeBytes } = source;
    const onProgress = (bytes: number) => this.#tellProgress(remote, bytes, sizeBytes);
    await this.#exchange.put(remote, source, sizeBytes, { signal, onProgress });
    return this.#tellFile(remote, "sent", sizeBytes, startedMs);
  }

  /**
   * Ends the session in order: what still runs is aborted, and the server is
   * told. Takes about a second at the most, and never rejects.
   */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new TandemError("aborted", "the session was closed"));
    await this.#lastTurn;
    await this.#exchange.quit();
  }

  /** Ends the session in order. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #signal(signal: AbortSignal | undefined): AbortSignal {
    const closing = this.#closing.signal;
    return signal === undefined ? closing : AbortSignal.any([signal, closing]);
  }

  /** Waits until all earlier operations have ended, or until `signal` is aborted. */
  async #takeTurn(signal: AbortSignal): Promise<Disposable> {
    const before = this.#lastTurn;
    const turn = Promise.withResolvers<void>();
    this.#lastTurn = before.then(() => turn.promise);
    try {
      await untilAborted(before, signal);
    } catch (error) {
      turn.resolve();
      throw error;
    }
    return { [Symbol.dispose]: () => turn.resolve() };
  }

  #tellProgress(path: RemotePath, bytes: number, totalBytes: number): void {
    this.#onEvent({ event: "progress", path, bytes, totalBytes });
  }

  #tellFile(
    path: RemotePath,
    outcome: TransferResult["outcome"],
    bytes: number,
    startedMs: number,
  ): TransferResult {
    const durationMs = Math.round(performance.now() - startedMs);
    this.#onEvent({ event: "file", path, outcome, bytes, durationMs });
    return { outcome, bytes, durationMs };
  }
}

/** What is missing or forbidden on this side must not look as if it were so at the server. */
function failLocally(error: unknown): never {
  const local = error instanceof TandemError && ["not-found", "denied", "bad-request", "busy"].includes(error.code);
  throw local ? new TandemError("local-io", `local file ${error.message}`, { cause: error }) : error;
}

/** The path of a file, as a caller gives it. */
function checked(path: string, create = false): RemotePath {
  const remote = resolveRemotePath(ROOT, path, { create });
  if (remote !== ROOT) return remote;
  throw new TandemError(
    "is-directory",
    `"${path}" is the shared folder itself`,
  );
}
