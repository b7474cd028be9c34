/**
 * Safety row T3 on the server's side (SEC-6, SEC-7): who has come through TLS
 * and does not prove to have the secret gets one error, the end of the session,
 * and nothing else.
 *
 * @module
 */

import { type FileStore, MemoryStore, type RemotePath } from "../../mod.ts";
import { assert, assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { joined, RawConnection, toWire } from "./raw_client.ts";
import {
  command,
  framed,
  MessageReader,
  object,
  RawTandem,
  sealed,
  signed,
  ticketMessage,
  upload,
} from "./raw_tandem.ts";
import { RawSecret, type Relay, relayFrom } from "./raw_tls.ts";
import { LINUX, type TestBed, testBed } from "./test_bed.ts";

const NAME = "the-name-of-a-file.txt";
const CONTENT = "the content of a file";

/** What has been asked of a store. */
function watched(): { readonly store: FileStore; readonly asked: string[] } {
  const inner = new MemoryStore();
  inner.addFile(NAME as RemotePath, toWire(CONTENT));
  const asked: string[] = [];
  const store = new Proxy(inner, {
    get(target, property) {
      const value = Reflect.get(target, property, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (property !== "close") asked.push(`${String(property)} ${args[0]}`);
        return value.apply(target, args);
      };
    },
  });
  return { store, asked };
}

/** A server with a secret, and what is asked of its store. */
function secretBed(options: Parameters<typeof testBed>[0] = {}) {
  const raw = new RawSecret();
  const { store, asked } = watched();
  const bed: TestBed = testBed({ store, secret: raw.secret, hostname: "127.0.0.1", ...options });
  return { bed, raw, asked, [Symbol.asyncDispose]: () => bed[Symbol.asyncDispose]() };
}

/** The error that comes in place of an answer, and that nothing else comes. */
async function refusalOf(session: RawTandem): Promise<string> {
  session.data.patienceMs = 8_000;
  const { sign, value } = await session.header();
  assertEquals(sign, "-");
  const { code, message, hint, ...rest } = await session.unseal(value);
  assertEquals(rest, {});
  assertNotMatch(`${message} ${hint}`, /the-name|the content/);
  await session.data.assertEnds();
  await session.control.assertEnds();
  return String(code);
}

const ZEROS = "0".repeat(64);
const CLIENT_NONCE = "fedcba9876543210".repeat(2);

/** What comes as command 0 from somebody who wants in, made of the server's nonce. */
type Attack = (nonce: string, raw: RawSecret) => Uint8Array;

const proofs: Readonly<Record<string, Attack>> = {
  "no digits that fit": () => command("auth", { nonce: CLIENT_NONCE, proof: ZEROS }),
  "one of another nonce of the server": (_, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("client", "0".repeat(32), CLIENT_NONCE) }),
  "one of another nonce of the client": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("client", nonce, "0".repeat(32)) }),
  "one of both nonces the other way round": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("client", CLIENT_NONCE, nonce) }),
  "the server's own": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("server", nonce, CLIENT_NONCE) }),
  "one of another label": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("Client", nonce, CLIENT_NONCE) }),
  "one without a label": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("", nonce, CLIENT_NONCE) }),
  "one of another secret": (nonce) => command("auth", new RawSecret().proof(nonce)),
  "one that differs in its last digit": (nonce, raw) => {
    const proof = raw.prove("client", nonce, CLIENT_NONCE);
    return command("auth", { nonce: CLIENT_NONCE, proof: proof.slice(0, -1) + (proof.endsWith("0") ? "1" : "0") });
  },
};

const others: Readonly<Record<string, Attack>> = {
  ls: () => command("ls"),
  "a recursive ls": () => command("ls", { recursive: true }),
  get: () => command(`get ${NAME}`),
  stat: () => command(`stat ${NAME}`),
  hash: () => command(`hash ${NAME}`),
  mkdir: () => command("mkdir new"),
  rm: () => command(`rm ${NAME}`),
  mv: () => command(`mv ${NAME}`, { to: "new" }),
  ping: () => command("ping"),
  quit: () => command("quit"),
  abort: () => command("abort"),
  "abort of command 0": () => command("abort", { command: 0 }),
  "an unknown command": () => command("login"),
  "an empty command": () => command(""),
  "a get with a proof in it": (nonce, raw) => command(`get ${NAME}`, raw.proof(nonce)),
  "AUTH": (nonce, raw) => command("AUTH", raw.proof(nonce)),
  "put with its body behind it": () => joined(command("put new.txt", { size: 7 }), upload("content")),
  "put with half of its body behind it": () =>
    joined(command("put new.txt", { size: 7 }), upload("content").subarray(0, 14)),
  "a put that waits to be asked": () => command("put new.txt", { ready: true }),
  "get, and the right proof behind it": (nonce, raw) =>
    joined(command(`get ${NAME}`), command("auth", raw.proof(nonce))),
};

