/**
 * Safety rows F1 to F9 in the tandem exchange: what is no regular file, and
 * regular ones that change while they are read, are empty, or exist already.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertGreater, assertLess, fail } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { eventually, pause } from "./deadline.ts";
import { toWire } from "./raw_client.ts";
import { type Json, object, RawTandem, upload } from "./raw_tandem.ts";
import { makeFifo, makeSocket } from "./special_files.ts";
import { LINUX, pattern, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

Deno.test({
  name: "F1 F3 a FIFO, a socket and a link are refused by every command in under 100 ms, and left alone",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    using _fifo = await makeFifo(bed.root, "fifo");
    using _socket = makeSocket(`${bed.root}/socket`);
    Deno.symlinkSync(`${bed.outside}/secret.txt`, `${bed.root}/link`);
    bed.write("mine", "mine");
    const names = ["fifo", "socket", "link"];
    const identities = () => names.map((name) => Deno.lstatSync(`${bed.root}/${name}`).ino);
    await bed.survives(async () => {
      const before = identities();
      using session = await RawTandem.open(bed.server);
      for (const name of names) {
        const commands: readonly (readonly [string, Json, string])[] = [
          [`get ${name}`, {}, "denied"],
          [`hash ${name}`, {}, "denied"],
          [`stat ${name}`, {}, "denied"],
          [`rm ${name}`, {}, "denied"],
          [`rm ${name}`, { recursive: true }, "denied"],
          [`mv ${name}`, { to: "x" }, "denied"],
          [`mv ${name}`, { to: "x", onExist: "overwrite" }, "denied"],
          ["mv mine", { to: name, onExist: "overwrite" }, "exists"],
          [`mkdir ${name}`, { recursive: true }, "exists"],
          [`put ${name}`, { ready: true, onExist: "overwrite" }, "denied"],
          [`put ${name}`, { ready: true, resume: true }, "denied"],
        ];
        for (const [line, parameters, code] of commands) {
          let quickestMs = Infinity;
          for (let i = 0; i < 2; i++) {
            const startedMs = performance.now();
            assertEquals(await session.outcome(line, parameters), code, `${line} ${JSON.stringify(parameters)}`);
            quickestMs = Math.min(quickestMs, performance.now() - startedMs);
          }
          assertLess(quickestMs, 100, line);
        }
        assertEquals(await session.put(name, "x"), "denied");
      }
      assertEquals(identities(), before);
      assertEquals(await session.names(), ["mine"]);
      assertEquals([...Deno.readDirSync(bed.outside)].length, 1);
    });
  },
});

Deno.test({
  name: "F1 64 pipelined gets of a FIFO leave the others served",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    using _fifo = await makeFifo(bed.root, "fifo");
    bed.write("a.txt", "content");
    await bed.survives(async () => {
      using stack = new DisposableStack();
      const sessions: RawTandem[] = [];
      for (let i = 0; i < 8; i++) sessions.push(stack.use(await RawTandem.open(bed.server)));
      for (const session of sessions) {
        for (let i = 0; i < 64; i++) await session.send("get fifo");
      }
      using honest = await RawTandem.open(bed.server);
      const startedMs = performance.now();
      assertEquals(await honest.get("a.txt"), toWire("content"));
      assertLess(performance.now() - startedMs, 1_000);
      for (const session of sessions) {
        for (let i = 0; i < 64; i++) assertEquals(await session.answer(), { code: "denied", workingSigns: 0 });
      }
    });
  },
});

/** More than the system keeps for a connection, so that a server cannot send it all before it is read. */
const BIG_BYTES = 16 << 20;

/** A `get` that stands still after its first message, with most of the file unsent. */
async function haltedGet(bed: TestBed, session: RawTandem, content: Uint8Array): Promise<void> {
  bed.write("big.bin", content);
  await session.send("get big.bin");
  const info = await session.object();
  assertEquals([info["size"], info["offset"], info["length"]], [BIG_BYTES, 0, BIG_BYTES]);
}

/** Ways to change a file while it is sent, after which nobody may take what came for the file. */
const CHANGES: readonly (readonly [string, (path: string) => void])[] = [
  ["F4 shrinks to half", (path) => Deno.truncateSync(path, BIG_BYTES / 2)],
  ["F4 shrinks to nothing", (path) => Deno.truncateSync(path, 0)],
  ["F5 grows", (path) => Deno.writeFileSync(path, pattern(1 << 20, 3), { append: true })],
  ["F5 is rewritten with as many bytes", (path) => {
    using file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array(BIG_BYTES));
  }],
  ["F5 is rewritten at its beginning", (path) => {
    using file = Deno.openSync(path, { write: true });
    file.writeSync(new Uint8Array(10));
  }],
];

