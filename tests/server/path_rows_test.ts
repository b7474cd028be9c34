/**
 * Safety rows P1 to P6 and P10 to P12 on the server's side: names that lead out
 * of the served folder, and names that no path may hold. P7 to P9, which are about
 * links, are in `link_rows_test.ts`.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { joined, type RawClient, toWire } from "./raw_client.ts";
import { LINUX, SECRET, type TestBed, testBed, WINDOWS } from "./test_bed.ts";

/** Asks for `name` in every way and by every command, and wants it refused. */
async function refuses(
  bed: TestBed,
  client: RawClient,
  name: string | Uint8Array,
): Promise<void> {
  const shown = JSON.stringify(String(name));
  const command = (verb: string) => joined(toWire(verb), toWire(name));
  for (const verb of ["get ", "ls "]) {
    const answer = await client.answerTo(command(verb));
    assertEquals(answer, undefined, `${verb}${shown}`);
    await assertRefused(bed, client, verb + shown);
  }
  const outcome = await client.putBy(command("put "), "changed");
  assertEquals(outcome, "refused", `put ${shown}`);
  await assertRefused(bed, client, `put ${shown}`);
}

async function assertRefused(
  bed: TestBed,
  client: RawClient,
  what: string,
): Promise<void> {
  const { outcome } = await bed.log.commandOf(client);
  assert(
    ["outside-root", "bad-request", "denied"].includes(outcome),
    `${what}: ${outcome}`,
  );
}

function assertNothingOutsideChanged(bed: TestBed): void {
  assertEquals(Deno.readTextFileSync(`${bed.outside}/secret.txt`), SECRET);
  assertEquals([...Deno.readDirSync(bed.outside)].length, 1);
  assertEquals([...Deno.readDirSync(`${bed.root}/..`)].length, 2);
}

/** Refuses each of `names`, whatever lies there. */
async function refusesAll(
  bed: TestBed,
  names: readonly (string | Uint8Array)[],
): Promise<void> {
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const name of names) await refuses(bed, client, name);
    assertNothingOutsideChanged(bed);
  });
}

Deno.test("P1 paths with . or .. or an empty component are refused", async () => {
  await using bed = testBed();
  bed.write("sub/a.txt", "content");
  await refusesAll(bed, [
    "..",
    ".",
    "",
    "../outside/secret.txt",
    "../outside",
    "../pub/sub/a.txt",
    "a/../../outside/secret.txt",
    "sub/../../outside/secret.txt",
    "sub/..",
    "sub/../sub/a.txt",
    "./sub/a.txt",
    "sub/.",
    "sub/./a.txt",
    "sub//a.txt",
    "sub/a.txt/..",
    "../".repeat(40) + "etc/passwd",
  ]);
});

Deno.test("P2 absolute paths are refused", async () => {
  await using bed = testBed();
  bed.write("sub/a.txt", "content");
  await refusesAll(bed, [
    "/etc/passwd",
    "//x",
    "/",
    "//etc/passwd",
    `${bed.root}/sub/a.txt`,
    `${bed.outside}/secret.txt`,
    "/sub/a.txt",
    "///sub/a.txt",
  ]);
});

Deno.test("P3 backslashes are refused on every system, also where such a file lies", async () => {
  await using bed = testBed();
  const names = ["..\\x", "C:\\x", "\\\\host\\share", "a\\b", "sub\\..\\a"];
  if (!WINDOWS) {
    for (const name of names) bed.write(name, "content");
  }
  await refusesAll(bed, names);
  using client = await bed.connect();
  assertEquals(await client.list(), []);
});

Deno.test({
  name: "P3 a colon is an ordinary letter where it is no drive",
  ignore: WINDOWS,
  async fn() {
    await using bed = testBed();
    using client = await bed.connect();
    for (const name of ["C:x", "x:stream"]) {
      assertEquals(await client.put(name, name), "closed");
      assertEquals(await client.get(name), toWire(name));
    }
    assertEquals(await client.list(), ["C:x", "x:stream"]);
  },
});

