/**
 * Safety row D6 in the tandem exchange: bodies that are cut, too short, too
 * long, damaged or broken off, and those that are right however they are cut.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { assert, assertEquals } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { pause } from "./deadline.ts";
import { joined, toWire } from "./raw_client.ts";
import { body, command, crcOf, framed, object, RawTandem, signed, upload } from "./raw_tandem.ts";
import { pattern, type TestBed, testBed } from "./test_bed.ts";

const CONTENT = "0123456789";
const WHOLE = upload(CONTENT, 4);

/** Everything that is in the served folder. */
function names(bed: TestBed): string[] {
  return [...Deno.readDirSync(bed.root)].map(({ name }) => name).sort();
}

for (const size of [10, undefined]) {
  const what = size === undefined ? "of unknown size" : "with its size";
  Deno.test(`D6 a put ${what} that is cut at any byte gives nothing its name`, async () => {
    await using bed = testBed();
    await bed.survives(async () => {
      for (let cut = 0; cut < WHOLE.length; cut++) {
        const begin = joined(command("put a.txt", size === undefined ? {} : { size }), WHOLE.subarray(0, cut));
        using session = await RawTandem.begin(bed.server, begin);
        await session.data.closeWrite();
        const { outcome } = await bed.log.commandOf(session);
        assertEquals(outcome, "disconnected", `cut at ${cut}`);
        await session.control.assertEnds();
        assertEquals(bed.read("a.txt"), undefined);
        // Of one whose connection was lost there may be a part.
        for (const left of temporaries(bed.root)) Deno.removeSync(`${bed.root}/${left}`);
      }
    });
  });
}

Deno.test("D6 a put that is a whole one however it is cut is stored", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (let cut = 0; cut <= WHOLE.length; cut += 3) {
      await session.send("put a.txt", { size: 10 });
      await session.data.send(WHOLE.subarray(0, cut));
      await pause(1);
      await session.data.send(WHOLE.subarray(cut));
      assertEquals(await session.stored(CONTENT), "stored");
      assertEquals(bed.read("a.txt"), CONTENT);
    }
    for (const chunkBytes of [1, 2, 3, 9, 10, 11]) {
      await session.send("put a.txt", { size: 10 });
      await session.data.send(upload(CONTENT, chunkBytes));
      assertEquals(await session.stored(CONTENT), "stored");
    }
    await session.quit();
  });
});

Deno.test("D6 of N-1, N and N+1 bytes only the promised N are stored", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const size of [0, 1, 10, 262_144, 300_000]) {
      for (const came of [size - 1, size, size + 1, size * 2 + 70_000]) {
        if (came < 0) continue;
        const expected = came === size ? "stored" : "changed";
        const content = pattern(came);
        assertEquals(await session.put("a.bin", content, { size }), expected, `${came} of ${size}`);
        assertEquals(names(bed), came === size ? ["a.bin"] : [], `${came} of ${size}`);
        if (came === size) Deno.removeSync(`${bed.root}/a.bin`);
      }
    }
    await session.quit();
  });
});

Deno.test("D6 a put whose checksum does not fit, is missing or is none, is refused and leaves nothing", async () => {
  await using bed = testBed();
  bed.write("old.txt", "old");
  const cases = [
    [{ crc32: "00000000" }, "integrity"],
    [{}, "bad-request"],
    [{ crc32: 1 }, "bad-request"],
    [{ crc32: crcOf(toWire(CONTENT)).slice(1) }, "bad-request"],
    [{ crc32: crcOf(toWire(CONTENT)), sha256: "x" }, "bad-request"],
  ] as const;
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const name of ["new.txt", "old.txt"]) {
      for (const [checksum, code] of cases) {
        await session.send(`put ${name}`);
        await session.data.send(joined(body(CONTENT), object(checksum)));
        assertEquals(await session.answer(), { code, workingSigns: 0 }, JSON.stringify(checksum));
        assertEquals(names(bed), ["old.txt"]);
        assertEquals(bed.read("old.txt"), "old");
      }
    }
    await session.quit();
  });
});

