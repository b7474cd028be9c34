/**
 * Where a secret comes from: `tandem secret`, a file, the environment; and what
 * is no secret, or one that others have as well.
 *
 * @module
 */

import { generateSecret } from "../../mod.ts";
import { assertEquals, assertMatch } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { forAll } from "../net/deadline.ts";
import { assertCode, assertFails, IS_UNIX, NARROW, run, Running, startServe, tandem } from "./program.ts";
import { writeFiles } from "./place.ts";
import { assertHides, cleanEnv, secretPlace, WITH_SECRET, writeSecret } from "./secrets.ts";

/** A secret that somebody made up. */
const OWN_WORDS = "zwölf Boxkämpfer jagen Viktor";

Deno.test("tandem secret prints one line that is a secret, another one each time, and needs no rights", async () => {
  const all = await Promise.all(Array.from({ length: 4 }, () => run(tandem(["secret"], ["--no-prompt"]))));
  for (const ended of all) {
    assertCode(ended, 0);
    assertEquals(ended.stderr, "");
    // SEC-2: 28 digits in groups of four.
    assertMatch(ended.stdout, /^([0-9a-hjkmnp-tv-z]{4}-){6}[0-9a-hjkmnp-tv-z]{4}\n$/);
  }
  assertEquals(new Set(all.map(({ stdout }) => stdout)).size, all.length);
});

Deno.test("tandem secret refuses arguments, and does not repeat them", async () => {
  const given = generateSecret();
  const words = [["secret", given], ["secret", "--quiet"], ["secret", `--secret=${given}`], ["secret", "a", "b"]];
  await forAll(words, async (args) => {
    const ended = await run(tandem(args, ["--no-prompt"]));
    assertFails(ended, 2);
    assertHides(ended.stderr, given);
  });
});

Deno.test("what tandem secret prints works from a file and from the environment, with any line end or none", async (t) => {
  const printed = (await run(tandem(["secret"], ["--no-prompt"]))).stdout;
  const bare = printed.trim();
  await using shared = secretPlace({ secret: bare });
  const forms: Readonly<Record<string, string>> = {
    "as it was printed": printed,
    "without its line feed": bare,
    "with CR LF": `${bare}\r\n`,
    "with empty lines behind it": `${bare}\n\n`,
    "with blanks around it": `  ${bare} \n`,
    "in capitals and without hyphens": bare.toUpperCase().replaceAll("-", ""),
    "with a byte order mark": `\ufeff${bare}\r\n`,
  };
  const all = Object.entries(forms).map(([form, content], i) => {
    const file = writeSecret(`${shared.here}/secret${i}`, content);
    const words = (flags: string[]) => tandem(["connect", "-q", ...flags, shared.address, "cat", "a"], WITH_SECRET);
    return {
      form,
      file: run(words(["--secret-file", file]), cleanEnv()),
      variable: run(words([]), cleanEnv({ TANDEM_SECRET: content })),
    };
  });
  await Promise.all(all.flatMap(({ file, variable }) => [file, variable]));
  for (const { form, file, variable } of all) {
    await t.step(form, async () => {
      for (const ended of [await file, await variable]) {
        assertCode(ended, 0);
        assertEquals([ended.stdout, ended.stderr], ["content", ""]);
      }
    });
  }
});

Deno.test("somebody's own words work as a secret, on both sides", async () => {
  using folder = tempFolder();
  writeFiles(folder.path, { "shared/a": "content" });
  // One composed, one decomposed: SEC-1.
  const file = writeSecret(`${folder.path}/secret`, `${OWN_WORDS.normalize("NFD")}\n`);
  const words = tandem(["serve", "-qp0", "--host", "127.0.0.1", `${folder.path}/shared`], WITH_SECRET);
  await using server = await startServe(words, cleanEnv({ TANDEM_SECRET: OWN_WORDS.normalize("NFC") }));
  const ended = await run(
    tandem(["connect", "--secret-file", file, server.address, "cat", "a"], WITH_SECRET),
    cleanEnv(),
  );
  assertCode(ended, 0);
  assertEquals(ended.stdout, "content");
});

