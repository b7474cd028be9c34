/**
 * What holds of sessions in the tandem exchange, once more with a secret: they
 * go on where they were cut, are given up without harm, overlap, and go at the
 * speed of the link.
 *
 * @module
 */

import type { Client, SessionClosedEvent, TransferResult } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess } from "../deps.ts";
import { tempFolder, temporaries } from "../helpers.ts";
import { NARROW, Running, tandem } from "../cli/program.ts";
import { assertBytes } from "../net/bytes.ts";
import { PATIENCE_MS, timed, within } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { SECRET, SECRET_TEXT } from "../net/secrets.ts";
import { eventually } from "../server/deadline.ts";
import { pattern, SOAK } from "../server/test_bed.ts";
import { quickFolder } from "../store/places.ts";
import { type Bed, openBed, sha256Of, tell, writeRandom } from "./bed.ts";
import type { ProxyOptions } from "./proxy.ts";

const LARGE_BYTES = (SOAK ? 200 : 12) * 1024 ** 2;

/** How long one of the large transfers may take, in milliseconds. */
const LONG_MS = SOAK ? 60_000 : 15_000;

function openSecretBed(proxy: ProxyOptions = {}): Promise<Bed> {
  return openBed({ secret: SECRET, makeFolder: quickFolder, proxy });
}

/** A transfer of a large file, from one side to the other. */
interface Way {
  /** Which way its bytes go. */
  readonly direction: "up" | "down";
  readonly from: string;
  readonly to: string;
  run(client: Client, resume: boolean): Promise<TransferResult>;
}

function wayOf(verb: "get" | "put", { root, folder }: Bed): Way {
  const local = `${folder}/large`;
  return verb === "get"
    ? {
      direction: "down",
      from: root,
      to: folder,
      run: (client, resume) => client.download("large", local, { resume }),
    }
    : { direction: "up", from: folder, to: root, run: (client, resume) => client.upload(local, "large", { resume }) };
}

for (const verb of ["get", "put"] as const) {
  for (const how of ["fin", "rst"] as const) {
    Deno.test(`a ${verb} with a secret whose connections are cut half way (${how}) goes on from there`, async () => {
      await using bed = await openSecretBed();
      const { direction, from, to, run } = wayOf(verb, bed);
      writeRandom(`${from}/large`, LARGE_BYTES);
      const client = await bed.connect();
      await client.ping();
      const stopped = bed.proxy.stopAfter({ direction, bytes: LARGE_BYTES / 2 });
      const failing = failureOf(within(run(client, false), LONG_MS, verb));
      await within(stopped, LONG_MS, "half of the file");
      await eventually("half of the file is written", () => {
        const [part] = temporaries(to);
        return part !== undefined && Deno.statSync(`${to}/${part}`).size > LARGE_BYTES * 0.4;
      });
      await bed.proxy.cutAll(how);
      assertEquals((await failing).code, "disconnected");
      assertEquals(sha256Of(`${to}/large`), undefined);
      // The server lets go of the part once it has seen the end.
      await bed.log.take(
        "the end of a session",
        (event): event is SessionClosedEvent => event.event === "session-closed",
      );
      const next = await bed.connect();
      const result = await within(run(next, true), LONG_MS, "the rest");
      assertEquals([result.bytes, result.startedOver], [LARGE_BYTES, false]);
      assertGreater(result.resumedBytes, LARGE_BYTES * 0.3);
      assertEquals(sha256Of(`${to}/large`), sha256Of(`${from}/large`));
      assertEquals([...temporaries(from), ...temporaries(to)], []);
    });
  }
}

Deno.test("the program with a secret and --retry goes on by itself after its connections were cut", async () => {
  using secrets = tempFolder();
  const file = `${secrets.path}/secret`;
  Deno.writeTextFileSync(file, SECRET_TEXT, { mode: 0o600 });
  for (const verb of ["get", "put"] as const) {
    await using bed = await openBed({ secret: SECRET });
    const { root, folder, proxy } = bed;
    const { direction, from, to } = wayOf(verb, bed);
    writeRandom(`${from}/large`, LARGE_BYTES);
    const stopped = proxy.stopAfter({ direction, bytes: LARGE_BYTES / 2 });
    const told = ["--secret-file", file, "--retry", "5", verb, "-c", "large"];
    const rights = [...NARROW, "--allow-env", "--allow-sys"];
    await using program = new Running(tandem(["connect", `127.0.0.1:${proxy.port}`, ...told], rights), { cwd: folder });
    const over = program.ended().then(({ stderr }) => Promise.reject(new Error(`it ended before: ${stderr}`)));
    await within(Promise.race([stopped, over]), 2 * LONG_MS, "half of the file");
    over.catch(() => {});
    await proxy.cutAll();
    const { code, stderr } = await program.ended();
    assertEquals([verb, code], [verb, 0], stderr);
    assertEquals(sha256Of(`${to}/large`), sha256Of(`${from}/large`));
    assertGreater(proxy.connections.length, 3);
    assertEquals([...temporaries(root), ...temporaries(folder)], []);
    assertEquals(stderr.includes(SECRET_TEXT), false);
  }
});

Deno.test("Client with a secret has its next answer after it gave up a large transfer at any moment", async () => {
  await using bed = await openSecretBed();
  const { root, folder } = bed;
  writeRandom(`${root}/large`, LARGE_BYTES);
  writeRandom(`${folder}/from`, LARGE_BYTES);
  const client = await bed.connect();
  await client.ping();
  for (let i = 0; i < 12; i++) {
    const stop = new AbortController();
    const { signal } = stop;
    const working = i % 2 === 0
      ? client.download("large", `${folder}/got`, { signal })
      : client.upload(`${folder}/from`, "sent", { signal });
    const failing = assertFails(working, "aborted");
    const before = bed.proxy.allBytes;
    await eventually("some of it has moved", () => bed.proxy.allBytes > before + i * 100_000);
    stop.abort();
    await failing;
    await within(client.ping(), PATIENCE_MS, "the next answer");
    assertEquals([...temporaries(root), ...temporaries(folder)], []);
    assertEquals([sha256Of(`${folder}/got`), sha256Of(`${root}/sent`)], [undefined, undefined]);
  }
});

