/**
 * Turns to read and to write: operations overlap, and each does its part when all
 * before it have done theirs.
 *
 * @module
 */

/** Turns, one after the other. */
export class Turns {
  #last: Promise<void> = Promise.resolve();

  /** Takes the next turn: `come` is resolved when all before it have ended. */
  take(): Turn {
    const come = this.#last;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last = come.then(() => promise);
    return { come, end: resolve };
  }

  /** Resolved when all turns that were taken have ended. */
  get ended(): Promise<void> {
    return this.#last;
  }
}

/** One turn. */
export interface Turn {
  /** Resolved when it has come. */
  readonly come: Promise<void>;
  /** Lets the next one come. */
  end(): void;
}
