/**
 * Tests of a server with a certificate of its own (`tls`), with a secret and
 * without, and of servers on addresses of both kinds.
 *
 * @module
 */

import {
  connect,
  type ConnectOptions,
  generateSecret,
  MemoryStore,
  Secret,
  type ServerEvent,
  TandemError,
} from "../../mod.ts";
import { assert, assertEquals, assertMatch, assertRejects, assertThrows } from "../deps.ts";
import { serveForTest, survives, tempFolder } from "../helpers.ts";
import { joined, RawClient, RawConnection, toWire } from "./raw_client.ts";
import { command, RawTandem, ticketMessage, welcomed } from "./raw_tandem.ts";
import { openTls, ownCertificate, RawSecret } from "./raw_tls.ts";
import { connectFrom } from "./stranger.ts";
import { LINUX, testBed } from "./test_bed.ts";

const hasOpenssl = LINUX && new Deno.Command("openssl", { args: ["version"], stdout: "null" }).outputSync().success;

/** A certificate that is made once for all tests of this file. */
function certificate() {
  made ??= (() => {
    using folder = tempFolder();
    return ownCertificate(folder.path);
  })();
  return made;
}
let made: ReturnType<typeof ownCertificate> | undefined;

/** What an attempt to fetch a file comes to: its content, or a code. */
async function fetched(options: ConnectOptions): Promise<string> {
  try {
    await using client = await connect({ hostname: "127.0.0.1", ...options });
    const { readable } = await client.get("a.txt");
    return await new Response(readable).text();
  } catch (error) {
    if (error instanceof TandemError) return error.code;
    throw error;
  }
}

Deno.test({
  name: "tls: a server with a certificate of its own speaks the tandem exchange, and no other, with whoever trusts it",
  ignore: !hasOpenssl,
  async fn() {
    const tls = certificate();
    await using bed = testBed({ tls, hostname: "127.0.0.1" });
    bed.write("a.txt", "content");
    const trusting = { tls: { caCerts: [tls.cert] } };
    const { port } = bed.server.addr;
    const attack = async () => {
      assertEquals(await fetched({ port, ...trusting }), "content");
      await using client = await connect({ hostname: "localhost", port, ...trusting });
      await client.put("b.txt", new Blob(["new"]).stream());
      assertEquals(bed.read("b.txt"), "new");
      assertEquals(client.mode, "tandem");
      assertEquals(await fetched({ port }), "auth-required", "without TLS");
      assertEquals(await fetched({ port, mode: "plain" }) !== "content", true);
      assertEquals(await fetched({ port, tls: {} }), "auth-failed", "who does not trust it");
      assertEquals(await fetched({ port, secret: generateSecret() }), "auth-failed", "who wants a secret");
    };
    await survives(bed.server, bed.root, attack, trusting);
    assertEquals(bed.log.internalErrors(), []);
  },
});

Deno.test({
  name: "tls: plain commands are refused, inside TLS and without it, and nobody is punished who has no secret to show",
  ignore: !hasOpenssl,
  async fn() {
    const tls = certificate();
    await using bed = testBed({ tls, hostname: "127.0.0.1" });
    bed.write("a.txt", "content");
    const { addr } = bed.server;
    for (let i = 0; i < 8; i++) {
      using inside = await openTls(addr, tls.cert, { name: "localhost" });
      await inside.send("0000000009get a.txt");
      await inside.assertEnds();
      assertEquals((await bed.log.sessionClosed(inside)).outcome, "unsupported");
      using outside = await RawClient.connect(bed.server);
      await outside.send("0000000009get a.txt");
      const came = await outside.readToEnd();
      assertEquals([came.length, came[0], came[1]], [7, 0x15, 0x03]);
    }
    using session = await RawTandem.open(bed.server, () => openTls(addr, tls.cert, { name: "localhost" }));
    assertEquals(await session.get("a.txt"), toWire("content"));
    assertMatch(
      await session.outcome("auth", { nonce: "0".repeat(32), proof: "0".repeat(64) }),
      /^(bad-request|unsupported)$/,
    );
    await session.quit();
  },
});

