/**
 * Safety rows H2 to H9 in the tandem exchange: what stands before commands,
 * malformed, cut, slow, damaged, or several at once.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess } from "../deps.ts";
import { begun, pause } from "./deadline.ts";
import { isReset, joined, message, toWire } from "./raw_client.ts";
import {
  body,
  command,
  framed,
  object,
  RawTandem,
  sealed,
  signed,
  ticketMessage,
  upload,
  welcomed,
} from "./raw_tandem.ts";
import { pattern, testBed } from "./test_bed.ts";

/** What is no header with a sign. */
const NO_HEADERS: readonly string[] = [
  "0000000010",
  "        10",
  " +00000010",
  "0+00000010",
  "++00000010",
  "+-00000010",
  "-+00000010",
  "+       10",
  "+00000010 ",
  "+         ",
  "+0x0000010",
  "+1e0000001",
  "+00000_010",
  "+0000010.0",
  "+\t00000010",
  "\0\0\0\0\0\0\0\0\0\0",
  "GET / HTTP",
];

Deno.test("H2 H3 what is no signed header ends the session, on either connection", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (const bad of NO_HEADERS) {
      assertEquals(toWire(bad).length, 10, bad);
      using session = await RawTandem.open(bed.server);
      await session.control.send(joined(toWire(bad), sealed("ping\n{}")));
      await session.data.assertEnds();
      await session.control.assertEnds();
      assertEquals((await bed.log.sessionClosed(session)).outcome, "protocol", bad);

      using first = await RawTandem.begin(bed.server, joined(toWire(bad), sealed("ping\n{}")));
      await first.control.assertEnds();
      assertEquals((await bed.log.sessionClosed(first)).outcome, "protocol", bad);
    }
  });
});

Deno.test("H2 a first header that is none ends the session, and one with a minus too", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (const bad of ["-000000002", "+00000002 ", "++00000002", "+000000000"]) {
      using client = await bed.connect();
      await client.send(`${bad}ls`);
      await client.assertEnds();
      assertEquals((await bed.log.sessionClosed(client)).outcome, "protocol", bad);
    }
  });
});

Deno.test("H4 a message whose seal is missing, damaged or another one's ends the session with integrity", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  const text = "rm a.txt\n{}";
  const good = sealed(text);
  const bad: Uint8Array[] = [new Uint8Array(), toWire(text), toWire(`${text}\n`), toWire(`${text}\n00000000`)];
  bad.push(toWire(new TextDecoder().decode(good).toUpperCase().replace("RM A.TXT", "rm a.txt")));
  bad.push(good.subarray(0, -1), joined(good, toWire("\n")), joined(toWire(" "), good));
  // Every bit that can flip.
  for (let i = 0; i < good.length; i++) {
    const flipped = good.slice();
    flipped[i] = (flipped[i] ?? 0) ^ (1 << i % 8);
    bad.push(flipped);
  }
  await bed.survives(async () => {
    for (const bytes of bad) {
      const shown = JSON.stringify(new TextDecoder().decode(bytes));
      using session = await RawTandem.open(bed.server);
      await session.control.send(framed(bytes));
      await session.control.assertEnds();
      const { outcome } = await bed.log.sessionClosed(session);
      assertEquals(outcome, "integrity", shown);
    }
  });
  assertEquals(bed.read("a.txt"), "content");
});

Deno.test("H5 lengths of up to 999999999 are refused at once, without allocation", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using stack = new DisposableStack();
    const sessions: RawTandem[] = [];
    for (let i = 0; i < 64; i++) sessions.push(stack.use(await RawTandem.open(bed.server)));
    const before = Deno.memoryUsage();
    const startedMs = performance.now();
    await Promise.all(sessions.map(async (session, i) => {
      await session.control.send(signed(i % 2 === 0 ? 999_999_999 : 65_537));
      await session.control.assertEnds();
    }));
    assertLess(performance.now() - startedMs, 2_000);
    const after = Deno.memoryUsage();
    assertLess((after.rss - before.rss) / 1e6, 32, "MB in memory");
    assertLess((after.external - before.external) / 1e6, 32, "MB allocated");
    for (const session of sessions) assertEquals((await bed.log.sessionClosed(session)).outcome, "protocol");
  });
});

Deno.test("H6 a command of length zero, and an error in place of a command, end the session", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (const bad of [toWire(signed(0)), object({ code: "aborted", message: "x" }, "-")]) {
      using session = await RawTandem.open(bed.server);
      await session.control.send(joined(bad, command("ping")));
      await session.data.assertEnds();
      await session.control.assertEnds();
      const { outcome } = await bed.log.sessionClosed(session);
      assert(["protocol", "integrity"].includes(outcome), outcome);
    }
  });
});

Deno.test("H7 an opening and commands in 1-byte pieces are served when they are whole in time", async () => {
  await using bed = testBed({ limits: { commandTimeoutMs: 3_000 } });
  await bed.survives(async () => {
    using session = await RawTandem.begin(bed.server, new Uint8Array());
    await session.data.sendPieces(command("ping"), 1, () => pause(1));
    assertEquals(await session.object(), {});
    await session.control.sendPieces(command("put a.txt", { size: 7 }), 1, () => pause(1));
    await session.data.sendPieces(upload("content", 2), 1, () => pause(1));
    assertEquals(await session.stored("content"), "stored");
  });
});

Deno.test("H7 a command in 1-byte pieces that takes too long ends the session", async () => {
  const commandTimeoutMs = 300;
  await using bed = testBed({ limits: { commandTimeoutMs } });
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const startedMs = performance.now();
    const sending = begun(session.control.sendPieces(command("ping"), 1, () => pause(50)));
    await session.data.assertEnds();
    const tookMs = performance.now() - startedMs;
    await sending.catch((error) => assert(isReset(error)));
    assertGreater(tookMs, commandTimeoutMs * 0.8);
    assertLess(tookMs, commandTimeoutMs * 3);
    assertEquals((await bed.log.sessionClosed(session)).outcome, "timeout");
  });
});

