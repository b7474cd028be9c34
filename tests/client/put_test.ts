/**
 * Tests of sending, against our own server: bodies of every kind, and what is
 * refused before anything is sent.
 *
 * @module
 */

import { MemoryStore } from "../../mod.ts";
import { TandemError } from "../../src/errors.ts";
import { MAX_BUFFERED_PUT_BYTES } from "../../src/limits.ts";
import { assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { openBoth } from "./both_ends.ts";
import { bothModes } from "./modes.ts";
import { attempt, list, streamOf } from "./session.ts";

const BODY = "some text, é";
const BODY_BYTES = new TextEncoder().encode(BODY);

bothModes("Client.put() sends bytes, a text and a stream alike", async ({ mode, outcome }) => {
  await using both = await openBoth(mode);
  const { client, root } = both;
  const bodies = {
    bytes: BODY_BYTES,
    text: BODY,
    stream: streamOf("some ", "", "text", ", é"),
    sized: streamOf("some text", ", é", ""),
  };
  for (const [name, body] of Object.entries(bodies)) {
    const size = name === "sized" ? { size: BODY_BYTES.length } : {};
    const result = await client.put(name, body, size);
    assertEquals([result.outcome, result.bytes], [outcome, BODY_BYTES.length]);
    assertEquals(Deno.readTextFileSync(`${root}/${name}`), BODY);
  }
});

const WRONG_SIZES: Readonly<Record<string, readonly [string[], number]>> = {
  "a byte longer, in one piece": [["hello!"], 5],
  "a byte longer, in a piece of its own": [["hello", "!"], 5],
  "much longer": [["x".repeat(300_000), "y".repeat(300_000)], 300_000],
  "a byte shorter": [["hell"], 5],
  "much shorter": [["x".repeat(300_000)], 600_000],
  "empty, and some was promised": [[], 5],
  "something, and nothing was promised": [["hello"], 0],
};

for (const [how, [pieces, size]] of Object.entries(WRONG_SIZES)) {
  bothModes(`Client.put() fails with changed and stores nothing when a stream is ${how}`, async ({ mode }) => {
    await using both = await openBoth(mode);
    const { client, root } = both;
    Deno.writeTextFileSync(`${root}/a`, "old");
    const putting = client.put("a", streamOf(...pieces), { size });
    const { message } = await assertFails(putting, "changed");
    assertStringIncludes(message, `bytes, but ${size} were promised`);
    assertEquals(Deno.readTextFileSync(`${root}/a`), "old");
    assertEquals(await list(client), ["a"]);
  });
}

bothModes("Client.put() sends a stream that is as long as promised", async ({ mode }) => {
  await using both = await openBoth(mode);
  const { client, root } = both;
  for (const pieces of [[], [""], ["a"], ["a", "b"], ["", "ab", "", "c", ""]]) {
    const text = pieces.join("");
    await client.put("a", streamOf(...pieces), { size: text.length });
    assertEquals(Deno.readTextFileSync(`${root}/a`), text);
  }
});

Deno.test("Client.put() refuses a promised size that is no whole number, and sends nothing", async () => {
  await attempt([], async ({ client }) => {
    for (const size of [-1, 1.5, NaN, Infinity]) {
      await assertFails(client.put("a", streamOf("x"), { size }), "usage");
    }
  });
});

Deno.test("Client.put() fails with unsupported when a stream of unknown size has over 16 MiB, and sends nothing", async () => {
  await attempt([], async ({ client }) => {
    const piece = "x".repeat(MAX_BUFFERED_PUT_BYTES / 4);
    const pieces = [piece, piece, piece, piece, "!"];
    const { hint } = await assertFails(
      client.put("a", streamOf(...pieces)),
      "unsupported",
    );
    assertStringIncludes(hint ?? "", "give its size");
  });
});

bothModes(
  "Client.put() sends a stream of unknown size that has 16 MiB, and a longer one where it can",
  async ({ mode, sendsAnyStream }) => {
    await using both = await openBoth(mode);
    const { client, root } = both;
    const half = "x".repeat(MAX_BUFFERED_PUT_BYTES / 2);
    const { bytes } = await client.put("a", streamOf(half, half));
    assertEquals(bytes, MAX_BUFFERED_PUT_BYTES);
    const longer = await Promise.allSettled([client.put("b", streamOf(half, half, "!"))]);
    assertEquals(longer.map(({ status }) => status), [sendsAnyStream ? "fulfilled" : "rejected"]);
    const size = sendsAnyStream ? MAX_BUFFERED_PUT_BYTES + 1 : undefined;
    assertEquals((await Deno.stat(`${root}/b`).catch(() => undefined))?.size, size);
  },
);

for (const size of [undefined, 5]) {
  const promised = size === undefined ? "without a size" : "with a size";
  bothModes(`Client.put() fails with a stream's own error ${promised}, and stores nothing`, async ({ mode }) => {
    await using both = await openBoth(mode);
    const { client } = both;
    const error = new Error("the stream's own");
    const stream = new ReadableStream<Uint8Array>({
      start: (controller) => controller.enqueue(new Uint8Array(2)),
      pull: (controller) => controller.error(error),
    });
    const putting = client.put("a", stream, size === undefined ? {} : { size });
    const caught = await within(
      putting.then(() => undefined, (error: unknown) => error),
      PATIENCE_MS,
      "a failure",
    );
    const cause = caught instanceof TandemError ? caught.cause : caught;
    assertEquals(cause, error);
    assertEquals(await list(client), []);
  });
}

bothModes("Client.put() cancels a stream of which it took no more", async ({ mode }) => {
  await using both = await openBoth(mode, { write: false, overwrite: false });
  let cancelled = false;
  const stream = new ReadableStream<Uint8Array>({
    pull: (controller) => controller.enqueue(new Uint8Array(1_000)),
    cancel: () => void (cancelled = true),
  });
  await assertFails(both.client.put("a", stream, { size: 5_000_000 }), "denied");
  assertEquals(cancelled, true);
});

bothModes("Client.put() fails with denied when the server is read-only", async ({ mode, readOnly }) => {
  await using both = await openBoth(mode, { write: false, overwrite: false });
  const { client, root } = both;
  Deno.writeTextFileSync(`${root}/a`, "old");
  const { message, hint } = await assertFails(client.put("a", "x"), "denied");
  assertMatch(message, readOnly.message);
  assertMatch(hint ?? "", readOnly.hint);
  assertEquals(Deno.readTextFileSync(`${root}/a`), "old");
  assertEquals(await list(client), ["a"]);
});

bothModes("Client.put() fails when the server has the name, and only lets add", async ({ mode, present }) => {
  await using both = await openBoth(mode, { write: true, overwrite: false });
  const { client, root } = both;
  Deno.writeTextFileSync(`${root}/a`, "old");
  await assertFails(client.put("a", "x"), present);
  await assertFails(client.put("a", new Uint8Array(5_000_000)), present);
  assertEquals(Deno.readTextFileSync(`${root}/a`), "old");
  assertEquals(await list(client), ["a"]);
});

bothModes("Client.put() fails when the server finds no room once it has begun", async ({ mode, noRoom }) => {
  const store = new MemoryStore({ capacityBytes: 100_000 });
  await using both = await openBoth(mode, { store, limits: { minFreeBytes: 0 } });
  const { client } = both;
  for (const size of [100_001, 5_000_000]) {
    await assertFails(client.put("a", new Uint8Array(size)), noRoom);
    assertEquals(await list(client), []);
  }
  await client.put("a", new Uint8Array(100_000));
  assertEquals(await list(client), ["a"]);
});

bothModes("Client.upload() sends the local file as large as it is", async ({ mode, outcome }) => {
  await using both = await openBoth(mode);
  const { client, folder, root } = both;
  Deno.writeTextFileSync(`${folder}/local`, BODY);
  Deno.mkdirSync(`${root}/sub`);
  const result = await client.upload(`${folder}/local`, "sub/remote");
  assertEquals([result.outcome, result.bytes], [outcome, BODY_BYTES.length]);
  assertEquals(Deno.readTextFileSync(`${root}/sub/remote`), BODY);
});

bothModes("Client.upload() follows a link that its user gives", async ({ mode }) => {
  await using both = await openBoth(mode);
  const { client, folder, root } = both;
  Deno.writeTextFileSync(`${folder}/local`, BODY);
  Deno.symlinkSync("local", `${folder}/link`);
  await client.upload(`${folder}/link`, "a");
  assertEquals(Deno.readTextFileSync(`${root}/a`), BODY);
});

Deno.test("Client.upload() fails for a local file that cannot be sent, and sends nothing", async () => {
  await attempt([], async ({ client, folder }) => {
    await assertFails(client.upload(`${folder}/none`, "a"), "local-io");
    await assertFails(client.upload(folder, "a"), "is-directory");
    await assertFails(client.upload("/dev/null", "a"), "local-io");
  });
});

Deno.test("F7 Client sends nothing of a file with one byte over ten digits", async () => {
  await attempt([], async ({ client, folder }) => {
    const size = 10_000_000_000;
    Deno.writeTextFileSync(`${folder}/large`, "");
    Deno.truncateSync(`${folder}/large`, size);
    const { message, hint } = await assertFails(
      client.upload(`${folder}/large`, "a"),
      "unsupported",
    );
    assertStringIncludes(message, "the plain exchange reaches 9999999999");
    assertStringIncludes(hint ?? "", "split the file");
    await assertFails(client.put("a", streamOf("x"), { size }), "unsupported");
  });
});
