/**
 * Tests of what is continued in the tandem exchange: never on trust, a part only
 * of what was lost, and the same bytes in the end however often it was cut.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { assert, assertEquals, assertGreater } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { eventually } from "./deadline.ts";
import { joined, toWire } from "./raw_client.ts";
import { body, command, crcOf, framed, type Json, object, RawTandem } from "./raw_tandem.ts";
import { pattern, type TestBed, testBed } from "./test_bed.ts";

function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

const CONTENT = pattern(4 << 20);

/** Begins a `put` of big.bin, loses both connections after `bytes` of it, and waits for what is kept. */
async function losePut(bed: TestBed, bytes: number, parameters: Json = { size: CONTENT.length }): Promise<void> {
  using session = await RawTandem.open(bed.server);
  await session.send("put big.bin", parameters);
  if (parameters["ready"] === true) {
    await session.object();
    await session.data.send(object({ offset: 0 }));
  }
  await session.data.send(framed(CONTENT.subarray(0, bytes)));
  await eventually("something has come", () => {
    const [part] = temporaries(bed.root);
    return part !== undefined && Deno.lstatSync(`${bed.root}/${part}`).size > 0;
  });
  session.close();
  await bed.log.sessionClosed(session);
}

/** Asks what the server has of big.bin. */
async function ready(session: RawTandem, parameters: Json = {}): Promise<Json> {
  await session.send("put big.bin", { size: CONTENT.length, ready: true, resume: true, ...parameters });
  return await session.object();
}

/** Sends the rest from `offset` on, with what is checked at its end. */
async function sendRest(session: RawTandem, offset: number, content = CONTENT): Promise<Json | string> {
  const rest = content.subarray(offset);
  await session.data.send(joined(object({ offset }), body(rest), object({ crc32: crcOf(rest) })));
  const answer = await session.answer();
  return "code" in answer ? answer.code : answer.object;
}

Deno.test("put goes on with the part of one whose connection was lost, and says how much it has and which", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    await losePut(bed, 3 << 20);
    using session = await RawTandem.open(bed.server);
    const has = await ready(session);
    const offset = Number(has["offset"]);
    assertGreater(offset, 0);
    assertEquals(has["sha256"], sha256(CONTENT.subarray(0, offset)));
    assertEquals(await sendRest(session, offset), { size: CONTENT.length, crc32: crcOf(CONTENT.subarray(offset)) });
    assertEquals(Deno.readFileSync(`${bed.root}/big.bin`), CONTENT);
  });
});

Deno.test("put with a digest and an offset is checked over the whole file", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (const right of [false, true]) {
      await losePut(bed, 3 << 20);
      using session = await RawTandem.open(bed.server);
      const offset = Number((await ready(session, { digest: true }))["offset"]);
      const rest = CONTENT.subarray(offset);
      const sums = { crc32: crcOf(rest), sha256: sha256(right ? CONTENT : rest) };
      await session.data.send(joined(object({ offset }), body(rest), object(sums)));
      const answer = await session.answer();
      if (right) assertEquals(answer, { object: { size: CONTENT.length, ...sums }, workingSigns: 0 });
      else assertEquals(answer, { code: "integrity", workingSigns: 0 });
      assertEquals(temporaries(bed.root), []);
    }
  });
});

Deno.test("put that begins anew although there is a part has nothing of it", async () => {
  await using bed = testBed();
  const other = pattern(CONTENT.length, 7);
  await bed.survives(async () => {
    await losePut(bed, 3 << 20);
    using session = await RawTandem.open(bed.server);
    assertGreater(Number((await ready(session))["offset"]), 0);
    assertEquals(await sendRest(session, 0, other), { size: other.length, crc32: crcOf(other) });
    assertEquals(Deno.readFileSync(`${bed.root}/big.bin`), other);
  });
});

Deno.test("put that begins elsewhere than at 0 or where the server is, is refused, and its body read past", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const offset of [1, 7, CONTENT.length]) {
      assertEquals(await ready(session), { offset: 0 });
      assertEquals(await sendRest(session, offset), "bad-request");
    }
    for (const begin of [{}, { offset: -1 }, { offset: "0" }]) {
      assertEquals(await ready(session), { offset: 0 });
      await session.data.send(joined(object(begin), body("x"), object({ crc32: crcOf(toWire("x")) })));
      assertEquals(await session.answer(), { code: "bad-request", workingSigns: 0 });
    }
    assertEquals(await session.names(), []);
  });
});