for (const [what, change] of CHANGES) {
  const [row = "", ...words] = what.split(" ");
  Deno.test(`${row} a file that ${words.join(" ")} during a get is told as changed, and the session lives`, {
    ignore: WINDOWS,
  }, async () => {
    await using bed = testBed();
    bed.write("a.txt", "content");
    await bed.survives(async () => {
      using session = await RawTandem.open(bed.server);
      await haltedGet(bed, session, pattern(BIG_BYTES));
      change(`${bed.root}/big.bin`);
      const { code } = await session.checkedBody();
      assertEquals(code, "changed");
      await bed.log.command("ping");
      assertEquals((await bed.log.commandOf(session)).outcome, "changed");
      assertEquals(await session.get("a.txt"), toWire("content"));
    });
  });
}

Deno.test("F6 of a file that is replaced or deleted during a get, the old content comes whole", {
  ignore: WINDOWS,
}, async () => {
  await using bed = testBed();
  const content = pattern(BIG_BYTES);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    using other = await RawTandem.open(bed.server);
    await haltedGet(bed, session, content);
    assertEquals(await other.put("big.bin", "replaced"), "stored");
    assertEquals(await session.checkedBody(), { content, code: undefined });
    assertEquals(await other.get("big.bin"), toWire("replaced"));

    await haltedGet(bed, session, content);
    assertEquals(await other.outcome("rm big.bin"), "ok");
    assertEquals(await session.checkedBody(), { content, code: undefined });

    await haltedGet(bed, session, content);
    assertEquals(await other.outcome("mv big.bin", { to: "moved.bin" }), "ok");
    assertEquals(await session.checkedBody(), { content, code: undefined });
    assertEquals(await session.get("big.bin"), "not-found");
  });
});

Deno.test("F5 a get with ifUnchanged is refused once the file is another, and a hash of one that changes too", async () => {
  await using bed = testBed();
  bed.write("a.txt", "one");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("get a.txt");
    const { version } = await session.object();
    assertEquals((await session.checkedBody()).content, toWire("one"));
    assertEquals(await session.get("a.txt", { ifUnchanged: version }), toWire("one"));
    assertEquals(await session.get("a.txt", { ifUnchanged: version, offset: 1 }), toWire("ne"));
    for (const content of ["two", "longer"]) {
      assertEquals(await session.put("a.txt", content), "stored");
      assertEquals(await session.get("a.txt", { ifUnchanged: version }), "changed");
    }
  });
});

Deno.test("F7 files of 0, 1, 65,535, 65,536 and 65,537 bytes and more go both ways exactly", async () => {
  await using bed = testBed();
  const sizes = [
    0,
    1,
    9,
    10,
    11,
    16_374,
    16_384,
    65_535,
    65_536,
    65_537,
    131_062,
    262_134,
    262_144,
    1 << 20,
    3_000_001,
  ];
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const size of sizes) {
      const content = pattern(size, size);
      for (const parameters of [{}, { size }]) {
        assertEquals(await session.put("a.bin", content, parameters), "stored");
        assertEquals(Buffer.compare(Deno.readFileSync(`${bed.root}/a.bin`), content), 0, `${size}`);
      }
      const came = await session.get("a.bin");
      assert(typeof came !== "string");
      assertEquals(Buffer.compare(came, content), 0, `${size}`);
    }
  });
});

Deno.test("F7 a file of more than ten digits is sent, from any offset", { ignore: WINDOWS }, async () => {
  await using bed = testBed();
  const size = 10_000_000_000;
  bed.write("huge.bin", "x");
  Deno.truncateSync(`${bed.root}/huge.bin`, size);
  {
    using file = Deno.openSync(`${bed.root}/huge.bin`, { write: true });
    file.seekSync(size - 3, Deno.SeekMode.Start);
    file.writeSync(toWire("end"));
  }
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    assertEquals(await session.get("huge.bin", { offset: size - 3 }), toWire("end"));
    assertEquals(await session.get("huge.bin", { offset: size - 3, length: 1 }), toWire("e"));
    assertEquals(await session.get("huge.bin", { offset: size }), new Uint8Array());
    assertEquals(await session.get("huge.bin", { offset: size + 1 }), "bad-request");
    assertEquals(await session.get("huge.bin", { offset: 0, length: 3 }), toWire("x\0\0"));
    const entry = await session.ask("stat huge.bin");
    assert("object" in entry && entry.object["size"] === size);
  });
});

