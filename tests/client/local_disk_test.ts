/**
 * Tests of what a download does to the local disk: what is there already, and
 * what does not fit. K8, K9.
 *
 * @module
 */

import type { ErrorCode } from "../../src/errors.ts";
import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails } from "../net/failure.ts";
import { mountTest, smallDisk } from "../store/mounts.ts";
import { makeFifo } from "../store/special_files.ts";
import { openBoth } from "./both_ends.ts";
import { bothModes, MODES } from "./modes.ts";
import { answers, does, sends } from "./scripted_server.ts";
import { attempt, list } from "./session.ts";

const NOT_UNIX = Deno.build.os === "windows";

/** Fills a folder with one of each thing that a download may find under its name. */
function fill(folder: string): Disposable {
  Deno.writeTextFileSync(`${folder}/other`, "other");
  Deno.writeTextFileSync(`${folder}/file`, "old");
  Deno.mkdirSync(`${folder}/folder`);
  Deno.symlinkSync("other", `${folder}/link`);
  Deno.symlinkSync("nothing", `${folder}/dangling`);
  return makeFifo(`${folder}/fifo`);
}

/** Checks that a folder is as it was filled. */
function assertUntouched(folder: string): void {
  const names = [...Deno.readDirSync(folder)].map(({ name }) => name).sort();
  assertEquals(
    names,
    ["dangling", "fifo", "file", "folder", "link", "other"],
  );
  assertEquals(Deno.readTextFileSync(`${folder}/other`), "other");
  assertEquals(Deno.readTextFileSync(`${folder}/file`), "old");
  assertEquals(Deno.readLinkSync(`${folder}/link`), "other");
  assertEquals(Deno.readLinkSync(`${folder}/dangling`), "nothing");
  assert(Deno.lstatSync(`${folder}/fifo`).isFifo);
  assert(Deno.lstatSync(`${folder}/folder`).isDirectory);
}

const REFUSALS: Readonly<Record<string, readonly [ErrorCode, ErrorCode?]>> = {
  file: ["exists"],
  folder: ["is-directory", "is-directory"],
  link: ["exists", "local-io"],
  dangling: ["exists", "local-io"],
  fifo: ["exists", "local-io"],
};

for (const [name, [unasked, asked]] of Object.entries(REFUSALS)) {
  for (const mode of MODES) {
    Deno.test({
      name: `K8 Client.download() leaves a local ${name} alone, and asks the server for nothing (${mode})`,
      ignore: NOT_UNIX,
      async fn() {
        await using both = await openBoth(mode);
        const { client, folder, commands } = both;
        using _filled = fill(folder);
        const local = `${folder}/${name}`;
        await assertFails(client.download("a", local), unasked);
        if (asked !== undefined) {
          const overwriting = client.download("a", local, { overwrite: true });
          await assertFails(overwriting, asked);
        }
        assertUntouched(folder);
        assertEquals(await list(client), []);
        assertEquals(commands, ["ls: ok"]);
      },
    });
  }
}

bothModes("K8 Client.download() replaces a local file when it may", async ({ mode }) => {
  await using both = await openBoth(mode);
  const { client, folder, root } = both;
  Deno.writeTextFileSync(`${root}/a`, "new");
  Deno.writeTextFileSync(`${folder}/file`, "the old content");
  await client.download("a", `${folder}/file`, { overwrite: true });
  assertEquals(Deno.readTextFileSync(`${folder}/file`), "new");
  assertEquals(temporaries(folder), []);
});

Deno.test("K8 Client.download() fails with exists when the name is taken meanwhile", async () => {
  using local = tempFolder();
  const file = `${local.path}/file`;
  const script = answers(
    "get a",
    // By now the client has looked whether the name is free.
    does("is too slow", () => Deno.writeTextFileSync(file, "quicker")),
    sends("0000000003new"),
  );
  await attempt(script, async ({ client }) => {
    await assertFails(client.download("a", file), "exists");
    assertEquals(Deno.readTextFileSync(file), "quicker");
  });
  assertEquals(temporaries(local.path), []);
});

bothModes("K9 Client.download() fails when there is no such local folder, and asks for nothing", async ({ mode }) => {
  await using both = await openBoth(mode);
  const { client, folder, commands } = both;
  await assertFails(client.download("a", `${folder}/b/a`), "local-io");
  Deno.writeTextFileSync(`${folder}/file`, "x");
  await assertFails(client.download("a", `${folder}/file/a`), "not-directory");
  const long = "x".repeat(300);
  await assertFails(client.download("a", `${folder}/${long}`), "local-io");
  assertEquals(await list(client), []);
  assertEquals(commands, ["ls: ok"]);
});

for (const mode of MODES) {
  mountTest(`K9 Client.download() fails with no-space when the local disk is full (${mode})`, async () => {
    using disk = smallDisk("size=64k");
    await using both = await openBoth(mode);
    const { client, root } = both;
    Deno.writeTextFileSync(`${disk.path}/a`, "old");
    // One that is written at once, when all of it has come, and one that is not.
    for (const size of [100_000, 8_000_000]) {
      Deno.writeFileSync(`${root}/a`, new Uint8Array(size));
      const { message } = await assertFails(client.download("a", `${disk.path}/a`, { overwrite: true }), "no-space");
      assertStringIncludes(message, `${disk.path}/a`);
      assertEquals(temporaries(disk.path), []);
      assertEquals(Deno.readTextFileSync(`${disk.path}/a`), "old");
      assertEquals(await within(list(client), PATIENCE_MS, "ls"), ["a"]);
    }
  });

  mountTest(`K9 Client.download() fails with local-io when the local folder is read-only (${mode})`, async () => {
    using disk = smallDisk("size=1m");
    Deno.writeTextFileSync(`${disk.path}/a`, "old");
    disk.makeReadOnly();
    await using both = await openBoth(mode);
    const { client, commands } = both;
    await assertFails(client.download("a", `${disk.path}/b`), "local-io");
    const { message } = await assertFails(client.download("a", `${disk.path}/a`, { overwrite: true }), "local-io");
    assertStringIncludes(message, "read-only");
    assertEquals(await list(client), []);
    assertEquals(commands, ["ls: ok"]);
  });
}