Deno.test("put keeps nothing of what failed, was broken off, or had a wrong checksum, though it was resumed", async () => {
  await using bed = testBed();
  const off = object({ code: "aborted", message: "never mind" }, "-");
  await bed.survives(async () => {
    for (const how of ["a wrong checksum", "a break", "a wrong size"]) {
      await losePut(bed, 3 << 20);
      using session = await RawTandem.open(bed.server);
      const offset = Number(
        (await ready(session, how === "a wrong size" ? { size: CONTENT.length + 1 } : {}))["offset"],
      );
      const rest = CONTENT.subarray(offset);
      const end = how === "a break" ? off : joined(
        toWire("+000000000"),
        object({
          crc32: how === "a wrong checksum" ? "00000000" : crcOf(rest),
        }),
      );
      await session.data.send(joined(object({ offset }), framed(rest), end));
      assert("code" in await session.answer(), how);
      assertEquals([...Deno.readDirSync(bed.root)], [], how);
      assertEquals(await ready(session), { offset: 0 }, how);
    }
  });
});

Deno.test("put goes on with the file that is there, and leaves it until the new one is whole", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    bed.write("big.bin", CONTENT.subarray(0, 1_000_000));
    assertEquals(await ready(session), { offset: 1_000_000, sha256: sha256(CONTENT.subarray(0, 1_000_000)) });
    assertEquals(Deno.lstatSync(`${bed.root}/big.bin`).size, 1_000_000);
    assert(typeof await sendRest(session, 1_000_000) !== "string");
    assertEquals(Deno.readFileSync(`${bed.root}/big.bin`), CONTENT);
  });
});

Deno.test("put of a file that may not be replaced begins with nothing of it, and leaves it", async () => {
  await using bed = testBed({ write: true, overwrite: false });
  bed.write("big.bin", CONTENT.subarray(0, 1_000_000));
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const onExist of [undefined, "error"]) {
      await session.send("put big.bin", { ready: true, resume: true, onExist });
      assertEquals(await session.answer(), { code: "exists", workingSigns: 0 });
    }
    assertEquals(Deno.lstatSync(`${bed.root}/big.bin`).size, 1_000_000);
  });
});

Deno.test("put gives a file the time and of the permissions those that new files may have", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const umask = Deno.umask();
    for (const [mtime, mode] of [[0, 0o600], [1_234_567_890_123, 0o777], [1_600_000_000_000.5, 0o444]] as const) {
      for (const extra of [{}, { size: 300_000 }]) {
        const content = new Uint8Array(300_000);
        assertEquals(await session.put("a.bin", content, { mtime, mode, ...extra }), "stored");
        const info = Deno.lstatSync(`${bed.root}/a.bin`);
        assertEquals(info.mtime?.getTime(), Math.floor(mtime));
        assertEquals(((info.mode ?? 0) & 0o7777).toString(8), (mode & ~umask).toString(8));
      }
    }
    // A time that no disk holds is no bug of the server's.
    for (const mtime of [-1, -8.64e15, 8.64e15]) {
      const outcome = await session.put("b.bin", "x", { mtime });
      assert(["stored", "bad-request"].includes(outcome), `${mtime}: ${outcome}`);
    }
  });
});

Deno.test("get begins behind the beginning that the client has, and at 0 where that is another one", async () => {
  await using bed = testBed();
  const content = pattern(100_000);
  bed.write("a.bin", content);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const offset of [0, 1, 99_999, 100_000, 100_001, 2 ** 53 - 1]) {
      for (const right of [true, false]) {
        const prefix = right ? sha256(content.subarray(0, offset)) : "0".repeat(64);
        await session.send("get a.bin", { offset, prefix, digest: true });
        const { offset: begins, size, length } = await session.object();
        const expected = right && offset <= content.length ? offset : 0;
        assertEquals([begins, size, length], [expected, 100_000, 100_000 - expected], `${offset}, ${right}`);
        assertEquals((await session.body()).content, content.subarray(expected));
        assertEquals(await session.object(), { crc32: crcOf(content.subarray(expected)), sha256: sha256(content) });
      }
    }
  });
});

Deno.test("hash tells the SHA-256 of a part as a get of that part has it", async () => {
  await using bed = testBed();
  const content = pattern(100_000);
  bed.write("a.bin", content);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const [offset, length] of [[0, undefined], [0, 0], [7, 10], [99_999, 100], [100_000, 5]] as const) {
      const part = content.subarray(offset, offset + (length ?? 100_000));
      await session.send("hash a.bin", { offset, length });
      assertEquals(await session.object(), { sha256: sha256(part), size: part.length });
      assertEquals(await session.get("a.bin", { offset, length }), part);
    }
    await session.control.send(command("hash a.bin", { offset: 100_001 }));
    assertEquals(await session.answer(), { code: "bad-request", workingSigns: 0 });
  });
});
