/**
 * Fuzzing the port of a server with a secret: bytes that are no TLS, handshakes
 * that are cut or have flipped bits, and, inside of TLS that is right, bytes and
 * messages of somebody who has not proved anything.
 *
 * Nothing of it may crash the server, hang it, cost it a descriptor, be taken for
 * a proof, or get at a file.
 *
 * @module
 */

import type { ServerEvent } from "../../mod.ts";
import { Penalties } from "../../src/server/penalties.ts";
import { assert, assertEquals, assertGreater } from "../deps.ts";
import { begun, within } from "./deadline.ts";
import { EventLog } from "./event_log.ts";
import { isReset, joined, RawConnection, toWire } from "./raw_client.ts";
import { body, command, crcOf, framed, object, sealed, signed, ticketMessage, upload } from "./raw_tandem.ts";
import { clientHello, RawSecret } from "./raw_tls.ts";
import { SECRET, SOAK, type TestBed, testBed } from "./test_bed.ts";

const SESSIONS = SOAK ? 100_000 : 400;
const AT_ONCE = 16;

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  next(): number {
    this.#state = this.#state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(this.#state ^ this.#state >>> 15, this.#state | 1);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  }

  below(most: number): number {
    return Math.floor(this.next() * most);
  }

  one<T>(things: readonly T[]): T {
    return things[this.below(things.length)] as T;
  }

  bytes(most: number): Uint8Array<ArrayBuffer> {
    return Uint8Array.from({ length: this.below(most) }, () => this.below(256));
  }

  /** The same bytes cut, with flipped bits, with some of them missing, doubled, or of the wrong length. */
  mutated(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    let made = bytes.slice();
    for (let times = 1 + this.below(3); times > 0; times--) {
      const at = this.below(made.length + 1);
      switch (this.below(6)) {
        case 0:
          made = made.slice(0, at);
          break;
        case 1:
          made = joined(made.subarray(0, at), this.bytes(20), made.subarray(at));
          break;
        case 2:
          made = joined(made.subarray(0, at), made.subarray(at + 1 + this.below(10)));
          break;
        case 3:
          made = joined(made.subarray(0, at), made);
          break;
        default:
          if (at < made.length) made[at] = (made[at] ?? 0) ^ 1 << this.below(8);
      }
    }
    return made;
  }
}

/** What an attack works with. */
interface Attack {
  readonly bed: TestBed;
  readonly raw: RawSecret;
  readonly random: Random;
  /** A whole ClientHello. */
  readonly hello: Uint8Array;
}

/** Sends bytes, says that they are all, and reads to the end. Whatever the server does with that connection is right, but for hanging. */
async function babble(connection: RawConnection, bytes: Uint8Array): Promise<void> {
  try {
    await connection.send(bytes);
    await connection.closeWrite();
    await connection.readToEnd();
  } catch (error) {
    if (!isEnd(error)) throw error;
  }
}

/** Whether the other side, or TLS itself, has ended a connection: every way to do that is allowed here. */
function isEnd(error: unknown): boolean {
  return isReset(error) || error instanceof Deno.errors.InvalidData || error instanceof Deno.errors.UnexpectedEof ||
    error instanceof Deno.errors.ConnectionAborted || error instanceof Deno.errors.NotConnected ||
    error instanceof Deno.errors.Interrupted || error instanceof Deno.errors.BadResource;
}

const openPlain = ({ bed: { server: { addr } } }: Attack) => RawConnection.open(addr.hostname, addr.port);

/** A record of TLS (RFC 8446, 5.1). */
function record(type: number, content: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined(Uint8Array.of(type, 3, 3, content.length >> 8, content.length & 0xff), content);
}

async function noTls(attack: Attack): Promise<void> {
  const { random } = attack;
  const bytes = random.one([
    () => random.bytes(600),
    () =>
      joined(
        ...Array.from(
          { length: random.below(6) },
          () => record(random.one([20, 21, 22, 23, 24, 0]), random.bytes(200)),
        ),
      ),
    () => command("ls"),
    () => toWire("0000000002ls") as Uint8Array<ArrayBuffer>,
    () => toWire("GET / HTTP/1.1\r\nHost: x\r\n\r\n") as Uint8Array<ArrayBuffer>,
    () => toWire("-000000000".repeat(random.below(500))) as Uint8Array<ArrayBuffer>,
  ])();
  using connection = await openPlain(attack);
  await babble(connection, bytes);
}

async function brokenHello(attack: Attack): Promise<void> {
  const { random, hello } = attack;
  using connection = await openPlain(attack);
  await babble(connection, joined(random.mutated(hello), random.next() < 0.3 ? random.bytes(300) : new Uint8Array()));
}

