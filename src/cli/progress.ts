/**
 * The progress line: what is drawn is a pure function of state and width, and
 * the ticker that draws it is apart.
 *
 * @module
 */

import { eastAsianWidth, formatBytes } from "../deps.ts";
import { printable } from "./terminal.ts";

/** A transfer as the progress line shows it. */
export interface ProgressState {
  /** The file's name. */
  readonly name: string;
  /** The bytes moved so far. */
  readonly bytes: number;
  /** The bytes to be moved. */
  readonly totalBytes: number;
  /** How long it has taken so far, in milliseconds. */
  readonly elapsedMs: number;
}

const NAME_COLUMNS = 24;
const BAR_COLUMNS = 20;

/** The line, in at most `columns` columns: parts that do not fit are left out, the least needed first. */
export function renderProgress(state: ProgressState, columns: number): string {
  const { bytes, totalBytes, elapsedMs } = state;
  const done = totalBytes === 0 ? 1 : Math.min(1, bytes / totalBytes);
  const percent = `${Math.floor(done * 100).toString().padStart(3)}%`;
  const rate = elapsedMs < 1 ? 0 : bytes / elapsedMs * 1_000;
  const left = rate === 0 ? "-:--" : clock(Math.max(0, totalBytes - bytes) / rate);
  const amount = `${size(bytes)}/${size(totalBytes)}`;
  const speed = `${size(rate)}/s`;
  const filled = Math.round(done * BAR_COLUMNS);
  const bar = `[${"#".repeat(filled)}${".".repeat(BAR_COLUMNS - filled)}]`;
  const name = shorten(printable(state.name), NAME_COLUMNS);
  const choices = [
    [name, percent, bar, amount, speed, left],
    [name, percent, amount, speed, left],
    [name, percent, speed, left],
    [name, percent, left],
    [name, percent],
    [percent],
  ];
  const lines = choices.map((parts) => parts.join("  "));
  return lines.find((line) => columnsOf(line) <= columns) ?? "";
}

/** A number of bytes as people read it. */
export function size(bytes: number): string {
  return formatBytes(Math.round(bytes), {
    binary: true,
    maximumFractionDigits: 1,
  });
}

function clock(seconds: number): string {
  const whole = Math.ceil(seconds);
  const minutes = Math.floor(whole / 60);
  const hours = Math.floor(minutes / 60);
  const two = (n: number) => n.toString().padStart(2, "0");
  return hours > 0 ? `${hours}:${two(minutes % 60)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** How many columns of a terminal a text takes: wide letters and most emoji take two. */
export function columnsOf(text: string): number {
  let columns = 0;
  for (const { segment } of letters.segment(text)) columns += lettersWidth(segment);
  return columns;
}

const letters = new Intl.Segmenter();

function lettersWidth(letter: string): number {
  if (/\p{Emoji_Presentation}|\ufe0f/u.test(letter)) return 2;
  return eastAsianWidth(letter.codePointAt(0) ?? 0);
}

function shorten(text: string, columns: number): string {
  if (columnsOf(text) <= columns) return text;
  let short = "";
  let used = 0;
  for (const { segment } of letters.segment(text)) {
    used += lettersWidth(segment);
    if (used > columns - 3) break;
    short += segment;
  }
  return `${short}...`;
}

/** How often the line is drawn at the most, in milliseconds. */
const TICK_MS = 100;

/** The first piece of a transfer comes at once: without this allowance the first rates would be many times too high. In milliseconds. */
const HEAD_START_MS = 150;

const encoder = new TextEncoder();

/** Draws the progress of one transfer after the other on stderr. Disposing of it leaves the line empty. */
export class ProgressLine implements Disposable {
  #state: ProgressState | undefined;
  #drawn = false;
  readonly #timer = setInterval(() => this.#draw(), TICK_MS);

  /** Says how far a transfer is that began at `startedMs`, by the clock that never jumps. */
  update(name: string, bytes: number, totalBytes: number, startedMs: number): void {
    const elapsedMs = performance.now() - startedMs + HEAD_START_MS;
    this.#state = { name, bytes, totalBytes, elapsedMs };
  }

  /** Removes the line, to be drawn again at the next update: for whoever writes to stderr otherwise. */
  clear(): void {
    this.#state = undefined;
    if (this.#drawn) Deno.stderr.writeSync(encoder.encode("\r\x1b[K"));
    this.#drawn = false;
  }

  #draw(): void {
    if (this.#state === undefined) return;
    const line = renderProgress(this.#state, columns() - 1);
    Deno.stderr.writeSync(encoder.encode(`\r${line}\x1b[K`));
    this.#drawn = true;
  }

  /** Stops drawing. */
  [Symbol.dispose](): void {
    clearInterval(this.#timer);
    this.clear();
  }
}

function columns(): number {
  try {
    return Deno.consoleSize().columns;
  } catch {
    // Stderr may be a terminal whose size cannot be asked for.
    return 80;
  }
}
