/**
 * Safety rows F1 to F9 on the server's side: what is no regular file, and
 * regular ones that change, are empty, are too large, or exist already.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { assert, assertEquals, assertGreater, assertLess, fail } from "../deps.ts";
import { pause } from "./deadline.ts";
import { header, message, type RawClient, toWire } from "./raw_client.ts";
import { CAN_MAKE_DEVICES, makeDevice, makeFifo, makeSocket } from "./special_files.ts";
import { startSwapping } from "./swapper.ts";
import { LINUX, pattern, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

/** How long a `get` takes that is refused: the quickest of three, since other tests run beside this one. */
async function quickestRefusal(
  client: RawClient,
  name: string,
): Promise<number> {
  let quickestMs = Infinity;
  for (let i = 0; i < 3; i++) {
    const startedMs = performance.now();
    assertEquals(await client.get(name), undefined, name);
    quickestMs = Math.min(quickestMs, performance.now() - startedMs);
  }
  return quickestMs;
}

Deno.test({
  name: "F1 a FIFO, a socket and a folder are refused in under 100 ms, and not listed as files",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    using _fifo = await makeFifo(bed.root, "fifo");
    using _socket = makeSocket(`${bed.root}/socket`);
    Deno.mkdirSync(`${bed.root}/folder`);
    await bed.survives(async () => {
      using client = await bed.connect();
      const codes = { fifo: "denied", socket: "denied", folder: "is-directory" };
      for (const [name, code] of Object.entries(codes)) {
        assertLess(await quickestRefusal(client, name), 100, name);
        assertEquals((await bed.log.command(`get ${name}`)).outcome, code);
      }
      assertEquals(await client.answerTo("ls fifo"), undefined);
      assertEquals(await client.list(), ["folder/"]);
    });
  },
});

Deno.test({
  name: "F1 a device is refused, and not listed",
  ignore: !CAN_MAKE_DEVICES,
  async fn() {
    await using bed = testBed();
    await makeDevice(`${bed.root}/zero`);
    await bed.survives(async () => {
      using client = await bed.connect();
      assertLess(await quickestRefusal(client, "zero"), 100);
      assertEquals(await client.put("zero", "x"), "refused");
      assert(Deno.lstatSync(`${bed.root}/zero`).isCharDevice);
      assertEquals(await client.list(), []);
    });
  },
});

Deno.test({
  name: "F1 64 gets of a FIFO at once leave the others served",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    using _fifo = await makeFifo(bed.root, "fifo");
    bed.write("a.txt", "content");
    await bed.survives(async () => {
      using stack = new DisposableStack();
      const clients: RawClient[] = [];
      for (let i = 0; i < 64; i++) clients.push(stack.use(await bed.connect()));
      using honest = await bed.connect();
      const attacks = clients.map((client) => client.get("fifo"));
      const startedMs = performance.now();
      assertEquals(await honest.get("a.txt"), toWire("content"));
      assertEquals(await honest.put("b.txt", "x"), "closed");
      assertLess(performance.now() - startedMs, 1_000);
      for (const answer of await Promise.all(attacks)) {
        assertEquals(answer, undefined);
      }
    });
  },
});

Deno.test({
  name: "F2 a FIFO that takes the place of a listed file is refused",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    bed.write("a.txt", "content");
    await bed.survives(async () => {
      using client = await bed.connect();
      assertEquals(await client.list(), ["a.txt"]);
      using _fifo = await makeFifo(bed.root, "fifo");
      Deno.renameSync(`${bed.root}/fifo`, `${bed.root}/a.txt`);
      assertLess(await quickestRefusal(client, "a.txt"), 100);
    });
  },
});

Deno.test({
  name: "F2 a FIFO swapped with a file in a tight loop hangs none of 500 gets",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    bed.write("a.txt", "content");
    using _fifo = await makeFifo(bed.root, "fifo");
    await using swapper = await startSwapping({
      way: "exchange",
      a: `${bed.root}/a.txt`,
      b: `${bed.root}/fifo`,
    });
    await bed.survives(async () => {
      using client = await bed.connect();
      let served = 0;
      for (let i = 0; i < 500; i++) {
        const answer = await client.get("a.txt");
        if (answer === undefined) continue;
        assertEquals(answer, toWire("content"));
        served++;
      }
      assertGreater(served, 0);
      assertLess(served, 500);
    });
    await swapper.stop();
  },
});

