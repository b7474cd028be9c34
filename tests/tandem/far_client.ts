/**
 * A client as a process of its own, so that it can be killed. Its first argument
 * is a port, its second a list of steps as JSON; those of one group go at the
 * same time. Says what became of each.
 *
 * @module
 */

import { type Client, connect, TandemError } from "../../mod.ts";

/** What it is asked to do: a verb, a path at the server, and one here. */
export type FarStep = readonly [verb: "ls" | "stat" | "get" | "put" | "hash", path: string, local?: string];

async function take(client: Client, [verb, path, local = ""]: FarStep): Promise<unknown> {
  switch (verb) {
    case "ls":
      return (await Array.fromAsync(client.list(path))).map(({ name }) => name);
    case "stat":
      return (await client.stat(path)).size;
    case "get":
      return (await client.download(path, local, { overwrite: true })).outcome;
    case "put":
      return (await client.upload(local, path)).outcome;
    case "hash":
      return await client.hash(path);
  }
}

const groups: FarStep[][] = JSON.parse(Deno.args[1] ?? "[]");
await using client = await connect({ port: Number(Deno.args[0]), mode: "tandem" });
for (const steps of groups) {
  await Promise.all(steps.map(async (step) => {
    const result = await take(client, step).catch((error) => {
      if (error instanceof TandemError) return error.code;
      throw error;
    });
    console.log(JSON.stringify({ step, result }));
  }));
}
