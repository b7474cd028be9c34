/**
 * SEC-5: which servers a client with a secret takes, and that the others get
 * nothing from it but the beginning of a handshake, once; from
 * `tests/vectors/handshake.json`.
 *
 * @module
 */

import { connect, type Credentials, type ErrorCode, Secret, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertRejects } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { type Door, openDoor } from "../net/door.ts";
import { HAS_OPENSSL, openssl } from "../net/openssl.ts";
import { authorityKey, OTHER_SECRET, SECRET, SECRET_TEXT } from "../net/secrets.ts";
import { readVectors, testName, type Vector } from "../protocol/vectors.ts";

interface HandshakeVector extends Vector {
  /** What is not as it is at a server with the same secret. */
  readonly server: {
    /** Whose authority has signed its certificate. */
    readonly authority?: "other" | "itself";
    /** What name the certificate is for. */
    readonly name?: string;
    /** What it says that it speaks inside TLS. */
    readonly alpn?: readonly string[];
    /** What it answers, to whatever comes, if it speaks no TLS. */
    readonly plain?: string;
  };
  /** What the client says to it. */
  readonly error?: ErrorCode;
}

/** A certificate by the secret's authority, or by itself, made by OpenSSL. */
async function certificateFor(name: string, bySecret: boolean): Promise<Credentials> {
  using folder = tempFolder();
  const { path } = folder;
  Deno.writeTextFileSync(`${path}/ca.pem`, SECRET.authorityCert);
  Deno.writeTextFileSync(`${path}/ca.key`, authorityKey());
  const authority = bySecret ? ["-CA", "ca.pem", "-CAkey", "ca.key"] : [];
  await openssl(path, "genpkey", "-algorithm", "ed25519", "-out", "key.pem");
  const names = ["-addext", `subjectAltName=DNS:${name}`, "-addext", "basicConstraints=critical,CA:FALSE"];
  const request = ["req", "-x509", "-new", "-key", "key.pem", "-subj", "/CN=x", "-days", "2", ...names];
  await openssl(path, ...request, ...authority, "-out", "cert.pem");
  return { cert: Deno.readTextFileSync(`${path}/cert.pem`), key: Deno.readTextFileSync(`${path}/key.pem`) };
}

async function openServer({ authority, name, alpn, plain }: HandshakeVector["server"]): Promise<Door> {
  if (plain !== undefined) return await openDoor();
  const credentials = authority === "other"
    ? OTHER_SECRET.issueCredentials()
    : authority === "itself" || name !== undefined
    ? await certificateFor(name ?? "tandem.invalid", authority === undefined)
    : SECRET.issueCredentials();
  return await openDoor({ credentials, ...alpn === undefined ? {} : { alpnProtocols: alpn } });
}

for (const vector of readVectors<HandshakeVector>("handshake.json", ["server", "error"])) {
  const { server, error } = vector;
  const needsOpenssl = server.authority === "itself" || server.name !== undefined;
  const ignore = needsOpenssl && !HAS_OPENSSL;
  Deno.test({
    name: testName(vector, `connect() ${error ? "refuses" : "takes"}`) + (ignore ? " (skipped: no openssl)" : ""),
    ignore,
    fn: () => testHandshake(vector),
  });
}

async function testHandshake({ server, error }: HandshakeVector): Promise<void> {
  using spy = spyOnConnect();
  using door = await openServer(server);
  const { port } = door;
  const connecting = connect({ port, secret: new Secret(SECRET_TEXT), limits: { timeoutMs: PATIENCE_MS } });
  connecting.catch(() => {});
  using wire = await door.accept();
  if (server.plain !== undefined) {
    // The first record is the client's hello, and there is no other one.
    const { bytes } = await wire.take(5);
    assertEquals([...bytes.subarray(0, 3)], [0x16, 0x03, 0x01], "a handshake record");
    const hello = await wire.take((bytes[3] ?? 0) * 256 + (bytes[4] ?? 0));
    assertEquals(hello.bytes[0], 0x01, "a ClientHello");
    await wire.send(new TextEncoder().encode(server.plain));
    if (server.plain === "") await wire.closeWrite();
  }
  if (error === undefined) {
    await using client = await within(connecting, PATIENCE_MS, "a connection");
    assertEquals(client.mode, undefined);
    return;
  }
  const refusal = await assertRejects(() => within(connecting, PATIENCE_MS, "a refusal"), TandemError);
  assertEquals(refusal.code, error, refusal.message);
  // Of what it wanted to say, nothing came; at the most an alert, outside of what TLS carries.
  const { bytes } = await wire.take(1_000, 200);
  if (server.plain === undefined) assertEquals(bytes.length, 0, "something came inside TLS");
  else assert(bytes.length === 0 || bytes[0] === 0x15, "something other than an alert came");
  assertEquals(spy.attempts.length, 1, "it tried once, and nothing less");
}
