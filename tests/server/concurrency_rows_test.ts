/**
 * Safety rows Q1 to Q4 on the server's side: many at once on one name, two
 * servers on one folder, and one session whose files fail or hang.
 *
 * @module
 */

import { type FileStore, MemoryStore, type RemotePath, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess, assertNotEquals } from "../deps.ts";
import { serveForTest, temporaries } from "../helpers.ts";
import { begun, eventually, repeatUntil, within } from "./deadline.ts";
import { EventLog } from "./event_log.ts";
import { HookedStore, type Step, STEPS } from "./hooked_store.ts";
import { header, message, type PutOutcome, type RawClient, type RawConnection, toWire } from "./raw_client.ts";
import { SOAK, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

const WRITERS = 32;
const ROUNDS = SOAK ? 100 : 10;
const SIZE = 70_000;

/** The whole content of one writer's file. */
function version(writer: number): Uint8Array {
  return new Uint8Array(SIZE).fill(writer + 1);
}

/** Which writer's content a file has, whole. */
function writerOf(content: Uint8Array): number {
  assertEquals(content.length, SIZE);
  const writer = (content[0] ?? 0) - 1;
  assertEquals(content, version(writer), "mixed");
  return writer;
}

/** Lets every client put the same name at once, with all data connections open before the first byte is sent. */
async function putAtOnce(clients: readonly RawClient[]): Promise<PutOutcome[]> {
  const uploads = await Promise.all(
    clients.map((client) => client.ask("put a.bin")),
  );
  return await Promise.all(uploads.map(async (data, writer) => {
    using _data: RawConnection = data;
    await data.send(message(version(writer)));
    await data.closeWrite();
    return await data.endOfPut();
  }));
}

async function connectAll(
  bed: TestBed,
  stack: DisposableStack,
  count: number,
): Promise<RawClient[]> {
  const clients: RawClient[] = [];
  while (clients.length < count) clients.push(stack.use(await bed.connect()));
  return clients;
}

Deno.test(`Q1 of ${WRITERS} puts of one new name at once exactly one wins, whole, in ${ROUNDS} rounds`, async () => {
  await using bed = testBed({
    write: true,
    overwrite: false,
  });
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const clients = await connectAll(bed, stack, WRITERS);
    for (let round = 0; round < ROUNDS; round++) {
      const ends = await putAtOnce(clients);
      const winners: number[] = [];
      for (const [writer, client] of clients.entries()) {
        const { outcome } = await bed.log.commandOf(client);
        assertEquals(ends[writer], outcome === "ok" ? "closed" : "told");
        if (outcome === "ok") winners.push(writer);
        else assertEquals(outcome, "exists");
      }
      const content = Deno.readFileSync(`${bed.root}/a.bin`);
      assertEquals(winners, [writerOf(content)]);
      // Whoever comes later is told at once.
      assertEquals(await clients[0]?.put("a.bin", "x"), "refused");
      Deno.removeSync(`${bed.root}/a.bin`);
      bed.log.clear();
    }
  });
});

Deno.test(`Q1 of ${WRITERS} puts of one name at once that may replace, one stands whole, in ${ROUNDS} rounds`, {
  ignore: WINDOWS,
}, async () => {
  await using bed = testBed({ overwrite: true });
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const clients = await connectAll(bed, stack, WRITERS);
    bed.write("a.bin", version(0));
    for (let round = 0; round < ROUNDS; round++) {
      // Whoever looks meanwhile sees one whole one, too.
      await repeatUntil(putAtOnce(clients), async () => {
        writerOf(await Deno.readFile(`${bed.root}/a.bin`));
      });
      for (const client of clients) {
        assertEquals((await bed.log.commandOf(client)).outcome, "ok");
      }
      writerOf(Deno.readFileSync(`${bed.root}/a.bin`));
      assertEquals([...Deno.readDirSync(bed.root)].length, 1);
    }
  });
});

Deno.test(
  "Q2 gets of a name that is put again and again are each one version, whole",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    bed.write("a.bin", version(0));
    await bed.survives(async () => {
      using stack = new DisposableStack();
      const readers = await connectAll(bed, stack, 32);
      using writer = await bed.connect();
      const seen = new Set<number>();
      const writing = (async () => {
        for (let i = 1; i <= 30; i++) {
          assertEquals(await writer.put("a.bin", version(i)), "closed");
        }
      })();
      await Promise.all(readers.map((client) =>
        repeatUntil(writing, async () => {
          const content = await client.get("a.bin");
          assert(content !== undefined, "the name was gone for a moment");
          seen.add(writerOf(content));
        })
      ));
      assertGreater(seen.size, 3);
    });
  },
);

