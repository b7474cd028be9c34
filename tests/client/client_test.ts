/**
 * Tests of the client's operations, against our own server; sending is in
 * `put_test.ts`.
 *
 * @module
 */

import type { ClientEvent, Download } from "../../mod.ts";
import type { TandemError } from "../../src/errors.ts";
import { assert, assertEquals, assertMatch, toBytes, toText } from "../deps.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { openBoth } from "./both_ends.ts";
import { bothModes } from "./modes.ts";
import { attempt, list } from "./session.ts";

bothModes("F7 Client carries files of sizes around a buffer's both ways", async ({ mode }) => {
  await using both = await openBoth(mode);
  const { client, folder, root } = both;
  const sizes = [0, 1, 65_535, 65_536, 65_537, 262_134, 262_144, 3 * 1024 ** 2];
  for (const size of sizes) {
    const bytes = new Uint8Array(size).map((_, i) => i * 31 + (i >> 8));
    Deno.writeFileSync(`${folder}/up`, bytes);
    await client.upload(`${folder}/up`, "file");
    assertBytes(Deno.readFileSync(`${root}/file`), bytes);
    const local = `${folder}/down`;
    const result = await client.download("file", local, { overwrite: true });
    assertEquals([result.outcome, result.bytes], ["fetched", size]);
    assertBytes(Deno.readFileSync(local), bytes);
    const download = await client.get("file");
    assertEquals(download.size, size);
    assertBytes(await toBytes(download.readable), bytes);
  }
});

bothModes(
  "Client.download() fails with exists for a local name that is there, and replaces it when it may",
  async ({ mode }) => {
    await using both = await openBoth(mode);
    const { client, folder, root } = both;
    Deno.writeTextFileSync(`${root}/a`, "new");
    Deno.writeTextFileSync(`${folder}/a`, "old");
    const local = `${folder}/a`;
    await assertFails(client.download("a", local), "exists");
    assertEquals(Deno.readTextFileSync(local), "old");
    await client.download("a", local, { overwrite: true });
    assertEquals(Deno.readTextFileSync(local), "new");
  },
);

bothModes(
  "Client fails with not-found for a file that is not there, and says what may be the reason",
  async ({ mode, missing }) => {
    await using both = await openBoth(mode);
    const { client, folder } = both;
    const { message, hint } = await assertFails(client.get("a"), "not-found");
    assertEquals(message, missing.message);
    assertMatch(hint ?? "", missing.hint);
    await assertFails(client.download("a", `${folder}/a`), "not-found");
    await assertFails(list(client, "a"), missing.folder);
    assertEquals([...Deno.readDirSync(folder)], []);
  },
);

bothModes("Client.list() gives the names in the shared folder and below", async ({ mode, details }) => {
  await using both = await openBoth(mode);
  const { client, root } = both;
  Deno.mkdirSync(`${root}/sub/deep`, { recursive: true });
  for (const name of ["a", "é", "line with spaces", "sub/b"]) {
    Deno.writeTextFileSync(`${root}/${name}`, "");
  }
  assertEquals(await list(client), ["a", "line with spaces", "sub/", "é"]);
  for (const path of ["sub", "/sub", "sub/", "./sub", "sub/deep/.."]) {
    assertEquals(await list(client, path), ["b", "deep/"]);
  }
  const [entry] = await Array.fromAsync(client.list());
  const { mtime, mode: bits } = Deno.statSync(`${root}/a`);
  const told = details ? { size: 0, mtime: mtime ?? undefined, mode: (bits ?? 0) & 0o777 } : NOTHING_TOLD;
  assertEquals(entry, { name: "a", kind: "file", ...told, error: undefined });
});

Deno.test("Client asks for no path that cannot be", async () => {
  await attempt([], async ({ client }) => {
    await assertFails(client.get("../a"), "outside-root");
    await assertFails(client.put("a/../../b", "x"), "outside-root");
    await assertFails(list(client, ".."), "outside-root");
    await assertFails(client.get("/"), "is-directory");
    await assertFails(client.put("sub/..", "x"), "is-directory");
    await assertFails(client.put("\u202ea", "x"), "bad-request");
    await assertFails(client.get("x".repeat(256)), "bad-request");
    const deep = Array(1_400).fill("abc").join("/");
    await assertFails(client.get(deep), "bad-request");
  });
});

bothModes(
  "Client takes size zero for missing when it was told to, and where it can mean that",
  async ({ mode, zeroIsMissing }) => {
    await using told = await openBoth(mode, { client: { zeroIsMissing: true } });
    const { client, folder } = told;
    await client.put("empty", "");
    await client.put("full", "x");
    const local = `${folder}/local`;
    const fetched = await Promise.allSettled([client.download("empty", local), client.get("full").then(toTextOf)]);
    const [empty, full] = fetched.map((one) => one.status === "rejected" ? one.reason.code : "fetched");
    assertEquals([empty, full], [zeroIsMissing ? "not-found" : "fetched", "fetched"]);
    assertEquals([...Deno.readDirSync(folder)].length, zeroIsMissing ? 0 : 1);
    assertEquals(await list(client), ["empty", "full"]);
    await using other = await openBoth(mode);
    await other.client.put("empty", "");
    await using download = await other.client.get("empty");
    assertEquals(download.size, 0);
  },
);

