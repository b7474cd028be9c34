/**
 * A store in which something happens at every step: a test can make each one
 * wait, or fail.
 *
 * @module
 */

import type { CreateOptions, FileStore, Landing, RemotePath, StoredFile, StoreEntry, StoreSpace } from "../../mod.ts";

/** The steps at which something can happen. */
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

/** One of {@linkcode STEPS}. */
export type Step = typeof STEPS[number];

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

  async list(path: RemotePath): Promise<StoreEntry[]> {
    await this.#hook("list", path);
    return await this.#inner.list(path);
  }

  async open(path: RemotePath): Promise<StoredFile> {
    await this.#hook("open", path);
    const file = await this.#inner.open(path);
    const hook = this.#hook;
    return {
      sizeBytes: file.sizeBytes,
      async read(buffer) {
        await hook("read", path);
        return await file.read(buffer);
      },
      async [Symbol.asyncDispose]() {
        await file[Symbol.asyncDispose]();
        await hook("close-file", path);
      },
    };
  }

  async create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    await this.#hook("create", path);
    const landing = await this.#inner.create(path, options);
    const hook = this.#hook;
    return {
      async write(bytes) {
        await hook("write", path);
        await landing.write(bytes);
      },
      async commit() {
        await hook("commit", path);
        await landing.commit();
      },
      async [Symbol.asyncDispose]() {
        await landing[Symbol.asyncDispose]();
        await hook("close-landing", path);
      },
    };
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
