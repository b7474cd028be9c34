/**
 * T3, SEC-5, SEC-6, SEC-7, SEC-9: whom a client with a secret takes for the
 * right server, and that it says nothing to any other. The bad servers share no
 * code with the program.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, type Credentials } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotEquals, assertNotMatch } from "../deps.ts";
import { forAll, PATIENCE_MS, within } from "../net/deadline.ts";
import { openDoor } from "../net/door.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { HAS_OPENSSL, selfSigned, signedBy } from "../net/openssl.ts";
import { authorityKey, OTHER_SECRET, proofOf, SECRET } from "../net/secrets.ts";
import type { Wire } from "../net/wire.ts";
import { closesControl, closesData, dataOf, type ScriptedSession, sends, type Step, step } from "./scripted_server.ts";
import { assertNamesTheSecret } from "./secret_words.ts";
import {
  acceptsEntrance,
  attemptTandem,
  crcOf,
  END,
  errorMessage,
  listingOf,
  NOTHING,
  object,
  takesNext,
  takesSigned,
  takesTicket,
  TICKET,
  welcomes,
} from "./tandem_script.ts";
import { list } from "./session.ts";

const SERVER_NONCE = "00112233445566778899aabbccddeeff";
const CREDENTIALS = SECRET.issueCredentials();

/** The welcome of a server that wants a secret: SEC-6. */
function welcome(more: Record<string, unknown> = { nonce: SERVER_NONCE }): Step {
  return welcomes(END + object({ tandem: 1, ticket: TICKET, ...more }));
}

/** What the client has shown. */
interface Shown {
  nonce: string;
  proof: string;
}

/** Takes `auth` behind the ticket, and checks the client's proof: SEC-6. */
function takesAuth(shown: Shown): Step {
  return step("takes auth behind the ticket", async (session) => {
    const wire = dataOf(session);
    const decoder = new TextDecoder();
    let header = NOTHING;
    while (header === NOTHING) header = decoder.decode((await wire.take(10)).bytes);
    const text = decoder.decode((await wire.take(Number(header))).bytes);
    const [verb, json = "{}", seal] = text.split("\n");
    assertEquals([verb, seal], ["auth", crcOf(`${verb}\n${json}`)]);
    Object.assign(shown, JSON.parse(json));
    assertMatch(shown.nonce, /^[0-9a-f]{32}$/);
    assertEquals(shown.proof, proofOf("client", SERVER_NONCE, shown.nonce));
  });
}

/** Waits until the client has left both connections, with nothing more said on either. */
function saysNothingMore(): Step {
  return step("says nothing more", async ({ data, control }) => {
    for (const wire of [data, control]) {
      if (wire === undefined) continue;
      const { bytes, ending } = await wire.take(100_000);
      assertNotEquals(ending, "silence");
      assertEquals(new TextDecoder().decode(bytes).replaceAll(NOTHING, ""), "");
    }
  });
}

/** Sends an answer that is made of what the client has shown. */
function answers(make: (shown: Shown) => string, shown: Shown): Step {
  return step("answers auth", (session: ScriptedSession) => sends(make(shown)).run(session));
}

/** The opening of a session with a secret. */
function opensWithAuth(shown: Shown): Step[] {
  return [takesSigned("auth"), welcome(), acceptsEntrance(), takesTicket(), takesAuth(shown)];
}

const ends = { credentials: CREDENTIALS, secret: SECRET } as const;

Deno.test("SEC-6 Client takes a server that has the authority and gives the right proof", async () => {
  const shown = { nonce: "", proof: "" };
  const right = answers(({ nonce }) => object({ proof: proofOf("server", SERVER_NONCE, nonce) }), shown);
  const script = [...opensWithAuth(shown), right, takesNext("ls"), sends(listingOf("a"))];
  await attemptTandem(script, async ({ client }) => {
    assertEquals(await list(client), ["a"]);
  }, ends);
});

Deno.test("SEC-6 Client makes another nonce for each session", async () => {
  const nonces = new Set<string>();
  for (let i = 0; i < 5; i++) {
    const shown = { nonce: "", proof: "" };
    const script = [...opensWithAuth(shown), sends(errorMessage("auth-failed")), saysNothingMore()];
    await attemptTandem(script, ({ client }) => failureOf(list(client)), { ...ends, sessionEnds: "auth-failed" });
    nonces.add(shown.nonce);
  }
  assertEquals(nonces.size, 5);
});

/** A proof that was right in another session. */
const REPLAYED = proofOf("server", SERVER_NONCE, "ffeeddccbbaa99887766554433221100");

/** What is no proof at all: nonsense rather than a wrong secret. */
const MALFORMED = ["none", "an empty one", "a number", "half of the right one", "the right one and more"];

