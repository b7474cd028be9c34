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
import { MAX_TREE_DEPTH, MAX_TREE_ENTRIES } from "../limits.ts";
import type { ByteSource } from "../net/bulk.ts";
import { Checksum, emptySha256, hashOf, hexOf } from "../net/checksum.ts";
import type { RemotePath } from "../protocol/path.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import type { Entry } from "../protocol/tandem_result.ts";
import type { GetCommand, TandemCommand, TandemVerb } from "../protocol/tandem_command.ts";
import type { FileStore, StoredFile, StoreEntry } from "../store/file_store.ts";
import { assertMay, type TandemContext } from "./tandem_context.ts";
import { answerPut, statIfThere } from "./tandem_put.ts";

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

async function isNewer(store: FileStore, path: RemotePath, than: RemotePath): Promise<boolean> {
  const target = await statIfThere(store, than);
  return ((await store.stat(path)).mtimeMs ?? 0) > (target?.mtimeMs ?? -Infinity);
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
