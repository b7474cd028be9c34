/**
 * The answers of the tandem exchange, one handler a command in one typed table.
 *
 * A handler sends over the link what precedes the last message of its result,
 * and returns that one, so that it goes out when nothing can fail any more. It
 * fails by throwing: the session then sends the error instead. Only a `put` whose
 * body comes without being asked for has more to do: whatever happens, it reads
 * that body to its end, because the next one follows it.
 *
 * @module
 */

import { asTandemError, TandemError } from "../errors.ts";
import { MAX_TREE_DEPTH, MAX_TREE_ENTRIES, type ServerLimits, SMALL_FILE_BYTES } from "../limits.ts";
import type { ByteSource } from "../net/bulk.ts";
import { abortError, whenAborted } from "../net/abort.ts";
import { Checksum, emptySha256, hashOf, hexOf } from "../net/checksum.ts";
import { type BodyOptions, endsConnection, IncomingBody, type TandemLink } from "../net/tandem_link.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import { AnsweredError, type Entry, parseBegin, parseChecksums } from "../protocol/tandem_result.ts";
import type { GetCommand, PutCommand, TandemCommand, TandemVerb } from "../protocol/tandem_command.ts";
import type { FileStore, Landing, StoredFile, StoreEntry } from "../store/file_store.ts";
import { assertRoom, type Rights } from "./rights.ts";

/** What a handler works with: one command of one session. */
export interface TandemContext {
  /** Where the files are. */
  readonly store: FileStore;
  /** What the client may do. */
  readonly rights: Rights;
  /** What is allowed to take how long, and to be how large. */
  readonly limits: ServerLimits;
  /** The session's data connection. */
  readonly link: TandemLink;
  /** Aborted when the client has given the command up. */
  readonly signal: AbortSignal;
  /** Counts the bytes of the body, for the log. */
  onProgress(movedBytes: number): void;
  /** Sends an error as the result, before the command is over; only the first one is sent. */
  refuse(error: TandemError): Promise<void>;
}

/** The commands that have a result here; the others are the session's own business. */
export type AnsweredVerb = Exclude<TandemVerb, "auth" | "abort" | "quit">;

/** Answers one command; returns the last message of the result. */
type Handler<V extends AnsweredVerb> = (
  context: TandemContext,
  command: Extract<TandemCommand, { verb: V }>,
) => Promise<JsonObject>;

const HANDLERS: { readonly [V in AnsweredVerb]: Handler<V> } = {
  async ls(context, { path, recursive }) {
    const lines = recursive ? treeLines(context.store, path) : folderLines(context.store, path);
    return await sendBody(context, linesSource(lines), undefined, new Checksum());
  },

  async stat({ store }, { path }) {
    return { ...wireEntry(await store.stat(path)) };
  },

  get: answerGet,

  put: answerPut,

  async mkdir({ store, rights }, { path, recursive }) {
    assertMay(rights.write);
    await store.makeFolder(path, { recursive: recursive ?? false });
    return {};
  },

  async rm({ store, rights, link }, { path, recursive }) {
    assertMay(rights.overwrite, rights);
    await link.working(store.remove(path, { recursive: recursive ?? false }));
    return {};
  },

  async mv({ store, rights }, { path, to, onExist }) {
    assertMay(rights.overwrite, rights);
    const replace = onExist === "overwrite" || onExist === "newer" && await isNewer(store, path, to);
    await store.rename(path, to, { replace });
    return {};
  },

  async hash({ store, link, signal }, { path, offset = 0, length }) {
    await using file = await store.open(path);
    const sizeBytes = rangeOf(file, offset, length);
    file.seek(offset);
    const hash = await link.working(hashOf(file, sizeBytes, signal));
    if (hash === undefined || !await file.isUnchanged()) throw changed(path);
    return { sha256: hexOf(hash), size: sizeBytes };
  },

  ping() {
    return Promise.resolve({});
  },
};

/** Answers `command`; returns the last message of the result. */
export function answerTandem(
  context: TandemContext,
  command: Extract<TandemCommand, { verb: AnsweredVerb }>,
): Promise<JsonObject> {
  // The table pairs each verb with its own handler; TypeScript cannot follow that through a union.
  const handler = HANDLERS[command.verb] as Handler<AnsweredVerb>;
  return handler(context, command);
}

function assertMay(may: boolean, rights?: Rights): void {
  if (may) return;
  throw rights?.write
    ? new TandemError("denied", "this server lets clients add, but not change what is there")
    : new TandemError("denied", "this server is read-only");
}

function changed(path: RemotePath): TandemError {
  return new TandemError("changed", `"${path}" was changed while it was read`, { hint: "try again" });
}

/** How many bytes of a file are meant. */
function rangeOf(file: StoredFile, offset: number, length: number | undefined): number {
  if (offset > file.sizeBytes) {
    throw new TandemError("bad-request", `byte ${offset} is behind the end: the file has ${file.sizeBytes} bytes`);
  }
  return Math.min(length ?? Infinity, file.sizeBytes - offset);
}

/** Sends a whole body with its end; returns its checksums. */
async function sendBody(
  { link, limits, signal, onProgress }: TandemContext,
  source: ByteSource,
  sizeBytes: number | undefined,
  checksum: Checksum,
  beforeEnd?: () => Promise<void>,
): Promise<JsonObject> {
  await link.sendBody(source, sizeBytes, { ...limits, checksum, signal, onProgress });
  await beforeEnd?.();
  await link.endBody();
  return { ...checksum.result() };
}

