/**
 * Safety rows P1 to P7 and P9 in the tandem exchange: names that lead out of the
 * served folder, by every command that takes one, and links.
 *
 * @module
 */

import { assert, assertEquals } from "../deps.ts";
import { joined, toWire } from "./raw_client.ts";
import { command, crcOf, framed, RawTandem, sealed } from "./raw_tandem.ts";
import { LINUX, SECRET, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

/** Tries everything that a path can be given to; returns the code of each refusal. */
async function tryEverything(session: RawTandem, path: string): Promise<[string, string][]> {
  const tried: [string, string][] = [];
  const lines = ["stat", "get", "hash", "mkdir", "rm", "ls"].map((verb) => `${verb} ${path}`);
  for (const line of lines) tried.push([line, await session.outcome(line)]);
  const deep = { recursive: true };
  for (const verb of ["ls", "mkdir", "rm"]) tried.push([`${verb} -r`, await session.outcome(`${verb} ${path}`, deep)]);
  for (const onExist of ["error", "overwrite"]) {
    tried.push([`mv ${path} to`, await session.outcome("mv mine", { to: path, onExist })]);
    tried.push([`mv ${path}`, await session.outcome(`mv ${path}`, { to: "stolen", onExist })]);
  }
  tried.push([`put ${path}`, await session.put(path, "changed")]);
  tried.push([`put ${path}, later`, await session.outcome(`put ${path}`, { ready: true, resume: true })]);
  return tried;
}

async function refuses(session: RawTandem, path: string, codes: readonly string[]): Promise<void> {
  for (const [what, code] of await tryEverything(session, path)) {
    assert(codes.includes(code), `${what} of ${JSON.stringify(path)}: ${code}`);
  }
}

function assertNothingChanged(bed: TestBed): void {
  assertEquals(Deno.readTextFileSync(`${bed.outside}/secret.txt`), SECRET);
  assertEquals([...Deno.readDirSync(bed.outside)].length, 1);
  assertEquals([...Deno.readDirSync(`${bed.root}/..`)].length, 2);
  assertEquals(bed.read("mine"), "mine");
  assertEquals(bed.read("stolen"), undefined);
}

async function refusesAll(bed: TestBed, paths: readonly string[]): Promise<void> {
  bed.write("mine", "mine");
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const path of paths) await refuses(session, path, ["outside-root", "bad-request", "denied"]);
    assertNothingChanged(bed);
  });
}

Deno.test("P1 paths with . or .. or an empty component are refused by every command", async () => {
  await using bed = testBed();
  bed.write("sub/a.txt", "content");
  await refusesAll(bed, [
    "..",
    ".",
    "",
    "../outside/secret.txt",
    "../pub/sub/a.txt",
    "sub/../../outside/secret.txt",
    "sub/..",
    "./sub/a.txt",
    "sub/.",
    "sub//a.txt",
    "sub/",
    "../".repeat(40) + "etc/passwd",
  ]);
  assertEquals(bed.read("sub/a.txt"), "content");
});

Deno.test("P2 absolute paths are refused by every command", async () => {
  await using bed = testBed();
  await refusesAll(bed, ["/etc/passwd", "//x", "/", `${bed.root}/mine`, `${bed.outside}/secret.txt`, "/mine"]);
});

Deno.test("P3 backslashes are refused by every command", async () => {
  await using bed = testBed();
  await refusesAll(bed, ["..\\x", "C:\\x", "\\\\host\\share", "a\\b"]);
});

Deno.test("P4 percent signs are letters, never decoded", { ignore: WINDOWS }, async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const name of ["%2e%2e%2foutside%2fsecret.txt", "..%c0%afoutside", "\uff0e\uff0e\uff0foutside"]) {
      assertEquals(await session.get(name), "not-found");
      assertEquals(await session.put(name, name), "stored");
      assertEquals(bed.read(name), name);
    }
    assertEquals(Deno.readTextFileSync(`${bed.outside}/secret.txt`), SECRET);
  });
});

Deno.test("P4 a command that is not UTF-8 ends the session", async () => {
  await using bed = testBed();
  const names = [[0xc0, 0xae, 0xc0, 0xae, 0x2f, 0x78], [0x61, 0xff], [0x61, 0xed, 0xa0, 0x80]];
  await bed.survives(async () => {
    for (const name of names) {
      using session = await RawTandem.open(bed.server);
      const text = joined(toWire("get "), Uint8Array.from(name), toWire("\n{}"));
      // The seal is that of the bytes, so that they come as they are.
      await session.control.send(framed(joined(text, toWire(`\n${crcOf(text)}`))));
      await session.control.assertEnds();
      assertEquals((await bed.log.sessionClosed(session)).outcome, "protocol");
    }
  });
});

