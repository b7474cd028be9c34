/**
 * Tests that a tandem session is two connections to one port, so that a port
 * mapping or a single firewall rule is enough for it.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { LINUX, pattern } from "../server/test_bed.ts";
import { openBed, sha256Of } from "./bed.ts";
import { startClient, startServer } from "./far.ts";
import { Proxy } from "./proxy.ts";

const CONTENT = pattern(300_000);

/** Five commands, each of which says what came of it. */
const FIVE: Readonly<Record<string, (client: Client, folder: string) => Promise<unknown>>> = {
  ls: async (client) => (await Array.fromAsync(client.list("/"))).map(({ name }) => name),
  stat: async (client) => (await client.stat("a")).size,
  get: async (client, folder) => (await client.download("a", `${folder}/a`)).outcome,
  put: async (client, folder) => (await client.upload(`${folder}/a`, "b")).outcome,
  hash: async (client) => await client.hash("b"),
};

/** The ports on which this process listens, as the system says. */
function listeningPorts(): number[] {
  const own = new Set<string>();
  for (const { name } of Deno.readDirSync("/proc/self/fd")) {
    try {
      const inode = /^socket:\[(\d+)\]$/.exec(Deno.readLinkSync(`/proc/self/fd/${name}`))?.[1];
      if (inode !== undefined) own.add(inode);
    } catch {
      // The folder itself was open as well.
    }
  }
  const lines = ["tcp", "tcp6"].flatMap((table) => Deno.readTextFileSync(`/proc/self/net/${table}`).split("\n"));
  return lines.map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === "0A" && own.has(fields[9] ?? ""))
    .map((fields) => Number.parseInt(fields[1]?.split(":")[1] ?? "", 16))
    .sort((a, b) => a - b);
}

/** Counts the calls of `Deno.listen`. */
function spyOnListen(): Disposable & { readonly calls: number } {
  const original = Deno.listen;
  let calls = 0;
  const watched = (...args: Parameters<typeof Deno.listen>) => {
    calls++;
    return original(...args);
  };
  Object.assign(Deno, { listen: watched });
  return {
    get calls() {
      return calls;
    },
    [Symbol.dispose]: () => void Object.assign(Deno, { listen: original }),
  };
}

Deno.test("Client does five commands over two connections to one port, and nobody opens another", async () => {
  await using bed = await openBed();
  const { proxy, server, folder, root } = bed;
  Deno.writeFileSync(`${root}/a`, CONTENT);
  using connects = spyOnConnect();
  using listens = spyOnListen();
  const ports = LINUX ? listeningPorts() : [];
  if (LINUX) assertEquals(ports, [proxy.port, server.addr.port].sort((a, b) => a - b));
  const client = await bed.connect();
  const results = [];
  for (const command of Object.values(FIVE)) {
    results.push(await command(client, folder));
    if (LINUX) assertEquals(listeningPorts(), ports);
  }
  await client.close();
  assertEquals(results, [["a"], CONTENT.length, "fetched", "stored", sha256Of(`${root}/a`)]);
  assertEquals(proxy.connections.length, 2);
  assertEquals(connects.attempts.map(({ hostname, port }) => [hostname, port]), [
    ["127.0.0.1", proxy.port],
    ["127.0.0.1", proxy.port],
  ]);
  assertEquals(listens.calls, 0);
});

Deno.test("Client in the plain exchange needs another port for each command, which the same spies see", async () => {
  await using bed = await openBed();
  const { proxy, server } = bed;
  using connects = spyOnConnect();
  using listens = spyOnListen();
  const client = await bed.connect({ mode: "plain" });
  for (let i = 0; i < 2; i++) await Array.fromAsync(client.list("/"));
  assertEquals([proxy.connections.length, connects.attempts.length, listens.calls], [1, 3, 2]);
  assertEquals(new Set(connects.attempts.map(({ port }) => port)).has(server.addr.port), false);
});

Deno.test("a session goes through a port mapping between a server and a client that may use their one port alone", async () => {
  using served = tempFolder();
  using own = tempFolder();
  Deno.writeFileSync(`${served.path}/a`, CONTENT);
  // A port that was free a moment ago: the right to it must be given before it is opened.
  const free = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = free.addr;
  free.close();
  const disk = (path: string) => [`--allow-read=${path}`, `--allow-write=${path}`];
  await using server = await startServer(
    served.path,
    [...disk(served.path), `--allow-net=127.0.0.1:${port}`],
    port,
  );
  await using proxy = await Proxy.open(server.port);
  const local = `${own.path}/a`;
  const groups = [["ls", "/"], ["stat", "a"], ["get", "a", local], ["put", "b", local], ["hash", "b"]] as const;
  await using client = startClient(
    proxy.port,
    groups.map((step) => [step]),
    [...disk(own.path), `--allow-net=127.0.0.1:${proxy.port}`],
  );
  const results = [];
  for (const step of groups) {
    const said = await client.next();
    results.push(said);
    assertEquals((said as { step: unknown }).step, step);
  }
  assertEquals(
    results.map((said) => (said as { result: unknown }).result),
    [["a"], CONTENT.length, "fetched", "stored", sha256Of(local)],
  );
  assertEquals(proxy.connections.length, 2);
});