/** Passes on what comes from one connection to another, until its end or until `change` leaves some of it out. */
async function pass(
  from: Deno.TcpConn,
  to: Deno.TcpConn,
  change: (bytes: Uint8Array, passed: number) => Uint8Array,
): Promise<void> {
  const buffer = new Uint8Array(4_096);
  let passed = 0;
  try {
    for (;;) {
      const count = await from.read(buffer);
      if (count === null) break;
      const bytes = change(buffer.subarray(0, count), passed);
      passed += count;
      for (let sent = 0; sent < bytes.length;) sent += await to.write(bytes.subarray(sent));
      if (bytes.length < count) break;
    }
  } catch (error) {
    if (!isEnd(error)) throw error;
  }
  await to.closeWrite().catch(() => {
    // It has ended on both sides.
  });
}

/** How long a handshake of which something was changed may stand still, in milliseconds. */
const PATIENCE_MS = 300;

/** A real handshake, and a first message behind it, of which something is changed on the way. */
async function brokenHandshake({ bed, raw, random }: Attack): Promise<void> {
  const { port } = bed.server.addr;
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const nearPort = (listener.addr as Deno.NetAddr).port;
  // Wherever in what a client says before and after its handshake.
  const place = random.below(900);
  const isCut = random.next() < 0.3;
  const change = (bytes: Uint8Array, passed: number) => {
    const at = place - passed;
    if (at < 0 || at >= bytes.length) return bytes;
    if (isCut) return bytes.subarray(0, at);
    bytes[at] = (bytes[at] ?? 0) ^ 1 << random.below(8);
    return bytes;
  };
  const relay = async () => {
    using near = await listener.accept();
    using far = await Deno.connect({ hostname: "127.0.0.1", port });
    // With a length that was changed both sides may wait for each other.
    const timer = setTimeout(() => {
      near.close();
      far.close();
    }, PATIENCE_MS);
    await Promise.all([pass(near, far, change), pass(far, near, (bytes) => bytes)]);
    clearTimeout(timer);
  };
  const relayed = begun(relay());
  try {
    using connection = await raw.openAt({ hostname: "127.0.0.1", port: nearPort });
    await babble(connection, framed("auth"));
  } catch (error) {
    if (!isEnd(error)) throw error;
  }
  await within("a relay", relayed);
}

async function bytesInside({ bed, raw, random }: Attack): Promise<void> {
  using connection = await raw.openAt(bed.server.addr);
  const bytes = random.next() < 0.5
    ? random.bytes(600)
    : random.mutated(random.one([framed("auth"), ticketMessage("0".repeat(32)), command("get a.txt")]));
  await babble(connection, bytes);
}

/** Any bytes with the seal that fits them. */
function resealed(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return joined(bytes, toWire(`\n${crcOf(bytes)}`));
}

/** What a client may say that has its ticket and has proved nothing. */
function words({ random, raw }: Attack, nonce: string): Uint8Array<ArrayBuffer> {
  // Over another nonce of the server, of the other side, or with the two nonces the wrong way round.
  const wrong = () =>
    random.one([
      raw.prove("client", "0".repeat(32), "1".repeat(32)),
      raw.prove("server", nonce, "1".repeat(32)),
      raw.prove("client", "1".repeat(32), nonce),
    ]);
  const right = { nonce: "a".repeat(32), proof: raw.prove("client", nonce, "a".repeat(32)) };
  const one = () =>
    random.one([
      () => command(random.one(["get a.txt", "ls", "put b.txt", "rm a.txt", "ping", "quit", "abort", "hash a.txt"])),
      () => command("abort", { command: random.below(4) }),
      () => command("auth", { nonce: random.one(["1".repeat(32), nonce, "x", 1, null]), proof: wrong() }),
      () => command("auth", { nonce: right.nonce, proof: right.proof.slice(0, 63) + "g" }),
      () => command("auth", { ...right, proof: raw.prove("server", nonce, right.nonce) }),
      () => command("auth x", right),
      () => framed(sealed("auth\n[]")),
      () => framed(resealed(random.mutated(toWire('auth\n{"nonce":"é"}')))),
      () => random.mutated(command("auth", { ...right, proof: wrong() })),
      () => upload("stolen"),
      () => body(random.bytes(2_000), 1 + random.below(500)),
      () => object({ proof: right.proof }, random.one(["+", "-"])),
      () => toWire(signed(0, "-").repeat(random.below(50))) as Uint8Array<ArrayBuffer>,
      () => framed(random.bytes(100), random.one(["+", "-"])),
      () => random.bytes(100),
      () => toWire(random.one(["+999999999", "-999999999", "+000016385", "0000000004"])) as Uint8Array<ArrayBuffer>,
    ])();
  return joined(...Array.from({ length: random.below(6) }, one));
}