Deno.test("Client runs operations that wait for each other in their order (plain)", async () => {
  await using both = await openBoth("plain");
  const { client, commands } = both;
  const all = [
    list(client),
    client.put("a", "1"),
    list(client),
    client.get("a").then(toTextOf),
    client.put("a", "22"),
    client.get("nothing").catch((error: TandemError) => error.code),
    client.download("a", `${both.folder}/a`),
    list(client),
  ];
  const done: number[] = [];
  const ended = all.map(async (one, i) => {
    const result = await one;
    done.push(i);
    return result;
  });
  const settled = Promise.allSettled(ended);
  await within(settled, PATIENCE_MS, "eight operations");
  const results = await Promise.all(ended);
  // A download is over when it is on the disk, for which the next one does not wait.
  assertEquals(done.filter((i) => i !== 6), [0, 1, 2, 3, 4, 5, 7]);
  assertEquals([results[0], results[2], results[3]], [[], ["a"], "1"]);
  assertEquals([results[5], results[7]], ["not-found", ["a"]]);
  assertEquals(Deno.readTextFileSync(`${both.folder}/a`), "22");
  assertEquals(commands, [
    ...["ls: ok", "put a: ok", "ls: ok", "get a: ok", "put a: ok"],
    ...["get nothing: not-found", "get a: ok", "ls: ok"],
  ]);
});

Deno.test("Client begins no operation before a download's stream was read to its end (plain)", async () => {
  await using both = await openBoth("plain");
  const { client, root, commands } = both;
  Deno.writeTextFileSync(`${root}/a`, "content");
  const download = await client.get("a");
  const listing = list(client);
  const reader = download.readable.getReader();
  const { value } = await reader.read();
  assertEquals(new TextDecoder().decode(value), "content");
  assertEquals(commands.includes("ls: ok"), false);
  assertEquals((await reader.read()).done, true);
  assertEquals(await within(listing, PATIENCE_MS, "a listing"), ["a"]);
});

bothModes(
  "Client answers nothing that was begun later before a download's stream was read to its end",
  async ({ mode }) => {
    await using both = await openBoth(mode);
    const { client, root } = both;
    Deno.writeTextFileSync(`${root}/a`, "content");
    const download = await client.get("a");
    const done: string[] = [];
    const later = Promise.all([
      list(client).then(() => done.push("ls")),
      client.put("b", "b").then(() => done.push("put")),
    ]);
    const reader = download.readable.getReader();
    const { value } = await reader.read();
    assertEquals(new TextDecoder().decode(value), "content");
    assertEquals(done, []);
    assertEquals((await reader.read()).done, true);
    await within(later, PATIENCE_MS, "what was begun later");
  },
);

bothModes("Client tells its events in their order", async ({ mode, outcome, spoken, encrypted }) => {
  const events: ClientEvent[] = [];
  await using both = await openBoth(mode, { client: { onEvent: (event) => events.push(event) } });
  const { client, folder, server } = both;
  const size = 3_000_000;
  await client.put("a", new Uint8Array(size));
  await client.download("a", `${folder}/a`);
  await toBytes((await client.get("a")).readable);
  await client.get("none").catch(() => {});
  const { hostname, port } = server.addr;
  assertEquals(events[0], { event: "hello", mode: spoken, hostname, port, encrypted });
  const kinds = events.map((event) => event.event === "file" ? `${event.outcome} ${event.bytes}` : event.event);
  const runs = kinds.filter((kind, i) => kind !== "progress" || kinds[i - 1] !== "progress");
  assertEquals(runs, [
    ...["hello", "progress", `${outcome} ${size}`],
    ...["progress", `fetched ${size}`, "progress", `fetched ${size}`],
  ]);
  let last = 0;
  for (const event of events) {
    if (event.event === "hello") continue;
    assertEquals(event.path, "a");
    if (event.event === "file") {
      last = 0;
      continue;
    }
    assertEquals(event.totalBytes, size);
    assert(event.bytes > last && event.bytes <= size);
    last = event.bytes;
  }
});

bothModes(
  "Client has its mode from the beginning where it is given, else from the first answer on",
  async ({ mode, spoken, modeBefore }) => {
    await using both = await openBoth(mode);
    assertEquals(both.client.mode, modeBefore);
    assertEquals(await list(both.client), []);
    assertEquals(both.client.mode, spoken);
  },
);

const NOTHING_TOLD = { size: undefined, mtime: undefined, mode: undefined };

function toTextOf({ readable }: Download): Promise<string> {
  return toText(readable);
}
