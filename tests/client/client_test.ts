/**
 * Tests of the client's operations, against our own server; sending is in
 * `put_test.ts`.
 *
 * @module
 */

import { type ClientEvent, MemoryStore } from "../../mod.ts";
import type { TandemError } from "../../src/errors.ts";
import { assert, assertEquals, assertStringIncludes, toBytes, toText } from "../deps.ts";
import { serveForTest } from "../helpers.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { openBoth } from "./both_ends.ts";
import { attempt, list, openSession } from "./session.ts";

Deno.test("F7 Client carries files of sizes around a buffer's both ways", async () => {
  await using both = await openBoth();
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

Deno.test("Client.download() fails with exists for a local name that is there, and replaces it when it may", async () => {
  await using both = await openBoth();
  const { client, folder, root } = both;
  Deno.writeTextFileSync(`${root}/a`, "new");
  Deno.writeTextFileSync(`${folder}/a`, "old");
  const local = `${folder}/a`;
  await assertFails(client.download("a", local), "exists");
  assertEquals(Deno.readTextFileSync(local), "old");
  await client.download("a", local, { overwrite: true });
  assertEquals(Deno.readTextFileSync(local), "new");
});

Deno.test("Client fails with not-found for a file that is not there, and says what may be the reason", async () => {
  await using both = await openBoth();
  const { client, folder } = both;
  const { message, hint } = await assertFails(client.get("a"), "not-found");
  assertEquals(message, 'the server did not send "a"');
  assertStringIncludes(hint ?? "", "this server cannot say which");
  await assertFails(client.download("a", `${folder}/a`), "not-found");
  await assertFails(list(client, "a"), "not-found");
  assertEquals([...Deno.readDirSync(folder)], []);
});

Deno.test("Client.list() gives the names in the shared folder and below", async () => {
  await using both = await openBoth();
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
  assertEquals(entry, { name: "a", kind: "file", size: undefined });
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

Deno.test("Client takes size zero for missing when it was told to", async () => {
  const store = new MemoryStore();
  await using server = serveForTest("", { store });
  const { port } = server.addr;
  await using told = await openSession(port, { zeroIsMissing: true });
  await told.client.put("empty", "");
  await told.client.put("full", "x");
  const local = `${told.folder}/local`;
  await assertFails(told.client.download("empty", local), "not-found");
  await assertFails(told.client.get("empty"), "not-found");
  assertEquals([...Deno.readDirSync(told.folder)], []);
  await told.client.download("full", local);
  assertEquals(await list(told.client), ["empty", "full"]);
  await using other = await openSession(port);
  await using download = await other.client.get("empty");
  assertEquals(download.size, 0);
});

Deno.test("Client runs operations that wait for each other in their order", async () => {
  await using both = await openBoth();
  const { client, commands } = both;
  const all = [
    list(client),
    client.put("a", "1"),
    list(client),
    client.get("a").then(({ readable }) => toText(readable)),
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
  assertEquals(done, [0, 1, 2, 3, 4, 5, 6, 7]);
  assertEquals([results[0], results[2], results[3]], [[], ["a"], "1"]);
  assertEquals([results[5], results[7]], ["not-found", ["a"]]);
  assertEquals(Deno.readTextFileSync(`${both.folder}/a`), "22");
  assertEquals(commands, [
    ...["ls: ok", "put a: ok", "ls: ok", "get a: ok", "put a: ok"],
    ...["get nothing: not-found", "get a: ok", "ls: ok"],
  ]);
});

Deno.test("Client begins no operation before a download's stream was read to its end", async () => {
  await using both = await openBoth();
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

Deno.test("Client tells its events in their order", async () => {
  const events: ClientEvent[] = [];
  await using both = await openBoth({}, (event) => events.push(event));
  const { client, folder, server } = both;
  const size = 3_000_000;
  await client.put("a", new Uint8Array(size));
  await client.download("a", `${folder}/a`);
  await toBytes((await client.get("a")).readable);
  await client.get("none").catch(() => {});
  const { hostname, port } = server.addr;
  assertEquals(events[0], { event: "hello", mode: "plain", hostname, port });
  const kinds = events.map((event) => event.event === "file" ? `${event.outcome} ${event.bytes}` : event.event);
  const runs = kinds.filter((kind, i) => kind !== "progress" || kinds[i - 1] !== "progress");
  assertEquals(runs, [
    ...["hello", "progress", `sent ${size}`],
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

Deno.test("Client has its mode from the beginning", async () => {
  await using both = await openBoth();
  assertEquals(both.client.mode, "plain");
});
