/**
 * Tests of operations that overlap in one session with our own server: what one
 * of them comes to is no other one's business.
 *
 * @module
 */

import { assert, assertEquals, assertLess, toBytes, toText } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { openBoth } from "./both_ends.ts";
import { list, streamOf } from "./session.ts";

const COUNT = 200;
const LARGE = new Uint8Array(20_000_000).map((_, i) => i * 31 + (i >> 8) * 7);

/** What is next after something was given up must not take longer than this, in milliseconds. */
const QUICK_MS = 2_000;

function textOf(i: number): string {
  return `${i} `.repeat(i);
}

const NUMBERS = Array.from({ length: COUNT }, (_, i) => i);

/** A body that fails after its first bytes. */
function failing(error: Error): ReadableStream<Uint8Array> {
  return new ReadableStream({
    start: (controller) => controller.enqueue(new Uint8Array(2)),
    pull: (controller) => controller.error(error),
  });
}

Deno.test("TCM-2 Client runs more operations than may be outstanding, each with its own result", async () => {
  await using both = await openBoth("tandem");
  const { client, folder, root } = both;
  const puts = NUMBERS.map((i) => client.put(`p${i}`, textOf(i)));
  await within(Promise.all(puts), PATIENCE_MS, "all puts");
  const gets = NUMBERS.map(async (i) => {
    if (i % 3 === 0) return await toText((await client.get(`p${i}`)).readable);
    if (i % 3 === 1) {
      return await client.download(`p${i}`, `${folder}/p${i}`).then(() => Deno.readTextFile(`${folder}/p${i}`));
    }
    const { size } = await client.stat(`p${i}`);
    assertEquals(size, textOf(i).length);
    return textOf(i);
  });
  const texts = await within(Promise.all(gets), PATIENCE_MS, "all gets");
  for (const i of NUMBERS) {
    assertEquals(texts[i], textOf(i));
    assertEquals(Deno.readTextFileSync(`${root}/p${i}`), textOf(i));
  }
  assertEquals([temporaries(folder), temporaries(root)], [[], []]);
});

Deno.test("Client runs gets, puts and others at the same time, small and large", async () => {
  await using both = await openBoth("tandem");
  const { client, root } = both;
  Deno.writeFileSync(`${root}/large`, LARGE);
  for (const i of NUMBERS) Deno.writeTextFileSync(`${root}/g${i}`, textOf(i));
  const all = NUMBERS.map(async (i) => {
    if (i % 50 === 0) return await client.put(`P${i}`, LARGE.subarray(0, 1_000_000 + i));
    if (i % 50 === 1) return assertBytes(await toBytes((await client.get("large")).readable), LARGE);
    if (i % 5 === 1) return await client.put(`p${i}`, textOf(i), { verify: true });
    if (i % 5 === 2) return assertEquals(await toText((await client.get(`g${i}`)).readable), textOf(i));
    if (i % 5 === 3) return await client.put(`p${i}`, streamOf(textOf(i), "!"));
    return await client.ping();
  });
  await within(Promise.all(all), 3 * PATIENCE_MS, "all of them");
  for (const i of NUMBERS) {
    if (i % 50 === 0) assertBytes(Deno.readFileSync(`${root}/P${i}`), LARGE.subarray(0, 1_000_000 + i));
    else if (i % 50 !== 1 && i % 5 === 1) assertEquals(Deno.readTextFileSync(`${root}/p${i}`), textOf(i));
    else if (i % 5 === 3) assertEquals(Deno.readTextFileSync(`${root}/p${i}`), `${textOf(i)}!`);
  }
  assertEquals(temporaries(root), []);
});