const malformed: Readonly<Record<string, Attack>> = {
  "without parameters": () => command("auth"),
  "without a nonce": (nonce, raw) => command("auth", { proof: raw.prove("client", nonce, "") }),
  "with an empty nonce": (nonce, raw) => command("auth", { nonce: "", proof: raw.prove("client", nonce, "") }),
  "with a nonce of spaces": (nonce, raw) => command("auth", { nonce: " ", proof: raw.prove("client", nonce, " ") }),
  "without a proof": () => command("auth", { nonce: CLIENT_NONCE }),
  "with an empty proof": () => command("auth", { nonce: CLIENT_NONCE, proof: "" }),
  "with a short proof": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: raw.prove("client", nonce, CLIENT_NONCE).slice(0, 32) }),
  "with a longer proof": (nonce, raw) =>
    command("auth", { nonce: CLIENT_NONCE, proof: `${raw.prove("client", nonce, CLIENT_NONCE)}00` }),
  "with a proof that is no text": () => command("auth", { nonce: CLIENT_NONCE, proof: true }),
  "with a list of proofs": (nonce, raw) => command("auth", { nonce: CLIENT_NONCE, proof: [raw.proof(nonce)["proof"]] }),
  "with a path": (nonce, raw) => command(`auth ${NAME}`, raw.proof(nonce)),
  "with parameters that are none": () => framed(sealed("auth\n[]")),
  "on one line": () => framed(sealed("auth")),
};

const codesOf = {
  proofs: ["auth-failed"],
  others: ["auth-required"],
  malformed: ["auth-required", "auth-failed", "bad-request"],
};

/** Does something for each of many cases at once, each from an address of its own, so that nobody pays for another. */
async function atOnce<T>(
  bed: TestBed,
  cases: Readonly<Record<string, T>>,
  network: string,
  run: (far: Relay, value: T) => Promise<unknown>,
): Promise<Record<string, unknown>> {
  const outcomes = Object.entries(cases).map(async ([name, value], i) => {
    await using far = await relayFrom(`${network}.${i + 1}`, bed.server.addr.port);
    try {
      return [name, await run(far, value)];
    } catch (error) {
      return [name, String(error)];
    }
  });
  return Object.fromEntries(await Promise.all(outcomes));
}

for (const [kind, attacks] of Object.entries({ proofs, others, malformed })) {
  const codes = codesOf[kind as keyof typeof codesOf];
  const what = { proofs: "a wrong proof", others: "another first command", malformed: "a malformed auth" }[kind];
  Deno.test({
    name: `T3 ${what} is answered with ${codes[0]} and ends the session, and no file is touched`,
    ignore: !LINUX,
    async fn() {
      await using setting = secretBed();
      const { bed, raw, asked } = setting;
      await bed.survives(async () => {
        const before = asked.length;
        const outcomes = await atOnce(bed, attacks, "127.0.4", async (far, attack) => {
          using session = await raw.begin(far, (nonce) => attack(nonce, raw));
          const code = await refusalOf(session);
          return codes.includes(code) ? "refused" : code;
        });
        assertEquals(outcomes, Object.fromEntries(Object.keys(attacks).map((name) => [name, "refused"])));
        assertEquals(asked.slice(before), []);
      });
    },
  });
}

Deno.test("T3 the right proof opens the session, and the server's proof comes back", async () => {
  await using setting = secretBed();
  const { bed, raw } = setting;
  await bed.survives(async () => {
    using session = await raw.open(bed.server);
    assertEquals(await session.get(NAME), toWire(CONTENT));
    assertEquals(await session.put("new.txt", "new"), "stored");
    assertEquals(await session.outcome("ping"), "ok");
    await session.quit();
  });
});

Deno.test("T3 every session has a nonce of its own, of 32 digits, that is not its ticket", async () => {
  await using setting = secretBed();
  const { bed, raw } = setting;
  const seen = new Set<string>();
  for (let i = 0; i < 20; i++) {
    using session = await raw.welcomed(bed.server);
    assertMatch(session.nonce ?? "", /^[0-9a-f]{32}$/);
    seen.add(session.nonce ?? "").add(session.ticket);
  }
  assertEquals(seen.size, 40);
});

