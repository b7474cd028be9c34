/**
 * T1: whoever sees all that goes between two ends with a secret finds no name,
 * no content and nothing of what the two show each other; and finds all of that
 * where there is no secret.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import type { Client, Secret } from "../../mod.ts";
import { assert, assertEquals, assertGreater } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { failureOf } from "../net/failure.ts";
import { keyOf, SECRET, SECRET_TEXT } from "../net/secrets.ts";
import { recordsOf } from "../net/tls_records.ts";
import { pattern } from "../server/test_bed.ts";
import { type Bed, openBed } from "./bed.ts";

/** Names that stand nowhere else, one of them as long as names can be. */
const NAMES = {
  folder: "folder-Quetzalcoatl-7731",
  inner: "inner-Popocatepetl-9917",
  small: "small-Xochimilco-4402.txt",
  large: "large-Teotihuacan-8853.bin",
  long: `long-${"Tenochtitlan-".repeat(19)}`.slice(0, 255),
  accented: "accentué-Ñandú-🚃-5519",
  sent: "sent-Huitzilopochtli-2277",
  uploaded: "uploaded-Cuauhtemoc-6614",
  made: "made-Chichenitza-3308",
  renamed: "renamed-Moctezuma-1145",
  missing: "missing-Tlalocan-5090",
} as const;

const TEXTS = {
  small: "a small content that tells of Malinalxochitl and 48151623",
  long: `${"a longer content, of Coyolxauhqui 108 ".repeat(12_000)}and its end`,
  sent: "what was sent speaks of Tezcatlipoca and 42424242",
} as const;

/** Bytes without a pattern, as in an archive. */
const LARGE = pattern(400_000, 77);

/** Collects what the two ends show each other: both run in this process, and read it as JSON. */
function spyOnMessages(): Disposable & { readonly values: ReadonlyMap<string, ReadonlySet<string>> } {
  const original = JSON.parse;
  const values = new Map(["ticket", "nonce", "proof"].map((field) => [field, new Set<string>()]));
  const watched = (...args: Parameters<typeof JSON.parse>) => {
    const value = original(...args);
    for (const [field, seen] of values) if (typeof value?.[field] === "string") seen.add(value[field]);
    return value;
  };
  Object.assign(JSON, { parse: watched });
  return { values, [Symbol.dispose]: () => void Object.assign(JSON, { parse: original }) };
}

/** All that a session can do, with each name and content. */
async function useEverything(client: Client, { root, folder }: Bed): Promise<void> {
  Deno.mkdirSync(`${root}/${NAMES.folder}/${NAMES.inner}`, { recursive: true });
  Deno.writeTextFileSync(`${root}/${NAMES.folder}/${NAMES.small}`, TEXTS.small);
  Deno.writeTextFileSync(`${root}/${NAMES.folder}/${NAMES.inner}/${NAMES.long}`, TEXTS.long);
  Deno.writeTextFileSync(`${root}/${NAMES.folder}/${NAMES.accented}`, "");
  Deno.writeFileSync(`${folder}/from`, LARGE);
  for await (const { name, kind } of client.list("/", { recursive: true })) {
    if (kind === "directory") Deno.mkdirSync(`${folder}/${name}`);
    else await client.download(name, `${folder}/${name}`);
  }
  assertEquals(Deno.readTextFileSync(`${folder}/${NAMES.folder}/${NAMES.inner}/${NAMES.long}`), TEXTS.long);
  await client.put(NAMES.sent, TEXTS.sent);
  await client.upload(`${folder}/from`, NAMES.uploaded);
  await client.mkdir(NAMES.made);
  await client.rename(NAMES.sent, `${NAMES.made}/${NAMES.renamed}`);
  assertEquals((await client.stat(`${NAMES.made}/${NAMES.renamed}`)).size, TEXTS.sent.length);
  await client.hash(NAMES.uploaded);
  await client.download(NAMES.uploaded, `${folder}/${NAMES.large}`);
  await client.rename(NAMES.uploaded, NAMES.large);
  assertEquals((await failureOf(client.stat(NAMES.missing))).code, "not-found");
  await client.remove(NAMES.large);
  await client.close();
}

