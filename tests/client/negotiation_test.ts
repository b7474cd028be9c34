/**
 * Tests of finding out what a server speaks: by the first operation, whichever
 * that is, and whatever becomes of it.
 *
 * @module
 */

import type { Client, Mode } from "../../mod.ts";
import { assert, assertEquals, toText } from "../deps.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { openBoth } from "./both_ends.ts";
import { list } from "./session.ts";

/** Every operation as the first one of a session, and what it says in each exchange. */
const FIRST: Readonly<
  Record<string, readonly [(client: Client, folder: string) => Promise<unknown>, unknown, unknown]>
> = {
  "list()": [(client) => list(client), ["a"], ["a"]],
  "get()": [async (client) => toText((await client.get("a")).readable), "content", "content"],
  "get() of what is not there": [(client) => client.get("b"), "not-found", "not-found"],
  "download()": [async (client, folder) => (await client.download("a", `${folder}/a`)).bytes, 7, 7],
  "put()": [async (client) => (await client.put("new", "x")).outcome, "sent", "stored"],
  "put() of a stream": [
    async (client) => (await client.put("new", new Blob(["x"]).stream())).outcome,
    "sent",
    "stored",
  ],
  "put() of a large file": [
    async (client) => (await client.put("new", new Uint8Array(5_000_000))).outcome,
    "sent",
    "stored",
  ],
  "put() that is refused": [(client) => client.put("no/such/folder", "x"), "denied", "not-found"],
  "stat()": [async (client) => (await client.stat("a")).size, "unsupported", 7],
  "mkdir()": [(client) => client.mkdir("sub"), "unsupported", undefined],
  "remove()": [(client) => client.remove("a"), "unsupported", undefined],
  "rename()": [(client) => client.rename("a", "b"), "unsupported", undefined],
  "hash()": [async (client) => (await client.hash("a")).length, "unsupported", 64],
  "ping()": [async (client) => typeof await client.ping(), "unsupported", "number"],
  "list() of all below": [
    async (client) => (await Array.fromAsync(client.list("/", { recursive: true }))).length,
    "unsupported",
    1,
  ],
};

const PLAIN_ONLY = { mode: "plain" } as const;

for (const [name, [run, plain, tandem]] of Object.entries(FIRST)) {
  // A server that speaks only plain is told with a sign all the same: NEG-8.
  for (const [mode, expected, told] of [["plain", plain, PLAIN_ONLY], ["tandem", tandem, {}]] as const) {
    Deno.test(`NEG-1 Client.${name} can be the first operation (${mode})`, async () => {
      const hellos: Mode[] = [];
      await using both = await openBoth("tandem", {
        ...told,
        client: { onEvent: (event) => event.event === "hello" && hellos.push(event.mode) },
      });
      const { client, folder, root } = both;
      Deno.writeTextFileSync(`${root}/a`, "content");
      const result = await within(run(client, folder).catch(({ code }) => code), PATIENCE_MS, name);
      assertEquals(result, expected);
      assertEquals([client.mode, hellos], [mode, [mode]]);
      await client.put("after", "x");
      assertEquals((await within(list(client), PATIENCE_MS, "ls")).includes("after"), true);
      assertEquals(hellos.length, 1);
    });
  }

  for (const told of [{}, PLAIN_ONLY]) {
    const mode = told === PLAIN_ONLY ? "plain" : "tandem";
    Deno.test(`Client goes on when a first ${name} was given up at once (${mode})`, async () => {
      await using both = await openBoth("tandem", told);
      const { client, folder, root } = both;
      Deno.writeTextFileSync(`${root}/a`, "content");
      const controller = new AbortController();
      const connection = new Proxy(client, {
        get: (target, key) => {
          const method: unknown = Reflect.get(target, key, target);
          if (typeof method !== "function") return method;
          const { signal } = controller;
          const place = key === "list" || key === "stat" || key === "ping" ? 0 : 1;
          return (...args: unknown[]) => {
            const last = args.at(-1);
            const isOptions = typeof last === "object" && last !== null && last.constructor === Object;
            const options = { ...(isOptions ? last : {}), signal };
            const given = isOptions ? args.slice(0, -1) : args;
            while (given.length < place) given.push(undefined);
            return method.apply(
              target,
              key === "ping" ? [options] : key === "list" ? [given[0] ?? "/", options] : [...given, options],
            );
          };
        },
      });
      const running = run(connection, folder).then(() => "ok", ({ code }) => code as string);
      await Promise.resolve();
      controller.abort();
      const code = await within(running, 1_000, "what was given up");
      assert(code === "aborted", code);
      assertEquals((await within(list(client), PATIENCE_MS, "ls")).includes("a"), true);
      assertEquals(client.mode, mode);
    });
  }
}

for (const told of [{}, PLAIN_ONLY]) {
  const mode = told === PLAIN_ONLY ? "plain" : "tandem";
  Deno.test(`Client finds out once when many operations are the first ones (${mode})`, async () => {
    const hellos: Mode[] = [];
    using spy = spyOnConnect();
    await using both = await openBoth("tandem", {
      ...told,
      client: { onEvent: (event) => event.event === "hello" && hellos.push(event.mode) },
    });
    const { client, root, commands } = both;
    Deno.writeTextFileSync(`${root}/a`, "content");
    const all = Array.from({ length: 30 }, async (_, i) => {
      if (i % 3 === 0) return (await list(client)).includes("a");
      if (i % 3 === 1) return await toText((await client.get("a")).readable) === "content";
      return (await client.put(`p${i}`, "x")).bytes === 1;
    });
    const results = await within(Promise.all(all), PATIENCE_MS, "all of them");
    assertEquals(results.filter((result) => !result), []);
    assertEquals(hellos, [mode]);
    if (mode === "tandem") assertEquals(spy.attempts.length, 2);
    assertEquals(commands.length, 30);
  });

  Deno.test(`Client goes on when one of many first operations is given up (${mode})`, async () => {
    for (const given of [0, 1, 5]) {
      await using both = await openBoth("tandem", told);
      const { client } = both;
      const controller = new AbortController();
      const all = Array.from({ length: 10 }, (_, i) => {
        const options = i === given ? { signal: controller.signal } : {};
        return client.put(`p${i}`, "x", options).then(() => "ok", ({ code }) => code as string);
      });
      await Promise.resolve();
      controller.abort();
      const codes = await within(Promise.all(all), PATIENCE_MS, "all of them");
      assertEquals(codes.map((code) => code === "ok"), codes.map((_, i) => i !== given));
    }
  });
}

Deno.test("NEG-4 Client.close() before the first operation ends the session at once", async () => {
  for (const told of [{}, PLAIN_ONLY]) {
    await using both = await openBoth("tandem", told);
    await within(both.client.close(), 500, "close()");
  }
});
