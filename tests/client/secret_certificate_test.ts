/**
 * `tls` with a certificate of one's own: whom it has a client trust, and what a
 * secret adds to it. The certificates are OpenSSL's.
 *
 * @module
 */

import { connect, type ConnectOptions, type ServeOptions } from "../../mod.ts";
import { assertEquals, assertMatch } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { HAS_OPENSSL, selfSigned, signedBy } from "../net/openssl.ts";
import { OTHER_SECRET, SECRET } from "../net/secrets.ts";
import { type Bed, openBed } from "../tandem/bed.ts";
import { assertNamesTheSecret } from "./secret_words.ts";

/** An authority, and a server of this machine that it vouches for. */
async function makeCertificates(names = "DNS:localhost,IP:127.0.0.1") {
  const authority = await selfSigned({ names: "DNS:an authority", isAuthority: true });
  return { authority: authority.cert, server: await signedBy(authority, { names }) };
}

/** A session of `put`, `get` and `ls`. */
async function useSession({ proxy }: Bed, told: ConnectOptions): Promise<string[]> {
  const work = async () => {
    await using client = await connect({ port: proxy.port, limits: { timeoutMs: PATIENCE_MS }, ...told });
    await client.put("a name to be seen", "a content");
    assertEquals(client.mode, "tandem");
    assertEquals(await new Response((await client.get("a name to be seen")).readable).text(), "a content");
    return await Array.fromAsync(client.list("/"), ({ name }) => name);
  };
  return await within(work(), 2 * PATIENCE_MS, "a session");
}

/** Registers a test where there is an OpenSSL. */
function test(name: string, fn: () => Promise<void>): void {
  Deno.test({ name, ignore: !HAS_OPENSSL, fn });
}

const openTlsBed = (serve: ServeOptions) => openBed({ serve, proxy: { record: true } });

test("Client with tls takes a server whose certificate its authority vouches for, by name and by address", async () => {
  const { authority, server } = await makeCertificates();
  await using bed = await openTlsBed({ tls: server });
  for (const hostname of ["localhost", "127.0.0.1"]) {
    const events: unknown[] = [];
    const told = { hostname, tls: { caCerts: [authority] }, onEvent: (event: unknown) => events.push(event) };
    assertEquals(await useSession(bed, told), ["a name to be seen"]);
    assertEquals((events[0] as { encrypted?: boolean }).encrypted, true);
  }
  const text = bed.proxy.connections.map(({ up }) => new TextDecoder("latin1").decode(up.recorded())).join("");
  assertEquals(text.includes("a name to be seen"), false);
});

test("Client with tls takes a certificate among several authorities, and with those in between", async () => {
  const { authority, server } = await makeCertificates();
  const { authority: other } = await makeCertificates();
  await using bed = await openTlsBed({ tls: { ...server, cert: server.cert + authority } });
  assertEquals(await useSession(bed, { tls: { caCerts: [other, authority] } }), ["a name to be seen"]);
});

test("Client with tls refuses a server that no authority of its own vouches for", async () => {
  const { server } = await makeCertificates();
  const { authority: other } = await makeCertificates();
  await using bed = await openTlsBed({ tls: server });
  for (const tls of [{}, { caCerts: [] }, { caCerts: [other] }]) {
    const { message, hint = "" } = await assertFails(useSession(bed, { tls }), "auth-failed");
    assertMatch(message, /not to be trusted/);
    assertMatch(hint, /--tls-ca/);
  }
  assertEquals([...Deno.readDirSync(bed.root)], []);
});

test("Client with tls refuses a certificate for another host", async () => {
  for (const names of ["DNS:example.org", "DNS:localhost", "IP:127.0.0.2", "DNS:127.0.0.1"]) {
    const { authority, server } = await makeCertificates(names);
    await using bed = await openTlsBed({ tls: server });
    const { hint = "" } = await assertFails(useSession(bed, { tls: { caCerts: [authority] } }), "auth-failed");
    assertMatch(hint, /called as the certificate does/, names);
  }
});

