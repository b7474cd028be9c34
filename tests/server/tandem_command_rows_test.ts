/**
 * Safety rows C1 to C6 in the tandem exchange: commands that are none, too long,
 * at the wrong moment, or not permitted. Row C4 is in `tandem_random_rows_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertLess } from "../deps.ts";
import { joined, toWire } from "./raw_client.ts";
import { command, framed, type Json, RawTandem, sealed, signed, upload } from "./raw_tandem.ts";
import { pattern, type TestBed, testBed } from "./test_bed.ts";

/** Commands that are refused, and the word for each. */
const NO_COMMANDS: readonly (readonly [string, Json, string])[] = [
  ["", {}, "unsupported"],
  [" ", {}, "unsupported"],
  ["x", {}, "unsupported"],
  ["GET a.txt", {}, "unsupported"],
  ["Ls", {}, "unsupported"],
  ["\tls", {}, "unsupported"],
  ["get\ta.txt", {}, "unsupported"],
  ["get\u00a0a.txt", {}, "unsupported"],
  ["\ufeffping", {}, "unsupported"],
  ["__proto__", {}, "unsupported"],
  ["constructor x", {}, "unsupported"],
  ["toString", {}, "unsupported"],
  ["data 00112233445566778899aabbccddeeff", {}, "unsupported"],
  ["auth", {}, "unsupported"],
  ["ls ", {}, "bad-request"],
  ["stat ", {}, "bad-request"],
  ["get", {}, "bad-request"],
  ["get ", {}, "bad-request"],
  ["mkdir", {}, "bad-request"],
  ["rm", {}, "bad-request"],
  ["mv a.txt", {}, "bad-request"],
  ["mv a.txt", { to: "" }, "bad-request"],
  ["hash", {}, "bad-request"],
  ["ping x", {}, "bad-request"],
  ["ping ", {}, "bad-request"],
  ["quit now", {}, "bad-request"],
  ["ls", { recursive: "yes" }, "bad-request"],
  ["ls", { recursive: 1 }, "bad-request"],
  ["rm a.txt", { recursive: "false" }, "bad-request"],
  ["get a.txt", { offset: -1 }, "bad-request"],
  ["get a.txt", { offset: 1.5 }, "bad-request"],
  ["get a.txt", { offset: "0" }, "bad-request"],
  ["get a.txt", { offset: 1e300 }, "bad-request"],
  ["get a.txt", { offset: 8 }, "bad-request"],
  ["get a.txt", { length: -1 }, "bad-request"],
  ["get a.txt", { prefix: "0".repeat(64) }, "bad-request"],
  ["get a.txt", { offset: 1, prefix: "0".repeat(63) }, "bad-request"],
  ["get a.txt", { ifUnchanged: 7 }, "bad-request"],
  ["mv a.txt", { to: ["b.txt"] }, "bad-request"],
  ["mv a.txt", { to: "b.txt", onExist: "never" }, "bad-request"],
  ["hash a.txt", { offset: 8 }, "bad-request"],
];

Deno.test("C1 what is no command is refused in its place, and the session lives", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await bed.log.commandOf(session);
    for (const [line, parameters, code] of NO_COMMANDS) {
      const shown = `${line} ${JSON.stringify(parameters)}`;
      assertEquals(await session.outcome(line, parameters), code, shown);
      assertEquals((await bed.log.commandOf(session)).outcome, code, shown);
    }
    assertEquals(await session.names(), ["a.txt"]);
    assertEquals(bed.read("a.txt"), "content");
  });
});

const NO_PUTS: readonly (readonly [string, Json])[] = [
  ["put", {}],
  ["put ", {}],
  ["put a//b", {}],
  ["put x", { size: -1 }],
  ["put x", { size: "1" }],
  ["put x", { mtime: "now" }],
  ["put x", { mtime: 1e300 }],
  ["put x", { mode: 0o1000 }],
  ["put x", { mode: -1 }],
  ["put x", { onExist: "ask" }],
  ["put x", { onExist: "newer" }],
  ["put x", { resume: true }],
];