const FIRST = command("ping");
const COMMANDS = [command("stat"), command("put b.txt", { size: 7 }), command("quit")];
const CONTROL = joined(...COMMANDS);
/** Where one command has ended and the next has not begun. */
const BOUNDARIES = COMMANDS.reduce((ends, { length }) => [...ends, (ends.at(-1) ?? 0) + length], [0]);

for (const how of ["a half-close", "a close"]) {
  Deno.test(`H8 ${how} of the control connection at any byte ends the session cleanly`, async () => {
    await using bed = testBed({ limits: { orphanGraceMs: 20 } });
    await bed.survives(async () => {
      for (let cut = 0; cut <= CONTROL.length; cut++) {
        using session = await RawTandem.open(bed.server);
        await session.control.send(CONTROL.subarray(0, cut));
        if (how === "a close") session.control.close();
        else await session.control.closeWrite();
        const { outcome, message } = await bed.log.sessionClosed(session);
        // A put that has begun waits for its body until it is over.
        const clean = BOUNDARIES.slice(0, 2).includes(cut) ? ["ok"] : ["ok", "disconnected"];
        assert(clean.includes(outcome), `cut at ${cut}: ${outcome}, ${message}`);
        await session.data.readToEnd();
      }
      assertEquals(bed.read("b.txt"), undefined);
    });
  });
}

Deno.test("H8 a close of the data connection at any byte of its beginning ends the session cleanly", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (let cut = 0; cut < FIRST.length; cut++) {
      using session = await RawTandem.begin(bed.server, FIRST.subarray(0, cut));
      await session.data.closeWrite();
      await session.control.assertEnds();
      const { outcome, message } = await bed.log.sessionClosed(session);
      assertEquals(outcome, "disconnected", `cut at ${cut}: ${message}`);
    }
  });
});

Deno.test("H8 a connection that ends inside its ticket is no session, and the right one still works", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await welcomed(bed.server);
    const ticket = ticketMessage(session.ticket);
    for (let cut = 11; cut < ticket.length; cut += 7) {
      using other = await bed.connect();
      await other.send(ticket.subarray(0, cut));
      await other.closeWrite();
      await other.assertEnds();
    }
    using data = await bed.connect();
    await data.send(joined(ticket, command("ping")));
    assertEquals(await new RawTandem(session.control, data).object(), {});
  });
});

Deno.test("H9 commands and bodies in one segment are each answered, in order", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    const first = joined(command("put b.txt", { size: 3 }), upload("new"), upload("newer"));
    using session = await RawTandem.begin(bed.server, first);
    const lines = ["put c.txt", "get b.txt", "get nothing", "ls", "stat c.txt", "quit"];
    await session.control.send(joined(...lines.map((line) => command(line))));
    assertEquals(await session.stored("new"), "stored");
    assertEquals(await session.stored("newer"), "stored");
    assertEquals(await session.file(), toWire("new"));
    assertEquals(await session.answer(), { code: "not-found", workingSigns: 0 });
    const entries = await session.entries();
    assert(typeof entries !== "string");
    assertEquals(entries.map(({ name }) => name), ["a.txt", "b.txt", "c.txt"]);
    assertEquals((await session.object())["size"], 5);
    await session.data.assertEnds();
    await session.control.assertEnds();
  });
});

Deno.test("H9 a first put is stored at once when its body comes in the same write", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    for (const size of [0, 1, 1_000, 3_900, 5_000, 200_000]) {
      const content = pattern(size);
      const startedMs = performance.now();
      using session = await RawTandem.begin(bed.server, joined(command("put a.bin", { size }), upload(content)));
      assertEquals(await session.stored(content), "stored", `${size} bytes`);
      assertLess(performance.now() - startedMs, 1_000, `${size} bytes`);
      assertEquals(Deno.readFileSync(`${bed.root}/a.bin`), content);
    }
  });
});

Deno.test("H9 a session that began without a sign stays plain, whatever signs come later", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    assertEquals(await client.list(), ["a.txt"]);
    for (let i = 0; i < 2; i++) {
      await client.send(framed("get a.txt"));
      using data = await client.connectData(await client.receivePort());
      assertEquals(await data.readAnswer(), toWire("content"));
    }
    assertEquals(await client.get("a.txt"), toWire("content"));
  });
});

Deno.test("H9 a server that speaks one exchange alone takes no notice of the sign, or ends what has none", async () => {
  await using plain = testBed({ mode: "plain" });
  plain.write("a.txt", "content");
  await plain.survives(async () => {
    using client = await plain.connect();
    await client.send(framed("get a.txt"));
    using data = await client.connectData(await client.receivePort());
    assertEquals(await data.readAnswer(), toWire("content"));
  });
  await using tandem = testBed({ mode: "tandem" });
  await tandem.survives(async () => {
    using client = await tandem.connect();
    await client.send(message("ls"));
    await client.assertEnds();
    assertEquals((await tandem.log.sessionClosed(client)).outcome, "unsupported");
    using session = await RawTandem.begin(
      tandem.server,
      joined(command("put a.txt"), body("x"), object({ crc32: "8cdc1683" })),
    );
    assertEquals(await session.stored("x"), "stored");
  });
});

Deno.test("H9 a ticket is a command that nobody knows to a server that speaks the plain exchange alone", async () => {
  await using bed = testBed({ mode: "plain" });
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.send(ticketMessage("0".repeat(32)));
    using data = await client.connectData(await client.receivePort());
    await data.assertEnds();
    assertEquals(await client.list(), []);
  });
});
