/**
 * What the client of a transcript is asked for, and what came of it, in words.
 *
 *     client lists sub {recursive: true}
 *     client gets a, reads a, puts a text, uploads a        each perhaps with options
 *     client stats a, makes d, removes a, renames a b, hashes a, pings, quits
 *     client has 5                                          so many bytes of it are here
 *     client gives up                                       what was begun last
 *     result fetched 5                                      of what was begun first
 *     result nothing yet                                    it has not ended, for a moment
 *
 * @module
 */

import type { Client, ClientEvent } from "../../mod.ts";
import { TandemError } from "../../src/errors.ts";
import { list } from "../client/session.ts";
import { fail, toText } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { expanded } from "./messages.ts";
import { parseObject, shaOf, showObject } from "./objects.ts";

/** How long an operation must not have ended for it to count as running, in milliseconds. */
const A_MOMENT_MS = 50;

/** What "about a second" is, in milliseconds. */
const ABOUT_A_SECOND_MS = { least: 700, most: 1_600 };

/** An operation that was begun. */
interface Begun {
  readonly startedMs: number;
  readonly outcome: Promise<string>;
  readonly abort: AbortController;
}

/** What an operation is given. */
interface Call {
  readonly name: string;
  readonly text: string;
  readonly options: { readonly [name: string]: unknown; readonly signal: AbortSignal };
}

/** What the client is asked for, several things at a time where the exchange allows it. */
export class Operations {
  readonly #client: () => Client;
  readonly #folder: string;
  readonly #begun: Begun[] = [];
  #movedBytes = 0;
  #watch: () => unknown = () => {};

  /** Takes a client, and the folder that local names are in. */
  constructor(client: () => Client, folder: string) {
    this.#client = client;
    this.#folder = folder;
  }

  /** Takes note of what the client tells. */
  tell(event: ClientEvent): void {
    if (event.event !== "progress") return;
    this.#movedBytes = event.bytes;
    this.#watch();
  }

  /** Waits until as many bytes of a transfer are here. */
  async has(bytes: number): Promise<void> {
    if (this.#movedBytes >= bytes) return;
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#watch = () => this.#movedBytes >= bytes && resolve();
    await within(promise, PATIENCE_MS, `${bytes} bytes`);
  }

  /** Begins an operation, or gives up the last. */
  begin(what: string): void {
    if (what === "gives up") return this.#begun.at(-1)?.abort.abort();
    const [, words = "", given = "{}"] = /^(.*?)(?: (\{[a-z]\w*:.*\}))?$/i.exec(what) ?? [];
    const [verb = "", name = "", text = ""] = words.split(" ");
    const abort = new AbortController();
    this.#movedBytes = 0;
    const { mtime, ...rest } = parseObject(given);
    const times = mtime === undefined ? {} : { mtime: new Date(Number(mtime)) };
    const options = { ...rest, ...times, signal: abort.signal };
    const startedMs = performance.now();
    const outcome = this.#run(verb, { name, text, options }).catch(errorShown);
    this.#begun.push({ startedMs, outcome, abort });
  }

  /** What has come of the operation that was begun first, in the words of a transcript. */
  async result(expected: string): Promise<string> {
    const [first] = this.#begun;
    if (first === undefined) return "none was begun";
    if (expected === "nothing yet") return await within(first.outcome, A_MOMENT_MS, "").catch(() => expected);
    this.#begun.shift();
    const outcome = await within(first.outcome, PATIENCE_MS, "an operation");
    if (!expected.endsWith("after about a second")) return outcome;
    const tookMs = performance.now() - first.startedMs;
    const { least, most } = ABOUT_A_SECOND_MS;
    return `${outcome} after ${tookMs > least && tookMs < most ? "about a second" : `${tookMs} ms`}`;
  }

  async #run(verb: string, { name, text, options }: Call): Promise<string> {
    const client = this.#client();
    const local = `${this.#folder}/${name}`;
    switch (verb) {
      case "lists":
        if (options["recursive"] === undefined) return ["names", ...await list(client, name || "/")].join(" ");
        return ["names", ...(await Array.fromAsync(client.list(name || "/", options))).map(nameShown)].join(" ");
      case "gets":
        return fileShown(await client.download(name, local, options));
      case "reads": {
        await using download = await client.get(name, options);
        return `read ${await toText(download.readable)}`;
      }
      case "puts":
        return fileShown(await client.put(name, new TextEncoder().encode(expanded(text)), options));
      case "uploads":
        return fileShown(await client.upload(local, name, options));
      case "quits":
        await client.close();
        return "closed";
      default:
        return await this.#runShort(verb, { name, text, options });
    }
  }

  /** What only the tandem exchange has. */
  async #runShort(verb: string, { name, text, options }: Call): Promise<string> {
    const client = this.#client();
    switch (verb) {
      case "stats": {
        const { mtime, ...entry } = await client.stat(name, options);
        const told = { ...entry, ...mtime === undefined ? {} : { mtime: mtime.getTime() } };
        return `entry ${showObject(JSON.parse(JSON.stringify(told)))}`;
      }
      case "makes":
        await client.mkdir(name, options);
        return "done";
      case "removes":
        await client.remove(name, options);
        return "done";
      case "renames":
        await client.rename(name, text, options);
        return "done";
      case "hashes":
        return `hash ${await client.hash(name, options)}`;
      case "pings":
        return await client.ping(options) >= 0 ? "done" : "less than no time";
      default:
        return fail(`no operation: ${verb}`);
    }
  }
}

/** A result as a transcript expects it, with the hashes that it names. */
export function expectedResult(what: string): string {
  return what.replaceAll(/SHA\((.*?)\)/g, (_, text) => shaOf(text));
}

function nameShown({ name, kind, error }: { name: string; kind: string; error: string | undefined }): string {
  const slash = kind === "directory" ? "/" : "";
  return error === undefined ? `${name}${slash}` : `${name}${slash} (${error})`;
}

function fileShown(
  result: { readonly outcome: string; readonly bytes: number; resumedBytes: number; startedOver: boolean },
): string {
  const { outcome, bytes, resumedBytes, startedOver } = result;
  const resumed = resumedBytes > 0 ? [`resumed at ${resumedBytes}`] : startedOver ? ["started over"] : [];
  return [`${outcome} ${bytes}`, ...resumed].join(", ");
}

function errorShown(error: unknown): string {
  return error instanceof TandemError ? `error ${error.code}` : String(error);
}
