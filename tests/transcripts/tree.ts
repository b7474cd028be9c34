/**
 * Folders as data: what is in them before and after a session.
 *
 * @module
 */

import { makeFifo } from "../store/special_files.ts";

/** Names with what they name. A folder's name ends in `/`. */
export type Tree = { readonly [name: string]: Leaf };

/** What a name names: a file with its text, a folder, or one of the other things that there are. */
export type Leaf = string | Special | Tree;

/** What is not worth, or not capable of, being written as a text. */
type Special =
  | { readonly is: "file"; readonly sizeBytes: number }
  | { readonly is: "link"; readonly to: string }
  | { readonly is: "fifo" };

/** A longer file is told by its size alone. */
const LONG_BYTES = 100_000;

/** Fills an empty folder. Disposing of the result lets go of whoever hangs in it. */
export function fillTree(folder: string, tree: Tree): Disposable {
  const stack = new DisposableStack();
  for (const [name, leaf] of Object.entries(tree)) {
    const path = `${folder}/${name}`;
    if (typeof leaf === "string") {
      Deno.writeTextFileSync(path, leaf);
    } else if (name.endsWith("/")) {
      Deno.mkdirSync(path);
      stack.use(fillTree(path, leaf as Tree));
    } else {
      stack.use(makeSpecial(path, leaf as Special));
    }
  }
  return stack;
}

function makeSpecial(path: string, special: Special): Disposable {
  if (special.is === "fifo") return makeFifo(path);
  if (special.is === "link") {
    Deno.symlinkSync(special.to, path);
  } else {
    Deno.writeTextFileSync(path, "");
    Deno.truncateSync(path, special.sizeBytes);
  }
  return { [Symbol.dispose]() {} };
}

/** What is in a folder. */
export function readTree(folder: string): Tree {
  return Object.fromEntries([...Deno.readDirSync(folder)].map((entry) => leafAt(folder, entry)));
}

function leafAt(folder: string, entry: Deno.DirEntry): [string, Leaf] {
  const path = `${folder}/${entry.name}`;
  if (entry.isDirectory) return [`${entry.name}/`, readTree(path)];
  if (entry.isSymlink) return [entry.name, { is: "link", to: Deno.readLinkSync(path) }];
  const { size, isFile } = Deno.statSync(path);
  if (!isFile) return [entry.name, { is: "fifo" }];
  return [entry.name, size > LONG_BYTES ? { is: "file", sizeBytes: size } : Deno.readTextFileSync(path)];
}