async function answerGet(context: TandemContext, command: GetCommand): Promise<JsonObject> {
  const { store, link, signal } = context;
  const { path, digest = false } = command;
  await using file = await store.open(path);
  const { version, sizeBytes: size, mtimeMs: mtime, mode } = file;
  if (command.ifUnchanged !== undefined && command.ifUnchanged !== version) throw changed(path);
  let offset = command.offset ?? 0;
  let sha256 = digest ? emptySha256() : undefined;
  if (command.prefix !== undefined) {
    // Never on trust: what the client has must be how the file begins.
    const before = offset > size ? undefined : await link.working(hashOf(file, offset, signal));
    if (before !== undefined && hexOf(before) === command.prefix) sha256 = digest ? before : undefined;
    else offset = 0;
  }
  const length = rangeOf(file, offset, command.length);
  file.seek(offset);
  await link.sendObject({ size, offset, length, mtime, mode, version });
  return await sendBody(context, file, length, new Checksum(sha256), async () => {
    if (!await file.isUnchanged()) throw changed(path);
  });
}

async function answerPut(context: TandemContext, command: PutCommand): Promise<JsonObject> {
  const { link, limits, onProgress, signal } = context;
  const body = new IncomingBody(link);
  const options: BodyOptions = { ...limits, checksum: new Checksum(), onProgress, signal };
  // A body with its checksum comes once it was asked for, or from the start where that was not waited for.
  let comes = !command.ready;
  try {
    await using landing = await createLanding(context, command);
    // Who has given it up need not wait until something else comes.
    using waiting = whenAborted(signal, () => {
      context.refuse(abortError(signal)).then(() => link.flush()).catch(() => {
        // Then the connection is what failed, which whoever reads from it finds out.
      });
    });
    try {
      const kept = landing.kept;
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
        comes = true;
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
      const checksum = new Checksum(command.digest ? before : undefined);
      const most = limits.maxFileBytes - offset;
      const likely = command.size === undefined ? SMALL_FILE_BYTES : Math.max(0, command.size - offset);
      // What the client has written may be under way for long: it is told that it arrives.
      await link.working(body.receive(bounded(landing, most), likely, { ...options, checksum }), signal);
      const sent = await link.receiveObject("a checksum", limits.stallTimeoutMs);
      comes = false;
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
      // From here on it is too late to give it up.
      waiting[Symbol.dispose]();
      if (signal.aborted) throw abortError(signal);
      await link.working(landing.commit({ mtimeMs: command.mtime, mode: command.mode }));
      return { size, ...checksum.result() };
    } catch (error) {
      if (link.channel.isClosed || endsConnection(error)) landing.keep();
      throw error;
    }
  } catch (error) {
    if (link.channel.isClosed || error instanceof AnsweredError || endsConnection(error)) throw error;
    if (comes) {
      await context.refuse(asTandemError(error));
      await drainPut(context, body);
    }
    throw error;
  }
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

async function isNewer(store: FileStore, path: RemotePath, than: RemotePath): Promise<boolean> {
  const target = await statIfThere(store, than);
  return ((await store.stat(path)).mtimeMs ?? 0) > (target?.mtimeMs ?? -Infinity);
}

async function statIfThere(store: FileStore, path: RemotePath): Promise<StoreEntry | undefined> {
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

/** An entry as it goes over the wire. */
function wireEntry({ name, kind, sizeBytes, mtimeMs, mode }: StoreEntry, below = ""): Entry {
  return { name: below + name, kind, size: sizeBytes, mtime: mtimeMs, mode };
}

async function* folderLines(store: FileStore, path: RemotePath): AsyncGenerator<Entry[]> {
  yield (await store.list(path, { details: true })).map((entry) => wireEntry(entry));
}

/** A folder and all below it, each folder before what is in it. */
async function* treeLines(store: FileStore, root: RemotePath): AsyncGenerator<Entry[]> {
  let count = 0;
  async function* walk(path: RemotePath, below: string, depth: number): AsyncGenerator<Entry[]> {
    for (const entry of await store.list(path, { details: true })) {
      if (++count > MAX_TREE_ENTRIES) {
        throw new TandemError("too-large", `there are over ${MAX_TREE_ENTRIES} entries`, {
          hint: "list the folders one by one",
        });
      }
      const wire = wireEntry(entry, below);
      if (entry.kind === "file") {
        yield [wire];
        continue;
      }
      const inner = (path === "" ? entry.name : `${path}/${entry.name}`) as RemotePath;
      const entries = walk(inner, `${wire.name}/`, depth + 1);
      // The first look at the folder tells whether it can be looked into.
      try {
        if (depth >= MAX_TREE_DEPTH) throw new TandemError("too-large", "folders are too deep");
        const first = await entries.next();
        yield [wire];
        if (!first.done) yield first.value;
      } catch (error) {
        if (count > MAX_TREE_ENTRIES) throw error;
        yield [{ ...wire, error: asTandemError(error).code }];
        continue;
      }
      yield* entries;
    }
  }
  yield* walk(root, "", 0);
}

const encoder = new TextEncoder();

/** Entries as a source of bytes, a line of JSON each. */
function linesSource(entries: AsyncGenerator<Entry[]>): ByteSource {
  let rest: Uint8Array = new Uint8Array();
  return {
    async read(buffer) {
      // Small pieces of a tree are gathered into one chunk.
      let filled = 0;
      while (filled < buffer.length) {
        if (rest.length === 0) {
          const { done, value } = await entries.next();
          if (done) break;
          rest = encoder.encode(value.map((entry) => `${JSON.stringify(entry)}\n`).join(""));
        }
        const part = rest.subarray(0, buffer.length - filled);
        buffer.set(part, filled);
        filled += part.length;
        rest = rest.subarray(part.length);
      }
      return filled || null;
    },
  };
}
