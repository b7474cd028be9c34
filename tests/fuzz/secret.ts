/**
 * Invariant: a text is a secret, or is refused with `usage` by an error that
 * shows nothing of it; a generated secret is the same however it is written; a
 * mistyped one in groups is never taken.
 *
 * Only of what takes no work to derive: words cost 60 ms each.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { Secret } from "../../src/secret/secret.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { assertSame, target } from "./target.ts";

const DIGITS = "0123456789abcdefghjkmnpqrstvwxyz";

/** What the last two digits must be, described once more (SEC-2). */
function checkOf(digits: string): string {
  const hash = createHash("sha256").update(`tandem/1${digits}`).digest();
  return `${DIGITS[(hash[0] ?? 0) % 32]}${DIGITS[(hash[1] ?? 0) % 32]}`;
}

const digits = fc.string({ unit: fc.constantFrom(...DIGITS), minLength: 26, maxLength: 26 });

const written = target(
  "T11 a generated secret is the same in groups of any kind, and refused where its check does not fit",
  fc.record({ digits, hyphens: fc.array(fc.nat(2), { minLength: 28, maxLength: 28 }), by: fc.nat(31) }),
  ({ digits, hyphens, by }) => {
    const good = digits + checkOf(digits);
    const spread = [...good].map((digit, i) => digit + "-".repeat(hyphens[i] ?? 0)).join("");
    assertSame(new Secret(spread.toUpperCase()).authorityCert, new Secret(good).authorityCert);
    const last = DIGITS[(DIGITS.indexOf(good.slice(-1)) + by) % 32] ?? "";
    const typed = `${good.slice(0, -1)}${last}`.replace(/.{4}(?=.)/g, "$&-");
    assertSame("value" in outcomeOf(() => new Secret(typed)), by === 0);
  },
);

/** Texts that are none: too short, too long, or with a control character in them. */
const refusable = fc.oneof(
  fc.string({ unit: "grapheme-ascii", maxLength: 15 }),
  fc.tuple(fc.string({ unit: "grapheme-ascii", minLength: 16, maxLength: 40 }), fc.nat(0x1f)).map(([text, control]) =>
    `${text}x${String.fromCharCode(control)}x`
  ),
  fc.integer({ min: 1_025, max: 3_000 }).map((count) => "x".repeat(count)),
);

const refused = target(
  "T11 what is no secret is refused, and not shown",
  refusable,
  (text) => {
    let error: unknown;
    try {
      new Secret(text);
    } catch (thrown) {
      error = thrown;
    }
    assertSame((error as { code?: unknown } | undefined)?.code, "usage");
    const { message, hint = "", cause } = error as { message: string; hint?: string; cause?: unknown };
    assertSame(cause, undefined);
    // A text that is a part of what is always said gives nothing away.
    const told = text.length >= 8 && `${message}${hint}`.includes(text);
    assertSame(told, false);
  },
);

/** The targets of secrets. */
export const secretTargets = [written, refused] as const;