Deno.test("C1 a malformed put is refused, its body is read past, and the session lives", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const [line, parameters] of NO_PUTS) {
      const shown = `${line} ${JSON.stringify(parameters)}`;
      await session.send(line, parameters);
      await session.data.send(upload("content"));
      assertEquals(await session.answer(), { code: "bad-request", workingSigns: 0 }, shown);
      assertEquals(await session.outcome("ping"), "ok", shown);
    }
    assertEquals(await session.put("good", "content"), "stored");
    assertEquals(await session.names(), ["good"]);
  });
});

Deno.test("C1 a sealed text that is no line and object is refused, and the session lives", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (
      const text of ["ping", "ping\n", "ping\n[]", "ping\nnull", "ping\n{", 'ping\n"x"', "ping\n{}\n{}", "get a\nb\n{}"]
    ) {
      await session.control.send(framed(sealed(text)));
      assertEquals(await session.answer(), { code: "bad-request", workingSigns: 0 }, JSON.stringify(text));
    }
    assertEquals(await session.outcome("ping"), "ok");
  });
});

Deno.test("C1 fields that are not known, and those that are null, are not looked at", async () => {
  await using bed = testBed();
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const parameters = { offset: null, later: { a: [1] }, constructor: 1, ["__proto__"]: 1, toString: "x" };
    assertEquals(await session.get("a.txt", parameters), toWire("content"));
    assertEquals(await session.outcome("ping", { recursive: 7 }), "ok");
  });
});

Deno.test("C2 a command of 16,385 bytes is refused at its header, one of 16,384 is answered", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const most = command("get x", { pad: "x".repeat(16_384 - '{"pad":""}'.length - "get x\n".length - 9) });
    assertEquals(most.length, 10 + 16_384);
    await session.control.send(most);
    assertEquals(await session.answer(), { code: "not-found", workingSigns: 0 });
    await session.control.send(signed(16_385));
    await session.data.assertEnds();
    await session.control.assertEnds();
    assertEquals((await bed.log.sessionClosed(session)).outcome, "protocol");

    using welcome = await RawTandem.begin(bed.server, toWire(signed(16_385)));
    await welcome.control.assertEnds();
    assertEquals((await bed.log.sessionClosed(welcome)).outcome, "protocol");
  });
});

Deno.test("C3 names with NUL, CR, LF or ESC are refused by every command, and told as they came", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await bed.log.commandOf(session);
    for (const name of ["a\0b", "a\rb", "a\x1b[31mb", "a\x07b", "a\x7fb", "a\u0085b"]) {
      for (const verb of ["get", "ls", "stat", "mkdir", "rm", "hash"]) {
        assertEquals(await session.outcome(`${verb} ${name}`), "bad-request");
        const event = await bed.log.commandOf(session);
        assertEquals([event.command, event.outcome], [`${verb} ${name}`, "bad-request"]);
      }
      assertEquals(await session.outcome("mv a", { to: name }), "bad-request");
      assert((await bed.log.commandOf(session)).command.startsWith("mv a"));
      assertEquals(await session.put(name, "x"), "bad-request");
      await bed.log.commandOf(session);
    }
    assertEquals(await session.names(), []);
  });
});

Deno.test("C5 quit during a transfer lets it end, and what stands before it, and then the session", async () => {
  await using bed = testBed();
  const big = pattern(16 << 20);
  bed.write("big.bin", big);
  bed.write("a.txt", "content");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    await session.control.send(
      joined(...["get big.bin", "get a.txt", "quit", "rm a.txt"].map((line) => command(line))),
    );
    assertEquals(await session.file(), big);
    assertEquals(await session.file(), toWire("content"));
    await session.data.assertEnds();
    await session.control.assertEnds();
    assertEquals((await bed.log.sessionClosed(session)).outcome, "ok");
    assertEquals(bed.read("a.txt"), "content");
  });
});

/** Everything about a folder that a write could change, its own time of change with it. */
function snapshot(folder: string): string {
  const lines: string[] = [];
  const look = (path: string) => {
    const { mtime, ctime, size, mode, ino, isDirectory } = Deno.lstatSync(path);
    lines.push(`${path} ${mtime?.getTime()} ${ctime?.getTime()} ${size} ${mode} ${ino}`);
    if (!isDirectory) lines.push(Deno.readTextFileSync(path));
    else for (const { name } of Deno.readDirSync(path)) look(`${path}/${name}`);
  };
  look(folder);
  return lines.sort().join("\n");
}

