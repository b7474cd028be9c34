/**
 * The thief of safety row D1: a program in C that connects to whatever opens on
 * this machine, faster than any client can.
 *
 * @module
 */

import { assert, assertEquals } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";

const SOURCE = new URL("./thief.c", import.meta.url);

/** Where a thief looks, and from where. */
export interface Hunt {
  /** Its own address, any of `127.0.0.0/8`. */
  readonly from: string;
  /** The server's port. */
  readonly port: number;
  /** The ports that it tries, both ends included. */
  readonly range: readonly [number, number];
  /** What is in every piece of what it may not get. */
  readonly mark: string;
}

/** What a thief has done. */
export interface Haul {
  /** Connections that were tried. */
  readonly tries: number;
  /** Those that somebody listened to. */
  readonly opened: number;
  /** Bytes that the server has said to it, or that have the mark in them. */
  readonly stolenBytes: number;
  /** Tries in a second. */
  readonly perSecond: number;
}

/** A thief at work. Disposing of it ends it. */
export interface Thief extends AsyncDisposable {
  /** Ends it. */
  stop(): Promise<Haul>;
}

/** Whether there is a compiler to make one with. */
export function canMakeThief(): boolean {
  if (Deno.build.os !== "linux") return false;
  try {
    return new Deno.Command("gcc", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** Compiles the program into `folder`; returns its path. */
export async function makeThief(folder: string): Promise<string> {
  const path = `${folder}/thief`;
  const { success, stderr } = await new Deno.Command("gcc", {
    args: ["-O2", "-Wall", "-Wextra", "-Werror", "-o", path, SOURCE.pathname],
  }).output();
  assert(success, new TextDecoder().decode(stderr));
  return path;
}

/** Starts a thief, and returns when it has tried every port once. */
export async function startThief(program: string, { from, port, range, mark }: Hunt): Promise<Thief> {
  const child = new Deno.Command(program, {
    args: [from, port, ...range, mark].map(String),
    stdin: "piped",
    stdout: "piped",
  }).spawn();
  const lines = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const line = async (what: string) => (await within(lines.read(), PATIENCE_MS, what)).value?.trim() ?? "";
  const stop = async (): Promise<Haul> => {
    await child.stdin.close();
    const [tries = 0, opened = 0, stolenBytes = 0, ms = 0] = (await line("a thief's report")).split(" ").map(Number);
    while (!(await within(lines.read(), PATIENCE_MS, "a thief's last word")).done);
    assertEquals((await child.status).code, 0, "a thief's exit code");
    return { tries, opened, stolenBytes, perSecond: Math.round(tries / ms * 1_000) };
  };
  let stopping: Promise<Haul> | undefined;
  assertEquals(await line("a thief's first round"), "began");
  return {
    stop: () => stopping ??= stop(),
    async [Symbol.asyncDispose]() {
      await (stopping ??= stop());
    },
  };
}
