/**
 * K9: stdout and stderr that are closed or full. Whoever reads may leave at any moment, as
 * `head` does; the program then says so in one line, and shows no insides.
 *
 * @module
 */

import { assertEquals, assertNotEquals } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertClearError, assertCode, run, Running, startServe, tandem } from "./program.ts";
import { place } from "./place.ts";

/** Runs a program whose stdout nobody reads. */
async function runUnread(words: readonly string[], cwd: string) {
  await using program = new Running(words, { cwd });
  await program.stdout.leave();
  return await program.ended();
}

Deno.test("K9 ls that is read to its first line only ends with a clear error", async () => {
  const names = Array.from({ length: 600 }, (_, i) => [`${i} ${"of many".repeat(30)}`, ""]);
  await using shared = place(Object.fromEntries(names));
  for (const flags of [[], ["--json"]]) {
    await using program = shared.start([...flags, "ls"]);
    await program.stdout.until(/\n/);
    await program.stdout.leave();
    const ended = await program.ended();
    assertCode(ended, 6);
    assertClearError(ended);
  }
});

for (
  const args of [["ls"], ["cat", "a"], ["get", "a", "-"], ["pwd"], ["--json", "ls"], ["--json", "get", "a"], [
    "--json",
    "stat",
    "a",
  ]]
) {
  Deno.test(`K9 connect HOST ${args.join(" ")} with a closed stdout ends with a clear error`, async () => {
    await using shared = place({ a: new Uint8Array(300_000) });
    const ended = await runUnread(tandem(["connect", shared.address, ...args]), shared.here);
    assertCode(ended, 6);
    assertClearError(ended);
    assertEquals([...Deno.readDirSync(shared.here)].filter(({ name }) => name !== "a"), []);
  });
}

for (const args of [["--version"], ["help"], ["help", "connect"], ["serve", "--port", "0"]]) {
  Deno.test(`K9 tandem ${args.join(" ")} with a closed stdout ends with a clear error`, async () => {
    using folder = tempFolder();
    const ended = await runUnread(tandem(args), folder.path);
    assertNotEquals(ended.code, 0);
    assertClearError(ended);
  });
}

for (const args of [["ls"], ["cat", "a"], ["--json", "ls"]]) {
  Deno.test({
    name: `K9 connect HOST ${args.join(" ")} into a full file ends with a clear error`,
    ignore: Deno.build.os !== "linux",
    async fn() {
      await using shared = place({ a: "a" });
      const words = tandem(["connect", shared.address, ...args]);
      const ended = await run(["sh", "-c", 'exec "$@" >/dev/full', "sh", ...words], { cwd: shared.here });
      assertCode(ended, 6);
      assertClearError(ended);
    },
  });
}

Deno.test("a closed stderr is no reason to end a transfer or a server", async () => {
  using folder = tempFolder();
  await using server = await startServe(tandem(["serve", "-vp0", "--write", folder.path]));
  await server.process.stderr.leave();
  await using shared = place({ a: "a" });
  await using get = shared.start(["-v", "get", "a"]);
  await get.stderr.leave();
  assertCode(await get.ended(), 0);
  assertEquals(Deno.readTextFileSync(`${shared.here}/a`), "a");
  for (let i = 0; i < 2; i++) {
    const put = await run(tandem(["connect", server.address, "put", "a", `a${i}`]), { cwd: shared.here });
    assertCode(put, 0);
  }
  assertEquals(Deno.readTextFileSync(`${folder.path}/a1`), "a");
});