const BAD_PROOFS: Readonly<Record<string, (shown: Shown) => unknown>> = {
  "none": () => undefined,
  "an empty one": () => "",
  "a number": () => 1,
  "any digits": () => "0".repeat(64),
  "the client's own": ({ proof }) => proof,
  "one with the nonces in the other order": ({ nonce }) => proofOf("server", nonce, SERVER_NONCE),
  "one for another nonce of the server": ({ nonce }) => proofOf("server", "0".repeat(32), nonce),
  "one of another session": () => REPLAYED,
  "half of the right one": ({ nonce }) => proofOf("server", SERVER_NONCE, nonce).slice(0, 32),
  "the right one and more": ({ nonce }) => `${proofOf("server", SERVER_NONCE, nonce)}00`,
};

for (const [what, make] of Object.entries(BAD_PROOFS)) {
  const sessionEnds = MALFORMED.includes(what) ? "protocol" : "auth-failed";
  Deno.test(`T3: a server that has the authority and gives ${what} as its proof is refused, and told nothing`, async () => {
    const shown = { nonce: "", proof: "" };
    const bad = answers((shown) => object({ proof: make(shown) }), shown);
    await attemptTandem([...opensWithAuth(shown), bad, saysNothingMore()], async ({ client, folder }) => {
      const others = [client.put("a", "x"), client.download("a", `${folder}/a`), client.ping()];
      const failures = await Promise.all([list(client), ...others].map(failureOf));
      const [first] = failures;
      for (const { code, message } of failures) assertEquals(code, sessionEnds, message);
      assertEquals([...Deno.readDirSync(folder)], []);
      if (sessionEnds === "auth-failed") assertMatch(first?.message ?? "", /secret/);
    }, { ...ends, sessionEnds });
  });
}

Deno.test("T3: a server that answers as if the secret were right, with the next result, is refused", async () => {
  const shown = { nonce: "", proof: "" };
  const script = [...opensWithAuth(shown), sends(listingOf("a")), saysNothingMore()];
  // A chunk is read as a message, whose seal does not fit.
  await attemptTandem(script, async ({ client }) => {
    await assertFails(list(client), "integrity");
  }, { ...ends, sessionEnds: "integrity" });
});

Deno.test("SEC-7 Client says that the secret is wrong when a server says so", async () => {
  const shown = { nonce: "", proof: "" };
  const refusal = errorMessage("auth-failed", "the secret is not the server's", { hint: "compare it on both sides" });
  await attemptTandem([...opensWithAuth(shown), sends(refusal), saysNothingMore()], async ({ client }) => {
    assertNamesTheSecret(await failureOf(list(client)), ["auth-failed"]);
  }, { ...ends, sessionEnds: "auth-failed" });
});

Deno.test("SEC-7 Client says that the secret is wrong when a server says so and closes both connections at once", async () => {
  for (const code of ["auth-failed", "auth-required"] as const) {
    for (const leaves of [[closesData(), closesControl()], [closesControl(), closesData()]]) {
      const shown = { nonce: "", proof: "" };
      const script = [...opensWithAuth(shown), sends(errorMessage(code, "the secret is another one")), ...leaves];
      await attemptTandem(script, async ({ client }) => {
        await assertFails(list(client), code);
      }, { ...ends, sessionEnds: code });
    }
  }
});

Deno.test("SEC-5 Client with a secret asks no second time where a server closes instead of answering", async () => {
  for (const leaves of [[], [welcomes(END)], [welcomes(END + object({ tandem: 1 }).slice(0, 20))]]) {
    await attemptTandem([takesSigned("auth"), ...leaves, closesControl()], async ({ client }) => {
      const { message, hint = "" } = await assertFails(list(client), "disconnected");
      assertNotMatch(message + hint, /--require-tandem|plain/);
    }, { ...ends, sessionEnds: "disconnected" });
  }
});

Deno.test("SEC-8 Client tells what a server says that turns it away inside TLS", async () => {
  for (const [code, message] of [["auth-failed", "wait 9 s"], ["busy", "1024 sessions are open"]] as const) {
    const script = [takesSigned("auth"), welcomes(errorMessage(code, message)), saysNothingMore()];
    await attemptTandem(script, async ({ client }) => {
      const failure = await assertFails(list(client), code);
      assertMatch(failure.message, new RegExp(message));
    }, { ...ends, sessionEnds: code });
  }
});

Deno.test("SEC-9 Client with a secret leaves a server that asks for none, before it tells it anything", async () => {
  const script = [takesSigned("auth"), welcome({}), saysNothingMore()];
  await attemptTandem(script, async ({ client }) => {
    assertNamesTheSecret(await failureOf(client.put("a", "x")), ["auth-failed"]);
  }, { ...ends, sessionEnds: "auth-failed" });
});

