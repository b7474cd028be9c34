/**
 * The body of a plain `ls`: names, each followed by a line feed, folders with a
 * trailing `/`.
 *
 * Writing assumes servable names. Reading takes what any server sends: the
 * names that come out are a peer's words, to be shown (escaped) and never to be
 * written to without having been through `parseRemotePath`.
 *
 * @module
 */

/** One name of a listing. */
export interface ListedName {
  /** The name, without the `/` of a folder. */
  readonly name: string;
  /** What it names. */
  readonly kind: "file" | "directory";
}

const encoder = new TextEncoder();
// Broken UTF-8 becomes U+FFFD, which no checked path can hold: shown, never used.
const decoder = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes of a listing; none for an empty folder. */
export function encodeListing(names: Iterable<ListedName>): Uint8Array {
  let text = "";
  for (const { name, kind } of names) {
    text += kind === "directory" ? `${name}/\n` : `${name}\n`;
  }
  return encoder.encode(text);
}

/** The names of a listing, in its order; a last line without its line feed counts. */
export function decodeListing(bytes: Uint8Array): ListedName[] {
  const names: ListedName[] = [];
  for (const line of decoder.decode(bytes).split("\n")) {
    if (line === "" || line === "/") continue;
    names.push(
      line.endsWith("/") ? { name: line.slice(0, -1), kind: "directory" } : { name: line, kind: "file" },
    );
  }
  return names;
}
