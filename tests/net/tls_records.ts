/**
 * What anybody on the way sees of TLS (RFC 8446, 5.1): records, each five bytes
 * that say what kind it is and how long, and then that many.
 *
 * @module
 */

/** How many bytes stand before what is in a record. */
export const RECORD_HEADER_BYTES = 5;

/** What the first byte of a record says. */
export const RECORD_KINDS: Readonly<Record<number, string>> = {
  20: "change",
  21: "alert",
  22: "handshake",
  23: "data",
};

/** Where a stream's records begin, as far as it has come. */
export class RecordStarts {
  #starts = [0];
  #header: number[] = [];
  #atBytes = 0;

  /** Takes what comes next. */
  push(bytes: Uint8Array): void {
    const before = this.#atBytes;
    this.#atBytes += bytes.length;
    for (;;) {
      const at = this.#last + this.#header.length - before;
      const byte = bytes[at];
      if (byte === undefined) return;
      this.#header.push(byte);
      if (this.#header.length < RECORD_HEADER_BYTES) continue;
      const [, , , high = 0, low = 0] = this.#header;
      this.#starts.push(this.#last + RECORD_HEADER_BYTES + high * 256 + low);
      this.#header = [];
    }
  }

  get #last(): number {
    return this.#starts[this.#starts.length - 1] ?? 0;
  }

  /** The offset at which a record begins, or would; undefined where that is not known yet. */
  of(record: number): number | undefined {
    return this.#starts[record];
  }

  /** How many records have begun, or would be the next. */
  get count(): number {
    return this.#starts.length;
  }
}

/** One record. */
export interface TlsRecord {
  /** What it is: one of {@linkcode RECORD_KINDS}, or the number. */
  readonly kind: string;
  /** Its header and what is in it. */
  readonly bytes: Uint8Array;
}

/** The records of a stream; the last one may be cut off. */
export function recordsOf(stream: Uint8Array): TlsRecord[] {
  const starts = new RecordStarts();
  starts.push(stream);
  const records: TlsRecord[] = [];
  for (let i = 0;; i++) {
    const from = starts.of(i);
    if (from === undefined || from >= stream.length) return records;
    const kind = stream[from] ?? 0;
    records.push({ kind: RECORD_KINDS[kind] ?? String(kind), bytes: stream.subarray(from, starts.of(i + 1)) });
  }
}