Deno.test({
  name: "F3 a put on a folder, a FIFO, a socket or a link is refused, and leaves it as it was",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    using _fifo = await makeFifo(bed.root, "fifo");
    using _socket = makeSocket(`${bed.root}/socket`);
    Deno.mkdirSync(`${bed.root}/folder`);
    Deno.symlinkSync(`${bed.outside}/secret.txt`, `${bed.root}/link`);
    Deno.symlinkSync(`${bed.outside}/nothing`, `${bed.root}/dangling`);
    const names = ["fifo", "socket", "folder", "link", "dangling"];
    const identities = () =>
      names.map((name) => {
        const info = Deno.lstatSync(`${bed.root}/${name}`);
        return [name, info.ino, info.mode, info.mtime?.getTime()];
      });
    await bed.survives(async () => {
      const before = identities();
      using client = await bed.connect();
      for (const name of names) {
        assertEquals(await client.put(name, "x"), "refused", name);
        const { outcome } = await bed.log.commandOf(client);
        assertEquals(outcome, name === "folder" ? "is-directory" : "denied");
      }
      assertEquals(identities(), before);
      assertEquals([...Deno.readDirSync(bed.outside)].length, 1);
    });
  },
});

/** More than the system keeps for a connection, so that a server cannot send it all before it is read. */
const BIG_BYTES = 16 << 20;

/** A `get` that stands still after its header, with most of the file unsent. */
async function haltedGet(bed: TestBed, client: RawClient, content: Uint8Array) {
  bed.write("big.bin", content);
  const data = await client.ask("get big.bin");
  assertEquals(await data.read(10), toWire(header(content.length)));
  return data;
}

Deno.test(
  "F4 a file that shrinks during a get ends the answer short, and the session lives",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    await bed.survives(async () => {
      using client = await bed.connect();
      using data = await haltedGet(bed, client, pattern(BIG_BYTES));
      Deno.truncateSync(`${bed.root}/big.bin`, BIG_BYTES / 2);
      assertLess((await data.readToEnd()).length, BIG_BYTES);
      assertEquals((await bed.log.commandOf(client)).outcome, "changed");
      assertEquals(await client.list(), ["big.bin"]);
    });
  },
);

Deno.test(
  "F5 of a file that grows or is rewritten during a get, as much comes as was announced",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    const content = pattern(BIG_BYTES);
    await bed.survives(async () => {
      using client = await bed.connect();
      using growing = await haltedGet(bed, client, content);
      Deno.writeFileSync(`${bed.root}/big.bin`, pattern(1 << 20, 3), {
        append: true,
      });
      assertEquals(await growing.readToEnd(), content);

      using rewritten = await haltedGet(bed, client, content);
      using file = Deno.openSync(`${bed.root}/big.bin`, { write: true });
      file.writeSync(new Uint8Array(BIG_BYTES + 1_000));
      assertEquals((await rewritten.readToEnd()).length, BIG_BYTES);
    });
  },
);

Deno.test(
  "F6 of a file that is replaced or deleted during a get, the old content comes whole",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    const content = pattern(BIG_BYTES);
    await bed.survives(async () => {
      using client = await bed.connect();
      using other = await bed.connect();
      using replaced = await haltedGet(bed, client, content);
      assertEquals(await other.put("big.bin", "replaced"), "closed");
      assertEquals(await replaced.readToEnd(), content);
      assertEquals(await other.get("big.bin"), toWire("replaced"));

      using deleted = await haltedGet(bed, client, content);
      Deno.removeSync(`${bed.root}/big.bin`);
      assertEquals(await deleted.readToEnd(), content);
      assertEquals(await client.get("big.bin"), undefined);
    });
  },
);

Deno.test("F7 files of 0, 1, 65,535, 65,536 and 65,537 bytes and more go both ways exactly", async () => {
  await using bed = testBed();
  const sizes = [0, 1, 65_535, 65_536, 65_537, 262_134, 1 << 20, 3_000_001];
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const size of sizes) {
      const content = pattern(size, size);
      assertEquals(await client.put("a.bin", content), "closed");
      assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), content);
      assertEquals(await client.get("a.bin"), content);
    }
  });
});

