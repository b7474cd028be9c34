/**
 * T2: two ends whose secrets differ, or of which only one has any, come to
 * nothing: with a code and words that name the secret, and with no name said to
 * whoever could not show it.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, type ConnectOptions, type ServeOptions } from "../../mod.ts";
import { assert, assertEquals, assertMatch, assertNotMatch } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { failureOf } from "../net/failure.ts";
import { OTHER_SECRET, SECRET, SECRET_TEXT } from "../net/secrets.ts";
import { recordsOf } from "../net/tls_records.ts";
import { type Bed, openBed } from "../tandem/bed.ts";
import { assertNamesTheSecret } from "./secret_words.ts";

const NAME = "a-name-that-nobody-may-see";

/** Tries one operation of a session that cannot come about; returns how that failed. */
async function fail({ proxy }: Bed, told: ConnectOptions) {
  const attempt = async () => {
    await using client = await connect({ port: proxy.port, limits: { timeoutMs: PATIENCE_MS }, ...told });
    await client.stat(NAME);
  };
  return await failureOf(attempt());
}

/** What the client has sent to the server, over all connections. */
function sent({ proxy }: Bed): Buffer {
  return Buffer.concat(proxy.connections.map(({ up }) => up.recorded()));
}

async function openRecordingBed(serve: ServeOptions): Promise<Bed> {
  const bed = await openBed({ serve, proxy: { record: true } });
  Deno.writeTextFileSync(`${bed.root}/${NAME}`, "some content");
  return bed;
}

Deno.test("T2: a client with another secret than the server is refused, and nothing was said to either", async () => {
  for (const [own, served] of [[OTHER_SECRET, SECRET], [SECRET, OTHER_SECRET]]) {
    await using bed = await openRecordingBed(served === undefined ? {} : { secret: served });
    const failure = await fail(bed, own === undefined ? {} : { secret: own });
    assertNamesTheSecret(failure, ["auth-failed"]);
    assertMatch(failure.message, /secret/);
    assertEquals(failure.message.includes(SECRET_TEXT), false);
    for (const { kind } of recordsOf(sent(bed))) assert(["handshake", "alert", "change", "data"].includes(kind), kind);
    // Not one record behind the handshake: the last word is that this is not the right server.
    assert(sent(bed).length < 1_000, `${sent(bed).length} bytes`);
    const { message } = await bed.log.warning("handshake-failed");
    assertMatch(message, /secret/);
    assertNotMatch(message, /rustls|alert|UnknownCA|os error/i);
  }
});

Deno.test("T2: a secret made up by people is taken for the same where it is, and else not", async () => {
  const secret = "correct horse battery staple";
  await using bed = await openRecordingBed({ secret });
  await using client = await connect({ port: bed.proxy.port, secret: ` ${secret}\n` });
  assertEquals((await client.stat(NAME)).size, 12);
  assertNamesTheSecret(await fail(bed, { secret: "Correct horse battery staple" }), ["auth-failed"]);
});

const SERVERS_WITHOUT: Readonly<Record<string, ServeOptions>> = {
  "speaks both exchanges": {},
  "speaks the plain exchange only": { mode: "plain" },
  "speaks the tandem exchange only": { mode: "tandem" },
};

for (const [what, serve] of Object.entries(SERVERS_WITHOUT)) {
  Deno.test(`T2: a client with a secret sends nothing to a server without one that ${what}`, async () => {
    for (const mode of [undefined, "tandem"] as const) {
      await using bed = await openRecordingBed(serve);
      const failure = await fail(bed, { secret: SECRET, ...(mode === undefined ? {} : { mode }) });
      assertNamesTheSecret(failure, ["unsupported", "disconnected"]);
      assertEquals(bed.proxy.connections.length, 1, "it was not asked again");
      const records = recordsOf(sent(bed));
      assertEquals([records[0]?.kind, records[0]?.bytes[5]], ["handshake", 1]);
      for (const { kind } of records.slice(1)) assertEquals(kind, "alert");
    }
  });
}

const CLIENTS_WITHOUT: Readonly<Record<string, ConnectOptions>> = {
  "finds out what the server speaks": {},
  "speaks the plain exchange only": { mode: "plain" },
  "speaks the tandem exchange only": { mode: "tandem" },
};

for (const [what, told] of Object.entries(CLIENTS_WITHOUT)) {
  Deno.test(`T2: a server with a secret tells a client without one that ${what} that it wants one`, async () => {
    await using bed = await openRecordingBed({ secret: SECRET });
    const operations = {
      list: (client) => Array.fromAsync(client.list("/")),
      get: (client) => client.get(NAME),
      put: (client) => client.put("new", "x"),
      "put of much": (client) => client.put("new", new Uint8Array(3_000_000)),
    } satisfies Record<string, (client: Awaited<ReturnType<typeof connect>>) => Promise<unknown>>;
    for (const [name, run] of Object.entries(operations)) {
      const client = await bed.connect({ ...told, mode: told.mode, port: bed.proxy.port } as ConnectOptions);
      const failure = await failureOf(run(client));
      assertNamesTheSecret(failure, ["auth-required"]);
      assertMatch(failure.hint ?? "", /--secret-file|TANDEM_SECRET/, name);
      await within(client.close(), PATIENCE_MS, "close()");
    }
    assertEquals([...Deno.readDirSync(bed.root)].map(({ name }) => name), [NAME]);
    const down = Buffer.concat(bed.proxy.connections.map(({ down }) => down.recorded()));
    assertEquals(down.includes(NAME) || down.includes("some content"), false);
    // It says nothing but why it does not answer.
    for (const { kind } of recordsOf(down)) assertEquals(kind, "alert");
  });
}

Deno.test("T2: a plain exchange and a secret contradict each other, at both ends", async () => {
  const failure = await failureOf(connect({ port: 1, mode: "plain", secret: SECRET }));
  assertEquals(failure.code, "usage");
  await using bed = await openBed();
  const serving = async () => {
    await using _bed = await openBed({ serve: { mode: "plain", secret: SECRET } });
  };
  assertEquals((await failureOf(serving())).code, "usage");
  assertEquals(bed.proxy.connections.length, 0);
});
