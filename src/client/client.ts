/**
 * `Client`: what a program does with an open session.
 *
 * What an operation looks like on the wire is the {@linkcode Exchange}'s
 * business, which the server's first answer chooses; so is how many of them may
 * be under way at one time. Further ones wait here for their turn.
 *
 * @module
 */

import { basename, dirname } from "node:path";
import { TandemError } from "../errors.ts";
import { SMALL_FILE_BYTES } from "../limits.ts";
import { untilAborted } from "../net/abort.ts";
import type { ByteSink } from "../net/bulk.ts";
import { hashOf } from "../net/checksum.ts";
import { type RemotePath, resolveRemotePath, ROOT } from "../protocol/path.ts";
import { AnsweredError, type Entry } from "../protocol/tandem_result.ts";
import { openDiskFile } from "../store/disk_file.ts";
import type { Landing } from "../store/file_store.ts";
import { openLanding } from "../store/landing.ts";
import { sweepTemporaries } from "../store/temporary.ts";
import { Download } from "./download.ts";
import type { ClientEvent, Mode } from "./events.ts";
import type { Exchange, GetRequest, IncomingFile, PutRequest, PutSource } from "./exchange.ts";
import type {
  CallOptions,
  DownloadOptions,
  GetIntoOptions,
  GetOptions,
  HashOptions,
  PutOptions,
  RecursiveOptions,
  RemoteEntry,
  RenameOptions,
  TransferResult,
  UploadOptions,
} from "./options.ts";
import { type PutBody, sourceOf } from "./sources.ts";

/** An open session with a server. Disposing of it ends it in order. */
export class Client implements AsyncDisposable {
  readonly #exchange: Exchange;
  readonly #onEvent: (event: ClientEvent) => void;
  readonly #closing = new AbortController();
  /** Operations under way, and those that wait for one to end. */
  #running = 0;
  readonly #waiting: PromiseWithResolvers<void>[] = [];
  #allEnded = Promise.withResolvers<void>();

  /** Takes over an exchange; use {@linkcode connect}. */
  constructor(exchange: Exchange, onEvent: (event: ClientEvent) => void) {
    this.#exchange = exchange;
    this.#onEvent = onEvent;
  }

  /** Which exchange the session speaks; undefined before the server's first answer. */
  get mode(): Mode | undefined {
    return this.#exchange.mode;
  }

  /**
   * The files and folders in a folder; `/` is the shared one.
   *
   * @throws {TandemError} `not-found` if the server does not list it; `outside-root`,
   * `bad-request` for a path that cannot be; `timeout`, `disconnected`, `aborted`;
   * `unsupported` if what is asked for needs a tandem peer.
   */
  async *list(
    path = "/",
    options: RecursiveOptions = {},
  ): AsyncIterableIterator<RemoteEntry> {
    const folder = resolveRemotePath(ROOT, path);
    const recursive = options.recursive ?? false;
    const entries = await this.#operate(options, (signal) => this.#exchange.list(folder, { recursive }, { signal }));
    for (const entry of entries) yield remoteEntry(entry);
  }

  /**
   * What a path names. Needs a tandem peer.
   *
   * @throws {TandemError} as {@linkcode Client.list}.
   */
  async stat(path: string, options: CallOptions = {}): Promise<RemoteEntry> {
    const remote = resolveRemotePath(ROOT, path);
    return remoteEntry(await this.#operate(options, (signal) => this.#exchange.stat(remote, { signal })));
  }

  /**
   * Asks for a file, to be read as a stream. In the plain exchange no other
   * operation begins before the stream has ended or was cancelled; in the tandem
   * exchange none that was begun later gets its answer before.
   *
   * @throws {TandemError} as {@linkcode Client.list}; the stream fails with
   * `disconnected` if it ends short, with `integrity` if its checksum does not fit.
   */
  async get(path: string, options: GetOptions = {}): Promise<Download> {
    const remote = checked(path);
    const signal = this.#signal(options.signal);
    using stack = new DisposableStack();
    stack.use(await this.#takeTurn(signal));
    const startedMs = performance.now();
    const { offset, length, ifUnchanged, verify } = options;
    const incoming = await this.#get(remote, { offset, length, ifUnchanged, digest: verify }, signal);
    const turn = stack.move();
    return new Download(path, incoming, {
      signal,
      end: () => turn.dispose(),
      done: () => this.#tellFile(remote, { outcome: "fetched", bytes: incoming.sizeBytes }, startedMs),
    });
  }

  /**
   * Moves a file, or a part of it, into `sink`: the fast way to whatever is no
   * file of this disk. Returns how many bytes that were.
   *
   * @throws {TandemError} as {@linkcode Client.get}; what the sink throws.
   */
  async getInto(path: string, sink: ByteSink, options: GetIntoOptions = {}): Promise<number> {
    const remote = checked(path);
    return await this.#operate(options, async (signal) => {
      const { offset, length, ifUnchanged, verify, onProgress } = options;
      const request = { offset, length, ifUnchanged, digest: verify };
      await using incoming = await this.#exchange.get(remote, request, { signal, onProgress });
      await incoming.receive(sink);
      return incoming.sizeBytes;
    });
  }

