/**
 * Tests of a file that ten digits cannot tell the size of: fetched in the tandem
 * exchange, refused in the plain one. The file is sparse.
 *
 * @module
 */

import { assert, assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { within } from "../net/deadline.ts";
import { SOAK, WINDOWS } from "../server/test_bed.ts";
import { type Bed, openBed, tell } from "./bed.ts";

const SIZE_BYTES = 10_000_000_001;
const LAST_BYTE = 0x78;

/** How much is fetched where not all of it is, in bytes. */
const END_BYTES = 3 * 1024 ** 2;

async function openHugeBed(): Promise<Bed> {
  const bed = await openBed();
  using file = Deno.openSync(`${bed.root}/huge.bin`, { write: true, create: true });
  file.truncateSync(SIZE_BYTES);
  file.seekSync(SIZE_BYTES - 1, Deno.SeekMode.Start);
  file.writeSync(Uint8Array.of(LAST_BYTE));
  return bed;
}

/** Reads a stream to its end and keeps nothing of it: how many bytes came, and the last one. */
async function drain(readable: ReadableStream<Uint8Array>): Promise<{ bytes: number; last: number | undefined }> {
  let [bytes, last] = [0, undefined as number | undefined];
  for await (const chunk of readable) {
    bytes += chunk.length;
    last = chunk.at(-1) ?? last;
  }
  return { bytes, last };
}

Deno.test("F7 the end of a file of 10,000,000,001 bytes is fetched in the tandem exchange", {
  ignore: WINDOWS,
}, async () => {
  await using bed = await openHugeBed();
  const client = await bed.connect();
  assertEquals((await client.stat("huge.bin")).size, SIZE_BYTES);
  assertEquals((await Array.fromAsync(client.list("/")))[0]?.size, SIZE_BYTES);
  const offset = SIZE_BYTES - END_BYTES;
  await using download = await client.get("huge.bin", { offset });
  assertEquals([download.size, download.totalSize], [END_BYTES, SIZE_BYTES]);
  const ending = await within(drain(download.readable), 10_000, "the end of the file");
  assertEquals(ending, { bytes: END_BYTES, last: LAST_BYTE });
  const part = await client.get("huge.bin", { offset: offset - 1, length: 11 });
  assertEquals(await drain(part.readable), { bytes: 11, last: 0 });
  // Behind a place that ten digits reach not, and one byte behind the end.
  const last = await client.get("huge.bin", { offset: SIZE_BYTES });
  assertEquals((await drain(last.readable)).bytes, 0);
  await assertFails(client.get("huge.bin", { offset: SIZE_BYTES + 1 }), "bad-request");
});

Deno.test("F7 a file of 10,000,000,001 bytes is refused in the plain exchange, and the session goes on", {
  ignore: WINDOWS,
}, async () => {
  await using bed = await openHugeBed();
  const { log } = bed;
  const client = await bed.connect({ mode: "plain" });
  await assertFails(client.get("huge.bin"), "not-found");
  assertEquals((await log.command("get huge.bin")).outcome, "too-large");
  assertEquals((await Array.fromAsync(client.list("/"))).map(({ name }) => name), ["huge.bin"]);
});

Deno.test("F7 a file of 10,000,000,001 bytes is fetched whole in the tandem exchange", {
  ignore: WINDOWS || !SOAK,
}, async () => {
  await using bed = await openHugeBed();
  const client = await bed.connect();
  const startedMs = performance.now();
  await using download = await client.get("huge.bin");
  assertEquals(download.size, SIZE_BYTES);
  const { bytes, last } = await within(drain(download.readable), 300_000, "the whole file");
  const seconds = (performance.now() - startedMs) / 1_000;
  tell(`${bytes} bytes in ${seconds.toFixed(1)} s, ${(bytes / seconds / 1e6).toFixed(0)} MB/s through the proxy`);
  assertEquals([bytes, last], [SIZE_BYTES, LAST_BYTE]);
  const usedBytes = Deno.memoryUsage().rss;
  assert(usedBytes < 1024 ** 3, `${usedBytes} bytes of memory`);
});
