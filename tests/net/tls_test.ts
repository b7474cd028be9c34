/**
 * Tests of the handshake by itself: who is taken, what is said where it fails,
 * and that it can be given up.
 *
 * @module
 */

import { assertEquals, assertMatch } from "../deps.ts";
import { ALPN, listenTls, shakeHands, trustInSecret } from "../../src/net/tls.ts";
import { SERVER_NAME } from "../../src/secret/certificate.ts";
import { PATIENCE_MS, within } from "./deadline.ts";
import { assertFails } from "./failure.ts";
import { OTHER_SECRET, SECRET } from "./secrets.ts";

const NEVER = new AbortController().signal;

/** A port with TLS that finishes each handshake and then closes. */
function openTlsDoor(): AsyncDisposable & { readonly port: number; readonly outcomes: string[] } {
  const listener = listenTls("127.0.0.1", 0, SECRET.issueCredentials());
  const outcomes: string[] = [];
  const serving = (async () => {
    for (;;) {
      const conn = await listener.accept().catch(() => undefined);
      if (conn === undefined) return;
      try {
        outcomes.push((await conn.handshake()).alpnProtocol ?? "none");
      } catch (error) {
        outcomes.push(String(error));
      }
      conn.close();
    }
  })();
  return {
    port: (listener.addr as Deno.NetAddr).port,
    outcomes,
    async [Symbol.asyncDispose]() {
      listener.close();
      await serving;
    },
  };
}

const dial = (port: number) => Deno.connect({ hostname: "127.0.0.1", port });

Deno.test("shakeHands() gives a connection that says tandem/1, for the name tandem.invalid", async () => {
  await using door = openTlsDoor();
  const trust = trustInSecret(SECRET);
  assertEquals([trust.name, SERVER_NAME, ALPN, trust.bySecret], ["tandem.invalid", "tandem.invalid", "tandem/1", true]);
  using conn = await within(shakeHands(await dial(door.port), trust, NEVER), PATIENCE_MS, "a handshake");
  assertEquals(await conn.read(new Uint8Array(1)), null);
  assertEquals(door.outcomes, ["tandem/1"]);
});

Deno.test("shakeHands() closes the connection of a server with another secret, or another name", async () => {
  await using door = openTlsDoor();
  const trusts = [trustInSecret(OTHER_SECRET), { ...trustInSecret(SECRET), name: "localhost" }];
  for (const trust of [...trusts, { ...trustInSecret(SECRET), caCerts: [] }]) {
    const { message } = await assertFails(shakeHands(await dial(door.port), trust, NEVER), "auth-failed");
    assertMatch(message, /^127\.0\.0\.1:\d+ does not have the same secret$/);
  }
  const own = { name: "localhost", caCerts: [SECRET.authorityCert], bySecret: false };
  const { message } = await assertFails(shakeHands(await dial(door.port), own, NEVER), "auth-failed");
  assertMatch(message, /certificate of 127\.0\.0\.1:\d+/);
});

Deno.test("shakeHands() can be given up, and then says nothing more", async () => {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const stop = new AbortController();
  const accepting = listener.accept();
  const shaking = shakeHands(await dial(listener.addr.port), trustInSecret(SECRET), stop.signal);
  const failing = assertFails(shaking, "disconnected");
  using conn = await accepting;
  const hello = new Uint8Array(2_000);
  assertEquals([(await conn.read(hello) ?? 0) > 100, hello[0], hello[5]], [true, 22, 1]);
  stop.abort();
  await failing;
});

Deno.test("listenTls() refuses whoever does not say tandem/1", async () => {
  await using door = openTlsDoor();
  const caCerts = [SECRET.authorityCert];
  for (const alpnProtocols of [["http/1.1"], ["tandem/2", "tandem"]]) {
    const attempt = async () => {
      using conn = await Deno.startTls(await dial(door.port), { hostname: SERVER_NAME, caCerts, alpnProtocols });
      await conn.handshake();
    };
    const outcome = await within(attempt().then(() => "taken", String), PATIENCE_MS, "a handshake");
    assertMatch(outcome, /NoApplicationProtocol/);
  }
});