Deno.test("TCM-11 Client goes on with the others when some puts are refused or fail by themselves", async () => {
  const events: string[] = [];
  await using both = await openBoth("tandem", {
    write: true,
    overwrite: false,
    client: { onEvent: (event) => event.event === "file" && events.push(event.path) },
  });
  const { client, root } = both;
  Deno.writeTextFileSync(`${root}/there`, "old");
  const own = new Error("the source's own");
  const expected: Record<string, number> = {};
  const outcomes = await within(
    Promise.all(NUMBERS.map(async (i) => {
      const kinds = [
        ["stored", () => client.put(`p${i}`, textOf(i))],
        ["exists", () => client.put("there", textOf(i))],
        ["exists", () => client.put("there", LARGE.subarray(0, 400_000))],
        ["not-found", () => client.put(`no/such/${i}`, textOf(i))],
        ["changed", () => client.put(`short${i}`, streamOf("a"), { size: 5 })],
        ["internal", () => client.put(`broken${i}`, failing(own), { size: 5 })],
        ["internal", () => client.put(`broken${i}`, failing(own))],
        ["not-found", () => client.get(`none${i}`)],
      ] as const;
      const [wanted, run] = kinds[i % kinds.length] ?? kinds[0];
      expected[wanted] = (expected[wanted] ?? 0) + 1;
      return await run().then(() => "stored", ({ code }) => code as string);
    })),
    2 * PATIENCE_MS,
    "all of them",
  );
  const counted: Record<string, number> = {};
  for (const code of outcomes) counted[code] = (counted[code] ?? 0) + 1;
  assertEquals(counted, expected);
  assertEquals((await list(client)).length, 1 + (expected["stored"] ?? 0));
  assertEquals(events.length, expected["stored"]);
  assertEquals(temporaries(root), []);
});

Deno.test("Client fails with a source's own error while others are under way", async () => {
  await using both = await openBoth("tandem");
  const { client } = both;
  const own = new Error("the source's own");
  for (const size of [undefined, 5, 5_000_000]) {
    const options = size === undefined ? {} : { size };
    const others = [client.put("a", "a"), client.ping(), client.put("b", LARGE.subarray(0, 1_000_000))];
    const settled = Promise.allSettled(others);
    const { cause } = await assertFails(client.put("c", failing(own), options), "internal");
    assertEquals(cause, own);
    const statuses = (await within(settled, PATIENCE_MS, "the others")).map(({ status }) => status);
    assertEquals(statuses, statuses.map(() => "fulfilled"));
  }
  assertEquals(await list(client), ["a", "b"]);
});

const ABORTED = ["download()", "get()", "upload()", "put()", "list()", "hash()"] as const;

for (const what of ABORTED) {
  Deno.test(`TCM-19 Client.${what} is given up at once while it runs, and the next command is quick`, async () => {
    const begun = Promise.withResolvers<void>();
    await using both = await openBoth("tandem", {
      limits: { bytesPerSecond: 4_000_000 },
      client: { onEvent: ({ event }) => event === "progress" && begun.resolve() },
    });
    const { client, folder, root } = both;
    Deno.writeFileSync(`${root}/a`, LARGE);
    Deno.writeFileSync(`${folder}/a`, LARGE);
    const controller = new AbortController();
    const { signal } = controller;
    const running = {
      "download()": () => client.download("a", `${folder}/b`, { signal }),
      "get()": async () => toBytes((await client.get("a", { signal })).readable),
      "upload()": () => client.upload(`${folder}/a`, "b", { signal }),
      "put()": () => client.put("b", LARGE, { signal }),
      "list()": () => Array.fromAsync(client.list("/", { signal })),
      "hash()": () => client.hash("a", { signal }),
    };
    const isTransfer = what !== "list()" && what !== "hash()";
    const failed = assertFails(running[what](), "aborted");
    if (isTransfer) await within(begun.promise, PATIENCE_MS, "the first bytes");
    controller.abort();
    assertLess(await timed(() => failed, PATIENCE_MS, "an abort"), 500);
    const tookMs = await timed(() => client.ping(), PATIENCE_MS, "the next command");
    assertLess(tookMs, QUICK_MS);
    assertEquals((await list(client)).filter((name) => name !== "a"), []);
    assertEquals([temporaries(folder), temporaries(root)], [[], []]);
    assertEquals([...Deno.readDirSync(folder)].length, 1);
  });
}

