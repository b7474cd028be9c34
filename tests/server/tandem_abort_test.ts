/**
 * Tests of `abort` in the tandem exchange: of what runs, what waits, what is over
 * and what never was.
 *
 * @module
 */

import { assertEquals, assertLess } from "../deps.ts";
import { joined, toWire } from "./raw_client.ts";
import { command, framed, object, RawTandem } from "./raw_tandem.ts";
import { pattern, type TestBed, testBed } from "./test_bed.ts";

const BIG_BYTES = 16 << 20;

/** The code of an answer, and that the session goes on after it. */
async function assertAborted(session: RawTandem): Promise<void> {
  const answer = await session.answer();
  assertEquals("code" in answer ? answer.code : answer, "aborted");
}

async function assertGoesOn(bed: TestBed, session: RawTandem): Promise<void> {
  assertEquals(await session.get("a.txt"), toWire("content"));
  assertEquals(await session.put("b.txt", "more"), "stored");
  assertEquals(bed.read("b.txt"), "more");
}

for (const number of [1, undefined]) {
  Deno.test(`abort of a running get, ${number === undefined ? "without" : "with"} its number, ends it with aborted`, async () => {
    await using bed = testBed();
    bed.write("a.txt", "content");
    bed.write("big.bin", pattern(BIG_BYTES));
    await bed.survives(async () => {
      using session = await RawTandem.open(bed.server);
      await session.send("get big.bin");
      await session.object();
      await session.send("abort", number === undefined ? {} : { command: number });
      const { content, code } = await session.checkedBody();
      assertEquals(code, "aborted");
      assertLess(content.length, BIG_BYTES);
      await assertGoesOn(bed, session);
    });
  });
}

Deno.test("abort of a running put ends it with aborted once its body is broken off, and nothing is left", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const parameters of [{ size: 1 << 20 }, { size: 10 }, {}]) {
      await session.send("put big.bin", parameters);
      await session.data.send(framed("half"));
      await session.send("abort");
      await session.data.send(object({ code: "aborted", message: "never mind" }, "-"));
      await assertAborted(session);
    }
    await assertGoesOn(bed, session);
    assertEquals(bed.read("big.bin"), undefined);
  });
});

Deno.test("abort of a put ends it with aborted although nothing more of it comes", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("put big.bin", { size: 1 << 20 });
    await session.data.send(framed("half"));
    await session.send("abort");
    await assertAborted(session);
  });
});

Deno.test("abort of a put that waits for the client's offset ends it with aborted", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("put big.bin", { ready: true });
    assertEquals(await session.object(), { offset: 0 });
    await session.send("abort");
    await assertAborted(session);
    // Whoever was told `ready` says where it begins, or that it does not.
    await session.data.send(object({ code: "aborted" }, "-"));
    await assertGoesOn(bed, session);
  });
});

Deno.test("abort of commands that wait has each end with aborted, in its place, and undone", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  bed.write("big.bin", pattern(BIG_BYTES));
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const lines = ["get big.bin", "rm a.txt", "stat a.txt", "mkdir new", "ping", "get a.txt", "hash a.txt", "ls"];
    for (const line of lines) await session.send(line);
    await session.send("mv a.txt", { to: "moved.txt" });
    const info = await session.object();
    assertEquals(info["size"], BIG_BYTES);
    // All but the get, the stat and the one that comes last.
    for (const number of [2, 4, 5, 6, 7, 8, 9]) await session.send("abort", { command: number });
    await session.send("stat a.txt");
    assertEquals((await session.checkedBody()).code, undefined);
    const codes: unknown[] = [];
    for (let i = 2; i <= 10; i++) {
      const answer = await session.answer();
      if ("code" in answer) codes.push(answer.code);
      else if ("length" in answer.object) codes.push((await session.checkedBody()).code);
      else codes.push(answer.object["name"] ?? answer.object);
    }
    const gone = "aborted";
    assertEquals(codes, [gone, "a.txt", gone, gone, gone, gone, gone, gone, "a.txt"]);
    assertEquals(bed.read("a.txt"), "content");
    assertEquals([...Deno.readDirSync(bed.root)].length, 2);
  });
});

Deno.test("abort of what is over, is not yet, or never will be, does nothing and has no result", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const parameters of [{}, { command: 0 }, { command: 1 }, { command: 99 }, { command: 2 ** 53 - 1 }]) {
      await session.send("abort", parameters);
    }
    await assertGoesOn(bed, session);
    await session.quit();
    // Also as the first command, which does not count.
    using other = await RawTandem.begin(bed.server, command("abort", { command: 0 }));
    assertEquals(await other.get("a.txt"), toWire("content"));
  });
});

Deno.test("abort with parameters of the wrong kind does no harm to the session", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const parameters of [{ command: "1" }, { command: -1 }]) await session.send("abort", parameters);
    await session.send("abort x");
    assertEquals(await session.outcome("ping"), "ok");
  });
});

Deno.test("abort is seen also while 64 commands are outstanding", async () => {
  await using bed = testBed();
  bed.write("big.bin", pattern(BIG_BYTES));
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.send("get big.bin");
    await session.object();
    await session.control.send(joined(...Array(63).fill(command("ping"))));
    await session.send("abort", { command: 1 });
    assertEquals((await session.checkedBody()).code, "aborted");
    for (let i = 0; i < 63; i++) assertEquals(await session.object(), {});
  });
});
