/**
 * Safety rows H2 to H9 on the server's side: what stands before commands and
 * files, malformed, cut, slow, or several at once.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertNotEquals, assertStringIncludes } from "../deps.ts";
import { begun, pause, within } from "./deadline.ts";
import { header, isReset, joined, message, type RawClient, type RawConnection, toWire } from "./raw_client.ts";
import { pattern, type TestBed, testBed } from "./test_bed.ts";

/** What number parsers of many languages take for a number, and no header is (safety.md 3.5). */
const NO_NUMBERS: readonly string[] = [
  "1_000_0000",
  "0000000,02",
  "00000002.0",
  "0x00000002",
  "0b00000010",
  "0o00000002",
  "2e00000000",
  "00000002e0",
  "000000002n",
  "NaN       ",
  "Infinity  ",
  "       NaN",
  "2abc      ",
  "2\0\0\0\0\0\0\0\0\0",
];

const MISPLACED_SIGNS: readonly string[] = [
  "-000000002",
  "-000000000",
  " +00000002",
  "0+00000002",
  "00000002+0",
  "000000002+",
  "++00000002",
  "+-00000002",
  "+        2",
  "+00000002 ",
  "+         ",
];

const BLANKS: readonly string[] = [
  "          ",
  "\t\t\t\t\t\t\t\t\t2",
  "000000002\n",
  "\n        2",
  "\r\n     002",
  "\u00a000000002",
  "\ufeff0000002",
  "    2    2",
  "\0\0\0\0\0\0\0\0\0\0",
  "\v\f00000002",
];

const FOREIGN_DIGITS: readonly Uint8Array[] = [
  toWire("\u0660\u0661\u0662\u0663\u0664"),
  toWire("\uff10\uff10\uff122"),
  toWire("00000000\u0662"),
  toWire("0000000\u00b22"),
  new Uint8Array(10).fill(0xff),
  new Uint8Array(10).fill(0xb2),
  joined(toWire("000000000"), new Uint8Array([0xb2])),
  joined(toWire("00000000"), new Uint8Array([0xc0, 0xb2])),
];

/** Sends a malformed header where a command's, and then where a file's is expected: the session ends, or the file is refused. */
async function refusesHeaders(
  bed: TestBed,
  headers: readonly (string | Uint8Array)[],
): Promise<void> {
  for (const bad of headers) {
    assertEquals(toWire(bad).length, 10, `"${bad}" has ten bytes`);
    await endsSessionAt(bed, bad);
    await refusesFileAt(bed, bad);
  }
}

async function endsSessionAt(
  bed: TestBed,
  bad: string | Uint8Array,
): Promise<void> {
  using client = await bed.connect();
  await client.send(joined(toWire(bad), toWire("ls")));
  await client.assertEnds();
  assertEquals(
    (await bed.log.sessionClosed(client)).outcome,
    "protocol",
    `${bad}`,
  );
}

async function refusesFileAt(
  bed: TestBed,
  bad: string | Uint8Array,
): Promise<void> {
  using client = await bed.connect();
  using data = await client.ask("put new.txt");
  await data.send(joined(toWire(bad), toWire("xx")));
  assertNotEquals(await data.endOfPut(), "closed");
  const { outcome } = await bed.log.commandOf(client);
  assertEquals(outcome, "protocol", `${bad}`);
  assertEquals(bed.read("new.txt"), undefined);
  assertEquals(await client.list(), []);
}

Deno.test("H2 headers that only a lenient parser takes for a number end the session", async () => {
  await using bed = testBed();
  await bed.survives(() => refusesHeaders(bed, NO_NUMBERS));
});

Deno.test("H2 a minus, and a sign anywhere but first, end the session", async () => {
  await using bed = testBed();
  await bed.survives(() => refusesHeaders(bed, MISPLACED_SIGNS));
});

Deno.test("H3 tabs, line feeds, other blanks and ten spaces end the session", async () => {
  await using bed = testBed();
  await bed.survives(() => refusesHeaders(bed, BLANKS));
});

Deno.test("H3 spaces around the digits, and a plus before nine, are taken", async () => {
  await using bed = testBed();
  const taken = ["         2", "2         ", "   2      ", "+000000002"];
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const good of taken) {
      await client.send(`${good}ls`);
      using listing = await client.connectData(await client.receivePort());
      assertEquals(await listing.readAnswer(), new Uint8Array());
      using upload = await client.ask("put x");
      await upload.send(`${good}xx`);
      await upload.closeWrite();
      await upload.assertEnds();
      assertEquals(bed.read("x"), "xx", good);
      Deno.removeSync(`${bed.root}/x`);
    }
  });
});

Deno.test("H4 digits of other scripts, and bytes that are not UTF-8, end the session", async () => {
  await using bed = testBed();
  await bed.survives(() => refusesHeaders(bed, FOREIGN_DIGITS));
});