/** What went each way over both connections. */
async function recordSession(secret?: Secret): Promise<{ readonly bed: Pick<Bed, "proxy">; streams: Uint8Array[] }> {
  await using bed = await openBed({ proxy: { record: true }, ...(secret === undefined ? {} : { secret }) });
  const client = await bed.connect();
  await within(useEverything(client, bed), 4 * PATIENCE_MS, "the session");
  assertEquals(bed.proxy.connections.length, 2);
  return { bed, streams: bed.proxy.connections.flatMap(({ up, down }) => [up.recorded(), down.recorded()]) };
}

/** The ways in which bytes may stand somewhere else. */
function formsOf(needle: Uint8Array): Record<string, Buffer> {
  const bytes = Buffer.from(needle);
  const text = new TextDecoder().decode(needle);
  const hex = bytes.toString("hex");
  const wide = Buffer.from(text, "utf16le");
  const forms: Record<string, Buffer> = {
    "as it is": bytes,
    "in hex": Buffer.from(hex),
    "in large hex": Buffer.from(hex.toUpperCase()),
    "in UTF-16": wide,
    "in UTF-16, the other way round": Buffer.from(wide).swap16(),
    "percent-encoded": Buffer.from(encodeURIComponent(text).replace(text, "")),
    "backwards": Buffer.from(bytes).reverse(),
  };
  for (const shift of [0, 1, 2]) {
    // Of base64 only what no neighbour has a part in.
    const rest = (bytes.length + shift) % 3;
    const encoded = Buffer.concat([Buffer.alloc(shift), bytes.subarray(0, bytes.length - rest)]).toString("base64");
    const own = encoded.slice(shift === 0 ? 0 : 4).replace(/=+$/, "").slice(0, -2);
    forms[`in base64 from ${shift}`] = Buffer.from(own);
    forms[`in base64url from ${shift}`] = Buffer.from(own.replaceAll("+", "-").replaceAll("/", "_"));
  }
  // A few bytes stand everywhere by chance.
  return Object.fromEntries(Object.entries(forms).filter(([form, { length }]) => form === "as it is" || length > 7));
}

/** In which of its forms something stands in one of the streams. */
function found(streams: readonly Uint8Array[], needle: Uint8Array | string): string[] {
  const bytes = typeof needle === "string" ? new TextEncoder().encode(needle) : needle;
  assertGreater(bytes.length, 6);
  return Object.entries(formsOf(bytes))
    .filter(([, form]) =>
      streams.some((stream) => Buffer.from(stream.buffer, stream.byteOffset, stream.length).includes(form))
    )
    .map(([form]) => form);
}

/** Pieces of a content, from its beginning to its end. */
function piecesOf(content: Uint8Array): Uint8Array[] {
  const [count, length] = [8, 24];
  const step = Math.floor((content.length - length) / (count - 1));
  return Array.from({ length: count }, (_, i) => content.subarray(i * step, i * step + length));
}

const encoder = new TextEncoder();
const CONTENTS: Readonly<Record<string, Uint8Array>> = {
  small: encoder.encode(TEXTS.small),
  long: encoder.encode(TEXTS.long),
  sent: encoder.encode(TEXTS.sent),
  random: LARGE,
};

/** The names and contents that are found in a session's streams. */
function foundOfFiles(streams: readonly Uint8Array[]): string[] {
  const names = Object.values(NAMES).filter((name) => found(streams, name).length > 0);
  // Of a long name a part would be enough.
  const parts = found(streams, NAMES.long.slice(100, 140)).map((form) => `a part of the long name ${form}`);
  const contents = Object.entries(CONTENTS)
    .filter(([, content]) => piecesOf(content).some((piece) => found(streams, piece).length > 0))
    .map(([name]) => `the content ${name}`);
  return [...names, ...parts, ...contents];
}

