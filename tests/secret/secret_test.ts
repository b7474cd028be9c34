/**
 * Tests of what follows from a secret: its vectors, which `reference.py` has
 * made, and what holds for any text.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { createHash } from "node:crypto";
import { TandemError } from "../../src/errors.ts";
import { Authority } from "../../src/secret/certificate.ts";
import { equalInConstantTime, generateSecret, makeNonce, Secret } from "../../src/secret/secret.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertThrows, fail, fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { readVectors, testName, type Text, textOf, type Vector } from "../protocol/vectors.ts";
import { derOf, publicKeyOf } from "./pem.ts";

interface SecretVector extends Vector {
  readonly kind: "secret" | "refused" | "certificate";
  /** Texts that are all the same secret. */
  readonly spellings?: readonly Text[];
  /** What the keys are made of; only to find out where something went wrong. */
  readonly material?: string;
  /** The authority's public key. */
  readonly publicKey?: string;
  /** The server's nonce and the client's, and each side's proof over them. */
  readonly nonces?: readonly [server: string, client: string];
  readonly proofs?: Readonly<Record<"client" | "server", string>>;
  /** A text that is refused. */
  readonly text?: Text;
  /** The seed of an authority, and its certificate. */
  readonly seed?: string;
  readonly certificate?: string;
}

const vectors = readVectors<SecretVector>("secret.json", [
  ...["kind", "spellings", "material", "publicKey", "nonces", "proofs", "text", "seed", "certificate"] as const,
]);

for (const vector of vectors) {
  switch (vector.kind) {
    case "secret":
      Deno.test(testName(vector, "Secret() takes"), () => testSecret(vector));
      break;
    case "refused":
      Deno.test(testName(vector, "Secret() refuses"), () => {
        assertEquals(outcomeOf(() => new Secret(textOf(vector.text ?? fail()))), { error: "usage" });
      });
      break;
    case "certificate":
      Deno.test(testName(vector, "Authority() makes the certificate of"), () => {
        const { cert } = new Authority(Buffer.from(vector.seed ?? fail(), "hex"));
        assertEquals(derOf(cert), vector.certificate);
      });
      break;
    default:
      fail(`${vector.id} is of no kind`);
  }
}

async function testSecret({ spellings = [], publicKey, nonces, proofs }: SecretVector): Promise<void> {
  assert(spellings.length > 0);
  const [serverNonce, clientNonce] = nonces ?? fail();
  for (const text of spellings) {
    const secret = new Secret(textOf(text));
    assertEquals(publicKeyOf(secret.authorityCert), publicKey);
    for (const prover of ["client", "server"] as const) {
      const proof = proofs?.[prover] ?? fail();
      assertEquals(await secret.prove(prover, serverNonce, clientNonce), proof);
      assertEquals(await secret.verify(proof, prover, serverNonce, clientNonce), true);
    }
  }
}

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";

/** What the last two digits must be: SEC-2. */
function checkOf(digits: string): string {
  const hash = createHash("sha256").update(`tandem/1${digits}`).digest();
  return [...hash.subarray(0, 2)].map((byte) => DIGITS[byte % 32]).join("");
}

function grouped(digits: string): string {
  return digits.match(/.{4}/g)?.join("-") ?? fail();
}

/** 26 digits and their check. */
const generated = fc.array(fc.constantFrom(...DIGITS), { minLength: 26, maxLength: 26 })
  .map((digits) => digits.join(""))
  .map((digits) => digits + checkOf(digits));

/** What does not change a secret: capitals, letters that look like a digit, hyphens anywhere. */
const slant = fc.array(fc.record({ capital: fc.boolean(), like: fc.constantFrom("i", "l", ""), hyphens: fc.nat(2) }), {
  minLength: 28,
  maxLength: 28,
});

Deno.test("Secret() makes the same of a generated secret however it is written", () => {
  fc.assert(
    fc.property(generated, slant, (digits, slants) => {
      const written = [...digits].map((digit, i) => {
        const { capital, like, hyphens } = slants[i] ?? fail();
        const shown = like === "" ? digit : digit === "0" ? "o" : digit === "1" ? like : digit;
        return (capital ? shown.toUpperCase() : shown) + "-".repeat(hyphens);
      }).join("");
      assertEquals(new Secret(written).authorityCert, new Secret(digits).authorityCert);
    }),
    { numRuns: 200 },
  );
});

