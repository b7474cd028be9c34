/**
 * A raw connection as tests use it: exact reads, each with a deadline, and how
 * the connection ended as a value.
 *
 * @module
 */

import { PATIENCE_MS, within } from "./deadline.ts";
import { DenoPeer, type RawPeer } from "./raw_peer.ts";

/** How much is read at once where the amount does not matter, in bytes. */
const PIECE_BYTES = 64 * 1024;

/** Why no more bytes came: the other end closed, it reset, or it said nothing for too long. */
export type Ending = "EOF" | "RST" | "silence";

/** What a read brought. */
export interface Received {
  /** The bytes that came. */
  readonly bytes: Uint8Array;
  /** Why they are fewer than were asked for; undefined where they are not. */
  readonly ending: Ending | undefined;
}

/** One end of a raw connection. Disposing of it closes it. */
export class Wire implements Disposable {
  readonly #peer: RawPeer;
  #buffer = new Uint8Array();
  #ending: "EOF" | "RST" | undefined;
  #reading: Promise<void> | undefined;

  /** Takes over a connection. */
  constructor(peer: RawPeer) {
    this.#peer = peer;
  }

  /** The next `count` bytes, or those that come before the connection ends or is silent. */
  async take(count: number, patienceMs = PATIENCE_MS): Promise<Received> {
    const timer = new Timer(patienceMs);
    while (
      this.#buffer.length < count &&
      await this.#more(timer, count - this.#buffer.length)
    );
    timer.stop();
    const bytes = this.#buffer.subarray(0, count);
    this.#buffer = this.#buffer.slice(count);
    const ending = this.#ending ?? "silence";
    return { bytes, ending: bytes.length < count ? ending : undefined };
  }

  /** What one read of the socket brings: on this machine, what one write of the other end sent. */
  async takePiece(): Promise<Received> {
    if (this.#buffer.length === 0) {
      const timer = new Timer(PATIENCE_MS);
      await this.#more(timer, PIECE_BYTES);
      timer.stop();
    }
    return await this.take(Math.max(this.#buffer.length, 1), 0);
  }

  /** Waits for the end: nothing but an ending where no byte comes before it. */
  takeEnd(patienceMs = PATIENCE_MS): Promise<Received> {
    return this.take(1, patienceMs);
  }

  /** Reads and drops everything until the end. */
  async drain(): Promise<Ending> {
    for (;;) {
      const { ending } = await this.take(PIECE_BYTES);
      if (ending !== undefined) return ending;
    }
  }

  /** Reads once more; false when there is nothing to come, or the time is over. */
  async #more(timer: Timer, maxBytes: number): Promise<boolean> {
    if (this.#ending !== undefined) return false;
    this.#reading ??= this.#readOnce(Math.min(maxBytes, PIECE_BYTES));
    return await Promise.race([
      this.#reading.then(() => true),
      timer.over.then(() => false),
    ]);
  }

  async #readOnce(maxBytes: number): Promise<void> {
    try {
      const bytes = await this.#peer.read(maxBytes);
      if (bytes === null) this.#ending = "EOF";
      else this.#buffer = joined(this.#buffer, bytes);
    } catch {
      this.#ending = "RST";
    } finally {
      this.#reading = undefined;
    }
  }

  /** Writes all of `bytes`; returns false where the other end is gone. */
  async send(bytes: Uint8Array, byteByByte = false): Promise<boolean> {
    const step = byteByByte ? 1 : Math.max(bytes.length, 1);
    try {
      for (let at = 0; at < bytes.length; at += step) {
        await this.#peer.write(bytes.subarray(at, at + step));
      }
      return true;
    } catch {
      return false;
    }
  }

  /** Says that nothing more will be sent; does nothing where the other end is gone. */
  async closeWrite(): Promise<void> {
    try {
      await this.#peer.closeWrite();
    } catch {
      // Then there is no half left to close.
    }
  }

  /** Breaks the connection: the other end sees a reset. */
  reset(): void {
    this.#peer.reset();
  }

  /** Closes the connection. */
  close(): void {
    this.#peer.close();
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }
}

/** Connects to a port. */
export async function connectWire(
  port: number,
  hostname = "127.0.0.1",
): Promise<Wire> {
  return new Wire(new DenoPeer(await Deno.connect({ hostname, port })));
}

/** Connects to a port inside TLS, to a server that an authority vouches for (SEC-5). */
export async function connectSecretWire(port: number, authorityCert: string, hostname = "127.0.0.1"): Promise<Wire> {
  const conn = await Deno.connect({ hostname, port });
  const options = { hostname: "tandem.invalid", caCerts: [authorityCert], alpnProtocols: ["tandem/1"] };
  const secured = await Deno.startTls(conn, options);
  try {
    await within(secured.handshake(), PATIENCE_MS, "a handshake");
    return new Wire(new DenoPeer(secured));
  } catch (error) {
    secured.close();
    throw error;
  }
}

/** A time that will be over. */
class Timer {
  readonly over: Promise<void>;
  readonly #id: ReturnType<typeof setTimeout>;

  constructor(timeoutMs: number) {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.over = promise;
    this.#id = setTimeout(resolve, timeoutMs);
  }

  stop(): void {
    clearTimeout(this.#id);
  }
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(a.length + b.length);
  all.set(a);
  all.set(b, a.length);
  return all;
}
