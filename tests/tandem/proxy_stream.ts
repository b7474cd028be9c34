/**
 * One direction of one connection through the {@linkcode Proxy}: a delay line
 * between two sockets, which counts, and damages or ends what goes through.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Socket } from "node:net";
import { RecordStarts } from "../net/tls_records.ts";

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
  /** How many bytes go through before the connection is cut; or which record of TLS it is cut at, and how many bytes behind its beginning. */
  readonly cut: { readonly offset: number; readonly record?: number } | undefined;
  /** How many bytes go through before nothing more does, with no end. */
  readonly muteOffset: number | undefined;
  /** What goes on in place of a record of TLS; then whole records alone do. */
  readonly change: ((record: Uint8Array, number: number) => Uint8Array) | undefined;
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
  readonly #starts = new RecordStarts();
  /** The beginning of a record that is still to come. */
  #pending: Uint8Array = new Uint8Array();
  #changed = 0;

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
    const { flip, cut, change, muteOffset } = this.#options;
    if (flip !== undefined && flip.offset >= before && flip.offset < this.bytes) {
      const at = flip.offset - before;
      bytes[at] = (bytes[at] ?? 0) ^ 1 << flip.bit;
      this.flipped = true;
    }
    if (this.#stopped) return;
    if (cut?.record !== undefined) this.#starts.push(bytes);
    const start = cut?.record === undefined ? 0 : this.#starts.of(cut.record);
    const cutOffset = cut === undefined || start === undefined ? Infinity : start + cut.offset;
    if (cutOffset <= this.bytes) return this.#cut(bytes.subarray(0, Math.max(cutOffset - before, 0)));
    if (muteOffset !== undefined && muteOffset < this.bytes) {
      this.#send(bytes.subarray(0, muteOffset - before));
      this.#stopped = true;
      return;
    }
    if (change !== undefined) return this.#sendChanged(bytes, change);
    const passes = this.#options.passes(bytes.length);
    if (passes === undefined) return this.#send(bytes);
    this.#send(bytes.subarray(0, passes));
    this.#stopped = true;
    this.#from.pause();
  }

  #sendChanged(bytes: Uint8Array, change: (record: Uint8Array, number: number) => Uint8Array): void {
    let rest: Uint8Array = Buffer.concat([this.#pending, bytes]);
    for (;;) {
      const starts = new RecordStarts();
      starts.push(rest);
      const end = starts.of(1);
      if (end === undefined || end > rest.length) break;
      this.#send(change(rest.slice(0, end), this.#changed++));
      rest = rest.subarray(end);
    }
    this.#pending = rest;
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