Deno.test("TCM-19 Client gives up one of many, wherever it stands, and all others get their results", async () => {
  for (const given of [0, 1, 10, 63, 64, 80, 99]) {
    await using both = await openBoth("tandem");
    const { client, root } = both;
    const controller = new AbortController();
    const all = NUMBERS.slice(0, 100).map(async (i) => {
      const options = i === given ? { signal: controller.signal } : {};
      if (i % 2 === 0) return await client.put(`p${i}`, textOf(i), options).then(() => "ok", ({ code }) => code);
      return await client.ping(options).then(() => "ok", ({ code }) => code);
    });
    await Promise.resolve();
    controller.abort();
    const outcomes = await within(Promise.all(all), PATIENCE_MS, "all of them");
    assertEquals(outcomes.filter((code, i) => code !== "ok" && i !== given), []);
    assert(["ok", "aborted"].includes(outcomes[given] ?? ""), outcomes[given]);
    assertEquals(temporaries(root), []);
  }
});

Deno.test("Client can be told to give up everything at once, and goes on", async () => {
  let begun = Promise.withResolvers<void>();
  await using both = await openBoth("tandem", {
    client: { onEvent: ({ event }) => event === "progress" && begun.resolve() },
  });
  const { client, folder, root } = both;
  Deno.writeFileSync(`${root}/large`, LARGE);
  for (let round = 0; round < 3; round++) {
    begun = Promise.withResolvers();
    const controller = new AbortController();
    const { signal } = controller;
    const all = NUMBERS.map((i) =>
      [
        () => client.put(`p${i}`, textOf(i), { signal }),
        () => client.download("large", `${folder}/l${i}`, { signal }),
        () => client.put(`P${i}`, LARGE.subarray(0, 400_000), { signal }),
        async () => toBytes((await client.get("large", { signal })).readable),
        () => client.hash("large", { signal }),
      ][i % 5]?.().then(() => "ok", ({ code }) => code as string)
    );
    await within(begun.promise, PATIENCE_MS, "the first bytes");
    controller.abort();
    const codes = new Set(await within(Promise.all(all), PATIENCE_MS, "all of them"));
    assertEquals([...codes].filter((code) => code !== "ok" && code !== "aborted"), []);
    assertLess(await timed(() => client.ping(), PATIENCE_MS, "the next command"), QUICK_MS);
    assertEquals([temporaries(folder), temporaries(root)], [[], []]);
  }
});

Deno.test("Client.close() ends everything that is under way, and leaves no temporaries", async () => {
  for (const limits of [{}, { bytesPerSecond: 1_000_000 }]) {
    const begun = Promise.withResolvers<void>();
    await using both = await openBoth("tandem", {
      limits,
      client: { onEvent: ({ event }) => event === "progress" && begun.resolve() },
    });
    const { client, folder, root } = both;
    Deno.writeFileSync(`${root}/large`, LARGE);
    const all = NUMBERS.map((i) =>
      [
        () => client.put(`p${i}`, textOf(i)),
        () => client.download("large", `${folder}/l${i}`),
        () => client.put(`P${i}`, LARGE),
        async () => toBytes((await client.get("large")).readable),
        () => list(client),
      ][i % 5]?.().then(() => "ok", ({ code }) => code as string)
    );
    await within(begun.promise, PATIENCE_MS, "the first bytes");
    assertLess(await timed(() => client.close(), PATIENCE_MS, "close()"), 1_500);
    const codes = new Set(await within(Promise.all(all), 1_000, "all of them"));
    assertEquals([...codes].filter((code) => code !== "ok" && code !== "aborted"), []);
    await within(both.server.shutdown(), 2 * PATIENCE_MS, "shutdown()");
    assertEquals([temporaries(folder), temporaries(root)], [[], []]);
  }
});
