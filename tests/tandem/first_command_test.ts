/**
 * Tests that any operation may be a session's first one, which goes another way
 * than all later ones: with the ticket, and all of it perhaps in one piece.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { pattern } from "../server/test_bed.ts";
import { openBed } from "./bed.ts";

const FIRST: Readonly<Record<string, (client: Client, folder: string) => Promise<unknown>>> = {
  ls: (client) => Array.fromAsync(client.list("/")),
  stat: (client) => client.stat("a"),
  get: async (client) => await new Response((await client.get("a")).readable).arrayBuffer(),
  download: (client, folder) => client.download("a", `${folder}/a`),
  upload: (client, folder) => client.upload(`${folder}/from`, "b"),
  hash: (client) => client.hash("a"),
  mkdir: (client) => client.mkdir("folder"),
  remove: (client) => client.remove("a"),
  rename: (client) => client.rename("a", "b"),
  ping: (client) => client.ping(),
};

for (const [what, run] of Object.entries(FIRST)) {
  Deno.test(`Client does ${what} as the first operation of a session, and another one after it`, async () => {
    await using bed = await openBed();
    Deno.writeTextFileSync(`${bed.root}/a`, "some text");
    Deno.writeTextFileSync(`${bed.folder}/from`, "some text");
    const client = await bed.connect();
    await within(run(client, bed.folder), PATIENCE_MS, what);
    await within(client.ping(), PATIENCE_MS, "the next answer");
  });
}

for (const size of [0, 1, 60, 1_000, 3_900, 4_096, 5_000, 16_384, 100_000, 262_144]) {
  Deno.test(`Client stores a file of ${size} bytes as the first operation of a session`, async () => {
    await using bed = await openBed();
    const { root, server } = bed;
    const content = pattern(size);
    // With the proxy between, pieces arrive apart; without it, together.
    for (const port of [server.addr.port, bed.proxy.port]) {
      const client = await bed.connect({ port });
      const { outcome } = await within(client.put("a", content), PATIENCE_MS, "put()");
      assertEquals(outcome, "stored");
      assertBytes(Deno.readFileSync(`${root}/a`), content);
    }
  });
}

Deno.test("Client does many first operations that were begun together", async () => {
  await using bed = await openBed();
  const { root } = bed;
  for (let session = 0; session < 3; session++) {
    const client = await bed.connect();
    const names = Array.from({ length: 100 }, (_, i) => `${session} ${i}`);
    await within(
      Promise.all(names.map((name) => client.put(name, name))),
      PATIENCE_MS,
      `all puts of session ${session}`,
    );
    for (const name of names) assertEquals(Deno.readTextFileSync(`${root}/${name}`), name);
    await client.close();
  }
});
