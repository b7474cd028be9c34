/**
 * Safety rows T6, R7 and R10: strangers who speak another TLS, who never finish
 * their handshake, and who try secrets as fast as they can.
 *
 * @module
 */

import { connect, type Secret, type WarningEvent } from "../../mod.ts";
import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual, assertStringIncludes } from "../deps.ts";
import { begun, eventually, pause, within } from "./deadline.ts";
import { joined, toWire } from "./raw_client.ts";
import { command, framed, MessageReader, RawTandem, ticketMessage } from "./raw_tandem.ts";
import { type AtAddress, clientHello, openTls, RawSecret, relayFrom } from "./raw_tls.ts";
import { connectFrom, type Stranger } from "./stranger.ts";
import type { EventLog } from "./event_log.ts";
import { LINUX, SOAK, testBed } from "./test_bed.ts";

/** A server with a secret on the usual address. */
function secretBed(options: Parameters<typeof testBed>[0] = {}) {
  const raw = new RawSecret();
  const bed = testBed({ secret: raw.secret, hostname: "127.0.0.1", ...options });
  bed.write("a.txt", "content");
  return { bed, raw, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
}

/** Takes the earliest warning of a failed handshake of somebody at such an address: others on this machine may try ports as well. */
function failedHandshake(log: EventLog, address: string): Promise<WarningEvent> {
  return log.take(
    `a failed handshake from ${address}`,
    (event): event is WarningEvent =>
      event.event === "warning" && event.outcome === "handshake-failed" && (event.peer ?? "").startsWith(address),
  );
}

/** What `openssl s_client` made of a server. */
interface Outcome {
  /** Whether the handshake came to an end. */
  readonly shaken: boolean;
  /** What the server said inside TLS. */
  readonly said: string;
  /** What openssl says of it. */
  readonly told: string;
}

/** Runs `openssl s_client` from `address` and sends `bytes` once the handshake is over, until the server ends it. */
async function sClient(port: number, address: string, args: readonly string[], bytes: Uint8Array): Promise<Outcome> {
  const child = new Deno.Command("openssl", {
    args: ["s_client", "-connect", `127.0.0.1:${port}`, "-bind", `${address}:0`, "-servername", "tandem.invalid"]
      .concat("-quiet", "-state", "-ign_eof", args),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(bytes).catch(() => {});
  const output = within("openssl", child.output(), { deadlineMs: 10_000, onLate: () => child.kill("SIGKILL") });
  const { stdout, stderr } = await output.finally(() => writer.close().catch(() => {}));
  const told = new TextDecoder().decode(stderr);
  return {
    // The server's last word of it.
    shaken: /TLS read finished/.test(told),
    said: new TextDecoder("latin1").decode(stdout),
    told,
  };
}

const OURS = ["-alpn", "tandem/1"];
const ANY = [...OURS, "-cipher", "ALL:COMPLEMENTOFALL:@SECLEVEL=0"];

/** What must not come about, with the arguments of `openssl s_client`. */
const REFUSED: Readonly<Record<string, readonly string[]>> = {
  "TLS 1.0": [...ANY, "-tls1"],
  "TLS 1.1": [...ANY, "-tls1_1"],
  "1.2 with RSA key exchange": [...OURS, "-tls1_2", "-cipher", "kRSA:@SECLEVEL=0"],
  "1.2 with CBC": [...OURS, "-tls1_2", "-cipher", "ECDHE+AES+SHA1:ECDHE+SHA256+AES128-SHA256:@SECLEVEL=0"],
  "1.2 without encryption": [...OURS, "-tls1_2", "-cipher", "eNULL:@SECLEVEL=0"],
  "1.2 without authentication": [...OURS, "-tls1_2", "-cipher", "aNULL:@SECLEVEL=0"],
  "1.2 with finite fields": [...OURS, "-tls1_2", "-cipher", "DHE:@SECLEVEL=0"],
  "1.3 with CCM only": [...OURS, "-tls1_3", "-ciphersuites", "TLS_AES_128_CCM_SHA256:TLS_AES_128_CCM_8_SHA256"],
  "1.3 with signatures of SHA-1": [...OURS, "-tls1_3", "-sigalgs", "RSA+SHA1:ECDSA+SHA256"],
  "h2": ["-alpn", "h2,http/1.1"],
  "the next version": ["-alpn", "tandem/2"],
  "capital letters": ["-alpn", "TANDEM/1"],
};

const hasOpenssl = LINUX && new Deno.Command("openssl", { args: ["version"], stdout: "null" }).outputSync().success;

Deno.test({
  name: "T6 TLS 1.0 and 1.1, old ciphers and other ALPN come to no handshake",
  ignore: !hasOpenssl,
  async fn() {
    await using setting = secretBed();
    const { bed } = setting;
    const { port } = bed.server.addr;
    await bed.survives(async () => {
      bed.log.clear();
      const outcomes = Object.entries(REFUSED).map(async ([name, args], i) => {
        const { shaken, said, told } = await sClient(port, `127.0.9.${i + 1}`, args, framed("auth"));
        // Else it has not asked at all, for want of such a cipher.
        const asked = /SSLv3\/TLS write client hello/.test(told);
        return [name, { asked, shaken, said }];
      });
      const refused = { asked: true, shaken: false, said: "" };
      assertEquals(
        Object.fromEntries(await Promise.all(outcomes)),
        Object.fromEntries(Object.keys(REFUSED).map((name) => [name, refused])),
      );
      for (let i = 0; i < Object.keys(REFUSED).length; i++) await failedHandshake(bed.log, "127.0.9.");
      assertEquals(bed.log.untaken.filter(({ event }) => event !== "warning"), []);
    });
  },
});

Deno.test({
  name: "T6 the test can tell: with TLS 1.3 and the right ALPN openssl gets a ticket",
  ignore: !hasOpenssl,
  async fn() {
    await using setting = secretBed({ limits: { dataAcceptTimeoutMs: 300 } });
    const { bed } = setting;
    const { shaken, said } = await sClient(bed.server.addr.port, "127.0.0.1", [...OURS, "-tls1_3"], framed("auth"));
    assertEquals(shaken, true);
    assertStringIncludes(said, `"ticket":`);
  },
});

Deno.test({
  name: "T6 who names no ALPN is told nothing",
  ignore: !hasOpenssl,
  async fn() {
    await using setting = secretBed();
    const { bed } = setting;
    for (const version of ["-tls1_2", "-tls1_3"]) {
      const { said } = await sClient(bed.server.addr.port, "127.0.9.50", [version], framed("auth"));
      assertEquals(said, "");
      await failedHandshake(bed.log, "127.0.9.50:");
    }
    assertEquals(bed.log.untaken.filter(({ event }) => event !== "warning"), []);
  },
});

Deno.test({
  name: "T6 whatever TLS 1.2 comes about, nothing is got without the proof",
  ignore: !hasOpenssl,
  async fn() {
    await using setting = secretBed({ limits: { dataAcceptTimeoutMs: 2_000 } });
    const { bed, raw } = setting;
    const { port } = bed.server.addr;
    await bed.survives(async () => {
      const { said } = await sClient(port, "127.0.9.60", [...OURS, "-tls1_2"], joined(framed("ls"), framed("ls")));
      assert(!said.includes("a.txt"), said);
      await using far = await relayFrom("127.0.9.61", port);
      using session = await raw.welcomed(far);
      const attack = joined(ticketMessage(session.ticket), command("get a.txt"), command("ls"));
      const answer = await sClient(port, "127.0.9.61", [...OURS, "-tls1_2"], attack);
      assertEquals(answer.shaken, true);
      assert(/^-[0-9]{9}\{"code":"auth-required"/.test(answer.said), answer.said);
      assert(!/content|a\.txt/.test(answer.said), answer.said);
      await session.control.assertEnds();
    });
  },
});

const KNOCKS = 200;

Deno.test({
  name:
    `R7 ${KNOCKS} handshakes that are never finished are given up in time, others are served, and all descriptors come back`,
  ignore: !LINUX,
  async fn() {
    const handshakeTimeoutMs = 1_500;
    await using setting = secretBed({ limits: { handshakeTimeoutMs, maxSessions: KNOCKS + 4 } });
    const { bed, raw } = setting;
    const { port } = bed.server.addr;
    const hello = await clientHello();
    assertGreater(hello.length, 100);
    await bed.survives(async () => {
      bed.log.clear();
      using stack = new DisposableStack();
      const half = hello.subarray(0, hello.length >> 1);
      const begins = [undefined, half, hello];
      const startedMs = performance.now();
      const strangers: Stranger[] = [];
      for (let i = 0; i < KNOCKS; i++) {
        const stranger = stack.use(await connectFrom("127.0.10.1", port));
        const bytes = begins[i % begins.length];
        if (bytes !== undefined) stranger.send(bytes);
        strangers.push(stranger);
      }
      // Meanwhile others are served,
      assertLess(await timed(() => visit(bed.server, raw.secret)), 1_000);
      const warnings = [];
      for (let i = 0; i < KNOCKS; i++) {
        warnings.push(await failedHandshake(bed.log, "127.0.10.1:"));
        if (i === 0) assertGreater(performance.now() - startedMs, handshakeTimeoutMs * 0.8);
      }
      assertLess(performance.now() - startedMs, handshakeTimeoutMs * 4);
      const peers = new Set(warnings.map(({ peer }) => peer));
      assertEquals(peers.size, KNOCKS);
      for (const peer of peers) assert(/^127\.0\.10\.1:\d+$/.test(peer ?? ""), peer);
      // and have the places of those who were given up.
      const sessions: RawTandem[] = [];
      for (let i = 0; i < 4; i++) sessions.push(stack.use(await raw.open(bed.server)));
      for (const session of sessions) assertEquals(await session.get("a.txt"), toWire("content"));
      for (const session of sessions) await session.quit();
      // Some finish later all the same, and are closed.
      const ending = strangers.filter((_, i) => begins[i % begins.length] !== half);
      for (const stranger of ending) stranger.send(toWire("no TLS at all"));
      for (const stranger of ending) await stranger.ended();
    });
  },
});

/** How long something takes, in milliseconds. */
async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

/** What an honest client does: it connects, lists, fetches and goes. */
async function visit({ addr }: AtAddress, secret: Secret | string): Promise<void> {
  await using client = await connect({ ...addr, secret });
  assertEquals((await Array.fromAsync(client.list("/"))).map(({ name }) => name), ["a.txt"]);
  const { readable } = await client.get("a.txt");
  assertEquals(await new Response(readable).text(), "content");
}

/** How somebody tries to get in without the secret; returns how far that went. */
type Login = (place: AtAddress, raw: RawSecret) => Promise<"judged" | "turned away">;

const ZEROS = "0".repeat(64);

const LOGINS: Readonly<Record<string, Login>> = {
  async "wrong proofs"(place, raw) {
    using control = await raw.openAt(place.addr);
    control.patienceMs = 15_000;
    await control.send(framed("auth"));
    const reader = new MessageReader(control);
    const { sign, value } = await reader.header();
    if (sign === "-") {
      assertEquals((await reader.unseal(value))["code"], "auth-failed");
      return "turned away";
    }
    const { ticket } = await reader.unseal((await reader.header()).value);
    using data = await raw.openAt(place.addr);
    data.patienceMs = 15_000;
    await data.send(joined(ticketMessage(String(ticket)), command("auth", { nonce: "0".repeat(32), proof: ZEROS })));
    const answer = await new MessageReader(data).answer();
    assert("code" in answer && answer.code === "auth-failed");
    return "judged";
  },
  async "another authority"({ addr }) {
    try {
      using _connection = await openTls(addr, OTHER.secret.authorityCert);
    } catch (error) {
      // It is this side that does not go on.
      assert(error instanceof Deno.errors.InvalidData, String(error));
      return "judged";
    }
    throw new Error("a server with another secret was taken for the right one");
  },
};

const OTHER = new RawSecret();
const SIEGE_MS = SOAK ? 20_000 : 2_000;

for (const [way, login] of Object.entries(LOGINS)) {
  Deno.test({
    name: `R10 logins with ${way}, 100 a second, are turned away soon, and other addresses do not notice`,
    ignore: !LINUX,
    async fn() {
      await using setting = secretBed({ limits: { dataAcceptTimeoutMs: 20_000 } });
      const { bed, raw } = setting;
      const { port } = bed.server.addr;
      await bed.survives(async () => {
        await using bad = await relayFrom("127.0.13.2", port);
        await using good = await relayFrom("127.0.13.3", port);
        // Sessions of the punished address that are there already: one that runs, one that waits for its data connection.
        using running = await raw.open(bad);
        using waiting = await raw.welcomed(bad);
        waiting.control.patienceMs = 20_000;
        let over = false;
        const outcomes: ("judged" | "turned away" | "nothing")[] = [];
        const attacks: Promise<unknown>[] = [];
        const besieging = begun((async () => {
          const startedMs = performance.now();
          for (let i = 0; performance.now() - startedMs < SIEGE_MS; i++) {
            const due = startedMs + i * 10 - performance.now();
            if (due > 0) await pause(due);
            attacks.push(login(bad, raw).then((outcome) => outcomes.push(outcome), () => outcomes.push("nothing")));
          }
          over = true;
        })());
        const honestMs: number[] = [];
        while (!over) {
          for (const place of [good, bed.server]) honestMs.push(await timed(() => visit(place, raw.secret)));
          honestMs.push(await timed(async () => assertEquals(await running.outcome("ping"), "ok")));
          assertEquals(await running.get("a.txt"), toWire("content"));
        }
        await besieging;
        assertGreater(honestMs.length, 9);
        // Not the very slowest: attackers and clients share this process.
        honestMs.sort((a, b) => a - b);
        assertLess(honestMs[Math.floor(honestMs.length * 0.9)] ?? Infinity, 1_000, "ms for an honest client");
        await within("the last attacks", Promise.all(attacks), { deadlineMs: 20_000 });
        // The awaited data connection gets in although its address is still punished, and a success forgives.
        {
          using data = await raw.openAt(bad.addr);
          data.patienceMs = 10_000;
          await data.send(joined(ticketMessage(waiting.ticket), command("auth", raw.proof(waiting.nonce))));
          const session = new RawTandem(waiting.control, data);
          assert("proof" in await session.object());
          assertLess(await timed(() => visit(bad, raw.secret)), 1_500);
          await session.quit();
        }
        // Who comes from there once nobody is awaited is turned away, whatever they know, and told why and for how long.
        bed.log.clear();
        await Promise.all(Array.from({ length: 12 }, () => login(bad, raw).catch(() => {})));
        await eventually("somebody is turned away", async () => {
          using refused = await raw.openAt(bad.addr);
          await refused.send(framed("auth"));
          const reader = new MessageReader(refused);
          const { sign, value } = await reader.header();
          if (sign === "+") return false;
          const { code, message } = await reader.unseal(value);
          assertEquals(code, "auth-failed");
          assert(/^127\.0\.13\.2 .*\b\d+ s$/.test(String(message)), String(message));
          await refused.assertEnds();
          const { peer } = await bed.log.warning("session-refused");
          assertStringIncludes(peer ?? "", "127.0.13.2:");
          return true;
        });
        assertGreater(outcomes.length, SIEGE_MS / 10 / 4);
        if (way === "wrong proofs") {
          const judged = outcomes.filter((outcome) => outcome === "judged").length;
          assertGreater(judged, 2);
          assertLessOrEqual(judged, 80, `of ${outcomes.length} proofs were judged`);
          assertGreater(outcomes.filter((outcome) => outcome === "turned away").length, 10);
        }
        assertEquals(await running.get("a.txt"), toWire("content"));
        await running.quit();
      });
    },
  });
}

/** Sends a proof that is none; resolves to the session, whose answer is still to come. */
function failingLogin(place: AtAddress, raw: RawSecret) {
  return raw.begin(place, () => command("auth", { nonce: "0".repeat(32), proof: ZEROS }));
}

Deno.test({
  name: "R10 each wrong proof is answered later than the one before, and so is whoever comes meanwhile",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await using bad = await relayFrom("127.0.13.4", bed.server.addr.port);
    const times: number[] = [];
    for (let i = 0; i < 3; i++) {
      times.push(
        await timed(async () => {
          using session = await failingLogin(bad, raw);
          assertEquals(await session.answer(), { code: "auth-failed", workingSigns: 0 });
        }),
      );
    }
    for (const [i, tookMs] of times.entries()) assertGreater(tookMs, 200 * 2 ** i, `answer ${i + 1}`);
    // Who does not wait for the answer is none the better for it: the next one is kept waiting instead.
    using _impatient = await failingLogin(bad, raw);
    // Time enough for the proof to be judged, of which no event tells before it is answered.
    await pause(300);
    const waitedMs = await timed(async () => {
      using _next = await raw.welcomed(bad);
    });
    assertGreater(waitedMs, 700);
    assertLess(await timed(() => visit(bed.server, raw.secret)), 1_000);
  },
});

Deno.test({
  name: "R10 who only knocks, or whose connection breaks in the handshake, has not failed",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    const hello = await clientHello();
    await using far = await relayFrom("127.0.13.5", bed.server.addr.port);
    for (let i = 0; i < 12; i++) {
      using knock = await connectFrom("127.0.13.5", bed.server.addr.port);
      if (i % 3 === 1) knock.send(hello.subarray(0, 40));
      if (i % 3 === 2) knock.send(hello);
      await knock.reset();
      await failedHandshake(bed.log, "127.0.13.5:");
    }
    assertLess(await timed(() => visit(far, raw.secret)), 1_000);
  },
});

Deno.test({
  name: "R10 guessing tickets costs as much as guessing proofs",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await using far = await relayFrom("127.0.13.6", bed.server.addr.port);
    await Promise.all(Array.from({ length: 12 }, async (_, i) => {
      using thief = await raw.openAt(far.addr);
      await thief.send(ticketMessage(String(i).padStart(32, "0")));
      await thief.assertEnds().catch(() => {});
    }));
    using refused = await raw.openAt(far.addr);
    const { sign, value } = await new MessageReader(refused).header();
    assertEquals(sign, "-");
    assertEquals((await new MessageReader(refused).unseal(value))["code"], "auth-failed");
    assertLess(await timed(() => visit(bed.server, raw.secret)), 1_000);
  },
});
