/**
 * Invariant: what `encodeHeader()` writes is the value in zero-padded decimal,
 * and `decodeHeader()` reads the same value and sign from it. Of all ten bytes
 * `decodeHeader()` takes exactly those that a regular expression takes, with
 * the value that `Number()` has for their digits, and refuses all others with a
 * ProtocolError.
 *
 * @module
 */

import {
  decodeHeader,
  encodeHeader,
  type HeaderGrammar,
  MAX_SIGNED_VALUE,
  MAX_UNSIGNED_VALUE,
} from "../../src/protocol/header.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { latin1 } from "../protocol/reading.ts";
import { headerBytes } from "./arbitraries.ts";
import { assertSame, target } from "./target.ts";

const unsigned = target(
  "H1 header of ten digits round trips",
  fc.integer({ min: 0, max: MAX_UNSIGNED_VALUE }),
  (value) => {
    const bytes = encodeHeader(value);
    assertSame(latin1(bytes), String(value).padStart(10, "0"));
    const header = decodeHeader(bytes);
    assertSame(header.value, value);
    assertSame(header.sign, "");
  },
);

const signed = target(
  "H1 header of a sign and nine digits round trips",
  fc.tuple(
    fc.integer({ min: 0, max: MAX_SIGNED_VALUE }),
    fc.constantFrom("+", "-"),
  ),
  ([value, sign]) => {
    const bytes = encodeHeader(value, sign);
    assertSame(latin1(bytes), sign + String(value).padStart(9, "0"));
    const header = decodeHeader(bytes, "tandem");
    assertSame(header.value, value);
    assertSame(header.sign, sign);
  },
);

/** The headers of each grammar, described once more. */
export const HEADER_PATTERNS: { readonly [G in HeaderGrammar]: RegExp } = {
  plain: /^(?: *[0-9]+ *|\+[0-9]{9})$/,
  tandem: /^[+-][0-9]{9}$/,
};

function checkAcceptedSet(bytes: Uint8Array, grammar: HeaderGrammar): void {
  const text = latin1(bytes);
  const outcome = outcomeOf(() => decodeHeader(bytes, grammar));
  if (!HEADER_PATTERNS[grammar].test(text)) {
    assertSame(outcome, { error: "protocol" });
    return;
  }
  const [sign] = /^[+-]?/.exec(text) ?? [];
  const value = Number(text.slice(sign?.length));
  assertSame(outcome, { value: { sign, value } });
}

const plain = target(
  "H2 header bytes are taken exactly as the plain pattern says",
  headerBytes,
  (bytes) => checkAcceptedSet(bytes, "plain"),
);

const tandem = target(
  "H2 header bytes are taken exactly as the tandem pattern says",
  headerBytes,
  (bytes) => checkAcceptedSet(bytes, "tandem"),
);

/** The targets of the header. */
export const headerTargets = [unsigned, signed, plain, tandem] as const;