Deno.test("--secret-file wins over TANDEM_SECRET, on both sides, also where the latter is none", async () => {
  await using shared = secretPlace();
  await forAll([generateSecret(), "", "short"], async (other) => {
    const env = cleanEnv({ TANDEM_SECRET: other });
    const words = tandem(["serve", "-qp0", "--host=127.0.0.1", "--secret-file", shared.file, shared.root], WITH_SECRET);
    await using server = await startServe(words, env);
    const ended = await run(
      tandem(["connect", "--secret-file", shared.file, server.address, "cat", "a"], WITH_SECRET),
      env,
    );
    assertCode(ended, 0);
    assertEquals(ended.stdout, "content");
  });
});

/** Both subcommands with `flags`, as they would else do something: serve a folder, reach a server. */
function both(flags: readonly string[]): string[][] {
  return [["serve", "-p0", "--host", "127.0.0.1", ...flags, "."], ["connect", "127.0.0.1:1", ...flags, "ls"]];
}

Deno.test({
  name: "--secret-file is refused when group or others may read or change it, bit by bit",
  ignore: !IS_UNIX,
  async fn(t) {
    using folder = tempFolder();
    const secret = generateSecret();
    for (const mode of [0o640, 0o620, 0o604, 0o602, 0o660, 0o606, 0o644, 0o666, 0o777, 0o440, 0o404]) {
      const shown = mode.toString(8);
      const file = writeSecret(`${folder.path}/${shown}`, secret, mode);
      await t.step(shown, async () => {
        for (
          const ended of await Promise.all(both(["--secret-file", file]).map((args) => run(tandem(args), cleanEnv())))
        ) {
          assertFails(ended, 2, "--secret-file", "others", "chmod 600");
          assertHides(ended.stderr, secret);
        }
      });
    }
    for (const mode of [0o400, 0o600, 0o700]) {
      const shown = mode.toString(8);
      const file = writeSecret(`${folder.path}/${shown}`, secret, mode);
      await t.step(`${shown} is taken`, async () => {
        const words = tandem(["serve", "-qp0", "--host=127.0.0.1", "--secret-file", file, folder.path]);
        await using _server = await startServe(words, cleanEnv());
      });
    }
  },
});

Deno.test({
  name: "--secret-file is refused when others may read what a link to it leads to",
  ignore: !IS_UNIX,
  async fn() {
    using folder = tempFolder();
    writeSecret(`${folder.path}/open`, generateSecret(), 0o644);
    Deno.symlinkSync("open", `${folder.path}/link`);
    const ended = await run(tandem(["serve", "-p0", "--secret-file", `${folder.path}/link`, folder.path]), cleanEnv());
    assertFails(ended, 2, "others");
  },
});

const GENERATED = generateSecret();

/** Files that hold no secret: what stands in them, and what is said. */
const NO_SECRETS: Readonly<Record<string, readonly [content: string | Uint8Array, says: RegExp]>> = {
  "an empty file": ["", /empty/],
  "a file with blank lines only": [" \n\r\n", /empty/],
  "a short one": ["fifteen letters", /too short.*16/],
  "a mistyped one": [GENERATED.slice(0, -1) + (GENERATED.endsWith("a") ? "b" : "a"), /mistyped/],
  "several lines": ["the first line of words\nthe second line of words\n", /one line/],
  "a long line": ["x".repeat(1_025), /one line|too long/],
  "a huge file": [new Uint8Array(3_000_000).fill(0x61), /too long/],
  "zeros": [new Uint8Array(64), /one line/],
  "bytes with controls": [Uint8Array.from({ length: 256 }, (_, i) => 255 - i), /one line|text|UTF-8/],
  "bytes that are no UTF-8, and all above 127": [new Uint8Array(32).fill(0xfe), /text|UTF-8/],
  "words in Latin-1": [Uint8Array.from("zw\xf6lf Boxk\xe4mpfer jagen Viktor", (c) => c.charCodeAt(0)), /text|UTF-8/],
  "UTF-16, as PowerShell writes it": [utf16(GENERATED), /text|UTF-8/],
};