Deno.test("D6 a put with a SHA-256 is stored where that fits, and is refused where it does not", async () => {
  await using bed = testBed();
  const sha256 = createHash("sha256").update(CONTENT).digest("hex");
  const crc32 = crcOf(toWire(CONTENT));
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("put a.txt", { digest: true });
    await session.data.send(joined(body(CONTENT), object({ crc32, sha256: "0".repeat(64) })));
    assertEquals(await session.answer(), { code: "integrity", workingSigns: 0 });
    assertEquals(names(bed), []);
    await session.send("put a.txt", { digest: true });
    await session.data.send(joined(body(CONTENT), object({ crc32, sha256 })));
    assertEquals(await session.object(), { size: 10, crc32, sha256 });
  });
});

Deno.test("D6 a put that the client breaks off at any chunk is answered once and leaves nothing", async () => {
  await using bed = testBed();
  bed.write("a.txt", "old");
  const off = object({ code: "aborted", message: "never mind" }, "-");
  const before = ["", framed("0123"), joined(framed("0123"), framed("4567")), body(CONTENT)];
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const size of [10, 1 << 20, undefined]) {
      for (const sent of before) {
        await session.send("put a.txt", size === undefined ? {} : { size });
        await session.data.send(joined(toWire(sent), off));
        assert("code" in await session.answer());
        assertEquals(await session.outcome("ping"), "ok");
        assertEquals(names(bed), ["a.txt"]);
        assertEquals(bed.read("a.txt"), "old");
      }
    }
    await session.send("put a.txt", { ready: true });
    assertEquals(await session.object(), { offset: 0 });
    await session.data.send(off);
    assert("code" in await session.answer());
    await session.quit();
  });
});

Deno.test("D6 a put that the client breaks off is no bug of the server's, whatever the client calls it", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (
      const error of [{}, { code: "internal", message: "x" }, { code: "later", message: "x" }, { code: "not-found" }]
    ) {
      await session.send("put a.txt");
      await session.data.send(joined(framed("half"), object(error, "-")));
      assert("code" in await session.answer());
    }
    await session.quit();
  });
});

/** What stands where a chunk, an end or a checksum is expected, and is none. */
const NO_BODIES: readonly (readonly [string, Uint8Array])[] = [
  ["an unsigned chunk", toWire("0000000004abcd")],
  ["a chunk that is larger than any may be", toWire(signed(67_108_865))],
  ["a chunk of a gigabyte", toWire(signed(999_999_999))],
  ["no header", toWire("GET / HTTP/")],
  ["an error that is larger than any message", toWire(signed(65_537, "-"))],
  ["an error that is not sealed", framed('{"code":"aborted","message":"x"}', "-")],
  ["an error that is no object", object([] as never, "-")],
  ["a checksum that is not sealed", joined(body(CONTENT), framed(`{"crc32":"${crcOf(toWire(CONTENT))}"}`))],
  ["a checksum that is larger than any message", joined(body(CONTENT), toWire(signed(65_537)))],
];

for (const [what, bytes] of NO_BODIES) {
  Deno.test(`D6 ${what} in a body ends the session, and nothing has the name`, async () => {
    await using bed = testBed();
    bed.write("a.txt", "old");
    await bed.survives(async () => {
      const before = Deno.memoryUsage().external;
      using session = await RawTandem.begin(bed.server, joined(command("put a.txt", { size: 10 }), bytes));
      const { outcome } = await bed.log.sessionClosed(session);
      assert(["protocol", "integrity"].includes(outcome), outcome);
      assert(Deno.memoryUsage().external - before < 32e6, "memory was taken for it");
      await session.control.assertEnds();
      assertEquals(bed.read("a.txt"), "old");
    });
  });
}

Deno.test("D6 a refused put is answered before its body has come, and what follows is not mixed up with it", async () => {
  await using bed = testBed({ write: true, overwrite: false });
  bed.write("a.txt", "old");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("put a.txt");
    await session.data.send(framed("half"));
    assertEquals(await session.answer(), { code: "exists", workingSigns: 0 });
    // The rest comes all the same, and looks like other messages.
    await session.send("put b.txt");
    await session.data.send(joined(framed(command("quit")), toWire(signed(0)), object({ crc32: "00000000" })));
    await session.data.send(upload("content"));
    assertEquals(await session.stored("content"), "stored");
    assertEquals([bed.read("a.txt"), bed.read("b.txt")], ["old", "content"]);
    await session.quit();
  });
});