Deno.test("Q3 a second server on the folder does not sweep what the first one is writing", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using client = await bed.connect();
    using data = await client.ask("put a.txt");
    await data.send(`${header(7)}con`);
    assertEquals(temporaries(bed.root).length, 1);
    // What nobody writes is swept by the second one: then it has looked at all.
    const leftover = `.tandem-${"0".repeat(32)}.part`;
    bed.write(leftover, "left over");
    const log = new EventLog();
    await using second = serveForTest(bed.root, { onEvent: log.record });
    await eventually(
      "the leftover is swept",
      () => bed.read(leftover) === undefined,
    );
    await within("the end", second.shutdown());
    assertEquals(log.internalErrors(), []);
    assertEquals(temporaries(bed.root).length, 1);
    await data.send("tent");
    await data.closeWrite();
    await data.assertEnds();
    assertEquals(bed.read("a.txt"), "content");
  });
});

/** What does each step of a store, and what becomes of it when the step fails. */
const COMMANDS: { readonly [S in typeof STEPS[number]]: string } = {
  "list": "ls bad",
  "open": "get bad/a.txt",
  "read": "get bad/a.txt",
  "close-file": "get bad/a.txt",
  "space": "put bad/b.txt",
  "create": "put bad/b.txt",
  "write": "put bad/b.txt",
  "commit": "put bad/b.txt",
  "close-landing": "put bad/b.txt",
};

function filledStore(): MemoryStore {
  const store = new MemoryStore();
  // In place of parsing: these are paths.
  const path = (text: string) => text as RemotePath;
  store.addFile(path("bad/a.txt"), toWire("bad"));
  store.addFile(path("good/a.txt"), toWire("good"));
  return store;
}

/** Sends a command and whatever it takes to get to its end. */
async function provoke(client: RawClient, command: string): Promise<void> {
  if (command.startsWith("put")) {
    await client.putBy(command, "bad");
  } else {
    using data = await client.ask(command);
    await data.readToEnd();
  }
}

/** Checks that a session goes on, on another folder. */
async function assertServed(client: RawClient, name: string): Promise<void> {
  assertEquals(await client.get("good/a.txt"), toWire("good"));
  assertEquals(await client.put(`good/${name}`, "x"), "closed");
  assert((await client.list("good"))?.includes(name));
}

/** A failure of each kind that a store of somebody else's may have. */
const FAILURES: readonly (readonly [string, () => unknown])[] = [
  ["a TandemError", () => new TandemError("denied", "not today")],
  ["a bug", () => new TypeError("a bug in the store")],
  ["no error at all", () => "a string"],
];

for (const [kind, failure] of FAILURES) {
  Deno.test(`Q4 a store that throws ${kind} at any step ends that command, and the session and the others go on`, async () => {
    let failing: Step | undefined;
    const store = new HookedStore(filledStore(), (step, path) => {
      const hit = step === failing && (path.startsWith("bad") || path === "");
      if (hit) throw failure();
    });
    await using bed = testBed({ store });
    using client = await bed.connect();
    using other = await bed.connect();
    for (const step of STEPS) {
      failing = step;
      await provoke(client, COMMANDS[step]);
      const { outcome } = await bed.log.commandOf(client);
      assertNotEquals(outcome, "ok", step);
      failing = undefined;
      await assertServed(client, `${step}.txt`);
      await assertServed(other, `${step}.txt`);
      bed.log.clear();
    }
  });
}

Deno.test("Q4 a store that hangs at any step holds up nobody else", async () => {
  const bad: FileStore = filledStore();
  let hanging: Step | undefined;
  let gate = Promise.withResolvers<void>();
  let reached = Promise.withResolvers<void>();
  const store = new HookedStore(bad, async (step, path) => {
    const hit = step === hanging && (path.startsWith("bad") || path === "");
    if (!hit) return;
    hanging = undefined;
    reached.resolve();
    await gate.promise;
  });
  await using bed = testBed({ store });
  using client = await bed.connect();
  using other = await bed.connect();
  for (const step of STEPS) {
    gate = Promise.withResolvers();
    reached = Promise.withResolvers();
    hanging = step;
    const held = begun(provoke(client, COMMANDS[step]));
    try {
      await within(step, reached.promise);
      const startedMs = performance.now();
      await assertServed(other, `${step}.txt`);
      assertLess(performance.now() - startedMs, 1_000, step);
    } finally {
      gate.resolve();
    }
    await held;
    assertEquals((await bed.log.commandOf(client)).outcome, "ok", step);
  }
});
