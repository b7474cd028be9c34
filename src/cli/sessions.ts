/**
 * The sessions of one `connect`: the one that commands use, the further ones of
 * `--parallel`, and new ones in their place where `--retry` is given and they
 * are lost.
 *
 * @module
 */

import { type Client, type Mode, TandemError } from "../../mod.ts";
import { orAborted } from "./abort.ts";

/** How sessions are opened. */
export interface SessionsOptions {
  /** Opens one. */
  readonly open: (signal: AbortSignal) => Promise<Client>;
  /** How many there may be at one time. */
  readonly parallel: number;
  /** How often what failed with its connection is tried again. */
  readonly retries: number;
  /** Tells something on stderr. */
  readonly say: (text: string) => void;
}

/** What may go better the next time: the connection is at fault. */
const WORTH_A_RETRY = ["disconnected", "timeout", "connect", "busy", "integrity"];

/** The first pause before another try, in milliseconds; it doubles up to the second. */
const FIRST_PAUSE_MS = 500;
const MAX_PAUSE_MS = 30_000;

/** One session, or the next one in its place. */
export class Lane {
  readonly #options: SessionsOptions;
  #client: Promise<Client> | undefined;
  #mode: Mode | undefined;
  /** Sessions that were given up; others may still have something under way in them. */
  readonly #former: Client[] = [];

  /** Opens its session when that is first wanted. */
  constructor(options: SessionsOptions) {
    this.#options = options;
  }

  /** What its session speaks, where that is known. */
  get mode(): Mode | undefined {
    return this.#mode;
  }

  /** The session. */
  client(signal: AbortSignal): Promise<Client> {
    const opening = this.#client ??= this.#options.open(signal);
    opening.catch(() => {
      if (this.#client === opening) this.#client = undefined;
    });
    return opening;
  }

  /** The session, once it is known what it speaks. */
  async ready(signal: AbortSignal): Promise<Client> {
    const client = await this.client(signal);
    await findOut(client, signal);
    this.#mode = client.mode;
    return client;
  }

  /**
   * Does `work`, and once more over a new session as often as `--retry` says
   * while it fails for its connection's sake.
   *
   * @param work is told which try it is, from 0.
   * @throws {TandemError} what the last try failed with.
   */
  async run<T>(work: (client: Client, attempt: number) => Promise<T>, signal: AbortSignal): Promise<T> {
    let pauseMs = FIRST_PAUSE_MS;
    for (let attempt = 0;; attempt++) {
      let client: Client | undefined;
      try {
        // What can be continued depends on what the session speaks.
        client = attempt === 0 ? await this.client(signal) : await this.ready(signal);
        return await work(client, attempt);
      } catch (error) {
        const again = error instanceof TandemError && WORTH_A_RETRY.includes(error.code) &&
          attempt < this.#options.retries && !signal.aborted;
        if (!again) throw error;
        this.#options.say(`${error.message}; trying again in ${pauseMs / 1_000} s`);
        await this.#forget(client);
      }
      await pause(pauseMs, signal);
      pauseMs = Math.min(pauseMs * 2, MAX_PAUSE_MS);
    }
  }

  /** Has the next one who asks open a new session, unless somebody has already. */
  async #forget(client: Client | undefined): Promise<void> {
    const present = this.#client;
    if (present === undefined || client === undefined || await present.catch(() => undefined) !== client) return;
    if (this.#client !== present) return;
    this.#client = undefined;
    this.#former.push(client);
  }

  /** Ends the session, and those before it. */
  async close(): Promise<void> {
    const client = await this.#client?.catch(() => undefined);
    await Promise.all([...this.#former, client].map((one) => one?.close()));
  }
}

/**
 * Has the server answer, so that it is known what it speaks.
 *
 * @throws {TandemError} `connect`, `timeout` and whatever else keeps it from answering.
 */
export async function findOut(client: Client, signal: AbortSignal): Promise<void> {
  if (client.mode !== undefined) return;
  try {
    await client.ping({ signal });
  } catch (error) {
    // A plain server has answered too.
    if (!(error instanceof TandemError) || client.mode === undefined) throw error;
  }
}

/** All sessions of one `connect`. */
export class Sessions implements AsyncDisposable {
  /** The one that commands use. */
  readonly main: Lane;
  /** All of them, as many as `--parallel` says. */
  readonly lanes: readonly Lane[];

  /** Opens none yet. */
  constructor(options: SessionsOptions) {
    this.main = new Lane(options);
    this.lanes = [this.main, ...Array.from({ length: options.parallel - 1 }, () => new Lane(options))];
  }

  /** Ends all sessions. */
  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.lanes.map((lane) => lane.close()));
  }
}

async function pause(ms: number, signal: AbortSignal): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    await orAborted(new Promise((resolve) => timer = setTimeout(resolve, ms)), signal);
  } finally {
    clearTimeout(timer);
  }
}