Deno.test("SEC-6 Client with a secret leaves a server whose nonce is none", async () => {
  for (const nonce of ["", "x", 5, null, SERVER_NONCE.slice(1), `${SERVER_NONCE}0`]) {
    const script = [takesSigned("auth"), welcome({ nonce }), saysNothingMore()];
    await attemptTandem(script, async ({ client }) => {
      await assertFails(list(client), nonce === null ? "auth-failed" : "protocol");
    }, { ...ends, sessionEnds: nonce === null ? "auth-failed" : "protocol" });
  }
});

Deno.test("SEC-9 Client without a secret leaves a server that asks for one", async () => {
  const script = [takesSigned("ls"), welcome(), saysNothingMore()];
  await attemptTandem(script, async ({ client }) => {
    assertNamesTheSecret(await failureOf(list(client)), ["auth-required"]);
  }, { sessionEnds: "auth-required" });
});

Deno.test("SEC-5 Client with a secret takes no port, signed or not, inside TLS", async () => {
  for (const text of ["0000041873", "+000041873", "     41873"]) {
    const script = [takesSigned("auth"), welcomes(text), saysNothingMore()];
    await attemptTandem(script, async ({ client }) => {
      const { code } = await failureOf(list(client));
      assertEquals(["protocol", "unsupported"].includes(code), true, `${text}: ${code}`);
    }, { ...ends, sessionEnds: text.startsWith("+") ? "unsupported" : "protocol" });
  }
});

/** Waits for a client that does not take this server for the right one; returns what it has said inside TLS. */
async function heardBy(credentials: Credentials, alpnProtocols: readonly string[]): Promise<[string, unknown]> {
  using door = await openDoor({ credentials, alpnProtocols });
  const hear = async (): Promise<string> => {
    using wire: Wire = await door.accept();
    return Buffer.from((await wire.takePiece()).bytes).toString();
  };
  const hearing = hear();
  const outcome = (async () => {
    await using client = await connect({ port: door.port, secret: SECRET, limits: { timeoutMs: PATIENCE_MS } });
    return await list(client);
  })().catch((error) => error);
  return [await within(hearing, 2 * PATIENCE_MS, "what is said"), await within(outcome, PATIENCE_MS, "the end")];
}

const AUTHORITY = { cert: SECRET.authorityCert, key: authorityKey() };

const IMPOSTORS: Readonly<Record<string, () => Promise<Credentials>>> = {
  "that vouches for itself": () => selfSigned({ names: "DNS:tandem.invalid" }),
  "that is an authority and vouches for itself": () => selfSigned({ names: "DNS:tandem.invalid", isAuthority: true }),
  "that somebody else's secret vouches for": () => Promise.resolve(OTHER_SECRET.issueCredentials()),
  "that another authority vouches for": async () =>
    signedBy(await selfSigned({ names: "DNS:ca", isAuthority: true }), { names: "DNS:tandem.invalid" }),
  "that the right authority vouches for under another name": () =>
    signedBy(AUTHORITY, { names: "DNS:localhost,IP:127.0.0.1,DNS:x.tandem.invalid,DNS:invalid" }),
  "that shows the authority behind its own": async () => {
    const { cert, key } = await selfSigned({ names: "DNS:tandem.invalid" });
    return { cert: cert + AUTHORITY.cert, key };
  },
  "that was vouched for by a server's certificate": async () => {
    const server = SECRET.issueCredentials();
    const { cert, key } = await signedBy(server, { names: "DNS:tandem.invalid" });
    return { cert: cert + server.cert, key };
  },
};

for (const [what, make] of Object.entries(IMPOSTORS)) {
  Deno.test({
    name: `T3: a client with a secret refuses a server ${what}, and tells it nothing`,
    ignore: !HAS_OPENSSL,
    async fn() {
      const [said, error] = await heardBy(await make(), ["tandem/1"]);
      assertEquals(said, "");
      const failure = await failureOf(Promise.reject(error));
      assertNamesTheSecret(failure, ["auth-failed"]);
    },
  });
}

Deno.test({
  name:
    "T3: a certificate from OpenSSL that the right authority vouches for is taken, so that the others are refused for their faults",
  ignore: !HAS_OPENSSL,
  async fn() {
    const [said] = await heardBy(await signedBy(AUTHORITY, { names: "DNS:tandem.invalid" }), ["tandem/1"]);
    assertMatch(said, /^\+000000004auth/);
  },
});

Deno.test("SEC-5 Client with a secret refuses a server that does not say that it speaks tandem inside TLS", async () => {
  await forAll([[], ["http/1.1"], ["tandem/2", "h2"], ["tandem"]], async (alpnProtocols) => {
    const [said, error] = await heardBy(CREDENTIALS, alpnProtocols);
    assertEquals(said, "");
    const failure = await failureOf(Promise.reject(error));
    assertEquals(failure.code, "unsupported", failure.message);
    assertEquals((failure.hint ?? "").length > 10, true);
  });
});
