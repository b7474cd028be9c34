/**
 * A store in which something happens at every step: a test can make each one
 * wait, or fail.
 *
 * @module
 */

import type { CreateOptions, FileStore, Landing, RemotePath, StoredFile, StoreEntry, StoreSpace } from "../../mod.ts";
import type { ListOptions, RecursiveOptions } from "../../src/store/file_store.ts";

/** The steps of the plain exchange at which something can happen. */
export const STEPS = [
  "list",
  "open",
  "read",
  "close-file",
  "space",
  "create",
  "write",
  "commit",
  "close-landing",
] as const;

/** The steps that only the tandem exchange takes. */
export const TANDEM_STEPS = [
  "stat",
  "unchanged",
  "read-kept",
  "restart",
  "make-folder",
  "remove",
  "rename",
] as const;

/** One of {@linkcode STEPS}, or of {@linkcode TANDEM_STEPS}. */
export type Step = typeof STEPS[number] | typeof TANDEM_STEPS[number];

/** What happens at a step of what is done to `path`, before the step itself. */
export type Hook = (step: Step, path: string) => void | Promise<void>;

/** `inner`, with a hook before each step. */
export class HookedStore implements FileStore {
  /** Whether it was closed. */
  closed = false;
  readonly #inner: FileStore;
  readonly #hook: Hook;

  constructor(inner: FileStore, hook: Hook) {
    this.#inner = inner;
    this.#hook = hook;
  }

  async list(path: RemotePath, options?: ListOptions): Promise<StoreEntry[]> {
    await this.#hook("list", path);
    return await this.#inner.list(path, options);
  }

  async stat(path: RemotePath): Promise<StoreEntry> {
    await this.#hook("stat", path);
    return await this.#inner.stat(path);
  }

  async open(path: RemotePath): Promise<StoredFile> {
    await this.#hook("open", path);
    return hookedFile(await this.#inner.open(path), path, this.#hook);
  }

  async create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    await this.#hook("create", path);
    return hookedLanding(await this.#inner.create(path, options), path, this.#hook);
  }

  async makeFolder(path: RemotePath, options: RecursiveOptions): Promise<void> {
    await this.#hook("make-folder", path);
    await this.#inner.makeFolder(path, options);
  }

  async remove(path: RemotePath, options: RecursiveOptions): Promise<void> {
    await this.#hook("remove", path);
    await this.#inner.remove(path, options);
  }

  async rename(from: RemotePath, to: RemotePath, options: Pick<CreateOptions, "replace">): Promise<void> {
    await this.#hook("rename", from);
    await this.#inner.rename(from, to, options);
  }

  async space(): Promise<StoreSpace | undefined> {
    await this.#hook("space", "");
    return await this.#inner.space();
  }

  close(): void {
    this.closed = true;
    this.#inner.close();
  }
}

function hookedFile(file: StoredFile, path: string, hook: Hook): StoredFile {
  const { sizeBytes, mtimeMs, mode, version } = file;
  return {
    sizeBytes,
    mtimeMs,
    mode,
    version,
    seek: (offsetBytes) => file.seek(offsetBytes),
    async read(buffer) {
      await hook("read", path);
      return await file.read(buffer);
    },
    async isUnchanged() {
      await hook("unchanged", path);
      return await file.isUnchanged();
    },
    async [Symbol.asyncDispose]() {
      await file[Symbol.asyncDispose]();
      await hook("close-file", path);
    },
  };
}

function hookedLanding(landing: Landing, path: string, hook: Hook): Landing {
  return {
    get kept() {
      const { kept } = landing;
      if (kept === undefined) return undefined;
      const { sizeBytes, isPresentFile } = kept;
      return {
        sizeBytes,
        isPresentFile,
        async read(buffer: Uint8Array) {
          await hook("read-kept", path);
          return await kept.read(buffer);
        },
      };
    },
    async restart() {
      await hook("restart", path);
      await landing.restart();
    },
    async write(bytes) {
      await hook("write", path);
      await landing.write(bytes);
    },
    keep: () => landing.keep(),
    async commit(attributes) {
      await hook("commit", path);
      await landing.commit(attributes);
    },
    async [Symbol.asyncDispose]() {
      await landing[Symbol.asyncDispose]();
      await hook("close-landing", path);
    },
  };
}
