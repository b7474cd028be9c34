/**
 * Several clients of one server, each with a cable of its own that can be cut,
 * and the operations that they have under way.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assert } from "../deps.ts";
import { sameBytes } from "../net/bytes.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { pattern } from "../server/test_bed.ts";
import { type Bed, connectTo } from "./bed.ts";
import type { History, Value } from "./history.ts";
import { Proxy } from "./proxy.ts";

/** How many clients there are. */
export const CLIENTS = 3;

/** The sizes of the versions, in bytes: sent at once, and not. */
export const SIZES = [4, 1_000, 70_000, 262_144, 600_000];

/** A client with a cable of its own. */
class Seat implements AsyncDisposable {
  readonly proxy: Proxy;
  client: Client;
  /** Whether what is under way was cut off. */
  isCut = { value: false };
  /** Ends of what nobody knows the outcome of, known as soon as the session has answered something later. */
  unknown: { readonly since: number; readonly end: () => void }[] = [];

  private constructor(proxy: Proxy, client: Client) {
    this.proxy = proxy;
    this.client = client;
  }

  static async open(port: number): Promise<Seat> {
    const proxy = await Proxy.open(port);
    return new Seat(proxy, await connectTo(proxy.port));
  }

  async cut(): Promise<void> {
    this.isCut.value = true;
    this.isCut = { value: false };
    // A server may still do for a while what it was asked for.
    this.unknown = [];
    await this.proxy.cutAll();
    await within(this.client.close(), PATIENCE_MS, "close()");
    this.client = await connectTo(this.proxy.port);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await within(this.client.close(), PATIENCE_MS, "close()");
    await this.proxy[Symbol.asyncDispose]();
  }
}

/** An operation that was begun. */
interface UnderWay {
  readonly what: string;
  readonly stop: AbortController;
  readonly ended: Promise<void>;
  isOver: boolean;
}

/** The real thing: a server, clients, and what they have under way. */
export class Scene implements AsyncDisposable {
  readonly bed: Bed;
  readonly history: History;
  readonly seats: Seat[];
  /** How operations ended, counted. */
  readonly outcomes: Record<string, number> = {};
  readonly #underWay: UnderWay[] = [];
  readonly #sizes = new Map<number, number>();
  #failure: unknown;

  private constructor(bed: Bed, history: History, seats: Seat[]) {
    this.bed = bed;
    this.history = history;
    this.seats = seats;
  }

  /** Connects the clients. */
  static async open(bed: Bed, history: History): Promise<Scene> {
    const seats = await Promise.all(Array.from({ length: CLIENTS }, () => Seat.open(bed.server.addr.port)));
    return new Scene(bed, history, seats);
  }

  /** Begins an operation. */
  begin(number: number, verb: string, work: (client: Client, signal: AbortSignal) => Promise<Outcome>): void {
    const seat = this.seats[number % CLIENTS];
    assert(seat !== undefined);
    const { isCut, client } = seat;
    const stop = new AbortController();
    const begin = this.history.now();
    const run = async () => {
      const outcome = await work(client, stop.signal);
      this.outcomes[`${verb} ${outcome.word}`] = (this.outcomes[`${verb} ${outcome.word}`] ?? 0) + 1;
      const isGivenUp = outcome.word === "aborted" || outcome.word === "disconnected";
      assert(outcome.word !== "aborted" || stop.signal.aborted || isCut.value, `${verb} was aborted by nobody`);
      assert(outcome.word !== "disconnected" || isCut.value, `${verb} was cut off by nobody`);
      if (isGivenUp) {
        if (outcome.end !== undefined && !isCut.value) {
          seat.unknown.push({ since: this.history.now(), end: outcome.end });
        }
        return;
      }
      if (isCut.value) return;
      // Answers come in the order of the commands.
      seat.unknown = seat.unknown.filter(({ since, end }) => {
        if (since < begin) end();
        return since >= begin;
      });
    };
    const ended = run().catch((error) => {
      this.#failure ??= error;
    });
    const mine = { what: `${verb} of ${number}`, stop, ended, isOver: false };
    void ended.then(() => mine.isOver = true);
    this.#underWay.push(mine);
  }

  /** The content of a new version. */
  newVersion(size: number): { readonly version: number; readonly content: Uint8Array } {
    const version = this.#sizes.size + 1;
    const content = contentOf(version, SIZES[size % SIZES.length] ?? 4);
    this.#sizes.set(version, content.length);
    return { version, content };
  }

  /** The size of a version in bytes, undefined of nothing. */
  sizeOf(value: Value): number | undefined {
    return value === "absent" ? undefined : this.#sizes.get(value);
  }

  /** The version whose content this is, all of it. */
  versionOf(content: Uint8Array): number {
    const version = new DataView(content.buffer, content.byteOffset).getUint32(0);
    const whole = contentOf(version, this.#sizes.get(version) ?? 0);
    assert(sameBytes(content, whole), `${content.length} bytes are not version ${version}, which has ${whole.length}`);
    return version;
  }

  /** Cuts a client's cable, and has it connect again. */
  async cut(number: number): Promise<void> {
    await this.seats[number % CLIENTS]?.cut();
  }

  /** Waits for one of the operations that are under way. */
  async end(place: number): Promise<void> {
    await within(this.#at(place)?.ended ?? Promise.resolve(), PATIENCE_MS, "the end of an operation");
  }

  /** Aborts one of the operations that are under way. */
  abort(place: number): void {
    this.#at(place)?.stop.abort();
  }

  /** Waits for all of them; fails if one of them did what it may not. */
  async endAll(): Promise<void> {
    const all = Promise.all(this.#underWay.map(({ ended }) => ended));
    await within(all, 2 * PATIENCE_MS, "the end of all operations").catch((error) => {
      const left = this.#underWay.filter(({ isOver }) => !isOver).map(({ what }) => what);
      throw new Error(`not ended: ${left.join(", ")}`, { cause: error });
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  #at(place: number) {
    return this.#underWay[place % Math.max(1, this.#underWay.length)];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const seat of this.seats) await seat[Symbol.asyncDispose]();
    for (const { ended } of this.#underWay) await ended;
  }
}

/** How an operation ended. */
export interface Outcome {
  /** `ok`, or the code of its failure. */
  readonly word: string;
  /** Called when it is sure that it will not happen any more, if that is not known yet. */
  readonly end?: (() => void) | undefined;
}

function contentOf(version: number, size: number): Uint8Array {
  const content = pattern(size, version);
  new DataView(content.buffer).setUint32(0, version);
  return content;
}
