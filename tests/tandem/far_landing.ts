/**
 * A process that lands files under one name, again and again, and gives some of
 * them up, as servers on one folder or downloads to one name do. Its arguments
 * are the folder, and for how long, in milliseconds. Says what came of it.
 *
 * @module
 */

import { asTandemError } from "../../src/errors.ts";
import { openLanding } from "../../src/store/landing.ts";

const [folder = ".", forMs = "1000"] = Deno.args;
const endMs = performance.now() + Number(forMs);

/** A file has its writer's mark so many times. */
const PIECES = 4;
const MARK_BYTES = 12;

const counts: Record<string, number> = {};
const count = (what: string) => counts[what] = (counts[what] ?? 0) + 1;
let last = 0;

async function land(): Promise<void> {
  const mark = `${Deno.pid}.${++last}`.padEnd(MARK_BYTES);
  const resume = Math.random() < 0.4;
  await using landing = await openLanding(folder, "a", "a", { replace: true, resumable: true, resume });
  if (landing.kept !== undefined) await landing.restart();
  for (let i = 0; i < PIECES; i++) {
    await landing.write(new TextEncoder().encode(mark));
    await new Promise((resolve) => setTimeout(resolve, Math.random()));
  }
  const fate = Math.random();
  if (fate < 0.5) return void count("given up");
  if (fate < 0.6) {
    landing.keep();
    return void count("kept");
  }
  await landing.commit();
  count("landed");
}

function look(): void {
  let text: string;
  try {
    text = Deno.readTextFileSync(`${folder}/a`);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return;
    throw error;
  }
  const mark = text.slice(0, MARK_BYTES);
  if (text.length !== PIECES * MARK_BYTES || text !== mark.repeat(PIECES)) count("torn");
}

await Promise.all(Array.from({ length: 8 }, async () => {
  while (performance.now() < endMs) {
    await land().catch((error) => count(`failed: ${asTandemError(error).code}`));
    look();
  }
}));
console.log(JSON.stringify(counts));