Deno.test("P5 what no name may hold, and lone surrogates from JSON, are refused", async () => {
  await using bed = testBed();
  await refusesAll(bed, ["a\0b", "a\x01", "a\x7f", "a\u009b", "a\ufffd", ".tandem-x.part", ".TANDEM-a.txt.partial"]);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    const text = 'mv mine\n{"to":"a\\ud800b"}';
    await session.control.send(framed(sealed(text)));
    assertEquals(await session.answer(), { code: "bad-request", workingSigns: 0 });
    for (const line of ["mkdir a\u202eb", "put a\u202eb"]) {
      await session.control.send(command(line, { ready: true }));
      assertEquals(await session.answer(), { code: "bad-request", workingSigns: 0 });
    }
    assertEquals(await session.outcome("mv mine", { to: "a\u202eb" }), "bad-request");
    assertNothingChanged(bed);
  });
});

Deno.test("P6 a name of 255 bytes is served by every command, one of 256 refused", { ignore: WINDOWS }, async () => {
  await using bed = testBed();
  const fits = "x".repeat(255);
  await bed.survives(async () => {
    using session = await RawTandem.open(bed.server);
    for (const size of [7, 300_000]) {
      const content = "content".padEnd(size);
      assertEquals(await session.put(fits, content, { size }), "stored");
      assertEquals(await session.get(fits), toWire(content));
    }
    assertEquals(await session.outcome(`mv ${fits}`, { to: "é".repeat(127) }), "ok");
    assertEquals(await session.outcome(`rm ${"é".repeat(127)}`), "ok");
    assertEquals(await session.outcome(`mkdir ${fits}/${fits}`, { recursive: true }), "ok");
    bed.write("mine", "mine");
    for (const long of [`${fits}x`, "é".repeat(128), "\u{1f600}".repeat(64)]) {
      await refuses(session, long, ["bad-request"]);
    }
    const deep = Array(20).fill("x".repeat(250)).join("/");
    assert(["bad-request", "not-found"].includes(await session.outcome(`stat ${deep}`)));
    assertEquals(await session.outcome("rm mine"), "ok");
  });
});

/** Permissions that are not all of them: then paths are checked, not walked. */
const NARROW: Deno.PermissionOptions = { net: true, read: true, write: true, env: true, run: true };

const LINKS: Readonly<Record<string, string>> = {
  "to-file": "../outside/secret.txt",
  "to-folder": "../outside",
  "to-nothing": "../outside/nothing",
  "to-itself": "to-itself",
  "to-proc": "/proc/self",
  "to-inside": "inside",
  "inside/up": "..",
};

const THROUGH_LINKS: readonly string[] = [
  ...Object.keys(LINKS),
  "to-folder/secret.txt",
  "to-folder/new",
  "to-nothing/x",
  "to-itself/x",
  "to-proc/environ",
  "to-inside/a.txt",
  "to-inside/new",
  "inside/up/mine",
  "inside/up/new",
];

for (const [how, permissions] of [["all permissions", "inherit"], ["fewer permissions", NARROW]] as const) {
  Deno.test({
    name: `P7 links of every kind are refused by every command, with ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      await using bed = testBed();
      bed.write("inside/a.txt", "inside");
      bed.write("mine", "mine");
      for (const [name, target] of Object.entries(LINKS)) Deno.symlinkSync(target, `${bed.root}/${name}`);
      const run = async () => {
        using session = await RawTandem.open(bed.server);
        for (const path of THROUGH_LINKS) {
          await refuses(session, path, ["denied", "exists", "not-directory", "not-found"]);
          assertNothingChanged(bed);
        }
        assertEquals(await session.names(undefined, { recursive: true }), ["inside", "inside/a.txt", "mine"]);
        for (const [name, target] of Object.entries(LINKS)) {
          assertEquals(Deno.readLinkSync(`${bed.root}/${name}`), target);
        }
        assertEquals(bed.read("inside/a.txt"), "inside");
        // A folder goes with the links in it, and not with what they lead to.
        assertEquals(await session.outcome("rm inside", { recursive: true }), "ok");
        assertNothingChanged(bed);
      };
      // The survival check counts descriptors, which takes all permissions.
      if (permissions === "inherit") await bed.survives(run);
      else await run();
    },
  });

  Deno.test({
    name: `P9 a root that is replaced by a link is never the new one, with ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      await using bed = testBed();
      bed.write("a.txt", "old");
      bed.write("b.txt", "old");
      using session = await RawTandem.open(bed.server);
      Deno.renameSync(bed.root, `${bed.root}-moved`);
      Deno.symlinkSync(bed.outside, bed.root);
      const outcomes = [
        await session.outcome("rm secret.txt"),
        await session.outcome("mkdir new"),
        await session.outcome("mv secret.txt", { to: "x" }),
        await session.outcome("mv a.txt", { to: "new.txt" }),
        await session.outcome("hash secret.txt"),
        await session.outcome("stat secret.txt"),
        await session.put("put.txt", "x"),
      ];
      const old = permissions === "inherit";
      const expected = old
        ? ["not-found", "ok", "not-found", "ok", "not-found", "not-found", "stored"]
        : Array(7).fill("denied");
      assertEquals(outcomes, expected);
      assertEquals([...Deno.readDirSync(bed.outside)].map(({ name }) => name), ["secret.txt"]);
    },
  });
}