Deno.test("T1: nothing that two ends with a secret say to each other can be read on the wire", async () => {
  using spy = spyOnMessages();
  const { streams } = await recordSession(SECRET);
  const shown = [...spy.values].flatMap(([field, values]) => [...values].map((value) => [field, value] as const));
  assertEquals(shown.map(([field]) => field).sort(), ["nonce", "nonce", "proof", "proof", "ticket"]);
  assertGreater(streams.reduce((sum, { length }) => sum + length, 0), 3 * LARGE.length);
  assertEquals(foundOfFiles(streams), []);
  for (const [field, value] of shown) {
    for (const form of [value, Buffer.from(value, "hex")]) assertEquals([field, found(streams, form)], [field, []]);
  }
  for (const form of [SECRET_TEXT, SECRET_TEXT.replaceAll("-", ""), SECRET_TEXT.slice(0, 14), SECRET_TEXT.slice(-14)]) {
    assertEquals(found(streams, form), []);
  }
  for (const purpose of ["authority", "proof"] as const) assertEquals(found(streams, keyOf(purpose)), []);
  for (const word of ['"ticket"', '"nonce"', '"proof"', "+000000", "-000000", '"crc32"']) {
    assertEquals([word, found(streams, word)], [word, []]);
  }
});

Deno.test("T1: the two ends send whole records of TLS and nothing before or between them", async () => {
  const { streams } = await recordSession(SECRET);
  for (const [i, stream] of streams.entries()) {
    const records = recordsOf(stream);
    const kinds = records.map(({ kind }) => kind);
    assertEquals(kinds[0], "handshake", `stream ${i}`);
    assertEquals([...new Set(kinds)].filter((kind) => !["handshake", "change", "data"].includes(kind)), []);
    assertEquals(kinds.indexOf("data") > 0 && !kinds.slice(kinds.indexOf("data")).includes("handshake"), true);
    assertEquals(records.reduce((sum, { bytes }) => sum + bytes.length, 0), stream.length);
  }
});

Deno.test("T1: the same look finds every name, every content and the ticket where there is no secret", async () => {
  using spy = spyOnMessages();
  const { streams } = await recordSession();
  const parts = ["a part of the long name as it is"];
  const contents = Object.keys(CONTENTS).map((name) => `the content ${name}`);
  assertEquals(foundOfFiles(streams), [...Object.values(NAMES), ...parts, ...contents]);
  const [ticket = ""] = spy.values.get("ticket") ?? [];
  assertEquals(found(streams, ticket), ["as it is"]);
  assertEquals(found(streams, '"ticket"'), ["as it is"]);
  assert([...spy.values.get("nonce") ?? []].length === 0);
});

Deno.test("T1: the look finds what stands somewhere in another form", () => {
  const name = NAMES.accented;
  const wide = Buffer.from(name, "utf16le");
  const places: Record<string, string | Uint8Array> = {
    "as it is": name,
    "in hex": Buffer.from(name).toString("hex"),
    "in UTF-16": wide,
    "in UTF-16, the other way round": Buffer.from(wide).swap16(),
    "percent-encoded": encodeURIComponent(name),
    "in base64 from 0": Buffer.from(`abc${name}`).toString("base64"),
    "in base64 from 1": Buffer.from(`abcd${name} and more`).toString("base64"),
    "in base64 from 2": Buffer.from(`abcde${name} and more`).toString("base64"),
    "in base64url from 1": Buffer.from(`abcd${name}`).toString("base64url"),
  };
  for (const [form, place] of Object.entries(places)) {
    const stream = Buffer.concat([Buffer.from("before"), Buffer.from(place), Buffer.from("after")]);
    assert(found([stream], name).includes(form), form);
  }
});