Deno.test({
  name: "T3 a proof that was recorded in a session before gets nothing in another, before or after that one's end",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw, asked } = setting;
    await bed.survives(async () => {
      let recorded: Uint8Array = new Uint8Array();
      using first = await raw.begin(bed.server, (nonce) => recorded = command("auth", raw.proof(nonce)));
      const { proof } = await first.object();
      const before = asked.length;
      await using far = await relayFrom("127.0.4.200", bed.server.addr.port);
      using during = await raw.begin(far, () => recorded);
      assertEquals(await refusalOf(during), "auth-failed");
      await first.quit();
      using after = await raw.begin(far, () => recorded);
      assertEquals(await refusalOf(after), "auth-failed");
      // What the server has proved with is no good to a client either.
      using echoed = await raw.begin(far, () => command("auth", { ...raw.proof(""), proof }));
      assertEquals(await refusalOf(echoed), "auth-failed");
      assertEquals(asked.slice(before), []);
    });
  },
});

Deno.test({
  name: "T3 commands sent over the control connection before the proof are not answered without it",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw, asked } = setting;
    await bed.survives(async () => {
      const before = asked.length;
      await using far = await relayFrom("127.0.4.201", bed.server.addr.port);
      for (const first of [command("auth", { nonce: CLIENT_NONCE, proof: ZEROS }), command("ping")]) {
        const { control, ticket } = await raw.welcomed(far);
        await control.send(joined(command(`get ${NAME}`), command(`rm ${NAME}`), command("abort"), command("quit")));
        using data = await raw.openAt(far.addr);
        await data.send(joined(ticketMessage(ticket), first));
        using session = new RawTandem(control, data);
        assertMatch(await refusalOf(session), /^auth-/);
      }
      assertEquals(asked.slice(before), []);
    });
  },
});

Deno.test({
  name: "T3 nonsense on the control connection is not even read before the proof is judged",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    await using far = await relayFrom("127.0.4.205", bed.server.addr.port);
    const { control, ticket } = await raw.welcomed(far);
    bed.log.clear();
    await control.send("this is no header at all");
    using data = await raw.openAt(far.addr);
    await data.send(joined(ticketMessage(ticket), command("auth", { nonce: CLIENT_NONCE, proof: ZEROS })));
    using session = new RawTandem(control, data);
    assertEquals((await session.answer() as { code: string }).code, "auth-failed");
    await data.assertEnds();
    await control.readToEnd();
    const closed = await bed.log.take("the end", (event) => event.event === "session-closed");
    assertEquals(closed.outcome, "auth-failed");
  },
});

Deno.test("T3 commands that stand behind the proof on the control connection are answered after it, in order", async () => {
  await using setting = secretBed();
  const { bed, raw } = setting;
  const { control, ticket, nonce = "" } = await raw.welcomed(bed.server);
  await control.send(joined(command(`get ${NAME}`), command("stat no"), command("quit")));
  using data = await raw.openAt(bed.server.addr);
  using session = new RawTandem(control, data);
  await data.send(joined(ticketMessage(ticket), command("auth", raw.proof(nonce))));
  assert("proof" in await session.object());
  assertEquals(await session.file(), toWire(CONTENT));
  assertEquals(await session.answer(), { code: "not-found", workingSigns: 0 });
  await data.assertEnds();
  await control.assertEnds();
});

Deno.test("T3 a second auth is refused, right or wrong, and neither ends the session nor costs anything", async () => {
  await using setting = secretBed();
  const { bed, raw } = setting;
  await bed.survives(async () => {
    using session = await raw.begin(bed.server, (nonce) => command("auth", raw.proof(nonce)));
    await session.object();
    for (const parameters of [raw.proof(session.nonce), { nonce: CLIENT_NONCE, proof: ZEROS }, {}]) {
      for (let i = 0; i < 3; i++) {
        await session.send("auth", parameters);
        const answer = await session.answer();
        assert("code" in answer, "a second auth is answered with a proof");
      }
    }
    assertEquals(await session.get(NAME), toWire(CONTENT));
    using next = await raw.open(bed.server);
    await next.quit();
  });
});

Deno.test({
  name: "T3 a body of many megabytes behind a put that nobody may do is not taken, and the refusal comes",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw, asked } = setting;
    await bed.survives(async () => {
      const before = asked.length;
      await using far = await relayFrom("127.0.4.202", bed.server.addr.port);
      using session = await raw.begin(far, () => command("put big.bin"));
      const sending = session.data.send(upload(new Uint8Array(32 << 20))).catch(() => {});
      assertEquals(await new MessageReader(session.data).answer(), { code: "auth-required", workingSigns: 0 });
      await session.control.assertEnds();
      await sending;
      assertEquals(asked.slice(before), []);
    });
  },
});