test("Client with tls takes no server with a secret for one that has a certificate for the host", async () => {
  await using bed = await openTlsBed({ secret: SECRET });
  await assertFails(useSession(bed, { tls: {} }), "auth-failed");
  await assertFails(useSession(bed, { tls: { caCerts: [SECRET.authorityCert] } }), "auth-failed");
  assertEquals([...Deno.readDirSync(bed.root)], []);
});

test("Client with tls and a secret needs both", async () => {
  const { authority, server } = await makeCertificates();
  const { authority: other } = await makeCertificates();
  await using bed = await openTlsBed({ tls: server, secret: SECRET });
  const tls = { caCerts: [authority] };
  assertEquals(await useSession(bed, { tls, secret: SECRET }), ["a name to be seen"]);
  Deno.removeSync(`${bed.root}/a name to be seen`);
  assertNamesTheSecret(await failureOf(useSession(bed, { tls, secret: OTHER_SECRET })), ["auth-failed"]);
  assertNamesTheSecret(await failureOf(useSession(bed, { tls })), ["auth-required"]);
  await assertFails(useSession(bed, { tls: { caCerts: [other] }, secret: SECRET }), "auth-failed");
  assertEquals([...Deno.readDirSync(bed.root)], []);
});

test("Client with tls and a secret leaves a server with the right certificate and no secret", async () => {
  const { authority, server } = await makeCertificates();
  await using bed = await openTlsBed({ tls: server });
  const told = { tls: { caCerts: [authority] }, secret: SECRET };
  assertNamesTheSecret(await failureOf(useSession(bed, told)), ["auth-failed"]);
  assertEquals([...Deno.readDirSync(bed.root)], []);
});

test("Client with a secret and without tls refuses a server with a certificate of its own, and hints at --tls", async () => {
  const { server } = await makeCertificates();
  for (const secret of [SECRET, undefined]) {
    await using bed = await openTlsBed({ tls: server, ...(secret === undefined ? {} : { secret }) });
    const failure = await failureOf(useSession(bed, { secret: SECRET }));
    assertNamesTheSecret(failure, ["auth-failed"]);
    assertMatch(failure.hint ?? "", /--tls/);
    assertEquals(bed.proxy.connections.length, 1);
  }
});

test("Client without tls is told of --tls by a server that encrypts", async () => {
  const { server } = await makeCertificates();
  await using bed = await openTlsBed({ tls: server });
  for (const told of [{}, { mode: "plain" }, { mode: "tandem" }] as const) {
    const failure = await assertFails(useSession(bed, told), "auth-required");
    assertMatch(failure.hint ?? "", /--tls/);
  }
});

test("Client with tls sends nothing to a server that does not encrypt", async () => {
  await using bed = await openTlsBed({});
  const { code, message } = await failureOf(useSession(bed, { tls: {} }));
  assertEquals(["unsupported", "disconnected"].includes(code), true, message);
  assertEquals(bed.proxy.connections.length, 1);
  assertEquals([...Deno.readDirSync(bed.root)], []);
});

test("serve() and connect() refuse what is no certificate, or not its key", async () => {
  const { server, authority } = await makeCertificates();
  const { server: other } = await makeCertificates();
  const serving = async (tls: ServeOptions["tls"]) => {
    await using _bed = await openTlsBed(tls === undefined ? {} : { tls });
  };
  for (const tls of [{ cert: "x", key: server.key }, { cert: server.cert, key: "x" }, { ...server, key: other.key }]) {
    await assertFails(serving(tls), "usage");
  }
  await assertFails(connect({ port: 1, tls: { caCerts: ["x"] } }), "usage");
  await assertFails(connect({ port: 1, tls: { caCerts: [authority, ""] } }), "usage");
  await assertFails(connect({ port: 1, tls: {}, mode: "plain" }), "usage");
});
