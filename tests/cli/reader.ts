/**
 * What a program writes, collected while it runs, with a way to wait for some of
 * it.
 *
 * @module
 */

import { within } from "../net/deadline.ts";

/** How long a test waits for a program to write something, in milliseconds. */
const WAIT_MS = 20_000;

/** All that comes out of a stream. */
export class Reader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array>;
  readonly #chunks: Uint8Array[] = [];
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #text = "";
  #wake = Promise.withResolvers<void>();
  #ended = false;
  #finished: Promise<void> | undefined;

  /** Begins to read, or, where it is told to wait, when somebody asks for its end. */
  constructor(stream: ReadableStream<Uint8Array>, waits = false) {
    this.#reader = stream.getReader();
    if (!waits) void this.finished;
  }

  /** Resolved at the end of the stream. */
  get finished(): Promise<void> {
    this.#finished ??= this.#readAll();
    return this.#finished;
  }

  async #readAll(): Promise<void> {
    for (;;) {
      const { done, value } = await this.#reader.read();
      if (done) break;
      this.#chunks.push(value);
      this.#text += this.#decoder.decode(value, { stream: true });
      this.#wakeAll();
    }
    this.#ended = true;
    this.#wakeAll();
  }

  #wakeAll(): void {
    this.#wake.resolve();
    this.#wake = Promise.withResolvers<void>();
  }

  /** What has come so far. */
  get text(): string {
    return this.#text;
  }

  /** The same, as bytes. */
  get bytes(): Uint8Array {
    const whole = new Uint8Array(this.#chunks.reduce((sum, { length }) => sum + length, 0));
    let filled = 0;
    for (const chunk of this.#chunks) {
      whole.set(chunk, filled);
      filled += chunk.length;
    }
    return whole;
  }

  /** Stops reading, as a reader does that leaves: who writes on has nobody any more. */
  async leave(): Promise<void> {
    await this.#reader.cancel();
  }

  /**
   * Waits until what came from the position `from` on matches; returns all of
   * the text from there. `more` is what else the failure tells.
   */
  async until(wanted: RegExp, more: () => string = () => "", from = 0): Promise<string> {
    const timeout = performance.now() + WAIT_MS;
    for (;;) {
      const text = this.#text.slice(from);
      if (wanted.test(text)) return text;
      const missing = () => `${wanted} did not come; there is "${text.slice(-2_000)}"; ${more()}`;
      if (this.#ended) throw new Error(missing());
      try {
        await within(this.#wake.promise, Math.max(1, timeout - performance.now()), "output");
      } catch (cause) {
        throw new Error(missing(), { cause });
      }
    }
  }
}
