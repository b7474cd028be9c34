/**
 * One direction of one connection through the {@linkcode Proxy}: a delay line
 * between two sockets, which counts, and damages or ends what goes through.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";

/** How much is on its way before the sender has to wait, in bytes: with 25 ms that is 640 MB/s. */
const WINDOW_BYTES = 16 * 1024 * 1024;

/** What happens to what goes through. */
export interface StreamOptions {
  /** How long each byte is on its way, in milliseconds. */
  readonly delayMs: number;
  /** Whether what came in is kept. */
  readonly record: boolean;
  /** Turns a bit over. */
  readonly flip: { readonly offset: number; readonly bit: number } | undefined;
  /** How many bytes go through before the connection is cut. */
  readonly cutOffset: number | undefined;
  /** Cuts it. */
  onCut(): void;
  /** How many of so many bytes may go through, and nothing ever after; undefined for all of them. */
  passes(count: number): number | undefined;
}

/** Something on its way: bytes, or the end of them. */
interface Item {
  readonly dueMs: number;
  readonly bytes: Uint8Array | undefined;
}

/** What goes one way. */
export class Stream {
  /** How many bytes have come in. */
  bytes = 0;
  /** Whether the bit was turned over. */
  flipped = false;
  readonly #from: Socket;
  readonly #to: Socket;
  readonly #options: StreamOptions;
  readonly #recorded: Uint8Array[] = [];
  readonly #line: Item[] = [];
  #onItsWayBytes = 0;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #stopped = false;

  /** Moves what `from` gives to `to`. */
  constructor(from: Socket, to: Socket, options: StreamOptions) {
    this.#from = from;
    this.#to = to;
    this.#options = options;
    from.on("data", (bytes: Uint8Array) => this.#take(bytes));
    from.on("end", () => this.#send(undefined));
    to.on("drain", () => this.#deliver());
    to.on("close", () => clearTimeout(this.#timer));
  }

  /** What came in, as it was before a bit was turned over. */
  recorded(): Uint8Array {
    return Buffer.concat(this.#recorded);
  }

  #take(bytes: Uint8Array): void {
    const before = this.bytes;
    this.bytes += bytes.length;
    if (this.#options.record) this.#recorded.push(Uint8Array.from(bytes));
    const { flip, cutOffset } = this.#options;
    if (flip !== undefined && flip.offset >= before && flip.offset < this.bytes) {
      const at = flip.offset - before;
      bytes[at] = (bytes[at] ?? 0) ^ 1 << flip.bit;
      this.flipped = true;
    }
    if (this.#stopped) return;
    if (cutOffset !== undefined && cutOffset <= this.bytes) return this.#cut(bytes.subarray(0, cutOffset - before));
    const passes = this.#options.passes(bytes.length);
    if (passes === undefined) return this.#send(bytes);
    this.#send(bytes.subarray(0, passes));
    this.#stopped = true;
    this.#from.pause();
  }

  /** Lets the last bytes through, and cuts the connection when they are gone. */
  #cut(last: Uint8Array): void {
    this.#stopped = true;
    if (last.length === 0) this.#options.onCut();
    else this.#to.write(last, () => this.#options.onCut());
  }

  #send(bytes: Uint8Array | undefined): void {
    if (bytes?.length === 0 || this.#stopped && bytes === undefined) return;
    this.#line.push({ dueMs: performance.now() + this.#options.delayMs, bytes });
    this.#onItsWayBytes += bytes?.length ?? 0;
    if (this.#onItsWayBytes > WINDOW_BYTES) this.#from.pause();
    this.#deliver();
  }

  /** Hands on what has come through, as far as it is taken. */
  #deliver(): void {
    clearTimeout(this.#timer);
    while (!this.#to.destroyed && !this.#to.writableNeedDrain) {
      const next = this.#line[0];
      if (next === undefined) return;
      const waitMs = next.dueMs - performance.now();
      if (waitMs > 0.2) {
        this.#timer = setTimeout(() => this.#deliver(), waitMs);
        return;
      }
      this.#line.shift();
      if (next.bytes === undefined) {
        this.#to.end();
        continue;
      }
      this.#to.write(next.bytes);
      this.#onItsWayBytes -= next.bytes.length;
      if (!this.#stopped && this.#from.isPaused() && this.#onItsWayBytes < WINDOW_BYTES / 2) this.#from.resume();
    }
  }
}
