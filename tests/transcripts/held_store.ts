/**
 * A store whose landings wait before they give a file its name, when a
 * transcript wants to look at that moment.
 *
 * @module
 */

import type { CreateOptions, FileStore, Landing } from "../../src/store/file_store.ts";
import type { RemotePath } from "../../src/protocol/path.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import type { Line, Run } from "./transcript.ts";

/** A store that passes everything on. */
export class HeldStore implements FileStore, Disposable {
  readonly #store: FileStore;
  #committing = Promise.withResolvers<void>();
  #mayCommit = Promise.withResolvers<void>();
  #holds = false;

  constructor(store: FileStore) {
    this.#store = store;
  }

  list(...[path, options]: Parameters<FileStore["list"]>) {
    return this.#store.list(path, options);
  }

  stat(path: RemotePath) {
    return this.#store.stat(path);
  }

  makeFolder(...[path, options]: Parameters<FileStore["makeFolder"]>) {
    return this.#store.makeFolder(path, options);
  }

  remove(...[path, options]: Parameters<FileStore["remove"]>) {
    return this.#store.remove(path, options);
  }

  rename(...[from, to, options]: Parameters<FileStore["rename"]>) {
    return this.#store.rename(from, to, options);
  }

  open(path: RemotePath) {
    return this.#store.open(path);
  }

  async create(path: RemotePath, options: CreateOptions): Promise<Landing> {
    const landing = await this.#store.create(path, options);
    return {
      kept: landing.kept,
      restart: () => landing.restart(),
      write: (bytes) => landing.write(bytes),
      keep: () => landing.keep(),
      commit: async (attributes) => {
        this.#committing.resolve();
        if (this.#holds) await this.#mayCommit.promise;
        await landing.commit(attributes);
      },
      [Symbol.asyncDispose]: () => landing[Symbol.asyncDispose](),
    };
  }

  space() {
    return this.#store.space();
  }

  close(): void {
    this.#store.close();
  }

  /** From now on landings wait. */
  hold(): void {
    this.#holds = true;
  }

  /** Lets landings give their files a name. */
  commit(): void {
    this.#mayCommit.resolve();
  }

  /** Holds nothing any more. */
  [Symbol.dispose](): void {
    this.commit();
  }

  /** Plays a line that is about the store. */
  async reach(what: string, run: Run, line: Line): Promise<void> {
    if (what === "waits before it commits") this.hold();
    else if (what === "has everything") await within(this.#committing.promise, PATIENCE_MS, what);
    else if (what === "commits") this.commit();
    else run.differs(line, "has no such moment");
    run.agrees(line);
  }
}
