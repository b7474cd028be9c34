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
import { MAX_BUFFERED_CONTROL_BYTES, MAX_COMMAND_BYTES } from "../limits.ts";
import { type End, type Message, NEED_MORE } from "../protocol/decoder.ts";
import type { Channel } from "./channel.ts";

/** How long the next command may take. */
export interface CommandDeadlines {
  /** Until its first byte, in milliseconds. */
  readonly idleTimeoutMs: number;
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

  /** Begins to read from `channel`. */
  constructor(channel: Channel) {
    this.#channel = channel;
    this.#pump();
  }

  /** Aborted when the connection has ended or broken, with a `disconnected` error. */
  get lost(): AbortSignal {
    return this.#lost.signal;
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
        "plain",
        MAX_COMMAND_BYTES,
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
      } else if (!waitsForRest) {
        stack.use(this.#channel.deadline(idleTimeoutMs, "a command"));
      }
      await this.#changed.promise;
    }
  }

  async #pump(): Promise<void> {
    try {
      while (!this.#channel.ended) {
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
