/**
 * `put` in the tandem exchange, from the server's side.
 *
 * @module
 */

import type { Hash } from "node:crypto";
import { asTandemError, TandemError } from "../errors.ts";
import { SMALL_FILE_BYTES } from "../limits.ts";
import { abortError, whenAborted } from "../net/abort.ts";
import { Checksum, emptySha256, hashOf, hexOf } from "../net/checksum.ts";
import { IncomingBody } from "../net/incoming_body.ts";
import { endsConnection } from "../net/tandem_link.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import type { PutCommand } from "../protocol/tandem_command.ts";
import { AnsweredError, parseBegin, parseChecksums } from "../protocol/tandem_result.ts";
import type { FileStore, Landing, StoreEntry } from "../store/file_store.ts";
import { assertRoom } from "./rights.ts";
import { assertMay, type TandemContext } from "./tandem_context.ts";

/** How far a put has come. */
interface Arrival {
  readonly body: IncomingBody;
  /** Whether a body with its checksum comes: once it was asked for, or from the start where that was not waited for. */
  comes: boolean;
}

/** Where a body begins, and the hash of what precedes it. */
interface Beginning {
  readonly offset: number;
  readonly before: Hash;
}

/**
 * Answers a `put`; returns the last message of the result.
 *
 * @throws {TandemError} whatever it failed with; the body has been read by then, where one came.
 */
export async function answerPut(context: TandemContext, command: PutCommand): Promise<JsonObject> {
  const { link, signal } = context;
  const arrival: Arrival = { body: new IncomingBody(link), comes: !command.ready };
  try {
    await using landing = await createLanding(context, command);
    // Who has given it up need not wait until something else comes.
    using waiting = whenAborted(signal, () => {
      context.refuse(abortError(signal)).then(() => link.flush()).catch(() => {
        // Then the connection is what failed, which whoever reads from it finds out.
      });
    });
    try {
      const beginning = await agree(context, command, landing, arrival);
      const result = await receiveFile(context, command, landing, arrival, beginning);
      // From here on it is too late to give it up.
      waiting[Symbol.dispose]();
      if (signal.aborted) throw abortError(signal);
      await link.working(landing.commit({ mtimeMs: command.mtime, mode: command.mode }));
      return result;
    } catch (error) {
      if (link.channel.isClosed || endsConnection(error)) landing.keep();
      throw error;
    }
  } catch (error) {
    if (link.channel.isClosed || error instanceof AnsweredError || endsConnection(error)) throw error;
    if (arrival.comes) {
      await context.refuse(asTandemError(error));
      await drainPut(context, arrival.body);
    }
    throw error;
  }
}

/** Says what is here of the file, if the client waits for that, and learns where it begins. */
async function agree(
  context: TandemContext,
  command: PutCommand,
  landing: Landing,
  arrival: Arrival,
): Promise<Beginning> {
  const { link, limits, signal } = context;
  const { kept } = landing;
  let offset = 0;
  let before = emptySha256();
  if (command.ready) {
    const hash = kept === undefined ? undefined : await link.working(hashOf(kept, kept.sizeBytes, signal), signal);
    // It has been refused by then, and nothing more is said.
    if (signal.aborted) throw abortError(signal);
    const has = hash === undefined || kept === undefined ? 0 : kept.sizeBytes;
    await link.sendObject({ offset: has, ...(hash === undefined ? {} : { sha256: hexOf(hash) }) });
    await link.flush();
    const begin = await link.receiveObject("the beginning of a put", limits.stallTimeoutMs);
    arrival.comes = true;
    offset = parseBegin(begin);
    if (offset !== 0 && offset !== has) {
      throw new TandemError("bad-request", `a put begins at 0 or at ${has}, not at ${offset}`);
    }
    if (offset > 0 && hash !== undefined) before = hash;
  }
  if (offset === 0 && kept !== undefined && kept.sizeBytes > 0) {
    assertRestart(landing, context, command);
    await landing.restart();
  }
  return { offset, before };
}