function utf16(text: string): Uint8Array {
  return Uint8Array.from([0xff, 0xfe, ...[...text].flatMap((c) => [c.charCodeAt(0), 0])]);
}

Deno.test("--secret-file is refused when it holds no secret, with a way out, and nothing of it is shown", async (t) => {
  using folder = tempFolder();
  for (const [about, [content, says]] of Object.entries(NO_SECRETS)) {
    const file = writeSecret(`${folder.path}/${about}`, content);
    await t.step(about, async () => {
      for (const args of both(["--secret-file", file])) {
        const ended = await run(tandem(args), { cwd: folder.path, ...cleanEnv() });
        assertFails(ended, 2, "--secret-file");
        assertMatch(ended.stderr, says);
        assertMatch(ended.stderr, /hint: .*(tandem secret|copy it)/);
        if (typeof content === "string" && content.trim() !== "") assertHides(ended.stderr, content.trim());
      }
    });
  }
});

Deno.test("TANDEM_SECRET is refused when it is none, also when it is empty, and nothing of it is shown", async (t) => {
  for (
    const [about, value, says] of [
      ["empty", "", /empty/],
      ["blank", "  ", /empty/],
      ["short", "fifteen letters", /too short.*16/],
      ["two lines", "the first line of words\nthe second line", /one line/],
      ["mistyped", NO_SECRETS["a mistyped one"]?.[0] as string, /mistyped/],
    ] as const
  ) {
    await t.step(about, async () => {
      const runs = both([]).map((args) => run(tandem(args, WITH_SECRET), cleanEnv({ TANDEM_SECRET: value })));
      for (const ended of await Promise.all(runs)) {
        assertFails(ended, 2, "TANDEM_SECRET");
        assertMatch(ended.stderr, says);
        assertMatch(ended.stderr, /hint: .*(tandem secret|copy it)/);
        if (value.trim() !== "") assertHides(ended.stderr, value);
      }
    });
  }
});

Deno.test({
  name: "T11: TANDEM_SECRET that is no UTF-8 is refused as any other, without a trace and without showing it",
  ignore: !IS_UNIX,
  async fn() {
    for (const args of both([])) {
      // Only a shell can give such a value.
      const words = tandem(args, WITH_SECRET).map((word) => `'${word}'`).join(" ");
      const ended = await run(
        ["sh", "-c", `TANDEM_SECRET=$(printf 'geheimes \\377 Wort von mir') exec ${words}`],
        cleanEnv(),
      );
      assertHides(ended.stderr, "geheimes \ufffd Wort von mir");
      assertEquals(/geheimes|von mir/.test(ended.stderr + ended.stdout), false, ended.stderr);
      assertFails(ended, 2, "TANDEM_SECRET");
    }
  },
});

Deno.test("--secret-file that is not there, a folder, or not to be read is refused, and its name is not shown", async (t) => {
  using folder = tempFolder();
  const secret = generateSecret();
  Deno.mkdirSync(`${folder.path}/${secret}-folder`);
  writeSecret(`${folder.path}/${secret}-file`, secret);
  const narrow = [...NARROW.filter((flag) => flag !== "--allow-read"), `--allow-read=${folder.path}/pub`];
  for (
    const [about, file, rights, says] of [
      ["a secret in the place of the name", secret, NARROW, /No such file|not there|no such/i],
      ["one that is not there", `${folder.path}/${secret}`, NARROW, /No such file|not there|no such/i],
      ["a folder", `${folder.path}/${secret}-folder`, NARROW, /folder/],
      ["one behind a file", `${folder.path}/${secret}-file/x`, NARROW, /[Nn]ot a directory|no folder/],
      ["one that the program may not read", `${folder.path}/${secret}-file`, narrow, /--allow-read/],
      ["a name with NUL", `${secret}\\0`, NARROW, /No such file|not there|no such/i],
    ] as const
  ) {
    await t.step(about, async () => {
      for (
        const ended of await Promise.all(
          both(["--secret-file", file]).map((args) => run(tandem(args, rights), cleanEnv())),
        )
      ) {
        assertFails(ended, 2, "--secret-file");
        assertMatch(ended.stderr, says);
        assertMatch(ended.stderr, /hint: .*(tandem secret|--allow-read|the file)/);
        assertHides(ended.stderr, secret);
        assertEquals(/: *\n|to *\n/.test(ended.stderr), false, `a sentence without its end: ${ended.stderr}`);
      }
    });
  }
});

