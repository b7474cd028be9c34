/**
 * Tests of the body of `ls`: its vectors, in both ways.
 *
 * @module
 */

import { MAX_MESSAGE_BYTES } from "../../src/limits.ts";
import { Decoder } from "../../src/protocol/decoder.ts";
import { encodeHeader } from "../../src/protocol/header.ts";
import { decodeListing, encodeListing, type ListedName } from "../../src/protocol/listing.ts";
import { parseRemotePath } from "../../src/protocol/path.ts";
import { assert, assertEquals } from "../deps.ts";
import { outcomeOf } from "./outcome.ts";
import { concat, cuts, latin1 } from "./reading.ts";
import { bytesOf, readVectors, testName, type Text, textOf, type Vector } from "./vectors.ts";

interface ListingVector extends Vector {
  /** Whether the listing is only read, or written too. */
  readonly way: "both" | "decode";
  readonly bytes: Text;
  readonly names: readonly {
    readonly name: Text;
    readonly kind: ListedName["kind"];
  }[];
  /** The listing behind its size, where the vector shows that too. */
  readonly message?: Text;
}

const vectors = readVectors<ListingVector>("listing.json", [
  "way",
  "bytes",
  "names",
  "message",
]);

for (const vector of vectors) {
  const names: readonly ListedName[] = vector.names.map(({ name, kind }) => ({
    name: textOf(name),
    kind,
  }));
  const bytes = bytesOf(vector.bytes);
  Deno.test(testName(vector, "decodeListing() takes"), () => {
    assertEquals(decodeListing(bytes), names);
  });
  if (vector.way === "both") {
    Deno.test(testName(vector, "encodeListing() writes"), () => {
      assertEquals(latin1(encodeListing(names)), latin1(bytes));
    });
  }
  const { message } = vector;
  if (message !== undefined) {
    Deno.test(testName(vector, "Decoder takes"), () => {
      testMessage(bytesOf(message), names);
    });
  }
}

/** The message is what the listing's size and bytes make, and is read back from however it was cut. */
function testMessage(
  message: Uint8Array,
  names: readonly ListedName[],
): void {
  const body = encodeListing(names);
  assertEquals(
    latin1(concat(encodeHeader(body.length), body)),
    latin1(message),
  );
  for (const pieces of cuts(message)) {
    const decoder = new Decoder();
    for (const piece of pieces) decoder.push(piece);
    const read = decoder.message("plain", MAX_MESSAGE_BYTES);
    assert(typeof read === "object");
    assertEquals(decodeListing(read.body), names);
  }
}

Deno.test("P11 decodeListing() makes no name of broken UTF-8 that could be asked for", () => {
  for (let byte = 0x80; byte <= 0xff; byte++) {
    const line = concat(bytesOf("a"), Uint8Array.of(byte, 0x0a));
    const [one, ...others] = decodeListing(line);
    assertEquals(others, []);
    assert(one !== undefined);
    assertEquals(outcomeOf(() => parseRemotePath(one.name)), {
      error: "bad-request",
    });
  }
});

Deno.test("encodeListing() takes any iterable", () => {
  function* names(): Generator<ListedName> {
    yield { name: "a", kind: "file" };
    yield { name: "b", kind: "directory" };
  }
  assertEquals(latin1(encodeListing(names())), "a\nb/\n");
});
