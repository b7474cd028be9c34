/**
 * Safety rows C1 to C6 on the server's side: commands that are none, too long,
 * random, at the wrong moment, or not permitted.
 *
 * @module
 */

import type { ServerEvent } from "../../mod.ts";
import { assert, assertEquals, assertLess } from "../deps.ts";
import { within } from "./deadline.ts";
import { EventLog } from "./event_log.ts";
import { header, isReset, joined, message, type RawClient, toWire } from "./raw_client.ts";
import { pattern, SOAK, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

const LATIN1_NAME = new Uint8Array([0x63, 0x61, 0x66, 0xe9]);

/** Commands that are none, and the word for each. */
const NO_COMMANDS: readonly (readonly [string | Uint8Array, string])[] = [
  ["x", "unsupported"],
  ["help", "unsupported"],
  ["LS", "unsupported"],
  ["GET a.txt", "unsupported"],
  ["Put a.txt", "unsupported"],
  ["getx", "unsupported"],
  ["dir a.txt", "unsupported"],
  ["ls\n", "unsupported"],
  ["ls\t", "unsupported"],
  ["get\ta.txt", "unsupported"],
  [" ", "unsupported"],
  [" ls", "unsupported"],
  ["\ufeffls", "unsupported"],
  ["data 00112233445566778899aabbccddeeff", "unsupported"],
  ["ls ", "bad-request"],
  ["get", "bad-request"],
  ["get ", "bad-request"],
  ["quit ", "bad-request"],
  ["quit now", "bad-request"],
  [joined(toWire("get "), LATIN1_NAME), "bad-request"],
  [LATIN1_NAME, "bad-request"],
];

/** Malformed ones that mean a `put`, which a client could take for done if its data connection were accepted. */
const NO_PUTS: readonly (readonly [string | Uint8Array, string])[] = [
  ["put ", "bad-request"],
  ["put /", "outside-root"],
  ["put a//b", "bad-request"],
  ["put a/", "bad-request"],
  ["put \u0000", "bad-request"],
];

Deno.test("C1 what is no command gets a port and an empty data connection, and the session lives", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const [command, code] of NO_COMMANDS) {
      assertEquals(await client.answerTo(command), undefined, `${command}`);
      const { outcome } = await bed.log.commandOf(client);
      assertEquals(outcome, code, `${command}`);
    }
    assertEquals(await client.list(), ["a.txt"]);
  });
});

Deno.test("C1 a malformed put gets a port that nobody accepts, and the session lives", async () => {
  await using bed = testBed();
  await bed.survives(() => refusesPuts(bed, NO_PUTS));
});

Deno.test("C1 a put without a name gets a port that nobody accepts", async () => {
  await using bed = testBed();
  await bed.survives(() => refusesPuts(bed, [["put", "bad-request"]]));
});

Deno.test("C1 a put whose name is not UTF-8 gets a port that nobody accepts", async () => {
  await using bed = testBed();
  const command = joined(toWire("put "), LATIN1_NAME);
  await bed.survives(() => refusesPuts(bed, [[command, "bad-request"]]));
});

async function refusesPuts(
  bed: TestBed,
  puts: readonly (readonly [string | Uint8Array, string])[],
): Promise<void> {
  using client = await bed.connect();
  for (const [command, code] of puts) {
    assertEquals(await client.putBy(command, "x"), "refused", `${command}`);
    assertEquals((await bed.log.commandOf(client)).outcome, code);
  }
  assertEquals(await client.list(), []);
}

Deno.test("C2 a command of 4,097 bytes is refused at its header, one of 4,096 is answered", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using client = await bed.connect();
    assertEquals(await client.get("x".repeat(4_092)), undefined);
    assertEquals((await bed.log.commandOf(client)).outcome, "bad-request");
    await client.send(header(4_097));
    await client.assertEnds();
    assertEquals((await bed.log.sessionClosed(client)).outcome, "protocol");

    using another = await bed.connect();
    await another.send(header(4_097));
    await another.send("get ".padEnd(4_097, "x")).catch((error) => assert(isReset(error)));
    await another.assertEnds();
  });
});

