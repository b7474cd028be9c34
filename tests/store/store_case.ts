/**
 * What the cases about stores are made of: a place with a store in it, and the
 * few things that most of them do.
 *
 * @module
 */

import { type RemotePath, resolveRemotePath, ROOT } from "../../src/protocol/path.ts";
import type { FileStore } from "../../src/store/file_store.ts";

/** A store, and a way to fill it behind its back. */
export interface Place {
  /** The store. */
  readonly store: FileStore;
  /** Puts a file there at once. */
  addFile(path: string, text: string): void;
  /** Makes a folder, and those that it is in. */
  addFolder(path: string): void;
}

/** Something that a store promises. */
export interface StoreCase {
  /** What it does, worded so that the store's name can stand before it. */
  readonly name: string;
  /** Checks it in an empty place. */
  run(place: Place): Promise<void>;
}

/** A file of that name may be replaced. */
export const REPLACE = { replace: true };
/** The name must be new. */
export const NEW_ONLY = { replace: false };

/** A checked path. */
export function at(path: string): RemotePath {
  return resolveRemotePath(ROOT, path);
}

/** The whole text of a file in a store. */
export async function textAt(store: FileStore, path: string): Promise<string> {
  await using file = await store.open(at(path));
  const decoder = new TextDecoder();
  const buffer = new Uint8Array(7);
  let text = "";
  for (;;) {
    const count = await file.read(buffer);
    if (count === null) return text;
    text += decoder.decode(buffer.subarray(0, count), { stream: true });
  }
}

/** Stores a whole file. */
export async function land(
  store: FileStore,
  path: string,
  text: string,
  options = REPLACE,
): Promise<void> {
  await using landing = await store.create(at(path), options);
  await landing.write(bytesOf(text));
  await landing.commit();
}

/** The names in a folder as a listing shows them. */
export async function namesIn(store: FileStore, path = "/"): Promise<string[]> {
  const entries = await store.list(at(path));
  return entries.map(({ name, kind }) => kind === "file" ? name : `${name}/`);
}

/** A text as bytes. */
export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}
