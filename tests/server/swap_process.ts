/**
 * The process behind `startSwapping()`: swaps until its standard input ends,
 * and then says how often.
 *
 * @module
 */

import type { Swap } from "./swapper.ts";

const AT_FDCWD = -100;
const RENAME_EXCHANGE = 2;

/**
 * How many swaps are made between two looks at the standard input, which take a
 * millisecond: with no pause at all the system's own locks on names leave the
 * server one lookup in a hundred milliseconds, and the race is run less often.
 */
const BATCH = 50;

if (import.meta.main) {
  const swap: Swap = JSON.parse(Deno.args[0] ?? "");
  const step = swap.way === "exchange"
    ? exchanging(swap.a, swap.b)
    : replacing(swap.path, swap.target, swap.content, swap.workshop);
  step();
  let count = 1;
  console.log("began");
  let over = false;
  Deno.stdin.read(new Uint8Array(1)).finally(() => over = true);
  while (!over) {
    for (let i = 0; i < BATCH; i++) step();
    count += BATCH;
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  console.log(count);
}

function exchanging(a: string, b: string): () => void {
  const { symbols } = Deno.dlopen("libc.so.6", {
    renameat2: {
      parameters: ["i32", "buffer", "i32", "buffer", "u32"],
      result: "i32",
    },
  });
  const first = new TextEncoder().encode(`${a}\0`);
  const second = new TextEncoder().encode(`${b}\0`);
  return () => {
    const failed = symbols.renameat2(
      AT_FDCWD,
      first,
      AT_FDCWD,
      second,
      RENAME_EXCHANGE,
    );
    if (failed !== 0) throw new Error("renameat2() failed");
  };
}

function replacing(
  path: string,
  target: string,
  content: string,
  workshop: string,
): () => void {
  const next = `${workshop}/next`;
  let isLink = false;
  return () => {
    isLink = !isLink;
    if (isLink) Deno.symlinkSync(target, next);
    else Deno.writeTextFileSync(next, content);
    Deno.renameSync(next, path);
  };
}