async function strangersWords(attack: Attack): Promise<void> {
  const { bed, raw, random } = attack;
  using session = await raw.welcomed(bed.server);
  const { control, ticket, nonce = "" } = session;
  using data = await raw.door(bed.server);
  const onControl = words(attack, nonce);
  const onData = joined(ticketMessage(ticket), words(attack, nonce));
  try {
    if (random.next() < 0.5) await control.send(onControl);
    if (random.next() < 0.1) await control.closeWrite();
    await data.send(onData);
    await data.closeWrite();
    const answer = new TextDecoder().decode(await data.readToEnd());
    // At the most one refusal, and no proof.
    assert(!answer.includes(SECRET) && !/[0-9a-f]{64}/.test(answer), answer);
    if (answer !== "") {
      assert(answer.startsWith("-") && /"auth-(required|failed)"|"bad-request"/.test(answer), answer);
      assertEquals(toWire(answer).length, 10 + Number(answer.slice(1, 10)), answer);
    }
    await control.send(onControl);
    await control.readToEnd();
  } catch (error) {
    if (!isEnd(error)) throw error;
  }
}

const ATTACKS: Readonly<Record<string, (attack: Attack) => Promise<void>>> = {
  noTls,
  brokenHello,
  brokenHandshake,
  bytesInside,
  strangersWords,
};

/** Has failing cost nothing for a while: its price is the business of other tests, and would keep these out. */
function withoutPenalties(): Disposable {
  const { fail } = Penalties.prototype;
  Penalties.prototype.fail = () => {};
  return {
    [Symbol.dispose]() {
      Penalties.prototype.fail = fail;
    },
  };
}

Deno.test(`${SESSIONS} sessions of broken TLS, and of strangers inside of it, neither crash nor hang the server`, async () => {
  using _free = withoutPenalties();
  const raw = new RawSecret();
  const log = new EventLog();
  const outcomes: Record<string, number> = {};
  const onEvent = (event: ServerEvent) => {
    if (!("outcome" in event)) return;
    const what = `${event.event} ${event.outcome}`;
    outcomes[what] = (outcomes[what] ?? 0) + 1;
    if (event.outcome === "internal") log.record(event);
    // Only who has proved it may do anything; nobody here has, but for the survival check.
    if (event.event === "command" && event.outcome === "ok" && event.command !== "auth") log.record(event);
  };
  const limits = { orphanGraceMs: 50, handshakeTimeoutMs: 2_000 };
  await using bed = testBed({ secret: raw.secret, hostname: "127.0.0.1", limits, onEvent });
  bed.write("a.txt", SECRET);
  const hello = await clientHello();
  const seed = Number(Deno.env.get("FUZZ_SEED") ?? crypto.getRandomValues(new Uint32Array(1))[0]);
  const done: Record<string, number> = {};
  const endMs = performance.now() + Number(Deno.env.get("FUZZ_SECONDS") ?? Infinity) * 1_000;
  await bed.survives(async () => {
    let left = SESSIONS;
    log.clear();
    const worker = async () => {
      while (left-- > 0 && performance.now() < endMs) {
        const number = left;
        const random = new Random(seed + number | 0);
        const name = random.one(Object.keys(ATTACKS));
        try {
          await ATTACKS[name]?.({ bed, raw, random, hello });
        } catch (error) {
          left = 0;
          throw new Error(`${name}, FUZZ_SEED ${seed + number | 0}`, { cause: error });
        }
        done[name] = (done[name] ?? 0) + 1;
        if (number % 500 === 0) {
          using session = await raw.open(bed.server);
          await session.quit();
        }
      }
    };
    for (const result of await Promise.allSettled(Array.from({ length: AT_ONCE }, worker))) {
      if (result.status === "rejected") throw result.reason;
    }
    assertEquals(log.untaken.filter((event) => event.event === "command" && event.command !== "quit"), []);
  });
  assertEquals(log.internalErrors(), []);
  assertEquals([...Deno.readDirSync(bed.root)].map(({ name }) => name), ["a.txt"]);
  assertEquals(bed.read("a.txt"), SECRET);
  for (const name of Object.keys(ATTACKS)) assertGreater(done[name] ?? 0, 0, name);
  if (Deno.env.get("FIGURES") === "1") console.error(done, outcomes);
});
