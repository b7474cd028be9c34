/**
 * The answers of the plain exchange, one handler a command in one typed table.
 *
 * A handler decides when, and whether, the data connection is accepted. It fails
 * by throwing; the session then closes what is open, which is the only way this
 * exchange has to say no: a data connection that ends before its header for `ls`
 * and `get`, a port that is closed for a `put`.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_MESSAGE_BYTES, type ServerLimits } from "../limits.ts";
import { assertEndOfBody, receiveBody, sendBody } from "../net/bulk.ts";
import type { Channel } from "../net/channel.ts";
import type { Command, Verb } from "../protocol/command.ts";
import { END } from "../protocol/decoder.ts";
import { MAX_UNSIGNED_VALUE } from "../protocol/header.ts";
import { encodeListing } from "../protocol/listing.ts";
import type { FileStore } from "../store/file_store.ts";
import { MemoryFile } from "../store/memory_store.ts";
import { assertRoom, type Rights } from "./rights.ts";

/** What a handler works with: one command of one session. */
export interface PlainContext {
  /** Where the files are. */
  readonly store: FileStore;
  /** What the client may do. */
  readonly rights: Rights;
  /** What is allowed to take how long, and to be how large. */
  readonly limits: ServerLimits;
  /**
   * Tells the client its data port and waits for the connection, which ends with
   * the command. A handler that throws before it calls this has refused.
   */
  accept(): Promise<Channel>;
  /** Counts the bytes of the body, for the log. */
  onProgress(movedBytes: number): void;
}

/** Answers one command. */
type Handler<V extends Verb> = (
  context: PlainContext,
  command: Extract<Command, { verb: V }>,
) => Promise<void>;

const HANDLERS: { readonly [V in Verb]: Handler<V> } = {
  async ls({ accept, store, onProgress, limits }, { path }) {
    const data = await accept();
    const body = encodeListing(await store.list(path));
    if (body.length > MAX_MESSAGE_BYTES) {
      throw new TandemError("too-large", "the listing is over 16 MiB");
    }
    await sendBody(data, new MemoryFile(body), body.length, {
      ...limits,
      onProgress,
    });
  },

  async get({ accept, store, onProgress, limits }, { path }) {
    const data = await accept();
    await using file = await store.open(path);
    if (file.sizeBytes > MAX_UNSIGNED_VALUE) {
      throw new TandemError(
        "too-large",
        `"${path}" has ${file.sizeBytes} bytes; ten digits reach ${MAX_UNSIGNED_VALUE}`,
      );
    }
    await sendBody(data, file, file.sizeBytes, { ...limits, onProgress });
  },

  async put({ accept, store, rights, limits, onProgress }, { path }) {
    if (!rights.write) {
      throw new TandemError("denied", "this server is read-only");
    }
    await assertRoom(store, limits, 0);
    await using landing = await store.create(path, {
      replace: rights.overwrite,
    });
    const data = await accept();
    try {
      const sizeBytes = await receiveSize(data, limits);
      await assertRoom(store, limits, sizeBytes);
      await receiveBody(data, landing, sizeBytes, { ...limits, onProgress });
      await assertEndOfBody(data);
      await landing.commit();
    } catch (error) {
      await tellRefusal(data);
      throw error;
    }
  },

  async quit({ accept }) {
    await accept();
  },
};

/** Answers `command`. */
export function answerPlain(
  context: PlainContext,
  command: Command,
): Promise<void> {
  // The table pairs each verb with its own handler; TypeScript cannot follow that through a union.
  const handler = HANDLERS[command.verb] as Handler<Verb>;
  return handler(context, command);
}

const REFUSAL = new TextEncoder().encode("refused\n");

/**
 * Says on the data connection that a `put` has failed after it had begun: a clean
 * end would look like success. There is no such word in the plain exchange, but
 * nobody who does not look is harmed by it, and our client looks.
 */
async function tellRefusal(data: Channel): Promise<void> {
  try {
    await data.write(REFUSAL);
  } catch {
    // The connection is what failed, so the client knows.
  }
}

async function receiveSize(
  data: Channel,
  limits: ServerLimits,
): Promise<number> {
  using _deadline = data.deadline(limits.stallTimeoutMs, "the size of a file");
  const header = await data.header();
  if (header === END) {
    throw new TandemError("disconnected", "no file came after the put");
  }
  if (header.value > limits.maxFileBytes) {
    throw new TandemError(
      "too-large",
      `${header.value} bytes were announced, at most ${limits.maxFileBytes} are taken`,
    );
  }
  return header.value;
}