/** Receives a body into `landing`, and makes sure that it is what was sent. */
async function receiveFile(
  { link, limits, onProgress, signal }: TandemContext,
  command: PutCommand,
  landing: Landing,
  arrival: Arrival,
  { offset, before }: Beginning,
): Promise<JsonObject> {
  const { body } = arrival;
  const checksum = new Checksum(command.digest ? before : undefined);
  const likely = command.size === undefined ? SMALL_FILE_BYTES : Math.max(0, command.size - offset);
  const sink = bounded(landing, limits.maxFileBytes - offset);
  // What the client has written may be under way for long: it is told that it arrives.
  await link.working(body.receive(sink, likely, { ...limits, checksum, onProgress, signal }), signal);
  const sent = await link.receiveObject("a checksum", limits.stallTimeoutMs);
  arrival.comes = false;
  const sums = parseChecksums(sent);
  if (sums.sha256 !== undefined && !command.digest) {
    throw new TandemError("bad-request", '"sha256" needs "digest" in the command');
  }
  if (!checksum.fits(sums)) {
    throw new TandemError("integrity", `"${command.path}" was damaged on its way: its checksum does not fit`);
  }
  const size = offset + body.receivedBytes;
  if (command.size !== undefined && command.size !== size) {
    throw new TandemError("changed", `"${command.path}" has ${size} bytes, but ${command.size} were promised`);
  }
  return { size, ...checksum.result() };
}

/** Reads what a client still sends of a put that has been refused. */
export async function drainPut(
  { link, limits }: Pick<TandemContext, "link" | "limits">,
  body: IncomingBody = new IncomingBody(link),
): Promise<void> {
  await link.flush();
  if (await body.drain(limits) === "broken-off") return;
  try {
    await link.receiveObject("a checksum", limits.stallTimeoutMs);
  } catch (error) {
    if (!(error instanceof AnsweredError)) throw error;
  }
}

/** Begins a file, if the client may. */
async function createLanding({ store, rights, limits, link }: TandemContext, command: PutCommand): Promise<Landing> {
  const { path, size, onExist, resume = false } = command;
  assertMay(rights.write);
  if (size !== undefined && size > limits.maxFileBytes) {
    throw new TandemError("too-large", `${size} bytes were announced, at most ${limits.maxFileBytes} are taken`);
  }
  await assertRoom(store, limits, size ?? 0);
  if (onExist === "newer") await assertOlder(store, path, command.mtime);
  const wants = onExist === "overwrite" || onExist === "newer";
  const creating = store.create(path, {
    replace: rights.overwrite && onExist !== "error",
    resumable: size === undefined || size >= SMALL_FILE_BYTES,
    resume,
    continuePresent: resume && rights.overwrite,
  });
  try {
    // A file that is continued is copied first.
    return await link.working(creating);
  } catch (error) {
    creating.then((landing) => landing[Symbol.asyncDispose](), () => {});
    const { code } = asTandemError(error);
    if (code === "exists" && wants && !rights.overwrite) {
      throw new TandemError("denied", `"${path}" exists, and this server lets clients only add`, { cause: error });
    }
    throw error;
  }
}

/** A file that exists is continued where it is the beginning of the new one; where it is not, it must have been meant to be replaced. */
function assertRestart(landing: Landing, { rights }: TandemContext, { path, onExist }: PutCommand): void {
  if (!landing.kept?.isPresentFile) return;
  if (rights.overwrite && onExist !== "error") return;
  throw new TandemError("exists", `"${path}" exists already, and is not the beginning of the new one`);
}

async function assertOlder(store: FileStore, path: RemotePath, mtimeMs: number | undefined): Promise<void> {
  if (mtimeMs === undefined) throw new TandemError("bad-request", '"newer" needs an "mtime"');
  const present = await statIfThere(store, path);
  if (present?.mtimeMs !== undefined && present.mtimeMs >= Math.floor(mtimeMs)) {
    throw new TandemError("exists", `"${path}" is as new at the server, or newer`);
  }
}

/** What a path names, if it names something. */
export async function statIfThere(store: FileStore, path: RemotePath): Promise<StoreEntry | undefined> {
  try {
    return await store.stat(path);
  } catch (error) {
    if (asTandemError(error).code === "not-found") return undefined;
    throw error;
  }
}

/** A landing that takes no more than `mostBytes`. */
function bounded(landing: Landing, mostBytes: number): Pick<Landing, "write"> {
  let left = mostBytes;
  return {
    write(bytes) {
      left -= bytes.length;
      if (left < 0) throw new TandemError("too-large", "the file is larger than this server takes");
      return landing.write(bytes);
    },
  };
}
