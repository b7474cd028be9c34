/**
 * Types of the functions of `@std/streams` that the tests use: the npm build
 * has none. After https://jsr.io/@std/streams.
 */

/** All bytes of a stream, in one piece. */
export function toBytes(
  stream: ReadableStream<Uint8Array>,
): Promise<Uint8Array<ArrayBuffer>>;

/** All of a stream as one text; bytes are read as UTF-8. */
export function toText(
  stream: ReadableStream<string | Uint8Array>,
): Promise<string>;
