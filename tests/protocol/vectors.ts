/**
 * Reads the test vectors in `tests/vectors/`.
 *
 * A file there is an array of scenarios. Each has an `id` of its own, the
 * sentences of SPEC.md that it `cites`, and `about`: what is fed in, worded so
 * that "decodeHeader() refuses" can stand before it. One that shows a row of
 * the list of what must be survived names it as `row`. The other members belong
 * to the kind of scenario, and a member that nobody knows is an error, so that
 * no typing mistake makes a scenario say nothing.
 *
 * @module
 */

const FOLDER = new URL("../vectors/", import.meta.url);

/** What every scenario has, of whatever kind. */
export interface Scenario {
  /** Its name, unique over all files. */
  readonly id: string;
  /** The ids of the sentences that it shows. */
  readonly cites: readonly string[];
}

/** A scenario that makes a test. */
export interface Vector extends Scenario {
  /** What is fed in. */
  readonly about: string;
  /** The row of the safety list that it belongs to. */
  readonly row?: string;
}

/**
 * Bytes or text as a vector writes them: a string (UTF-8), or pieces of which
 * some are hexadecimal bytes, a string many times, or hexadecimal UTF-16 units
 * (a lone surrogate cannot be written in JSON that `deno fmt` takes).
 */
export type Text = string | readonly Piece[];
type Piece =
  | string
  | { readonly hex: string }
  | { readonly utf16: string }
  | { readonly repeat: string; readonly times: number };

const encoder = new TextEncoder();

/** The names of the files with vectors. */
export function vectorFiles(): string[] {
  return [...Deno.readDirSync(FOLDER)]
    .map((entry) => entry.name)
    .filter((name) => name.endsWith(".json"))
    .sort();
}

/** The scenarios of one file. */
export function readScenarios(file: string): readonly Scenario[] {
  const read: unknown = JSON.parse(
    Deno.readTextFileSync(new URL(file, FOLDER)),
  );
  if (!Array.isArray(read)) throw new TypeError(`${file} is no array`);
  for (const one of read) {
    if (typeof one?.id !== "string" || !isTextArray(one.cites)) {
      throw new TypeError(
        `${file}: a scenario lacks "id" or "cites": ${JSON.stringify(one)}`,
      );
    }
  }
  return read;
}

/** The scenarios of one file, which may have the given members and no others. */
export function readVectors<V extends Vector>(
  file: string,
  members: readonly (keyof V & string)[],
): readonly V[] {
  const known = new Set(["id", "cites", "about", "row", ...members]);
  const vectors = readScenarios(file) as readonly V[];
  for (const vector of vectors) {
    const unknown = Object.keys(vector).find((member) => !known.has(member));
    if (unknown !== undefined || typeof vector.about !== "string") {
      throw new TypeError(
        `${file}: ${vector.id} has no "about", or an unknown "${unknown}"`,
      );
    }
  }
  return vectors;
}

/** The name of a vector's test: its row, what must happen, and to what. */
export function testName(vector: Vector, verdict: string): string {
  const row = vector.row === undefined ? "" : `${vector.row} `;
  return `${row}${verdict} ${vector.about} (${vector.id})`;
}

/** The bytes that a vector writes. */
export function bytesOf(text: Text): Uint8Array {
  const parts = piecesOf(text).map(pieceBytes);
  const bytes = new Uint8Array(parts.reduce((sum, one) => sum + one.length, 0));
  let offset = 0;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

/** The text that a vector writes; it may have lone surrogates. */
export function textOf(text: Text): string {
  return piecesOf(text).map(pieceText).join("");
}

function piecesOf(text: Text): readonly Piece[] {
  return typeof text === "string" ? [text] : text;
}

function pieceBytes(piece: Piece): Uint8Array {
  return typeof piece === "object" && "hex" in piece ? Uint8Array.fromHex(piece.hex) : encoder.encode(pieceText(piece));
}

function pieceText(piece: Piece): string {
  if (typeof piece === "string") return piece;
  if ("repeat" in piece) return piece.repeat.repeat(piece.times);
  if ("utf16" in piece) {
    const units = piece.utf16.match(/[0-9a-f]{4}/g) ?? [];
    return String.fromCharCode(...units.map((unit) => parseInt(unit, 16)));
  }
  throw new TypeError("hexadecimal bytes stand where a text is wanted");
}

function isTextArray(value: unknown): value is string[] {
  return Array.isArray(value) &&
    value.every((one) => typeof one === "string");
}