Deno.test("H5 command length 9999999999 is refused at once, without allocation", async () => {
  const sessions = 256;
  await using bed = testBed({ limits: { maxSessionsPerAddress: 300 } });
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const clients: RawClient[] = [];
    for (let i = 0; i < sessions; i++) {
      clients.push(stack.use(await bed.connect()));
    }
    const before = Deno.memoryUsage();
    const startedMs = performance.now();
    await Promise.all(clients.map(async (client) => {
      await client.send("9999999999");
      await client.assertEnds();
    }));
    assertLess(performance.now() - startedMs, 2_000);
    const after = Deno.memoryUsage();
    assertLess((after.rss - before.rss) / 1e6, 32, "MB in memory");
    // Counts what is allocated, touched or not. The test's own read buffers are 64 KiB each.
    assertLess((after.external - before.external) / 1e6, 64, "MB allocated");
    for (const client of clients) {
      const { outcome, message } = await bed.log.sessionClosed(client);
      assertEquals(outcome, "protocol");
      assertStringIncludes(message ?? "", "9999999999 bytes was announced");
    }
  });
});

Deno.test("H6 command length 0000000000 ends the session without a port", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.send(joined(toWire(header(0)), message("ls")));
    await client.assertEnds();
    assertEquals((await bed.log.sessionClosed(client)).outcome, "protocol");
  });
});

Deno.test("H7 a command in 1-byte pieces is served when it is whole in time", async () => {
  await using bed = testBed({ limits: { commandTimeoutMs: 3_000 } });
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.sendPieces(message("get a.txt"), 1, () => pause(2));
    using data = await client.connectData(await client.receivePort());
    assertEquals(await data.readAnswer(), toWire("content"));

    using upload = await client.ask("put b.txt");
    await upload.sendPieces(message("content"), 1, () => pause(2));
    await upload.closeWrite();
    await upload.assertEnds();
    assertEquals(bed.read("b.txt"), "content");
  });
});

Deno.test("H7 a command in 1-byte pieces that takes too long ends the session", async () => {
  const commandTimeoutMs = 300;
  await using bed = testBed({ limits: { commandTimeoutMs } });
  await bed.survives(async () => {
    using client = await bed.connect();
    assertEquals(await client.list(), []);
    const startedMs = performance.now();
    // The last piece would come long after the deadline; each comes long before one of its own.
    const sending = begun(client.sendPieces(message("ls"), 1, () => pause(100)));
    await client.assertEnds();
    const tookMs = performance.now() - startedMs;
    await sending.catch((error) => assert(isReset(error)));
    assertGreater(tookMs, commandTimeoutMs * 0.8);
    assertLess(tookMs, commandTimeoutMs * 3);
    assertEquals((await bed.log.sessionClosed(client)).outcome, "timeout");
  });
});

const TRANSCRIPT = ["ls", "get a.txt", "put b.txt", "quit"].map(message);
const WHOLE = joined(...TRANSCRIPT);
/** Where one command has ended and the next has not begun. */
const BOUNDARIES = new Set([0, 12, 31, 50, 64]);

Deno.test("H8 a half-close at any byte ends the session cleanly", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    for (let cut = 0; cut <= WHOLE.length; cut++) {
      using client = await bed.connect();
      await client.send(WHOLE.subarray(0, cut));
      await client.closeWrite();
      await client.readToEnd();
      const { outcome, message } = await bed.log.sessionClosed(client);
      const expected = BOUNDARIES.has(cut) ? "ok" : "disconnected";
      assertEquals(outcome, expected, `cut at ${cut}: ${message}`);
    }
  });
});

Deno.test("H8 a close at any byte ends the session cleanly", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    for (let cut = 0; cut <= WHOLE.length; cut++) {
      const client = await bed.connect();
      await client.send(WHOLE.subarray(0, cut));
      client.close();
      const { outcome, message } = await bed.log.sessionClosed(client);
      // Bytes that the client had not read make its close a reset.
      const clean = outcome === "ok" || outcome === "disconnected";
      assert(clean, `cut at ${cut}: ${outcome}, ${message}`);
    }
  });
});

Deno.test("H9 commands in one segment are answered in order, one at a time", async () => {
  await using bed = testBed();
  const big = pattern(16 << 20);
  bed.write("big.bin", big);
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    using other = await bed.connect();
    await client.send(
      joined(...["get big.bin", "get a.txt", "ls"].map(message)),
    );
    using first = await client.connectData(await client.receivePort());
    assertEquals(await first.read(10), toWire(header(big.length)));
    // While the first answer is not read, nobody is told a second port.
    let secondCame = false;
    const second = begun(client.receivePort().finally(() => secondCame = true));
    for (let i = 0; i < 5; i++) await other.list();
    assertEquals(secondCame, false);
    assertEquals(await first.readToEnd(), big);

    using file = await client.connectData(await second);
    assertEquals(await file.readAnswer(), toWire("content"));
    using listing = await client.connectData(await client.receivePort());
    assertEquals(await listing.readAnswer(), toWire("a.txt\nbig.bin\n"));
  });
});

Deno.test("H9 a thousand commands in one segment are each answered", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    // More than the server reads ahead, so that reading stops and goes on again.
    const count = 1_000;
    const name = "x".repeat(200);
    const commands = Array.from(
      { length: count },
      (_, i) => message(i % 2 === 0 ? "get a.txt" : `get ${name}`),
    );
    const sending = begun(client.send(joined(...commands)));
    for (let i = 0; i < count; i++) {
      using data: RawConnection = await client.connectData(
        await client.receivePort(),
      );
      const answer = await data.readAnswer();
      assertEquals(answer, i % 2 === 0 ? toWire("content") : undefined);
    }
    await within("the rest of the commands", sending);
  });
});