Deno.test(
  "P4 percent signs, double encoding and look-alikes are letters, never decoded",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    await bed.survives(async () => {
      using client = await bed.connect();
      const literal = [
        "%2e%2e/outside/secret.txt",
        "..%2foutside%2fsecret.txt",
        "%252e%252e%252foutside",
        "%2e%2e%2f",
        "..%c0%afoutside",
        "\uff0e\uff0e\uff0foutside",
        "\u2025\u2044outside",
        "a%00b",
        "&#46;&#46;",
        "~",
        "$HOME",
        "*",
      ];
      for (const name of literal) {
        assertEquals(await client.get(name), undefined, name);
        assertEquals((await bed.log.commandOf(client)).outcome, "not-found");
      }
      bed.write("%2e%2e/outside/secret.txt", "not the secret");
      for (const name of literal.slice(1)) {
        assertEquals(await client.put(name, name), "closed", name);
        assertEquals(bed.read(name), name);
      }
      assertEquals(
        await client.get("%2e%2e/outside/secret.txt"),
        toWire("not the secret"),
      );
      assertNothingOutsideChanged(bed);
    });
  },
);

Deno.test("P4 overlong and broken UTF-8 is refused", async () => {
  await using bed = testBed();
  const overlongDot = [0xc0, 0xae];
  const overlongSlash = [0xc0, 0xaf];
  const out = toWire("outside/secret.txt");
  const names = [
    [...overlongDot, ...overlongDot, 0x2f, ...out],
    [0x2e, 0x2e, ...overlongSlash, ...out],
    [0x2e, 0x2e, 0xe0, 0x80, 0xaf, ...out],
    [0x61, 0xff],
    [0x61, 0xc3],
    // A lone surrogate.
    [0x61, 0xed, 0xa0, 0x80],
  ];
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const name of names) {
      for (const verb of ["get ", "ls "]) {
        const command = Uint8Array.from([...toWire(verb), ...name]);
        assertEquals(await client.answerTo(command), undefined);
        await assertRefused(bed, client, verb);
      }
    }
    assertNothingOutsideChanged(bed);
  });
});

Deno.test(
  "P5 control bytes and broken letters are refused, also where such a file lies",
  { ignore: WINDOWS },
  async () => {
    await using bed = testBed();
    const names = [
      "a\x01b",
      "a\tb",
      "\x1b]0;title\x07",
      "a\x7f",
      "a\x85b",
      "a\x9bb",
      "a\ufffdb",
      "sub\n/a",
    ];
    for (const name of names) bed.write(name, "content");
    await refusesAll(bed, [...names, "a\0b", "\0", "a\0/../../outside"]);
    using client = await bed.connect();
    assertEquals(await client.list(), []);
  },
);

Deno.test("P6 a name of 255 bytes is served, one of 256 is refused with the reason", async () => {
  await using bed = testBed();
  await bed.survives(async () => {
    using client = await bed.connect();
    const longest = [
      "x".repeat(255),
      "\u20ac".repeat(85),
      `d/${"y".repeat(255)}`,
    ];
    Deno.mkdirSync(`${bed.root}/d`);
    for (const name of longest) {
      assertEquals(await client.put(name, name), "closed");
      assertEquals((await bed.log.commandOf(client)).outcome, "ok");
      assertEquals(await client.get(name), toWire(name));
      await bed.log.commandOf(client);
    }
    assertEquals((await client.list())?.length, 3);
    await bed.log.commandOf(client);
    const tooLong = [
      "x".repeat(256),
      "\u20ac".repeat(85) + "x",
      "x".repeat(4_091),
      `d/${"x".repeat(256)}`,
      `${"x".repeat(256)}/a`,
    ];
    for (const name of tooLong) {
      assertEquals(await client.get(name), undefined);
      const event = await bed.log.commandOf(client);
      assertEquals(event.outcome, "bad-request");
      assertStringIncludes(event.message ?? "", "255 bytes");
      assertEquals(await client.put(name, "x"), "refused");
      assertEquals((await bed.log.commandOf(client)).outcome, "bad-request");
    }
  });
});

