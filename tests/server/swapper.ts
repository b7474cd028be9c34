/**
 * A process of its own that swaps two things under one name in a tight loop, as
 * a local attacker would.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { within } from "./deadline.ts";

/** What is swapped, and how. */
export type Swap =
  /** The two paths change places in one step (`renameat2`, `RENAME_EXCHANGE`); Linux only. */
  | { readonly way: "exchange"; readonly a: string; readonly b: string }
  /** A link to `target`, then a file with `content`, then the link again replace what is at `path`, whatever it is. */
  | {
    readonly way: "replace";
    readonly path: string;
    readonly target: string;
    readonly content: string;
    /** A folder on the same disk for what is about to be swapped in. */
    readonly workshop: string;
  };

/** A process that swaps. Disposing of it ends it. */
export interface Swapper extends AsyncDisposable {
  /** Ends it; resolves to how many swaps were made. */
  stop(): Promise<number>;
}

const SCRIPT = new URL("./swap_process.ts", import.meta.url);

/** Starts a process that swaps, and returns when it has begun. */
export async function startSwapping(swap: Swap): Promise<Swapper> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--no-check", "-A", SCRIPT.href, JSON.stringify(swap)],
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const options = { onLate: () => child.kill("SIGKILL") };
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = async (what: string) => (await within(what, lines.read(), options)).value?.trim();
  let stopping: Promise<number> | undefined;
  const stop = async () => {
    await child.stdin.close();
    const count = Number(await line("the number of swaps"));
    while (!(await within("the end", lines.read(), options)).done);
    const { code } = await within("the swapper's exit", child.status, options);
    assertEquals(code, 0, "the swapper's exit code");
    return count;
  };
  assertEquals(await line("the first swap"), "began");
  return {
    stop: () => stopping ??= stop(),
    async [Symbol.asyncDispose]() {
      await (stopping ??= stop());
    },
  };
}
