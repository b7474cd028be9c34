/**
 * The server's reading end of a control connection: commands one after the
 * other, and notice of its end at any time.
 *
 * It reads ahead all the time, so that the end of the control connection is seen
 * while a transfer runs on the other one; up to a bound, so that a peer that
 * never stops sending commands is simply not read any further.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_BUFFERED_CONTROL_BYTES, MAX_COMMAND_BYTES, MAX_TANDEM_COMMAND_BYTES } from "../limits.ts";
import { type End, type Message, NEED_MORE } from "../protocol/decoder.ts";
import type { HeaderGrammar } from "../protocol/header.ts";
import type { Channel } from "./channel.ts";

/** How long the next command may take. */
export interface CommandDeadlines {
  /** Until its first byte, in milliseconds; undefined where somebody else has an eye on that. */
  readonly idleTimeoutMs: number | undefined;
  /** From its first byte to its last, in milliseconds. */
  readonly commandTimeoutMs: number;
}

/** Commands as they come over a control connection. */
export class ControlStream {
  readonly #channel: Channel;
  readonly #lost = new AbortController();
  #changed = Promise.withResolvers<void>();
  #failure: unknown;
  #paused: PromiseWithResolvers<void> | undefined;
  #grammar: HeaderGrammar = "plain";
  #maxBytes = MAX_COMMAND_BYTES;
  #detached = false;

  /** Begins to read from `channel`. */
  constructor(channel: Channel) {
    this.#channel = channel;
    this.#pump();
  }

  /** Aborted when the connection has ended or broken, with a `disconnected` error. */
  get lost(): AbortSignal {
    return this.#lost.signal;
  }

  /** From now on commands are those of the tandem exchange. */
  speakTandem(): void {
    this.#grammar = "tandem";
    this.#maxBytes = MAX_TANDEM_COMMAND_BYTES;
  }

  /** Reads no further: the connection is somebody else's from now on, with what it has brought already. */
  detach(): void {
    this.#detached = true;
    this.#paused?.resolve();
  }

  /**
   * The next command, or `END` where the peer has closed between two.
   *
   * @throws {ProtocolError} if it is malformed or too long.
   * @throws {TandemError} `disconnected`, `timeout`.
   */
  async next(deadlines: CommandDeadlines): Promise<Message | End> {
    const { idleTimeoutMs, commandTimeoutMs } = deadlines;
    using stack = new DisposableStack();
    let waitsForRest = false;
    for (;;) {
      const message = this.#channel.bufferedMessage(
        this.#grammar,
        this.#maxBytes,
      );
      if (message !== NEED_MORE) {
        this.#paused?.resolve();
        return message;
      }
      if (this.#failure !== undefined) throw this.#failure;
      if (this.#channel.insideMessage && !waitsForRest) {
        waitsForRest = true;
        stack.use(
          this.#channel.deadline(commandTimeoutMs, "the rest of a command"),
        );
      } else if (!waitsForRest && idleTimeoutMs !== undefined) {
        stack.use(this.#channel.deadline(idleTimeoutMs, "a command"));
      }
      await this.#changed.promise;
    }
  }

  async #pump(): Promise<void> {
    try {
      while (!this.#channel.ended && !this.#detached) {
        if (this.#channel.bufferedBytes >= MAX_BUFFERED_CONTROL_BYTES) {
          this.#paused = Promise.withResolvers();
          await this.#paused.promise;
          this.#paused = undefined;
        } else {
          await this.#channel.fill();
          this.#tell();
        }
      }
    } catch (error) {
      this.#failure = error;
      this.#tell();
    }
    if (this.#detached) return;
    this.#lost.abort(
      this.#failure ??
        new TandemError(
          "disconnected",
          `${this.#channel.peer} closed the control connection`,
        ),
    );
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}