Deno.test("P6 a path of 4,091 bytes is walked to its end", async () => {
  await using bed = testBed();
  // Longer, with the folder before it, than what the system takes in one piece.
  const deep = "d/".repeat(2_044) + "abc";
  await bed.survives(async () => {
    using client = await bed.connect();
    assertEquals(await client.get(deep), undefined);
    assertEquals((await bed.log.commandOf(client)).outcome, "not-found");
    assertEquals(await client.put(deep, "x"), "refused");
    assertEquals((await bed.log.commandOf(client)).outcome, "not-found");
  });
});

Deno.test("P10 a name with a text direction control is not created, and one with control bytes is not listed", {
  ignore: WINDOWS,
}, async () => {
  await using bed = testBed();
  const disguised = "photo_\u202egnp.exe";
  bed.write("a\x1b[2Jb", "content");
  bed.write("a\rb", "content");
  bed.write("a\x07", "content");
  bed.write("plain", "content");
  await bed.survives(async () => {
    using client = await bed.connect();
    for (const control of "\u061c\u200e\u200f\u202a\u202e\u2066\u2069") {
      assertEquals(await client.put(`a${control}b`, "x"), "refused");
    }
    assertEquals(await client.list(), ["plain"]);
    // One that is there already is served: whoever shows it escapes it.
    bed.write(disguised, "content");
    assertEquals(await client.get(disguised), toWire("content"));
  });
});

Deno.test({
  name: "P11 a name that is not UTF-8 is neither listed nor served",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    // Deno itself cannot name such a file.
    const made = await new Deno.Command("sh", {
      args: ["-c", 'printf secret > "$(printf "caf\\351")"'],
      cwd: bed.root,
    }).output();
    assert(made.success);
    await bed.survives(async () => {
      using client = await bed.connect();
      assertEquals(await client.list(), []);
      for (const name of ["caf\u00e9", "caf\ufffd", "caf"]) {
        assertEquals(await client.get(name), undefined);
      }
      const bytes = new Uint8Array([...toWire("get caf"), 0xe9]);
      assertEquals(await client.answerTo(bytes), undefined);
    });
  },
});

Deno.test({
  name: "P11 twins in another case or another spelling are two files",
  ignore: !LINUX,
  async fn() {
    await using bed = testBed();
    const twins = ["\u00e9", "e\u0301", "name", "NAME", "\u212b", "\u00c5"];
    await bed.survives(async () => {
      using client = await bed.connect();
      for (const name of twins) {
        assertEquals(await client.get(name), undefined);
        assertEquals(await client.put(name, `of ${name}`), "closed");
      }
      for (const name of twins) {
        assertEquals(await client.get(name), toWire(`of ${name}`));
      }
      assertEquals((await client.list())?.length, twins.length);
    });
  },
});

Deno.test({
  name: "P12 names that only Windows cannot hold, and odd ones, are ordinary",
  ignore: WINDOWS,
  async fn() {
    await using bed = testBed();
    const odd = ["CON", "NUL.txt", "a.", "a ", " a", "-rf", "...", ".hidden"];
    await bed.survives(async () => {
      using client = await bed.connect();
      for (const name of odd) {
        assertEquals(await client.put(name, `of ${name}`), "closed", name);
        assertEquals(await client.get(name), toWire(`of ${name}`), name);
      }
      assertEquals(new Set(await client.list()), new Set(odd));
    });
  },
});

Deno.test("P12 names of temporary files are refused and not listed, in letters of any case", async () => {
  await using bed = testBed();
  const names = [".tandem-x.part", ".tandem-", ".TANDEM-X.PART", ".Tandem-a"];
  for (const name of names) bed.write(name, "content");
  bed.write("sub/.tandem-y/a.txt", "content");
  // Not survives(): temporary names are what it looks for.
  using client = await bed.connect();
  for (const name of [...names, "sub/.tandem-y/a.txt", "sub/.tandem-z"]) {
    await refuses(bed, client, name);
  }
  assertEquals(await client.list(), ["sub/"]);
  assertEquals(await client.list("sub"), []);
  assertEquals(bed.read(".tandem-"), "content");
});