Deno.test("F8 an upload is never seen under its name before it is whole, nor is its temporary file", async () => {
  await using bed = testBed();
  const content = pattern(60_000);
  for (const size of [60_000, undefined]) {
    await bed.survives(async () => {
      using session = await RawTandem.open(bed.server);
      using watcher = await RawTandem.open(bed.server);
      await session.send("put slow.bin", size === undefined ? {} : { size });
      let looks = 0;
      await session.data.sendPieces(upload(content, 3_000), 4_000, async () => {
        looks++;
        if (looks >= 14) return;
        assertEquals(await watcher.names(), []);
        assertEquals(await watcher.get("slow.bin"), "not-found");
        assertEquals(await watcher.outcome("stat slow.bin"), "not-found");
        await pause(1);
      });
      assertEquals(await session.stored(content), "stored");
      assertGreater(looks, 10);
      assertEquals(await watcher.names(), ["slow.bin"]);
      assertEquals(await watcher.outcome("rm slow.bin"), "ok");
    });
  }
});

Deno.test("F9 a put of a name that exists does what onExist says", async () => {
  await using bed = testBed();
  const then = Date.UTC(2020, 0, 1);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const cases: readonly (readonly [Json, string])[] = [
      [{}, "stored"],
      [{ onExist: "overwrite" }, "stored"],
      [{ onExist: "error" }, "exists"],
      [{ onExist: "newer", mtime: then + 1 }, "stored"],
      [{ onExist: "newer", mtime: then }, "exists"],
      [{ onExist: "newer", mtime: then - 1 }, "exists"],
    ];
    for (const [parameters, outcome] of cases) {
      const shown = JSON.stringify(parameters);
      assertEquals(await session.put("a.txt", "old", { mtime: then }), "stored");
      assertEquals(await session.put("a.txt", "new", parameters), outcome, shown);
      assertEquals(bed.read("a.txt"), outcome === "stored" ? "new" : "old", shown);
      assertEquals(await session.put("fresh.txt", "new", parameters), "stored", shown);
      assertEquals(await session.outcome("rm fresh.txt"), "ok");
    }
  });
});

for (const extra of [{}, { ready: true }, { ready: true, resume: true }]) {
  const shown = JSON.stringify(extra);
  Deno.test(`F9 a name that appears during a put with onExist error is not replaced, with ${shown}`, async () => {
    await using bed = testBed();
    await bed.survives(async () => {
      using session = await RawTandem.open(bed.server);
      await session.send("put a.txt", { onExist: "error", ...extra });
      if ("ready" in extra) {
        assertEquals(await session.object(), { offset: 0 });
        await session.data.send(object({ offset: 0 }));
      }
      const bytes = upload("new");
      await session.data.send(bytes.subarray(0, 5));
      // Once its temporary file is there, the put has found the name free.
      await eventually("the put has begun", () => temporaries(bed.root).length === 1);
      bed.write("a.txt", "old");
      await session.data.send(bytes.subarray(5));
      assertEquals(await session.answer(), { code: "exists", workingSigns: 0 });
      assertEquals(bed.read("a.txt"), "old");
    });
  });
}

Deno.test(
  "F9 a file that is replaced is old or new and whole in each of 1,000 reads",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    const size = 300_000;
    const versions = Array.from({ length: 8 }, (_, n) => new Uint8Array(size).fill(n));
    const version = (n: number) => versions[n] ?? fail(`there is no ${n}`);
    Deno.writeFileSync(`${bed.root}/a.bin`, version(0));
    await bed.survives(async () => {
      let reads = 0;
      const seen = new Set<number>();
      const reader = async () => {
        while (reads < 1_000) {
          reads++;
          const bytes = await Deno.readFile(`${bed.root}/a.bin`);
          const first = bytes[0] ?? 0;
          assertEquals(Buffer.compare(bytes, version(first)), 0, "mixed");
          seen.add(first);
        }
      };
      using session = await RawTandem.open(bed.server);
      const writing = (async () => {
        for (let n = 1; reads < 1_000; n = n % 7 + 1) {
          assertEquals(await session.put("a.bin", version(n), { size: n % 2 ? size : undefined }), "stored");
        }
      })();
      await Promise.all([reader(), reader(), writing]);
      assertGreater(seen.size, 3);
    });
  },
);