Deno.test("T3 a server with a secret opens no data port, and answers nothing to a plain command inside TLS", async () => {
  await using setting = secretBed();
  const { bed, raw, asked } = setting;
  await bed.survives(async () => {
    const before = asked.length;
    for (const bytes of ["0000000002ls", `0000000026get ${NAME}`, "         2ls", "0000000004quit"]) {
      using plain = await raw.openAt(bed.server.addr);
      await plain.send(bytes);
      await plain.assertEnds();
      const { outcome } = await bed.log.sessionClosed(plain);
      assert(outcome !== "ok", outcome);
    }
    assertEquals(asked.slice(before), []);
  });
});

Deno.test({
  name: "T3 a server with a secret says nothing to who speaks plainly, with a sign or without",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, asked } = setting;
    await bed.survives(async () => {
      const before = asked.length;
      await using far = await relayFrom("127.0.4.203", bed.server.addr.port);
      for (const bytes of ["0000000002ls", "+000000002ls", "+000000004auth"]) {
        using plain = await RawConnection.open(far.addr.hostname, far.addr.port);
        await plain.send(bytes);
        const came = await plain.readToEnd();
        // A TLS alert: its type, the version, the length 2, the level and the reason.
        assertEquals([came.length, came[0], came[1]], [7, 0x15, 0x03]);
      }
      assertEquals(asked.slice(before), []);
    });
  },
});

Deno.test({
  name: "T3 what is told of a failed login names the address and why, and neither secret, proof, nonce nor ticket",
  ignore: !LINUX,
  async fn() {
    await using setting = secretBed();
    const { bed, raw } = setting;
    bed.log.clear();
    await using far = await relayFrom("127.0.4.204", bed.server.addr.port);
    const wrong = raw.prove("server", "x", "y");
    using session = await raw.begin(far, () => command("auth", { nonce: CLIENT_NONCE, proof: wrong }));
    assertEquals(await refusalOf(session), "auth-failed");
    const event = await bed.log.command("auth");
    assertEquals(event.outcome, "auth-failed");
    assertStringIncludes(event.peer, "127.0.4.204:");
    const closed = await bed.log.take("the end", (other) => other.event === "session-closed");
    assertEquals(closed.outcome, "auth-failed");
    const told = JSON.stringify([event, closed, bed.log.untaken]);
    for (const hidden of [raw.text, wrong, CLIENT_NONCE, session.nonce, session.ticket]) {
      assert(!told.includes(hidden), told);
    }
  },
});

for (const where of ["before the proof", "behind the proof"]) {
  Deno.test(`MSG-7 what says nothing may stand ${where}`, async () => {
    await using setting = secretBed();
    const { bed, raw } = setting;
    const nothing = joined(toWire(signed(0, "-")), toWire(signed(0, "-")));
    using session = await raw.begin(bed.server, (nonce) => {
      const proof = command("auth", raw.proof(nonce));
      return where === "before the proof" ? joined(nothing, proof) : joined(proof, nothing);
    });
    await session.control.send(nothing);
    assert("proof" in await session.object());
    assertEquals(await session.get(NAME), toWire(CONTENT));
  });
}

Deno.test({
  name: "T3 who never authenticates is sent away in time, however it goes about it",
  ignore: !LINUX,
  async fn() {
    const limits = { firstCommandTimeoutMs: 400, dataAcceptTimeoutMs: 400, commandTimeoutMs: 400 };
    await using setting = secretBed({ limits });
    const { bed, raw, asked } = setting;
    const nothing = toWire(signed(0, "-"));
    const WAYS: Readonly<Record<string, (nonce: string) => Uint8Array | undefined>> = {
      "it brings no ticket": () => undefined,
      "its ticket comes alone": () => new Uint8Array(),
      "it sends half of its proof": (nonce) => command("auth", raw.proof(nonce)).subarray(0, 50),
      "it says nothing": () => nothing,
      "it aborts": () => command("abort"),
      "it aborts time and again": () => joined(...Array.from({ length: 9 }, () => command("abort", { command: 7 }))),
      "it is at work": () => object({ working: true }),
    };
    await bed.survives(async () => {
      const before = asked.length;
      const outcomes = await atOnce(bed, WAYS, "127.0.5", async (far, way) => {
        const startedMs = performance.now();
        using session = await raw.welcomed(far);
        const bytes = way(session.nonce ?? "");
        using stack = new DisposableStack();
        if (bytes !== undefined) {
          const data = stack.use(await raw.openAt(far.addr));
          await data.send(joined(ticketMessage(session.ticket), bytes));
        }
        await session.control.assertEnds();
        return performance.now() - startedMs < 4_000;
      });
      assertEquals(outcomes, Object.fromEntries(Object.keys(WAYS).map((name) => [name, true])));
      assertEquals(asked.slice(before), []);
    });
  },
});