Deno.test("C3 commands with NUL, CR, LF or ESC are refused, and told as they came", { ignore: WINDOWS }, async () => {
  await using bed = testBed();
  const names = ["a\0b", "a\rb", "a\nb", "a\x1b[31mb", "a\x07b", "a\x7fb"];
  for (const name of names) {
    if (!name.includes("\0")) bed.write(name, "content");
  }
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const name of names) {
      for (const command of [`get ${name}`, `ls ${name}`, `x${name}`]) {
        assertEquals(await client.answerTo(command), undefined);
        const event = await bed.log.commandOf(client);
        assertEquals(event.command, command);
        assert(event.outcome !== "ok");
      }
      assertEquals(await client.put(name, "other"), "refused");
      assertEquals((await bed.log.commandOf(client)).outcome, "bad-request");
    }
    assertEquals(await client.list(), []);
  });
  assertEquals(bed.read("a\nb"), "content");
});

const RANDOM_SESSIONS = SOAK ? 100_000 : 1_500;

Deno.test(`C4 ${RANDOM_SESSIONS} sessions of random bytes neither crash nor hang the server`, async () => {
  // Of so many events only the ends of sessions, and what would be a bug.
  const log = new EventLog();
  const onEvent = (event: ServerEvent) => {
    const isBug = "outcome" in event && event.outcome === "internal";
    if (isBug || event.event === "session-closed") log.record(event);
  };
  await using bed = testBed({ limits: { maxFileBytes: 1_000 }, onEvent });
  bed.write("a", "content");
  bed.write("b/c", "content");
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const random = randomNumbers(seed);
  await bed.survives(async () => {
    let left = RANDOM_SESSIONS;
    const worker = async () => {
      while (left-- > 0) {
        using client = await bed.connect();
        const sent = randomSession(random);
        try {
          await babble(client, sent, random() < 0.5);
          const { outcome } = await log.sessionClosed(client);
          assert(["ok", "protocol", "disconnected"].includes(outcome), outcome);
        } catch (error) {
          throw new Error(`seed ${seed}, sent ${sent}`, { cause: error });
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
  });
  assertEquals(log.internalErrors(), []);
});

/** Sends bytes and the end of them, and answers ports as long as some come. */
async function babble(
  client: RawClient,
  sent: Uint8Array,
  connects: boolean,
): Promise<void> {
  try {
    await client.send(sent);
    await client.closeWrite();
    for (;;) {
      const port = new TextDecoder().decode(await client.read(10));
      if (port === "") return;
      assert(/^0000[0-9]{6}$/.test(port), `a port, not "${port}"`);
      if (!connects) continue;
      using data = await client.connectData(Number(port));
      await data.send(sent);
      await data.closeWrite();
      await data.readToEnd();
    }
  } catch (error) {
    const refused = error instanceof Deno.errors.ConnectionRefused;
    if (!refused && !isReset(error)) throw error;
    // Whatever is left of the session is the server's to end.
    client.close();
  }
}

function randomSession(random: () => number): Uint8Array {
  const pick = (most: number) => Math.floor(random() * most);
  const bytes = (most: number) => Uint8Array.from({ length: pick(most) }, () => pick(256));
  const words = ["ls", "get", "put", "quit", " ", "/", "..", "a", "b", "\0"];
  const pieces = Array.from({ length: 1 + pick(4) }, () => {
    switch (pick(4)) {
      case 0:
        return bytes(40);
      case 1:
        return message(bytes(20));
      case 2:
        return joined(toWire(header(pick(20))), bytes(20));
      default:
        return message(
          Array.from({ length: 1 + pick(5) }, () => words[pick(words.length)])
            .join(""),
        );
    }
  });
  return joined(...pieces);
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}

Deno.test("C5 quit during a transfer lets it end, and then the session", async () => {
  await using bed = testBed();
  const big = pattern(16 << 20);
  bed.write("big.bin", big);
  await bed.survives(async () => {
    using client = await bed.connect();
    using data = await client.ask("get big.bin");
    await data.read(10);
    await client.sendCommand("quit");
    assertEquals(await data.readToEnd(), big);
    using last = await client.connectData(await client.receivePort());
    await last.assertEnds();
    await client.assertEnds();
    assertEquals((await bed.log.sessionClosed(client)).outcome, "ok");
  });
});

Deno.test("C5 nothing is answered after quit", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using client = await bed.connect();
    await client.send(joined(message("quit"), message("ls"), message("put x")));
    using last = await client.connectData(await client.receivePort());
    await last.assertEnds();
    await client.assertEnds();
    assertEquals((await bed.log.commandOf(client)).command, "quit");
    assertEquals((await bed.log.sessionClosed(client)).outcome, "ok");
    assertEquals(
      bed.log.untaken.filter((event) => event.event === "command" && event.peer === client.address),
      [],
    );
  });
});