Deno.test({
  name: "tls and secret: both are needed, and neither stands for the other",
  ignore: !hasOpenssl,
  async fn() {
    const tls = certificate();
    const raw = new RawSecret();
    const other = new RawSecret();
    await using bed = testBed({ tls, secret: raw.secret, hostname: "127.0.0.1" });
    bed.write("a.txt", "content");
    const { port } = bed.server.addr;
    const trusting = { port, tls: { caCerts: [tls.cert] } };
    assertEquals(await fetched({ ...trusting, secret: raw.secret }), "content");
    assertEquals(await fetched(trusting), "auth-required");
    assertEquals(await fetched({ port, secret: raw.secret }), "auth-failed");
    assertEquals(await fetched({ ...trusting, secret: raw.secret }), "content");
    using session = await welcomed(bed.server, "auth", ({ addr }) => openTls(addr, tls.cert, { name: "localhost" }));
    assertMatch(session.nonce ?? "", /^[0-9a-f]{32}$/);
    using data = await openTls(bed.server.addr, tls.cert, { name: "localhost" });
    await data.send(joined(ticketMessage(session.ticket), command("auth", other.proof(session.nonce))));
    assertEquals(await new RawTandem(session.control, data).answer(), { code: "auth-failed", workingSigns: 0 });
    assertEquals(await fetched({ ...trusting, secret: raw.secret }), "content");
  },
});

Deno.test({
  name: "T2 tls and secret: a client of ours with another secret is told so, every time",
  ignore: !hasOpenssl,
  async fn() {
    const tls = certificate();
    await using bed = testBed({ tls, secret: generateSecret(), hostname: "127.0.0.1" });
    const { port } = bed.server.addr;
    for (let i = 0; i < 3; i++) {
      assertEquals(await fetched({ port, tls: { caCerts: [tls.cert] }, secret: generateSecret() }), "auth-failed");
    }
  },
});

Deno.test({
  name: "tls: a certificate or key that cannot be used gives usage, leaves no port open and closes the store",
  ignore: !hasOpenssl,
  async fn() {
    const { cert, key } = certificate();
    using folder = tempFolder();
    const other = ownCertificate(folder.path);
    const encrypted = new Deno.Command("openssl", {
      args: ["ec", "-in", `${folder.path}/key.pem`, "-aes128", "-passout", "pass:something"],
      stderr: "null",
    }).outputSync();
    const BAD: Readonly<Record<string, { cert: string; key: string }>> = {
      "no certificate": { cert: "", key },
      "no key": { cert, key: "" },
      "text": { cert: "a certificate", key: "a key" },
      "a certificate with nothing in it": {
        cert: "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        key,
      },
      "a certificate that is cut off": { cert: cert.slice(0, cert.length >> 1), key },
      "a key that is cut off": { cert, key: key.slice(0, key.length >> 1) },
      "both the other way round": { cert: key, key: cert },
      "a key with a passphrase": { cert: other.cert, key: new TextDecoder().decode(encrypted.stdout) },
      "the key of another certificate": { cert, key: other.key },
    };
    const outcomes: Record<string, string> = {};
    for (const [name, tls] of Object.entries(BAD)) {
      let closed = false;
      const store = new MemoryStore();
      const close = store.close.bind(store);
      store.close = () => {
        closed = true;
        close();
      };
      try {
        await using _server = serveForTest(".", { store, tls });
        outcomes[name] = "it serves";
      } catch (error) {
        assert(error instanceof TandemError, String(error));
        outcomes[name] = `${error.code}${closed ? "" : ", the store is open"}`;
        assert(!error.message.includes(key.split("\n")[1] ?? key));
      }
    }
    assertEquals(outcomes, Object.fromEntries(Object.keys(BAD).map((name) => [name, "usage"])));
  },
});

Deno.test("tls: a port that is taken is no fault of the certificate", async () => {
  const secret = new Secret(generateSecret());
  await using first = serveForTest(".", { store: new MemoryStore(), secret, hostname: "127.0.0.1" });
  const { port } = first.addr;
  const again = () => serveForTest(".", { store: new MemoryStore(), secret, hostname: "127.0.0.1", port });
  assertEquals((assertThrows(again, TandemError) as TandemError).code, "connect");
});

/** Whether this machine has IPv6 on its loopback. */
const HAS_IPV6 = (() => {
  try {
    Deno.listen({ hostname: "::1", port: 0 }).close();
    return true;
  } catch {
    return false;
  }
})();

Deno.test({
  name: "a server with a secret is open on all addresses unless told otherwise, and one without on loopback only",
  ignore: !HAS_IPV6 || !LINUX,
  async fn() {
    const raw = new RawSecret();
    const store = new MemoryStore();
    store.addFile("a.txt" as Parameters<typeof store.addFile>[0], toWire("content"));
    await using server = serveForTest(".", { store, secret: raw.secret });
    assertEquals(server.addr.hostname, "::");
    const { port } = server.addr;
    assertEquals(await fetched({ hostname: "127.0.0.1", port, secret: raw.secret }), "content");
    assertEquals(await fetched({ hostname: "::1", port, secret: raw.secret }), "content");
    await using plain = serveForTest(".", { store: new MemoryStore() });
    assertEquals(plain.addr.hostname, "127.0.0.1");
  },
});