  /**
   * Sends a file. Resolved when a tandem server has stored it durably, or a plain
   * one has closed the data connection in order.
   *
   * @throws {TandemError} `denied` if the server does not take it; `exists`;
   * `too-large`, `no-space`; `unsupported` if it is too large for the plain
   * exchange, or a stream of unknown size is; `changed` if a stream is not of the
   * promised size; and as {@linkcode Client.list}.
   */
  async put(
    path: string,
    body: PutBody,
    options: PutOptions = {},
  ): Promise<TransferResult> {
    const remote = checked(path, true);
    return await this.#operate(options, async (signal) => {
      await using source = await sourceOf(body, { sizeBytes: options.size, signal });
      const { mtime, mode, onExist, verify } = options;
      return await this.#send(remote, source, { mtimeMs: mtime?.getTime(), mode, onExist, digest: verify }, signal);
    });
  }

  /**
   * Fetches a file to `local`, where it appears whole or not at all, with the
   * time of its last change and its permissions where the server tells them.
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
    const { overwrite = false, resume = false, verify } = options;
    const signal = this.#signal(options.signal);
    using turn = await this.#takeTurn(signal);
    await using landing = await openLanding(dirname(local), basename(local), local, {
      replace: overwrite,
      resumable: this.mode !== "plain",
      resume,
      continuePresent: resume,
    }).catch(failLocally);
    const startedMs = performance.now();
    const { kept } = landing;
    const request: GetRequest = { ...await prefixOf(landing, signal), digest: verify };
    let worthKeeping = false;
    try {
      await using incoming = await this.#get(remote, request, signal);
      const { offset, totalBytes, mtimeMs, mode } = incoming.info;
      worthKeeping = totalBytes >= SMALL_FILE_BYTES;
      const startedOver = kept !== undefined && kept.sizeBytes > 0 && offset === 0;
      if (startedOver) {
        // Under its own name it is somebody's file, which just happens to be another one.
        if (kept.isPresentFile && !overwrite) throw notItsBeginning(local);
        await landing.restart();
      }
      await incoming.receive(landing);
      // The next one may have its answer while this one is flushed.
      turn[Symbol.dispose]();
      await landing.commit({ mtimeMs, mode });
      const result = { outcome: "fetched", bytes: totalBytes, resumedBytes: offset, startedOver } as const;
      return this.#tellFile(remote, result, startedMs);
    } catch (error) {
      if (this.mode === "tandem" && isLost(error) && (worthKeeping || kept !== undefined)) {
        landing.keep();
        await sweepTemporaries(dirname(local)).catch(() => {
          // Old parts are none of this transfer's business if they cannot be removed.
        });
      }
      throw error;
    }
  }

  /**
   * Sends the file at `local`, as large as it is when it is opened, with the time
   * of its last change and its permissions.
   *
   * @throws {TandemError} `is-directory`, `local-io` for the local side; and as
   * {@linkcode Client.put}.
   */
  async upload(
    local: string,
    path: string,
    options: UploadOptions = {},
  ): Promise<TransferResult> {
    const remote = checked(path, true);
    return await this.#operate(options, async (signal) => {
      await using file = await openDiskFile(local, local, "follow").catch(failLocally);
      const { mtimeMs, mode } = file;
      const { onExist, resume, verify } = options;
      return await this.#send(remote, file, { mtimeMs, mode, onExist, resume, digest: verify }, signal);
    });
  }

  /**
   * Makes a folder. Needs a tandem peer.
   *
   * @throws {TandemError} `exists`, unless it is a folder and `recursive` is given; `denied`; and as {@linkcode Client.list}.
   */
  async mkdir(path: string, options: RecursiveOptions = {}): Promise<void> {
    const remote = checked(path, true);
    const recursive = options.recursive ?? false;
    await this.#operate(options, (signal) => this.#exchange.mkdir(remote, { recursive }, { signal }));
  }

  /**
   * Removes a file, or with `recursive` a folder and all that is in it. Needs a
   * tandem peer.
   *
   * @throws {TandemError} `is-directory`, `denied`; and as {@linkcode Client.list}.
   */
  async remove(path: string, options: RecursiveOptions = {}): Promise<void> {
    const remote = checked(path);
    const recursive = options.recursive ?? false;
    await this.#operate(options, (signal) => this.#exchange.remove(remote, { recursive }, { signal }));
  }

  /**
   * Gives a file or folder another name. Needs a tandem peer.
   *
   * @throws {TandemError} `exists`, `denied`; and as {@linkcode Client.list}.
   */
  async rename(path: string, to: string, options: RenameOptions = {}): Promise<void> {
    const remote = checked(path);
    const request = { to: checked(to, true), ...(options.overwrite ? { onExist: "overwrite" as const } : {}) };
    await this.#operate(options, (signal) => this.#exchange.rename(remote, request, { signal }));
  }

  /**
   * The SHA-256 of a file or a part of it, as hexadecimal digits, computed by the
   * server. Needs a tandem peer.
   *
   * @throws {TandemError} as {@linkcode Client.list}.
   */
  async hash(path: string, options: HashOptions = {}): Promise<string> {
    const remote = checked(path);
    const { offset, length } = options;
    return await this.#operate(options, (signal) => this.#exchange.hash(remote, { offset, length }, { signal }));
  }

  /**
   * Asks the server for nothing but an answer; returns how long that took, in
   * milliseconds. Needs a tandem peer.
   *
   * @throws {TandemError} `unsupported`, `timeout`, `disconnected`, `aborted`.
   */
  async ping(options: CallOptions = {}): Promise<number> {
    return await this.#operate(options, async (signal) => {
      const startedMs = performance.now();
      await this.#exchange.ping({ signal });
      return performance.now() - startedMs;
    });
  }

  async #get(remote: RemotePath, request: GetRequest, signal: AbortSignal): Promise<IncomingFile> {
    // Not called before there is something to call it about.
    const onProgress = (bytes: number) => {
      const { offset } = incoming.info;
      this.#tellProgress(remote, offset + bytes, offset + incoming.sizeBytes);
    };
    const incoming = await this.#exchange.get(remote, request, { signal, onProgress });
    return incoming;
  }

  async #send(
    remote: RemotePath,
    source: PutSource,
    request: PutRequest,
    signal: AbortSignal,
  ): Promise<TransferResult> {
    const startedMs = performance.now();
    const onProgress = (bytes: number) => this.#tellProgress(remote, bytes, source.sizeBytes);
    const { sizeBytes, ...result } = await this.#exchange.put(remote, source, request, { signal, onProgress });
    return this.#tellFile(remote, { ...result, bytes: sizeBytes }, startedMs);
  }

  /**
   * Ends the session in order: what still runs is aborted, and the server is
   * told. Takes about a second at the most, and never rejects.
   */
  async close(): Promise<void> {
    if (this.#closing.signal.aborted) return;
    this.#closing.abort(new TandemError("aborted", "the session was closed"));
    if (this.#running > 0) await this.#allEnded.promise;
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

  /** Does `work` when its turn has come. */
  async #operate<T>({ signal }: CallOptions, work: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const either = this.#signal(signal);
    using _turn = await this.#takeTurn(either);
    return await work(either);
  }

  /** Waits until another operation may be begun, or until `signal` is aborted. Those that came first go first. */
  async #takeTurn(signal: AbortSignal): Promise<Disposable> {
    if (this.#running >= this.#exchange.concurrency || this.#waiting.length > 0) {
      const turn = Promise.withResolvers<void>();
      this.#waiting.push(turn);
      try {
        await untilAborted(turn.promise, signal);
      } catch (error) {
        const place = this.#waiting.indexOf(turn);
        if (place >= 0) this.#waiting.splice(place, 1);
        else this.#endTurn();
        throw error;
      }
    } else {
      this.#running++;
    }
    let ended = false;
    return {
      [Symbol.dispose]: () => {
        if (!ended) this.#endTurn();
        ended = true;
      },
    };
  }

  #endTurn(): void {
    this.#running--;
    // It may be more than one: the first answer tells how many there may be.
    while (this.#running < this.#exchange.concurrency) {
      const next = this.#waiting.shift();
      if (next === undefined) break;
      this.#running++;
      next.resolve();
    }
    if (this.#running === 0) {
      this.#allEnded.resolve();
      this.#allEnded = Promise.withResolvers();
    }
  }

  #tellProgress(path: RemotePath, bytes: number, totalBytes: number | undefined): void {
    this.#onEvent({ event: "progress", path, bytes, totalBytes });
  }

  #tellFile(
    path: RemotePath,
    result: Pick<TransferResult, "outcome" | "bytes"> & Partial<TransferResult>,
    startedMs: number,
  ): TransferResult {
    const durationMs = Math.round(performance.now() - startedMs);
    const whole = { resumedBytes: 0, startedOver: false, ...result, durationMs };
    this.#onEvent({ event: "file", path, ...whole });
    return whole;
  }
}

function remoteEntry({ name, kind, size, mtime, mode, error }: Entry): RemoteEntry {
  return { name, kind, size, mtime: mtime === undefined ? undefined : new Date(mtime), mode, error };
}

/** What is asked for when there is a part already. */
async function prefixOf({ kept }: Landing, signal: AbortSignal): Promise<GetRequest> {
  if (kept === undefined) return {};
  const hash = await hashOf(kept, kept.sizeBytes, signal);
  return hash === undefined ? {} : { offset: kept.sizeBytes, prefix: hash };
}

function notItsBeginning(local: string): TandemError {
  return new TandemError("exists", `"${local}" exists already, and is not the beginning of the remote file`, {
    hint: "choose another name, or have it replaced",
  });
}

/** Whether a transfer ended because the connection did: then what came of it is worth keeping. */
function isLost(error: unknown): boolean {
  return error instanceof TandemError && !(error instanceof AnsweredError) &&
    ["disconnected", "timeout", "protocol"].includes(error.code);
}

/** What is missing or forbidden on this side must not look as if it were so at the server. */
export function failLocally(error: unknown): never {
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