/** Root reads everything, unless it is told to give that up. */
const LESS: readonly string[] = Deno.build.os === "linux" && Deno.uid() === 0
  ? ["setpriv", "--bounding-set=-dac_override,-dac_read_search"]
  : [];

Deno.test({
  name: "--secret-file that the system does not let us read is refused",
  ignore: !IS_UNIX || !canLoseRights(),
  async fn() {
    using folder = tempFolder();
    const secret = generateSecret();
    const file = writeSecret(`${folder.path}/unreadable`, secret, 0o000);
    for (const args of both(["--secret-file", file])) {
      const ended = await run([...LESS, ...tandem(args)], cleanEnv());
      assertFails(ended, 2, "--secret-file", "cannot be read", "ermission denied");
      assertHides(ended.stderr, secret);
    }
  },
});

function canLoseRights(): boolean {
  const [name, ...args] = LESS;
  if (name === undefined) return Deno.uid() !== 0;
  try {
    return new Deno.Command(name, { args: [...args, "true"], stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

Deno.test({
  name: "--secret-file takes what a shell substitutes for a program",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = secretPlace();
    const words = tandem(["connect", "-q", "--secret-file"]).map((word) => `'${word}'`).join(" ");
    const line = `${words} <(printf '%s\\n' "$THE_SECRET") ${shared.address} cat a`;
    const ended = await run(["bash", "-c", line], cleanEnv({ THE_SECRET: shared.secret }));
    assertCode(ended, 0);
    assertEquals([ended.stdout, ended.stderr], ["content", ""]);
  },
});

Deno.test({
  name: "--secret-file takes a FIFO, and a server too",
  ignore: !IS_UNIX,
  async fn() {
    await using shared = secretPlace();
    const fifo = `${shared.here}/fifo`;
    assertCode(await run(["mkfifo", "-m", "600", fifo]), 0);
    const serving = startServe(
      tandem(["serve", "-qp0", "--host=127.0.0.1", "--secret-file", fifo, shared.root]),
      cleanEnv(),
    );
    assertCode(
      await run(["sh", "-c", `printf %s "$THE_SECRET" > "$FIFO"`], { env: { THE_SECRET: shared.secret, FIFO: fifo } }),
      0,
    );
    await using server = await serving;
    const ended = await run(tandem(["connect", "--secret-file", shared.file, server.address, "cat", "a"]), cleanEnv());
    assertEquals([ended.code, ended.stdout], [0, "content"]);
  },
});

Deno.test({
  name: "--secret-file that is a FIFO in which nobody writes can be given up with Ctrl-C and SIGTERM",
  ignore: Deno.build.os !== "linux",
  async fn(t) {
    using folder = tempFolder();
    const fifo = `${folder.path}/fifo`;
    assertCode(await run(["mkfifo", "-m", "600", fifo]), 0);
    for (const args of both(["--secret-file", fifo])) {
      for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143]] as const) {
        await t.step(`${args[0]}, ${signal}`, async () => {
          await using program = new Running(tandem(args), cleanEnv());
          // Until it waits in the kernel for somebody at the other end.
          while (
            (await run(["ps", "-o", "wchan:30=", "-p", String(program.pid)])).stdout.trim() !== "wait_for_partner"
          ) {
            assertEquals(program.over, false, program.stderr.text);
          }
          program.kill(signal);
          assertEquals((await program.ended(5_000)).code, code);
        });
      }
    }
  },
});
