/**
 * Safety rows Q1 to Q4 and X5 in the tandem exchange: many at once on one name,
 * two servers on one folder, and a store that fails or hangs.
 *
 * @module
 */

import { MemoryStore, type RemotePath, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../deps.ts";
import { serveForTest, temporaries } from "../helpers.ts";
import { begun, eventually, repeatUntil, within } from "./deadline.ts";
import { HookedStore, type Step, STEPS, TANDEM_STEPS } from "./hooked_store.ts";
import { joined, toWire } from "./raw_client.ts";
import { framed, type Json, object, RawTandem, upload } from "./raw_tandem.ts";
import { SOAK, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

const WRITERS = 32;
const ROUNDS = SOAK ? 100 : 6;
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

async function openAll(bed: TestBed, stack: DisposableStack, count: number): Promise<RawTandem[]> {
  const sessions: RawTandem[] = [];
  while (sessions.length < count) sessions.push(stack.use(await RawTandem.open(bed.server)));
  return sessions;
}

for (const parameters of [{ size: SIZE }, {}, { ready: true, resume: true }] as const) {
  const shown = JSON.stringify(parameters);
  for (const overwrite of [false, true]) {
    const what = overwrite ? "that may replace, one stands whole" : "exactly one wins, whole";
    Deno.test(`Q1 of ${WRITERS} puts of one name at once ${what}, with ${shown}`, { ignore: WINDOWS }, async () => {
      await using bed = testBed({ write: true, overwrite });
      await bed.survives(async () => {
        using stack = new DisposableStack();
        const sessions = await openAll(bed, stack, WRITERS);
        for (let round = 0; round < ROUNDS; round++) {
          const outcomes = await Promise.all(sessions.map(async (session, writer) => {
            await session.send("put a.bin", parameters);
            if ("ready" in parameters) {
              const answer = await session.answer();
              if ("code" in answer) return answer.code;
              await session.data.send(object({ offset: 0 }));
            }
            await session.data.send(upload(version(writer), 7_000));
            return await session.stored(version(writer));
          }));
          const winner = writerOf(Deno.readFileSync(`${bed.root}/a.bin`));
          if (overwrite) assertEquals(outcomes, Array(WRITERS).fill("stored"));
          else assertEquals(outcomes, outcomes.map((_, writer) => writer === winner ? "stored" : "exists"));
          assertEquals([...Deno.readDirSync(bed.root)].length, 1);
          Deno.removeSync(`${bed.root}/a.bin`);
        }
      });
    });
  }
}

Deno.test(
  "Q2 gets of a name that is put again and again are each one version, whole",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    bed.write("a.bin", version(0));
    await bed.survives(async () => {
      using stack = new DisposableStack();
      const readers = await openAll(bed, stack, 16);
      using writer = await RawTandem.open(bed.server);
      const seen = new Set<number>();
      const writing = (async () => {
        for (let i = 1; i <= 30; i++) assertEquals(await writer.put("a.bin", version(i), { size: SIZE }), "stored");
      })();
      await Promise.all(readers.map((session) =>
        repeatUntil(writing, async () => {
          const content = await session.get("a.bin");
          assert(typeof content !== "string", `${content}`);
          seen.add(writerOf(content));
        })
      ));
      assertGreater(seen.size, 3);
    });
  },
);

Deno.test("Q3 a second server on the folder sweeps neither what the first one is writing nor what is kept", async () => {
  await using bed = testBed();
  const content = new Uint8Array(4 << 20).fill(7);
  const most = framed(content.subarray(0, 3 << 20));
  await bed.survives(async () => {
    {
      using lost = await RawTandem.open(bed.server);
      await lost.send("put kept.bin", { size: content.length });
      await lost.data.send(most);
      await eventually("the put has begun", () => temporaries(bed.root).length === 1);
      lost.close();
      await bed.log.sessionClosed(lost);
    }
    using session = await RawTandem.open(bed.server);
    await session.send("put a.bin", { size: content.length });
    await session.data.send(most);
    await eventually("both are there", () => temporaries(bed.root).length === 2);
    const leftover = `.tandem-${"0".repeat(32)}.part`;
    bed.write(leftover, "left over");
    await using second = serveForTest(bed.root);
    await eventually("the leftover is swept", () => bed.read(leftover) === undefined);
    await within("the end", second.shutdown());
    assertEquals(temporaries(bed.root).length, 2);
    await session.data.send(object({ code: "aborted", message: "enough" }, "-"));
    assert("code" in await session.answer());
    // What is kept is gone on with, and then there is nothing left.
    await session.send("put kept.bin", { size: content.length, ready: true, resume: true });
    assertGreater(Number((await session.object())["offset"]), 0);
    await session.data.send(joined(object({ offset: 0 }), upload(content)));
    assertEquals(await session.stored(content), "stored");
    assertEquals(temporaries(bed.root), []);
  });
});

/** What does each step, and what it takes besides. */
const COMMANDS: { readonly [S in Step]: readonly [string, Json?] } = {
  "list": ["ls bad"],
  "stat": ["stat bad/a.txt"],
  "open": ["get bad/a.txt"],
  "read": ["get bad/a.txt"],
  "unchanged": ["get bad/a.txt"],
  "close-file": ["hash bad/a.txt"],
  "space": ["put bad/b.txt"],
  "create": ["put bad/b.txt"],
  "write": ["put bad/b.txt"],
  "commit": ["put bad/b.txt"],
  "close-landing": ["put bad/b.txt"],
  "read-kept": ["put bad/a.txt", { ready: true, resume: true }],
  "restart": ["put bad/a.txt", { ready: true, resume: true }],
  "make-folder": ["mkdir bad/c"],
  "remove": ["rm bad/d.txt"],
  "rename": ["mv bad/e.txt", { to: "bad/f.txt" }],
};

function filledStore(): MemoryStore {
  const store = new MemoryStore();
  for (const name of ["bad/a.txt", "bad/d.txt", "bad/e.txt", "good/a.txt"]) {
    store.addFile(name as RemotePath, toWire(name));
  }
  return store;
}

/** Sends a command and all that it takes to get to its end; returns the code or `ok`. */
async function provoke(session: RawTandem, step: Step): Promise<string> {
  const [line, parameters = {}] = COMMANDS[step];
  await session.send(line, parameters);
  if (line.startsWith("ls")) {
    const entries = await session.entries();
    return typeof entries === "string" ? entries : "ok";
  }
  if (line.startsWith("get")) {
    const content = await session.file();
    return typeof content === "string" ? content : "ok";
  }
  if (line.startsWith("put")) {
    if (parameters["ready"] === true) {
      const ready = await session.answer();
      if ("code" in ready) return ready.code;
      await session.data.send(object({ offset: 0 }));
    }
    await session.data.send(upload("new"));
  }
  const answer = await session.answer();
  return "code" in answer ? answer.code : "ok";
}

async function assertServed(session: RawTandem, name: string): Promise<void> {
  assertEquals(await session.get("good/a.txt"), toWire("good/a.txt"));
  assertEquals(await session.put(`good/${name}`, "x"), "stored");
  assertEquals(await session.get(`good/${name}`), toWire("x"));
}

const ALL_STEPS: readonly Step[] = [...STEPS, ...TANDEM_STEPS];

const FAILURES: readonly (readonly [string, () => unknown, string])[] = [
  ["a TandemError", () => new TandemError("no-space", "not today"), "no-space"],
  ["an error of the disk", () => new TandemError("local-io", "EIO at /srv/secret"), "internal"],
  ["a bug", () => new TypeError("a bug at /srv/secret"), "internal"],
  ["no error at all", () => "a string", "internal"],
];

for (const [kind, failure, code] of FAILURES) {
  Deno.test(`Q4 X5 a store that throws ${kind} at any step ends that command with ${code}, and the session and the others go on`, async () => {
    let failing: Step | undefined;
    const store = new HookedStore(filledStore(), (step, path) => {
      if (step === failing && (path.startsWith("bad") || path === "")) throw failure();
    });
    await using bed = testBed({ store });
    using session = await RawTandem.open(bed.server);
    using other = await RawTandem.open(bed.server);
    for (const step of ALL_STEPS) {
      failing = step;
      const outcome = await provoke(session, step);
      failing = undefined;
      // What was answered already cannot be taken back: then the log tells.
      if (!["close-file", "close-landing"].includes(step)) assertEquals(outcome, code, step);
      await assertServed(session, `${step}.txt`);
      await assertServed(other, `${step}.txt`);
    }
    if (code === "internal") assertGreater(bed.log.untaken.length, 0);
  });
}

Deno.test("X5 no put whose commit fails is called stored, and the old file stays", async () => {
  let fails = true;
  const inner = filledStore();
  const store = new HookedStore(inner, (step) => {
    if (step === "commit" && fails) throw new TandemError("local-io", "EIO");
  });
  await using bed = testBed({ store });
  using session = await RawTandem.open(bed.server);
  assertEquals(await session.put("bad/a.txt", "new"), "internal");
  assertEquals(await session.get("bad/a.txt"), toWire("bad/a.txt"));
  fails = false;
  assertEquals(await session.put("bad/a.txt", "new"), "stored");
  assertEquals(await session.get("bad/a.txt"), toWire("new"));
});

Deno.test("Q4 a store that hangs at any step holds up nobody else", async () => {
  let hanging: Step | undefined;
  let gate = Promise.withResolvers<void>();
  let reached = Promise.withResolvers<void>();
  const store = new HookedStore(filledStore(), async (step, path) => {
    if (step !== hanging || !(path.startsWith("bad") || path === "")) return;
    hanging = undefined;
    reached.resolve();
    await gate.promise;
  });
  await using bed = testBed({ store });
  using session = await RawTandem.open(bed.server);
  using other = await RawTandem.open(bed.server);
  for (const step of ALL_STEPS) {
    gate = Promise.withResolvers();
    reached = Promise.withResolvers();
    hanging = step;
    const held = begun(provoke(session, step));
    try {
      await within(step, reached.promise);
      const startedMs = performance.now();
      await assertServed(other, `${step}.txt`);
      assertLess(performance.now() - startedMs, 1_000, step);
    } finally {
      gate.resolve();
    }
    assertEquals(await held, "ok", step);
  }
});