Deno.test({
  name: "IPv4 clients of a server on all addresses are known by their IPv4 address, in events and in limits",
  ignore: !HAS_IPV6 || !LINUX,
  async fn() {
    await using setting = bothKinds({ limits: { maxSessionsPerAddress: 1 } });
    const { bed, raw, port } = setting;
    using four = await raw.open({ addr: { hostname: "127.0.0.1", port } });
    await bed.log.sessionOpened(four);
    // Another address of either kind has a count of its own.
    using six = await raw.open({ addr: { hostname: "::1", port } });
    assertEquals((await bed.log.sessionOpened({ address: `[::1]:${six.address.replace(/^.*:/, "")}` })).outcome, "ok");
    using refused = await raw.openAt({ hostname: "127.0.0.1", port });
    const told = new TextDecoder().decode(await refused.readToEnd());
    assert(told.includes("busy") && told.includes("127.0.0.1") && !told.includes("ffff"), told);
    assertEquals((await bed.log.warning("session-refused")).peer, refused.address);
    await four.quit();
    assertEquals((await bed.log.sessionClosed(four)).outcome, "ok");
    for (const event of bed.log.untaken) assert(!JSON.stringify(event).includes("::ffff"), JSON.stringify(event));
  },
});

Deno.test({
  name: "a failed login over IPv4 costs that IPv4 address, and neither all of them nor those of IPv6",
  ignore: !HAS_IPV6 || !LINUX,
  async fn() {
    await using setting = bothKinds();
    const { bed, raw, port } = setting;
    for (let i = 0; i < 12; i++) {
      using stranger = await connectFrom("127.0.11.1", port);
      stranger.send(toWire("no TLS at all"));
      await stranger.ended();
      await bed.log.take("a failed handshake", isFrom(/^127\.0\.11\.1:\d+$/));
    }
    for (const hostname of ["127.0.0.1", "::1"]) {
      const startedMs = performance.now();
      using session = await raw.open({ addr: { hostname, port } });
      await session.quit();
      assert(performance.now() - startedMs < 1_500, `${hostname} was kept waiting`);
    }
  },
});

for (const hostname of ["127.0.0.1", "::1"]) {
  Deno.test({
    name: `data ports of the plain exchange are reached from ${hostname} by clients of a server on all addresses`,
    ignore: !HAS_IPV6 || !LINUX,
    async fn() {
      await using bed = testBed({ hostname: "::" });
      bed.write("a.txt", "content");
      const { port } = bed.server.addr;
      await using client = await connect({ hostname, port, mode: "plain" });
      assertEquals((await Array.fromAsync(client.list("/"))).map(({ name }) => name), ["a.txt"]);
      await client.put("b.txt", new Blob(["new"]).stream());
      assertEquals(bed.read("b.txt"), "new");
      const conn = await Deno.connect({ hostname, port });
      using raw = new RawClient(conn);
      assertEquals(await raw.get("a.txt"), toWire("content"));
      assertEquals(await raw.put("c.txt", "raw"), "closed");
      await raw.quit();
      const address = hostname === "::1" ? raw.address.replace("::1", "[::1]") : raw.address;
      for (const event of ["session-opened", "session-closed"]) {
        await bed.log.take(event, (other): other is ServerEvent => other.event === event && other.peer === address);
      }
    },
  });
}

Deno.test({
  name: "D2 a plain data port of a server on all addresses takes nobody but its client's own address",
  ignore: !HAS_IPV6 || !LINUX,
  async fn() {
    await using bed = testBed({ hostname: "::" });
    bed.write("a.txt", "content");
    using client = new RawClient(await Deno.connect({ hostname: "127.0.0.1", port: bed.server.addr.port }));
    await client.sendCommand("get a.txt");
    const port = await client.receivePort();
    using thief = await connectFrom("127.0.11.2", port);
    assertEquals(await thief.ended(), new Uint8Array());
    await assertRejects(() => RawConnection.open("::1", port), Deno.errors.ConnectionRefused);
    using data = await client.connectData(port);
    assertEquals(await data.readAnswer(), toWire("content"));
    assertMatch((await bed.log.warning("stranger-on-data-port")).peer ?? "", /^127\.0\.11\.2/);
  },
});

/** Whether an event is about a client at such an address. */
function isFrom(peer: RegExp): (event: ServerEvent) => event is ServerEvent {
  return (event): event is ServerEvent => peer.test(event.peer ?? "");
}

/** A server with a secret on all addresses of both kinds. */
function bothKinds(options: Parameters<typeof testBed>[0] = {}) {
  const raw = new RawSecret();
  const bed = testBed({ secret: raw.secret, hostname: "::", ...options });
  return { bed, raw, port: bed.server.addr.port, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
}
