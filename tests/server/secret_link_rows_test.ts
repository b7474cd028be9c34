/**
 * Safety rows P8 and P9 with a secret: a file, a folder and the served folder
 * itself change places with links out of it, as fast as that goes, while clients
 * who have proved themselves get and put.
 *
 * Without a secret, see `link_rows_test.ts`; with fewer than all permissions a
 * folder that is swapped can win, which the documentation says.
 *
 * @module
 */

import { assert, assertEquals, assertGreater } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { toWire } from "./raw_client.ts";
import type { RawTandem } from "./raw_tandem.ts";
import { RawSecret } from "./raw_tls.ts";
import { startSwapping, type Swap } from "./swapper.ts";
import { LINUX, SECRET, SOAK, type TestBed, testBed } from "./test_bed.ts";

/** Permissions that are not all of them: then paths are checked, not walked. */
const NARROW: Deno.PermissionOptions = { net: true, read: true, write: true, env: true, run: true };
const PERMISSIONS = [["all permissions", "inherit"], ["fewer permissions", NARROW]] as const;

const GETS = SOAK ? 100_000 : 3_000;
const PUTS = SOAK ? 100_000 : 1_000;

/** What may become of a command whose name is a link at that moment. */
const REFUSALS = new Set(["denied", "not-found", "not-directory", "changed", "exists"]);

/** Bytes that are served, and never what stands outside. */
type Step = (session: RawTandem, i: number) => Promise<string>;

/** What a race has come to. */
interface Outcomes {
  served: number;
  refused: number;
}

/**
 * Runs `step` `count` times, by four clients at once that have the secret, while
 * something is swapped; `step` returns `ok` or a code.
 */
async function race(
  { raw, bed }: { readonly raw: RawSecret; readonly bed: TestBed },
  swap: Swap,
  count: number,
  step: Step,
): Promise<Outcomes> {
  await using swapper = await startSwapping(swap);
  const seen: Outcomes = { served: 0, refused: 0 };
  let left = count;
  await Promise.all(Array.from({ length: 4 }, async () => {
    using session = await raw.open(bed.server);
    while (left-- > 0) {
      const outcome = await step(session, left);
      if (outcome === "ok") seen.served++;
      else {
        assert(REFUSALS.has(outcome), outcome);
        seen.refused++;
      }
      if (left % 64 === 0) bed.log.clear();
    }
    await session.quit();
  }));
  assertEquals(bed.log.internalErrors(), []);
  const swaps = await swapper.stop();
  assertGreater(swaps, count / 8, "swaps");
  assertGreater(seen.served, 0, "served");
  if (Deno.env.get("FIGURES") === "1") console.error(`  ${count} tries, ${JSON.stringify(seen)}, ${swaps} swaps`);
  return seen;
}

function bedWithSecret(): { readonly raw: RawSecret; readonly bed: TestBed } {
  const raw = new RawSecret();
  return { raw, bed: testBed({ secret: raw.secret, hostname: "127.0.0.1" }) };
}

function exchange(bed: TestBed, name: string, target: string): Swap {
  const link = `${bed.root}/link`;
  Deno.symlinkSync(target, link);
  return { way: "exchange", a: `${bed.root}/${name}`, b: link };
}

function assertOutsideUntouched(bed: TestBed, names = ["secret.txt"]): void {
  assertEquals([...Deno.readDirSync(bed.outside)].map(({ name }) => name).sort(), names);
  for (const name of names) assertEquals(Deno.readTextFileSync(`${bed.outside}/${name}`), SECRET);
}

/** A `get` whose bytes must be these. */
function gets(path: string, content: string): Step {
  return async (session) => {
    const came = await session.get(path);
    if (typeof came === "string") return came;
    assertEquals(came, toWire(content));
    return "ok";
  };
}

/** A `put` in place of what is there, sent at once, or once the server is ready. */
function puts(path: string, content: string): Step {
  return async (session) => {
    const outcome = await session.put(path, content, { onExist: "overwrite" });
    return outcome === "stored" ? "ok" : outcome;
  };
}

