/**
 * Tests of many clients that put one name at the same time, with parts of it
 * lying about.
 *
 * @module
 */

import { assert, assertEquals } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { sameBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { begun, pause } from "../server/deadline.ts";
import { pattern, SOAK } from "../server/test_bed.ts";
import { keptName } from "../../src/store/temporary.ts";
import { quickFolder } from "../store/places.ts";
import { openBed } from "./bed.ts";

const CLIENTS = 8;
const ROUNDS = SOAK ? 600 : 25;

/** What each client puts: large enough to be kept when it is cut off, and nowhere the same. */
const CONTENTS = Array.from({ length: CLIENTS }, (_, i) => pattern(262_144 + i * 50_000, 2 * i + 1));

for (const left of ["no part", "a part"] as const) {
  Deno.test(`Q1 ${CLIENTS} clients put one name at once, where ${left} was left: each is stored, one whole`, async () => {
    await using bed = await openBed({ makeFolder: quickFolder });
    const { root } = bed;
    const clients = await Promise.all(CONTENTS.map(() => bed.connect()));
    await Promise.all(clients.map((client) => client.ping()));
    for (let round = 0; round < ROUNDS; round++) {
      if (left === "a part") Deno.writeFileSync(`${root}/${keptName("a")}`, pattern(1_000, 99));
      const puts = clients.map((client, i) => begun(client.put("a", CONTENTS[i] ?? "", { onExist: "overwrite" })));
      let over = false;
      const ended = Promise.allSettled(puts).then((results) => {
        over = true;
        return results;
      });
      // Whoever looks meanwhile sees a whole one, too.
      const looking = (async () => {
        while (!over) {
          const content = await Deno.readFile(`${root}/a`).catch(() => undefined);
          if (content !== undefined) assertWhole(content, round);
        }
      })();
      const results = await within(ended, PATIENCE_MS, `the puts of round ${round}`);
      await looking;
      for (const result of results) if (result.status === "rejected") throw result.reason;
      assertWhole(Deno.readFileSync(`${root}/a`), round);
      assertEquals(temporaries(root), []);
    }
  });
}

Deno.test("Q1 clients put one name while others give that up: those that do not are stored, one whole", async () => {
  await using bed = await openBed({ makeFolder: quickFolder });
  const { root, folder } = bed;
  const clients = await Promise.all(CONTENTS.map(() => bed.connect()));
  await Promise.all(clients.map((client) => client.ping()));
  for (const [i, content] of CONTENTS.entries()) Deno.writeFileSync(`${folder}/${i}`, content);
  for (let round = 0; round < 2 * ROUNDS; round++) {
    const puts = clients.map(async (client, i) => {
      const stop = new AbortController();
      const resume = (round + i) % 3 === 0;
      const options = { onExist: "overwrite", resume, signal: stop.signal } as const;
      const putting = begun(client.upload(`${folder}/${i}`, "a", options));
      const isGivenUp = i % 2 === 0;
      if (isGivenUp) {
        await pause((round * 7 + i * 3) % 5);
        stop.abort();
      }
      await putting.catch((error) => {
        if (!isGivenUp) throw error;
        assertEquals(error.code, "aborted");
      });
    });
    const results = await within(Promise.allSettled(puts), PATIENCE_MS, `the puts of round ${round}`);
    for (const result of results) if (result.status === "rejected") throw result.reason;
    assertWhole(Deno.readFileSync(`${root}/a`), round);
    // What was given up is over at the server as soon as it answers the next one.
    await within(Promise.all(clients.map((client) => client.ping())), PATIENCE_MS, "the next answers");
    assertEquals(temporaries(root), []);
  }
});

function assertWhole(content: Uint8Array, round: number): void {
  assert(
    CONTENTS.some((whole) => sameBytes(whole, content)),
    `${content.length} bytes in round ${round} are none whole`,
  );
}