Deno.test("Secret() refuses a generated secret in groups when any one digit is another, unless the check happens to fit", () => {
  let refused = 0;
  fc.assert(
    fc.property(generated, fc.nat(27), fc.integer({ min: 1, max: 31 }), fc.boolean(), (digits, at, by, capitals) => {
      const other = DIGITS[(DIGITS.indexOf(digits[at] ?? fail()) + by) % 32] ?? fail();
      const typed = digits.slice(0, at) + other + digits.slice(at + 1);
      const text = capitals ? grouped(typed).toUpperCase() : grouped(typed);
      const fits = checkOf(typed.slice(0, 26)) === typed.slice(26);
      const outcome = outcomeOf(() => new Secret(text).toString());
      assertEquals(outcome, fits ? { value: "(secret)" } : { error: "usage" });
      if (!fits) refused++;
    }),
    { numRuns: 500 },
  );
  // One in 1,024 fits.
  assert(refused > 450, `${refused} of 500 were refused`);
});

Deno.test("Secret() refuses a text of any length but 16 to 1,024 characters", () => {
  const letters = fc.constantFrom("x", "é", "🚃", "한");
  const tooShort = fc.tuple(letters, fc.nat(15));
  const tooLong = fc.tuple(letters, fc.integer({ min: 1_025, max: 5_000 }));
  fc.assert(fc.property(fc.oneof(tooShort, tooLong), ([letter, count]) => {
    assertEquals(outcomeOf(() => new Secret(letter.repeat(count))), { error: "usage" });
    assertEquals(outcomeOf(() => new Secret(` ${letter.repeat(count)}\n`)), { error: "usage" });
  }));
});

Deno.test("Secret() refuses a text with a control character in it, whichever it is and wherever", () => {
  const controls = [...Array(32).keys(), 0x7f].map((code) => String.fromCharCode(code));
  for (const control of controls) {
    const texts = [`correct horse${control}battery staple`, `c${control}orrect horse battery staple`];
    // Where it is no white space it is not taken off at an end either.
    if (control.trim() !== "") texts.push(`${control}correct horse battery`, `correct horse battery${control}`);
    for (const text of texts) assertEquals(outcomeOf(() => new Secret(text)), { error: "usage" }, JSON.stringify(text));
  }
});

Deno.test("Secret() takes a mistyped secret for no other one: it is refused before any key is made", () => {
  const started = performance.now();
  for (let i = 0; i < 20; i++) assertThrows(() => new Secret("0000-0000-0000-0000-0000-0000-0000"), TandemError);
  // 20 times scrypt would be over a second.
  assert(performance.now() - started < 500);
});

Deno.test("Secret() is the same secret for no two texts that are different", () => {
  // Half a surrogate pair is no character; UTF-8 has nothing but the same sign for each.
  const texts = ["correct horse battery staple", "correct horse battery staplE", "correct  horse battery staple"];
  const halves = ["\ud800".repeat(16), "\ud801".repeat(16), "\ufffd".repeat(16)];
  const certs = [...texts, ...halves].flatMap((text) => {
    const outcome = outcomeOf(() => new Secret(text).authorityCert);
    return "value" in outcome ? [outcome.value] : [];
  });
  assert(certs.length >= texts.length);
  assertEquals(new Set(certs).size, certs.length);
});

Deno.test("Secret is of the same certificate on both sides, to the byte, whatever the text is", () => {
  fc.assert(
    fc.property(fc.string({ unit: "grapheme", minLength: 16, maxLength: 60 }), (text) => {
      const outcomes = [0, 1].map(() => outcomeOf(() => new Secret(text).authorityCert));
      assertEquals(outcomes[0], outcomes[1]);
    }),
    { numRuns: 10 },
  );
});