for (const [how, permissions] of PERMISSIONS) {
  Deno.test({
    name: `P8 with a secret a file swapped with a link never escapes in ${GETS} gets, with ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      const { raw, bed } = bedWithSecret();
      await using _bed = bed;
      bed.write("a.txt", "plain");
      const swap = exchange(bed, "a.txt", `${bed.outside}/secret.txt`);
      const { refused } = await race({ raw, bed }, swap, GETS, gets("a.txt", "plain"));
      assertGreater(refused, 0, "nothing was raced");
    },
  });

  Deno.test({
    name: `P8 with a secret a file swapped with a link never escapes in ${PUTS} puts, with ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      const { raw, bed } = bedWithSecret();
      await using _bed = bed;
      const workshop = `${bed.root}/../workshop`;
      Deno.mkdirSync(workshop);
      const target = `${bed.outside}/secret.txt`;
      const swap: Swap = { way: "replace", path: `${bed.root}/a.txt`, target, content: "swapped in", workshop };
      await race({ raw, bed }, swap, PUTS, puts("a.txt", "put"));
      assertOutsideUntouched(bed);
      assertEquals(temporaries(bed.root), []);
    },
  });

  Deno.test({
    name: `P9 with a secret a root that is replaced by a link is never the new one, with ${how}`,
    ignore: !LINUX,
    permissions,
    async fn() {
      const { raw, bed } = bedWithSecret();
      await using _bed = bed;
      bed.write("a.txt", "old");
      using session = await raw.open(bed.server);
      assertEquals(await session.get("a.txt"), toWire("old"));
      Deno.renameSync(bed.root, `${bed.root}-moved`);
      Deno.symlinkSync(bed.outside, bed.root);
      // In the session that was open, and in one that comes now.
      using later = await raw.open(bed.server);
      for (const one of [session, later]) {
        const content = await one.get("a.txt");
        if (permissions === "inherit") assertEquals(content, toWire("old"));
        else assertEquals(content, "denied");
        for (const line of ["get secret.txt", "stat secret.txt", "hash secret.txt", "rm secret.txt", "ls secret.txt"]) {
          assert(REFUSALS.has(await one.outcome(line)), line);
        }
        await one.put("new.txt", "new");
        assertOutsideUntouched(bed);
      }
    },
  });
}

for (const [what, count] of [["gets", GETS], ["puts", PUTS]] as const) {
  Deno.test({
    name: `P8 with a secret a folder swapped with a link never escapes in ${count} ${what}`,
    ignore: !LINUX,
    async fn() {
      const { raw, bed } = bedWithSecret();
      await using _bed = bed;
      bed.write("sub/secret.txt", "plain");
      const swap = exchange(bed, "sub", bed.outside);
      const step = what === "gets" ? gets("sub/secret.txt", "plain") : puts("sub/secret.txt", "plain");
      const { refused } = await race({ raw, bed }, swap, count, step);
      assertGreater(refused, 0, "nothing was raced");
      assertOutsideUntouched(bed);
    },
  });

  Deno.test({
    name: `P9 with a secret a root swapped with a link in a tight loop stays the old one in ${count} ${what}`,
    ignore: !LINUX,
    async fn() {
      const { raw, bed } = bedWithSecret();
      await using _bed = bed;
      Deno.writeTextFileSync(`${bed.outside}/a.txt`, SECRET);
      bed.write("a.txt", "old");
      const link = `${bed.root}-link`;
      Deno.symlinkSync(bed.outside, link);
      const swap: Swap = { way: "exchange", a: bed.root, b: link };
      const step = what === "gets" ? gets("a.txt", "old") : puts("a.txt", "old");
      const { refused } = await race({ raw, bed }, swap, count, step);
      // Who walks by descriptors does not even notice.
      assertEquals(refused, 0);
      assertOutsideUntouched(bed, ["a.txt", "secret.txt"]);
    },
  });
}