Deno.test("C5 after quit the end of the control connection is as good as its data connection", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    const client = await bed.connect();
    await client.sendCommand("quit");
    await client.receivePort();
    const startedMs = performance.now();
    client.close();
    assertEquals((await bed.log.commandOf(client)).outcome, "ok");
    assertEquals((await bed.log.sessionClosed(client)).outcome, "ok");
    assertLess(performance.now() - startedMs, 1_000);
  });
});

/** Everything about a folder that a write could change, its own time of change with it. */
function snapshot(folder: string): string {
  const lines: string[] = [];
  const look = (path: string) => {
    const { mtime, ctime, size, mode, ino } = Deno.lstatSync(path);
    lines.push(`${path} ${mtime} ${ctime?.getTime()} ${size} ${mode} ${ino}`);
    if (!Deno.statSync(path).isDirectory) {
      lines.push(Deno.readTextFileSync(path));
      return;
    }
    for (const { name } of Deno.readDirSync(path)) look(`${path}/${name}`);
  };
  look(folder);
  return lines.sort().join("\n");
}

Deno.test("C6 a read-only server refuses every put before anything is created", async () => {
  await using bed = testBed({ write: false, overwrite: false });
  bed.write("a.txt", "content");
  bed.write("sub/b.txt", "content");
  await bed.survives(async () => {
    const before = snapshot(bed.root);
    using client = await bed.connect();
    for (
      const name of ["new", "a.txt", "sub", "sub/b.txt", "sub/new", "no/x"]
    ) {
      assertEquals(await client.put(name, "other"), "refused", name);
      assertEquals((await bed.log.commandOf(client)).outcome, "denied", name);
    }
    assertEquals(snapshot(bed.root), before);
    assertEquals(await client.get("a.txt"), toWire("content"));
  });
});

Deno.test("C6 a server that may only add refuses to replace before anything is created", async () => {
  await using bed = testBed({ write: true, overwrite: false });
  bed.write("a.txt", "content");
  bed.write("sub/b.txt", "content");
  await bed.survives(async () => {
    const before = snapshot(bed.root);
    using client = await bed.connect();
    for (const name of ["a.txt", "sub/b.txt"]) {
      assertEquals(await client.put(name, "other"), "refused", name);
      assertEquals((await bed.log.commandOf(client)).outcome, "exists", name);
    }
    assertEquals(await client.put("sub", "other"), "refused");
    assertEquals((await bed.log.commandOf(client)).outcome, "is-directory");
    assertEquals(snapshot(bed.root), before);
    assertEquals(await within("a put", client.put("new", "new")), "closed");
    assertEquals(bed.read("new"), "new");
  });
});