function filledBed(write: boolean): TestBed {
  const bed = testBed({ write, overwrite: false });
  bed.write("a.txt", "content");
  bed.write("sub/b.txt", "content");
  Deno.mkdirSync(`${bed.root}/empty`);
  return bed;
}

const NAMES = ["new", "a.txt", "sub", "sub/b.txt", "sub/new", "empty", "no/x"];

/** Everything that changes what is there, of each name. */
function* changes(): Generator<readonly [string, Json]> {
  for (const name of NAMES) {
    for (const recursive of [false, true]) yield [`rm ${name}`, { recursive }];
    for (const onExist of [undefined, "error", "overwrite", "newer"]) {
      for (const to of NAMES) yield [`mv ${name}`, { to, onExist }];
    }
  }
}

Deno.test("C6 a read-only server refuses every command that writes before anything is created", async () => {
  await using bed = filledBed(false);
  await bed.survives(async () => {
    const before = snapshot(bed.root);
    using session = await RawTandem.open(bed.server);
    for (const [line, parameters] of changes()) {
      assertEquals(await session.outcome(line, parameters), "denied", `${line} ${JSON.stringify(parameters)}`);
    }
    for (const name of NAMES) {
      for (const recursive of [false, true]) {
        assertEquals(await session.outcome(`mkdir ${name}`, { recursive }), "denied");
      }
      for (const onExist of [undefined, "error", "overwrite"]) {
        for (const extra of [{}, { ready: true }, { ready: true, resume: true }, { size: 1 << 20 }]) {
          await session.send(`put ${name}`, { onExist, ...extra });
          if (!("ready" in extra)) await session.data.send(upload("other"));
          assertEquals(await session.answer(), { code: "denied", workingSigns: 0 });
        }
      }
    }
    assertEquals(snapshot(bed.root), before);
    assertEquals(await session.get("a.txt"), toWire("content"));
  });
});

Deno.test("C6 a server that may only add neither replaces, nor removes, nor renames", async () => {
  await using bed = filledBed(true);
  await bed.survives(async () => {
    const before = snapshot(bed.root);
    using session = await RawTandem.open(bed.server);
    for (const [line, parameters] of changes()) {
      assertEquals(await session.outcome(line, parameters), "denied", `${line} ${JSON.stringify(parameters)}`);
    }
    const codes = { "error": "exists", "overwrite": "denied", "newer": "denied" };
    for (const name of ["a.txt", "sub/b.txt"]) {
      for (const [onExist, code] of [[undefined, "exists"], ...Object.entries(codes)] as const) {
        for (const extra of [{}, { ready: true }, { ready: true, resume: true }]) {
          await session.send(`put ${name}`, { onExist, mtime: Date.now() + 60_000, ...extra });
          if (!("ready" in extra)) await session.data.send(upload("other"));
          assertEquals(await session.answer(), { code, workingSigns: 0 }, `${name} ${onExist}`);
        }
      }
      assertEquals(await session.outcome(`mkdir ${name}`, { recursive: true }), "exists");
    }
    assertEquals(await session.put("sub", "x"), "is-directory");
    assertEquals(await session.outcome("mkdir sub"), "exists");
    assertEquals(snapshot(bed.root), before);
    assertEquals(await session.put("new", "new"), "stored");
    assertEquals(await session.outcome("mkdir more/deep", { recursive: true }), "ok");
    assertEquals(bed.read("new"), "new");
  });
});

Deno.test("H9 commands beyond the 64 that may wait are read when there is room, and all are answered in order", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const count = 1_000;
    const startedMs = performance.now();
    await session.control.send(joined(...Array.from({ length: count }, (_, i) => command(`mkdir d${i}`))));
    await session.control.send(joined(...Array.from({ length: count }, (_, i) => command(`stat d${i}`))));
    for (let i = 0; i < count; i++) assertEquals(await session.object(), {});
    for (let i = 0; i < count; i++) assertEquals((await session.object())["name"], `d${i}`);
    assertLess(performance.now() - startedMs, 5_000);
  });
});
