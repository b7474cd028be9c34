/**
 * What a store does when there is no more room: on disks so small that a test
 * can fill them, and in memory.
 *
 * @module
 */

import { DiskStore } from "../../src/store/disk_store.ts";
import type { Landing } from "../../src/store/file_store.ts";
import { MemoryStore } from "../../src/store/memory_store.ts";
import { assertEquals, assertLessOrEqual } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { assertFails } from "../net/failure.ts";
import { mountTest, smallDisk } from "./mounts.ts";
import { at, land, namesIn, textAt } from "./store_case.ts";

const REPLACE = { replace: true };

/** Writes until the store is full. */
async function fill(landing: Landing): Promise<void> {
  const piece = new Uint8Array(64 * 1024).fill(0x78);
  for (let i = 0; i < 1_000; i++) await landing.write(piece);
}

mountTest(
  "X4 write() fails with no-space when the disk is full, and the old file stays",
  async () => {
    using disk = smallDisk("size=1m");
    const store = new DiskStore(disk.path);
    try {
      await land(store, "a.txt", "old");
      {
        await using landing = await store.create(at("a.txt"), REPLACE);
        await assertFails(fill(landing), "no-space");
        assertEquals(await textAt(store, "a.txt"), "old");
      }
      assertEquals(temporaries(disk.path), []);
      assertEquals(await namesIn(store), ["a.txt"]);
      await land(store, "a.txt", "new");
      assertEquals(await textAt(store, "a.txt"), "new");
    } finally {
      store.close();
    }
  },
);

mountTest(
  "X4 create() fails with no-space when the disk holds no more files",
  async () => {
    using disk = smallDisk("size=1m,nr_inodes=3");
    const store = new DiskStore(disk.path);
    try {
      await land(store, "a.txt", "a");
      Deno.writeTextFileSync(`${disk.path}/b.txt`, "b");
      await assertFails(store.create(at("c.txt"), REPLACE), "no-space");
      Deno.removeSync(`${disk.path}/b.txt`);
      await land(store, "c.txt", "c");
      assertEquals(await namesIn(store), ["a.txt", "c.txt"]);
    } finally {
      store.close();
    }
  },
);

mountTest(
  "X6 create() fails with denied when the disk is read-only",
  async () => {
    using disk = smallDisk("size=1m");
    const store = new DiskStore(disk.path);
    try {
      await land(store, "a.txt", "a");
      disk.makeReadOnly();
      await assertFails(store.create(at("a.txt"), REPLACE), "denied");
      await assertFails(store.create(at("b.txt"), REPLACE), "denied");
      assertEquals(await textAt(store, "a.txt"), "a");
    } finally {
      store.close();
    }
  },
);

mountTest("space() tells what a disk has left, more or less", async () => {
  using disk = smallDisk("size=1m");
  const store = new DiskStore(disk.path);
  try {
    const empty = await store.space();
    assertEquals(empty?.totalBytes, 1024 * 1024);
    await land(store, "a.txt", "x".repeat(512 * 1024));
    const half = await store.space();
    assertLessOrEqual(half?.freeBytes ?? Infinity, 512 * 1024);
  } finally {
    store.close();
  }
});

Deno.test("MemoryStore: write() fails with no-space when the capacity is used up", async () => {
  const store = new MemoryStore({ capacityBytes: 100 });
  await land(store, "a.txt", "x".repeat(60));
  {
    await using landing = await store.create(at("b.txt"), REPLACE);
    await landing.write(new Uint8Array(40));
    await assertFails(attempt(landing, 1), "no-space");
  }
  assertEquals(await namesIn(store), ["a.txt"]);
  await land(store, "b.txt", "x".repeat(40));
  assertEquals(await store.space(), { freeBytes: 0, totalBytes: 100 });
});

Deno.test("MemoryStore: two landings together stay within the capacity", async () => {
  const store = new MemoryStore({ capacityBytes: 100 });
  await using first = await store.create(at("a"), REPLACE);
  await using second = await store.create(at("b"), REPLACE);
  await first.write(new Uint8Array(60));
  const both = (async () => {
    await second.write(new Uint8Array(60));
    await first.commit();
    await second.commit();
  })();
  await assertFails(both, "no-space");
});

Deno.test("MemoryStore: a file that was replaced leaves its room", async () => {
  const store = new MemoryStore({ capacityBytes: 100 });
  for (const length of [40, 50, 0, 60]) {
    await land(store, "a.txt", "x".repeat(length));
    assertEquals((await store.space())?.freeBytes, 100 - length);
  }
});

async function attempt(landing: Landing, bytes: number): Promise<void> {
  await landing.write(new Uint8Array(bytes));
}
