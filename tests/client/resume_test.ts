/**
 * Tests of continuing a transfer, with our own server: never on trust, from a
 * part that was kept or from the file that is there.
 *
 * @module
 */

import { keptName } from "../../src/store/temporary.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../deps.ts";
import { serveForTest, temporaries } from "../helpers.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { type BothEnds, openBoth } from "./both_ends.ts";
import { openSession } from "./session.ts";

const SIZE = 3_000_000;
const CONTENT = new Uint8Array(SIZE).map((_, i) => i * 31 + (i >> 8) * 7);
const OTHER = CONTENT.map((byte) => byte ^ 1);
const PART = 1_000_000;

function joined(a: Uint8Array, b: Uint8Array): Uint8Array {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** What is there of a file before it is fetched or sent. */
interface Present {
  readonly part?: Uint8Array;
  readonly file?: Uint8Array;
  /** Whether a download may replace a file: where it continues a part, the file is none of its business. */
  readonly overwrite?: boolean;
}

/** What becomes of it. */
interface Outcome {
  readonly resumedBytes: number;
  readonly startedOver: boolean;
}

const WHOLE: Outcome = { resumedBytes: 0, startedOver: false };
const STARTED_OVER: Outcome = { resumedBytes: 0, startedOver: true };

function resumed(resumedBytes: number): Outcome {
  return { resumedBytes, startedOver: false };
}

/** What is continued wherever it lies, whoever may replace files. */
const CASES: Readonly<Record<string, readonly [Present, Outcome]>> = {
  "nothing is there": [{}, WHOLE],
  "a part was kept": [{ part: CONTENT.subarray(0, PART) }, resumed(PART)],
  "a part of one byte was kept": [{ part: CONTENT.subarray(0, 1) }, resumed(1)],
  "all of it was kept": [{ part: CONTENT }, resumed(SIZE)],
  "an empty part was kept": [{ part: new Uint8Array() }, WHOLE],
  "a part of something else was kept": [{ part: OTHER.subarray(0, PART) }, STARTED_OVER],
  "a part was kept whose last byte is another": [
    { part: Uint8Array.of(...CONTENT.subarray(0, 999), 1 ^ (CONTENT[999] ?? 0)) },
    STARTED_OVER,
  ],
  "more than all of it was kept": [{ part: joined(CONTENT, OTHER) }, STARTED_OVER],
  "the file has its beginning": [{ file: CONTENT.subarray(0, PART) }, resumed(PART)],
  "the file is whole already": [{ file: CONTENT }, resumed(SIZE)],
  "both are there": [
    { part: CONTENT.subarray(0, 2 * PART), file: CONTENT.subarray(0, PART), overwrite: true },
    resumed(2 * PART),
  ],
};

function lay(folder: string, { part, file }: Present): void {
  if (part !== undefined) Deno.writeFileSync(`${folder}/${keptName("a")}`, part, { mode: 0o600 });
  if (file !== undefined) Deno.writeFileSync(`${folder}/a`, file);
}

function outcomeOf({ resumedBytes, startedOver }: Outcome): Outcome {
  return { resumedBytes, startedOver };
}

for (const [what, [present, expected]] of Object.entries(CASES)) {
  for (const verify of [false, true]) {
    const how = verify ? ", verified" : "";
    Deno.test(`TCM-7 Client.download() continues when ${what}${how}`, async () => {
      await using both = await openBoth("tandem");
      const { client, folder, root } = both;
      Deno.writeFileSync(`${root}/a`, CONTENT);
      lay(folder, present);
      const { overwrite = false } = present;
      const result = await client.download("a", `${folder}/a`, { resume: true, verify, overwrite });
      assertEquals(outcomeOf(result), expected);
      assertEquals([result.outcome, result.bytes], ["fetched", SIZE]);
      assertBytes(Deno.readFileSync(`${folder}/a`), CONTENT);
      assertEquals(temporaries(folder), []);
    });
  }

  Deno.test(`TCM-12 Client.upload() continues when ${what}`, async () => {
    await using both = await openBoth("tandem");
    const { client, folder, root } = both;
    Deno.writeFileSync(`${folder}/a`, CONTENT);
    lay(root, present);
    const result = await client.upload(`${folder}/a`, "a", { resume: true, verify: true });
    assertEquals(result.resumedBytes, expected.resumedBytes);
    assertEquals([result.outcome, result.bytes], ["stored", SIZE]);
    assertBytes(Deno.readFileSync(`${root}/a`), CONTENT);
    assertEquals(temporaries(root), []);
  });
}

Deno.test("TCM-12 Client.upload() says that it started over when the server's part was of something else", async () => {
  await using both = await openBoth("tandem");
  const { client, folder, root } = both;
  Deno.writeFileSync(`${folder}/a`, CONTENT);
  lay(root, { part: OTHER.subarray(0, PART) });
  const result = await client.upload(`${folder}/a`, "a", { resume: true });
  assertEquals(outcomeOf(result), STARTED_OVER);
});

Deno.test("Client.download() that resumes keeps a local file that is not the beginning, unless it may replace it", async () => {
  await using both = await openBoth("tandem");
  const { client, folder, root } = both;
  Deno.writeFileSync(`${root}/a`, CONTENT);
  const local = `${folder}/a`;
  for (const file of [OTHER.subarray(0, PART), OTHER, joined(CONTENT, OTHER.subarray(0, 1))]) {
    Deno.writeFileSync(local, file);
    await assertFails(client.download("a", local, { resume: true }), "exists");
    assertBytes(Deno.readFileSync(local), file);
    const result = await client.download("a", local, { resume: true, overwrite: true });
    assertEquals(outcomeOf(result), STARTED_OVER);
    assertBytes(Deno.readFileSync(local), CONTENT);
    assertEquals(temporaries(folder), []);
  }
});

Deno.test("TCM-13 Client.upload() that resumes keeps a file that is not the beginning for those who may only add", async () => {
  await using both = await openBoth("tandem", { write: true, overwrite: false });
  const { client, folder, root } = both;
  Deno.writeFileSync(`${folder}/a`, CONTENT);
  Deno.writeFileSync(`${root}/a`, OTHER.subarray(0, PART));
  await assertFails(client.upload(`${folder}/a`, "a", { resume: true }), "exists");
  assertBytes(Deno.readFileSync(`${root}/a`), OTHER.subarray(0, PART));
  assertEquals(temporaries(root), []);
});

Deno.test("Client.download() that does not resume takes no notice of a part that was kept", async () => {
  await using both = await openBoth("tandem");
  const { client, folder, root } = both;
  Deno.writeFileSync(`${root}/a`, CONTENT);
  lay(folder, { part: CONTENT.subarray(0, PART) });
  assertEquals(outcomeOf(await client.download("a", `${folder}/a`)), WHOLE);
  assertEquals(temporaries(folder), []);
});

/** Fetches slowly from a server that is stopped in the middle. */
async function cutInTheMiddle(run: (both: BothEnds) => Promise<unknown>, both: BothEnds, begun: Promise<void>) {
  const failing = failureOf(run(both));
  await within(begun, PATIENCE_MS, "the first bytes");
  await within(both.server.shutdown(), PATIENCE_MS, "shutdown()");
  return await failing;
}

/** What is cut: larger than all buffers between the two disks. */
const LARGE = new Uint8Array(12_000_000).map((_, i) => i * 31 + (i >> 8) * 7);

/** A session in which something is moved slowly, and the moment at which a part of it is surely on disk, and not all. */
async function openSlowly(): Promise<BothEnds & { readonly begun: Promise<void> }> {
  const begun = Promise.withResolvers<void>();
  const both = await openBoth("tandem", {
    limits: { bytesPerSecond: 20_000_000, orphanGraceMs: 50, shutdownGraceMs: 0 },
    client: { onEvent: (event) => event.event === "progress" && event.bytes > 9_000_000 && begun.resolve() },
  });
  return Object.assign(both, { begun: begun.promise });
}

Deno.test("Client.download() keeps a part when the server goes away, and the next one continues it", async () => {
  await using both = await openSlowly();
  const { folder, root } = both;
  Deno.writeFileSync(`${root}/a`, LARGE);
  const failure = await cutInTheMiddle(({ client }) => client.download("a", `${folder}/a`), both, both.begun);
  assertEquals(failure.code, "disconnected");
  assertEquals(temporaries(folder), [keptName("a")]);
  assertEquals([...Deno.readDirSync(folder)].length, 1);
  const { size } = Deno.statSync(`${folder}/${keptName("a")}`);
  assert(size > 0 && size < LARGE.length, `${size} bytes`);
  await using server = serveForTest(root);
  await using next = await openSession(server.addr.port);
  const result = await next.client.download("a", `${folder}/a`, { resume: true });
  assertEquals(result.resumedBytes, size);
  assertBytes(Deno.readFileSync(`${folder}/a`), LARGE);
  assertEquals(temporaries(folder), []);
});

Deno.test("TCM-12 Client.upload() continues at a server that was stopped and started again", async () => {
  await using both = await openSlowly();
  const { folder, root } = both;
  Deno.writeFileSync(`${folder}/a`, LARGE);
  await cutInTheMiddle(({ client }) => client.upload(`${folder}/a`, "a"), both, both.begun);
  assertEquals([...Deno.readDirSync(root)].map(({ name }) => name), [keptName("a")]);
  await using server = serveForTest(root);
  await using next = await openSession(server.addr.port);
  const { resumedBytes } = await next.client.upload(`${folder}/a`, "a", { resume: true });
  assertGreater(resumedBytes, 0);
  assertLess(resumedBytes, LARGE.length);
  assertBytes(Deno.readFileSync(`${root}/a`), LARGE);
  assertEquals(temporaries(root), []);
});

Deno.test("Client keeps no part of a transfer that was aborted, on either side", async () => {
  for (const direction of ["download", "upload"] as const) {
    const controller = new AbortController();
    await using both = await openBoth("tandem", {
      limits: { bytesPerSecond: 4_000_000 },
      client: { onEvent: (event) => event.event === "progress" && event.bytes > PART && controller.abort() },
    });
    const { client, folder, root } = both;
    Deno.writeFileSync(`${root}/a`, CONTENT);
    Deno.writeFileSync(`${folder}/b`, CONTENT);
    const { signal } = controller;
    const running = direction === "download"
      ? client.download("a", `${folder}/a`, { signal })
      : client.upload(`${folder}/b`, "b", { signal });
    await assertFails(running, "aborted");
    await within(client.ping(), PATIENCE_MS, "ping()");
    assertEquals([temporaries(folder), temporaries(root)], [[], []]);
    assertEquals([...Deno.readDirSync(root)].length, 1);
  }
});

const CHANGES: Readonly<Record<string, (path: string) => void>> = {
  "gets other bytes": (path) => Deno.writeFileSync(path, OTHER),
  "is cut short": (path) => Deno.truncateSync(path, SIZE - 1),
  "grows": (path) => Deno.writeFileSync(path, OTHER, { append: true }),
};

for (const [what, change] of Object.entries(CHANGES)) {
  Deno.test(`TCM-8 Client.download() fails with changed and keeps nothing when the file ${what} meanwhile`, async () => {
    const begun = Promise.withResolvers<void>();
    await using both = await openBoth("tandem", {
      limits: { bytesPerSecond: 10_000_000 },
      client: { onEvent: ({ event }) => event === "progress" && begun.resolve() },
    });
    const { client, folder, root } = both;
    Deno.writeFileSync(`${root}/a`, CONTENT);
    const failing = assertFails(client.download("a", `${folder}/a`), "changed");
    await within(begun.promise, PATIENCE_MS, "the first bytes");
    change(`${root}/a`);
    await failing;
    assertEquals([...Deno.readDirSync(folder)], []);
    await within(client.ping(), PATIENCE_MS, "ping()");
  });
}
