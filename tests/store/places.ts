/**
 * The stores that the suite runs over, each with a way to fill it.
 *
 * @module
 */

import { DiskStore } from "../../src/store/disk_store.ts";
import { MemoryStore } from "../../src/store/memory_store.ts";
import { type TempFolder, tempFolder } from "../helpers.ts";
import { at, type Place } from "./store_case.ts";

/** A place that goes away by itself. */
export type OwnPlace = Place & Disposable;

/** A folder on disk, and its store. */
export interface DiskPlace extends OwnPlace {
  /** The store. */
  readonly store: DiskStore;
  /** The folder's path. */
  readonly path: string;
}

/** An empty store in memory. */
export function memoryPlace(): OwnPlace {
  const store = new MemoryStore();
  return {
    store,
    addFile(path, text) {
      store.addFile(at(path), new TextEncoder().encode(text));
    },
    addFolder: (path) => store.addFolder(at(path)),
    [Symbol.dispose]: () => store.close(),
  };
}

/** An empty folder and its store. */
export function diskPlace(folder: TempFolder = tempFolder()): DiskPlace {
  const store = new DiskStore(folder.path);
  return {
    store,
    path: folder.path,
    ...filler(folder.path),
    [Symbol.dispose]() {
      store.close();
      folder[Symbol.dispose]();
    },
  };
}

/** An empty folder in memory, where a hundred thousand files are quick to make; on disk where there is none. */
export function quickFolder(): TempFolder {
  try {
    const path = Deno.makeTempDirSync({ dir: "/dev/shm", prefix: "tandem-" });
    return {
      path,
      [Symbol.dispose]: () => Deno.removeSync(path, { recursive: true }),
    };
  } catch {
    return tempFolder();
  }
}

/** Fills a folder of the disk behind the back of its store. */
export function filler(folder: string): Pick<Place, "addFile" | "addFolder"> {
  const made = new Set<string>();
  const addFolder = (path: string) => {
    if (made.has(path)) return;
    Deno.mkdirSync(`${folder}/${path}`, { recursive: true });
    made.add(path);
  };
  return {
    addFolder,
    addFile(path, text) {
      const slash = path.lastIndexOf("/");
      if (slash > 0) addFolder(path.slice(0, slash));
      Deno.writeTextFileSync(`${folder}/${path}`, text);
    },
  };
}
