/** Micro benchmarks of what every command goes through: `deno bench tests/bench/`. */

import { parseCommand } from "../../src/protocol/command.ts";
import { Decoder } from "../../src/protocol/decoder.ts";
import { decodeHeader, encodeHeader } from "../../src/protocol/header.ts";
import { decodeListing, encodeListing } from "../../src/protocol/listing.ts";

const header = encodeHeader(1_234_567);
const command = new TextEncoder().encode("get some/folder/a file.bin");
const message = new Uint8Array([...encodeHeader(command.length), ...command]);
const names = Array.from({ length: 10_000 }, (_, i) => ({
  name: `file-${i}.bin`,
  kind: "file" as const,
}));
const listing = encodeListing(names);

Deno.bench("encodeHeader()", () => void encodeHeader(1_234_567));
Deno.bench("decodeHeader()", () => void decodeHeader(header));
Deno.bench("parseCommand()", () => void parseCommand(command));

const decoder = new Decoder();
Deno.bench("Decoder: a command in one piece", () => {
  decoder.push(message);
  decoder.message("plain", 4_096);
});
Deno.bench("Decoder: a command byte by byte", () => {
  for (let i = 0; i < message.length; i++) {
    decoder.message("plain", 4_096);
    decoder.push(message.subarray(i, i + 1));
  }
  decoder.message("plain", 4_096);
});
Deno.bench("encodeListing(): 10,000 names", () => void encodeListing(names));
Deno.bench("decodeListing(): 10,000 names", () => void decodeListing(listing));