Deno.test("Client with a secret stores files of all sizes as the first operation of a session", async () => {
  await using bed = await openSecretBed();
  const { root, server, proxy } = bed;
  for (const size of [0, 1, 60, 3_900, 4_096, 16_384, 16_385, 100_000, 262_144, 1_000_003]) {
    const content = pattern(size);
    for (const port of [server.addr.port, proxy.port]) {
      const client = await bed.connect({ port });
      assertEquals((await within(client.put("a", content), PATIENCE_MS, `put() of ${size} bytes`)).outcome, "stored");
      assertBytes(Deno.readFileSync(`${root}/a`), content);
      await client.close();
    }
  }
});

Deno.test("Client with a secret does many first operations that were begun together", async () => {
  await using bed = await openSecretBed();
  for (let session = 0; session < 3; session++) {
    const client = await bed.connect();
    const names = Array.from({ length: 100 }, (_, i) => `${session} ${i}`);
    await within(Promise.all(names.map((name) => client.put(name, name))), PATIENCE_MS, `session ${session}`);
    for (const name of names) assertEquals(Deno.readTextFileSync(`${bed.root}/${name}`), name);
    await client.close();
  }
  // Whoever else looks at ports of this machine says nothing.
  assertEquals(bed.proxy.connections.filter(({ up }) => up.bytes > 0).length, 6);
});

Deno.test("Client with a secret has every answer in sessions of commands that overlap at random", async () => {
  await using bed = await openSecretBed();
  const texts = ["a", "b".repeat(30_000), "c".repeat(300_000)];
  for (const [i, text] of texts.entries()) Deno.writeTextFileSync(`${bed.root}/${i}`, text);
  for (let session = 0; session < (SOAK ? 500 : 30); session++) {
    const client = await bed.connect({ port: session % 2 === 0 ? bed.server.addr.port : bed.proxy.port });
    const working = texts.map(async (text, i) => {
      for (let steps = (session * 7 + i * 3) % 20; steps > 0; steps--) await null;
      await using download = await client.get(String(i));
      let bytes = 0;
      for await (const chunk of download.readable) bytes += chunk.length;
      assertEquals(bytes, text.length);
      await client.put(`${session} ${i}`, text);
      assertEquals((await client.stat(`${session} ${i}`)).size, text.length);
    });
    await within(Promise.all(working), PATIENCE_MS, `the answers in session ${session}`);
    await client.close();
  }
});

Deno.test("Client with a secret moves many small files from 25 ms away at the speed of the link", async () => {
  const [delayMs, count] = [25, 400];
  await using bed = await openSecretBed({ delayMs });
  const { root, folder } = bed;
  const client = await bed.connect();
  await client.ping();
  const contents = Array.from({ length: count }, (_, i) => pattern(50 + i * 20, i));
  // One after the other they would need 20 seconds each way.
  const putMs = await timed(
    () => Promise.all(contents.map((content, i) => client.put(`file ${i}`, content))),
    LONG_MS,
    "the puts",
  );
  const getMs = await timed(
    () => Promise.all(contents.map((_, i) => client.download(`file ${i}`, `${folder}/file ${i}`))),
    LONG_MS,
    "the gets",
  );
  for (const [i, content] of contents.entries()) {
    assertBytes(Deno.readFileSync(`${root}/file ${i}`), content);
    assertBytes(Deno.readFileSync(`${folder}/file ${i}`), content);
  }
  tell(`${count} files from ${delayMs} ms away: ${putMs.toFixed(0)} ms there, ${getMs.toFixed(0)} ms back`);
  assertLess(Math.max(putMs, getMs), count * 2 * delayMs / 8);
});

Deno.test("Client with a secret has the answer to its first command after a few round trips, and no 40 ms more", async () => {
  const delayMs = 25;
  await using bed = await openSecretBed({ delayMs });
  const times: number[] = [];
  for (let i = 0; i < 5; i++) {
    const startedMs = performance.now();
    const client = await bed.connect();
    await within(client.ping(), PATIENCE_MS, "an answer");
    times.push(performance.now() - startedMs);
    await client.close();
  }
  const roundTrips = Math.min(...times) / (2 * delayMs);
  tell(`first command: ${roundTrips.toFixed(1)} round trips`);
  // A handshake and the welcome, another one and the proof, the command; the proxy takes no time to connect to.
  assert(roundTrips > 4 && roundTrips < 7, `${roundTrips} round trips`);
});

Deno.test("a server with a secret lets running transfers end when it stops, and takes nobody new", async () => {
  await using bed = await openBed({ secret: SECRET, serve: { limits: { shutdownGraceMs: 5_000 } } });
  const { root, folder, server, proxy } = bed;
  writeRandom(`${root}/large`, 4 * 1024 ** 2);
  const client = await bed.connect();
  await client.ping();
  const before = proxy.bytes("down");
  const working = client.download("large", `${folder}/large`);
  await eventually("it has begun", () => proxy.bytes("down") > before + 100_000);
  const stopping = server.shutdown();
  assertEquals((await within(working, LONG_MS, "download()")).outcome, "fetched");
  await within(stopping, LONG_MS, "the end of the server");
  assertEquals(sha256Of(`${folder}/large`), sha256Of(`${root}/large`));
  await failureOf(bed.connect());
});