Deno.test(
  "F7 a file of 9,999,999,999 bytes is announced, one of a byte more refused",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    bed.write("ten.bin", "x");
    Deno.truncateSync(`${bed.root}/ten.bin`, 9_999_999_999);
    bed.write("eleven.bin", "x");
    Deno.truncateSync(`${bed.root}/eleven.bin`, 10_000_000_000);
    await bed.survives(async () => {
      using client = await bed.connect();
      const data = await client.ask("get ten.bin");
      assertEquals(await data.read(10), toWire("9999999999"));
      assertEquals((await data.read(1 << 20))[0], 0x78);
      data.close();
      assertEquals((await bed.log.commandOf(client)).outcome, "disconnected");

      assertEquals(await client.get("eleven.bin"), undefined);
      assertEquals((await bed.log.commandOf(client)).outcome, "too-large");
      assertEquals(await client.list(), ["eleven.bin", "ten.bin"]);
    });
  },
);

Deno.test("F8 an upload is never seen under its name before it is whole, nor is its temporary file", async () => {
  await using bed = testBed();
  const content = pattern(60_000);
  await bed.survives(async () => {
    using client = await bed.connect();
    using watcher = await bed.connect();
    using data = await client.ask("put slow.bin");
    let looks = 0;
    const seen: number[] = [];
    const timer = setInterval(() => {
      looks++;
      const found = [...Deno.readDirSync(bed.root)]
        .find(({ name }) => name === "slow.bin");
      if (found === undefined) return;
      seen.push(Deno.statSync(`${bed.root}/slow.bin`).size);
    }, 1);
    try {
      await data.sendPieces(message(content), 1_000, async () => {
        assertEquals(await watcher.list(), []);
        assertEquals(await watcher.get("slow.bin"), undefined);
        await pause(2);
      });
      assertEquals(seen, []);
      await data.closeWrite();
      await data.assertEnds();
    } finally {
      clearInterval(timer);
    }
    assertGreater(looks, 60);
    assertEquals(seen.filter((size) => size !== content.length), []);
    assertEquals(await watcher.list(), ["slow.bin"]);
  });
});

Deno.test("F9 a put of a name that exists is refused where nothing may be replaced", async () => {
  await using bed = testBed({ write: true, overwrite: false });
  bed.write("a.txt", "old");
  await bed.survives(async () => {
    using client = await bed.connect();
    assertEquals(await client.put("a.txt", "new"), "refused");
    assertEquals((await bed.log.commandOf(client)).outcome, "exists");
    assertEquals(bed.read("a.txt"), "old");
  });
});

Deno.test("F9 a name that appears during a put is not replaced where nothing may be", async () => {
  await using bed = testBed({ write: true, overwrite: false });
  await bed.survives(async () => {
    using client = await bed.connect();
    using data = await client.ask("put a.txt");
    await data.send(header(3));
    bed.write("a.txt", "old");
    await data.send("new");
    await data.closeWrite();
    assertEquals(await data.endOfPut(), "told");
    assertEquals((await bed.log.commandOf(client)).outcome, "exists");
    assertEquals(bed.read("a.txt"), "old");
  });
});

Deno.test(
  "F9 a file that is replaced is old or new and whole in each of 3,000 reads",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    const size = 300_000;
    const versions = Array.from(
      { length: 8 },
      (_, n) => new Uint8Array(size).fill(n),
    );
    const version = (n: number) => versions[n] ?? fail(`there is no ${n}`);
    Deno.writeFileSync(`${bed.root}/a.bin`, version(0));
    await bed.survives(async () => {
      let reads = 0;
      const seen = new Set<number>();
      const reader = async () => {
        while (reads < 3_000) {
          reads++;
          const bytes = await Deno.readFile(`${bed.root}/a.bin`);
          assertEquals(bytes.length, size);
          const first = bytes[0] ?? 0;
          // Byte by byte in this language would take longer than all the rest.
          assertEquals(Buffer.compare(bytes, version(first)), 0, "mixed");
          seen.add(first);
        }
      };
      using client = await bed.connect();
      let n = 0;
      const writing = (async () => {
        while (reads < 3_000) {
          n = n % 7 + 1;
          assertEquals(await client.put("a.bin", version(n)), "closed");
        }
      })();
      await Promise.all([reader(), reader(), writing]);
      assertGreater(seen.size, 3);
    });
  },
);
