/**
 * SIGINT and SIGTERM: `connect` ends with the exit code of the signal, soon, and
 * leaves nothing behind.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { closedPort } from "../net/door.ts";
import { assertCode, assertNoTrace, IS_UNIX, Running, tandem } from "./program.ts";
import { place } from "./place.ts";

/** The signals and the exit codes that they lead to. */
const SIGNALS: readonly (readonly [Deno.Signal, number])[] = [["SIGINT", 130], ["SIGTERM", 143]];

/** How long a program may take to end, in milliseconds: it says good-bye to the server for a second at the most. */
const SOON_MS = 5_000;

const LARGE_BYTES = 64_000_000;

/** Slow enough that a transfer of that size lasts for longer than any test. */
const SLOW = { limits: { bytesPerSecond: 6_000_000 } };

/** Waits until a folder is empty, as it is once the server has noticed that its client is gone. */
async function assertSoonEmpty(folder: string): Promise<void> {
  const names = () => [...Deno.readDirSync(folder)].map(({ name }) => name);
  for (let waited = 0; waited < 50 && names().length > 0; waited++) {
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  assertEquals(names(), []);
}

/** A sparse file. */
function createLarge(path: string): void {
  using file = Deno.createSync(path);
  file.truncateSync(LARGE_BYTES);
}

for (const [signal, code] of SIGNALS) {
  Deno.test({
    name: `exit ${code}: ${signal} in the middle of a get, and neither file nor temporary is left`,
    ignore: !IS_UNIX,
    async fn() {
      await using shared = place({}, SLOW);
      createLarge(`${shared.root}/large`);
      await using program = shared.start(["--json", "get", "large"]);
      await program.stdout.until(/"progress"/);
      assertEquals(temporaries(shared.here).length, 1);
      program.kill(signal);
      const ended = await program.ended(SOON_MS);
      assertCode(ended, code);
      assertNoTrace(ended.stderr);
      assertEquals([...Deno.readDirSync(shared.here)], []);
    },
  });

  Deno.test({
    name: `exit ${code}: ${signal} in the middle of a put, and the server keeps nothing of it`,
    ignore: !IS_UNIX,
    async fn() {
      await using shared = place({}, SLOW);
      createLarge(`${shared.here}/large`);
      await using program = shared.start(["--json", "put", "large"]);
      await program.stdout.until(/"progress"/);
      program.kill(signal);
      const ended = await program.ended(SOON_MS);
      assertCode(ended, code);
      assertNoTrace(ended.stderr);
      await assertSoonEmpty(shared.root);
    },
  });

  Deno.test({
    name: `exit ${code}: ${signal} in the middle of a script ends the script`,
    ignore: !IS_UNIX,
    async fn() {
      await using shared = place({ "small": "small" }, SLOW);
      createLarge(`${shared.root}/large`);
      const script = "-get large\n-get small\nget small\n";
      await using program = shared.start(["--json"], { stdin: script });
      await program.stdout.until(/"progress"/);
      program.kill(signal);
      assertCode(await program.ended(SOON_MS), code);
      assertEquals([...Deno.readDirSync(shared.here)], []);
    },
  });

  Deno.test({
    name: `exit ${code}: ${signal} while it waits for the next line of a pipe`,
    ignore: !IS_UNIX,
    async fn() {
      await using shared = place({ x: "x" });
      await using program = shared.start([], { stdin: "open" });
      await program.type("ls\n");
      await program.stdout.until(/x\n/);
      program.kill(signal);
      assertCode(await program.ended(SOON_MS), code);
    },
  });

  Deno.test({
    name: `exit ${code}: ${signal} while a server does not answer`,
    ignore: !IS_UNIX,
    async fn() {
      await using shared = place();
      using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
      const accepting = listener.accept();
      const words = tandem(["connect", `127.0.0.1:${listener.addr.port}`, "get", "x"]);
      await using program = new Running(words, { cwd: shared.here });
      using conn = await accepting;
      await conn.read(new Uint8Array(100));
      program.kill(signal);
      assertCode(await program.ended(SOON_MS), code);
      assertEquals([...Deno.readDirSync(shared.here)], []);
    },
  });

  Deno.test({
    name: `exit ${code}: ${signal} while it waits to try again`,
    ignore: !IS_UNIX,
    async fn() {
      const words = tandem(["connect", `127.0.0.1:${closedPort()}`, "--retry", "9", "ls"]);
      await using program = new Running(words);
      await program.stderr.until(/trying again in 1 s/);
      program.kill(signal);
      assertCode(await program.ended(SOON_MS), code);
    },
  });

  Deno.test({
    name: `exit ${code}: ${signal} in the middle of many files over several sessions leaves whole files only`,
    ignore: !IS_UNIX,
    async fn() {
      const files = Object.fromEntries(Array.from({ length: 60 }, (_, i) => [`tree/${i}`, "x".repeat(200_000)]));
      await using shared = place(files, { limits: { bytesPerSecond: 1_000_000 } });
      await using program = shared.start(["--json", "-P", "3", "get", "-r", "tree"]);
      await program.stdout.until(/"event":"file"/);
      program.kill(signal);
      const ended = await program.ended(SOON_MS);
      assertCode(ended, code);
      assertNoTrace(ended.stderr);
      assertEquals(temporaries(shared.here), []);
      for (const { name } of Deno.readDirSync(`${shared.here}/tree`)) {
        assertEquals(Deno.statSync(`${shared.here}/tree/${name}`).size, 200_000);
      }
    },
  });

  for (const args of [["cat", "large"], ["ls"]]) {
    Deno.test({
      name: `exit ${code}: ${signal} while nobody takes what ${args[0]} writes`,
      ignore: !IS_UNIX,
      async fn() {
        // More names than a pipe holds.
        const names = Array.from({ length: 600 }, (_, i) => [`${i} ${"of many".repeat(30)}`, ""]);
        await using shared = place(Object.fromEntries(names));
        createLarge(`${shared.root}/large`);
        await using program = shared.start(["-v", ...args], { unread: true });
        await program.stderr.until(/connected/);
        // Nothing tells that a program waits for room in a pipe.
        await new Promise((resolve) => setTimeout(resolve, 300));
        program.kill(signal);
        const ended = await program.ended(SOON_MS);
        assertCode(ended, code);
        assertNoTrace(ended.stderr);
      },
    });
  }
}