Deno.test("generateSecret() makes 28 digits in groups of four, the last two of which fit", () => {
  for (let i = 0; i < 500; i++) {
    const text = generateSecret();
    assertMatch(text, /^([0-9a-hjkmnp-tv-z]{4}-){6}[0-9a-hjkmnp-tv-z]{4}$/);
    const digits = text.replaceAll("-", "");
    assertEquals(digits.slice(26), checkOf(digits.slice(0, 26)));
    new Secret(text);
  }
});

Deno.test("generateSecret() makes another one each time, of all digits at every place", () => {
  const many = Array.from({ length: 4_000 }, () => generateSecret().replaceAll("-", ""));
  assertEquals(new Set(many).size, many.length);
  for (let place = 0; place < 26; place++) {
    const counts = new Map<string, number>();
    for (const one of many) counts.set(one[place] ?? "", (counts.get(one[place] ?? "") ?? 0) + 1);
    assertEquals(counts.size, 32, `digits at place ${place}`);
    // 125 of each are expected; a digit that is twice as frequent is no chance (11 standard deviations).
    for (const [digit, count] of counts) assert(count > 40 && count < 250, `${count} times ${digit}`);
  }
});

Deno.test("makeNonce() makes 32 hexadecimal digits, others each time", () => {
  const nonces = Array.from({ length: 1_000 }, makeNonce);
  for (const nonce of nonces) assertMatch(nonce, /^[0-9a-f]{32}$/);
  assertEquals(new Set(nonces).size, nonces.length);
});

const SERVER_NONCE = "00112233445566778899aabbccddeeff";
const CLIENT_NONCE = "ffeeddccbbaa99887766554433221100";

Deno.test("T3: Secret.verify() takes the one proof of a side over both nonces, and nothing else", async () => {
  const secret = new Secret("correct horse battery staple");
  const proof = await secret.prove("client", SERVER_NONCE, CLIENT_NONCE);
  assertMatch(proof, /^[0-9a-f]{64}$/);
  assertEquals(await secret.verify(proof, "client", SERVER_NONCE, CLIENT_NONCE), true);
  // The other side's, one for other nonces, one for the nonces in each other's place.
  assertEquals(await secret.verify(proof, "server", SERVER_NONCE, CLIENT_NONCE), false);
  assertEquals(await secret.verify(proof, "client", CLIENT_NONCE, SERVER_NONCE), false);
  assertEquals(await secret.verify(proof, "client", SERVER_NONCE, makeNonce()), false);
  assertEquals(await secret.verify(proof, "client", makeNonce(), CLIENT_NONCE), false);
  const other = new Secret("correct horse battery stable");
  assertEquals(await other.verify(proof, "client", SERVER_NONCE, CLIENT_NONCE), false);
  for (const wrong of ["", proof.slice(1), `${proof}0`, proof.toUpperCase(), ` ${proof}`, "0".repeat(64)]) {
    assertEquals(await secret.verify(wrong, "client", SERVER_NONCE, CLIENT_NONCE), false, wrong);
  }
  for (let at = 0; at < proof.length; at++) {
    const wrong = proof.slice(0, at) + (proof[at] === "0" ? "1" : "0") + proof.slice(at + 1);
    assertEquals(await secret.verify(wrong, "client", SERVER_NONCE, CLIENT_NONCE), false, `digit ${at}`);
  }
});

Deno.test("equalInConstantTime() is true of equal texts, and of no others", () => {
  fc.assert(fc.property(fc.string(), fc.string(), (a, b) => {
    assertEquals(equalInConstantTime(a, b), a === b);
    assertEquals(equalInConstantTime(a, a), true);
    assertEquals(equalInConstantTime(a, `${a}x`), false);
    assertEquals(equalInConstantTime(`x${a}`, a), false);
  }));
});

Deno.test("Secret.issueCredentials() makes a key and a certificate of its own each time", () => {
  const secret = new Secret(generateSecret());
  const [one, other] = [secret.issueCredentials(), secret.issueCredentials()];
  assertNotEquals(one.key, other.key);
  assertNotEquals(one.cert, other.cert);
  assertNotEquals(publicKeyOf(one.cert), publicKeyOf(other.cert));
});
