/**
 * Plays the server of a transcript, byte for byte, against the real client.
 *
 * Lines that come from the server are sent, lines that go to it are waited for;
 * a command must come in one piece. Beside those of `transcript.ts` there are:
 *
 *     client gets a              begins an operation: lists, gets, reads, puts, uploads, quits
 *     result fetched "hello"     what came of it
 *     result nothing yet         it has not ended, for a moment
 *     C< PORT closed             the number of a port that nobody listens on
 *     D listens after 2 tries    it opens when the client was refused so often
 *     D< RST                     the server resets the data connection
 *
 * Coalesced, what follows each other on the data connection is sent in one piece.
 *
 * @module
 */

import { type ClientLimits, connect } from "../../mod.ts";
import { TandemError } from "../../src/errors.ts";
import { header } from "../client/scripted_server.ts";
import { list } from "../client/session.ts";
import { assertEquals, fail, toText } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { type ConnectSpy, spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { closedPort, type Door, openDoor } from "../net/door.ts";
import type { Wire } from "../net/wire.ts";
import { bytesOfLine, type Line, linesOf, Run, shown, type Transcript, type Way } from "./transcript.ts";
import { fillTree, readTree, type Tree } from "./tree.ts";

/** A session of a real client. */
export interface ClientTranscript extends Transcript {
  /** The address that the server listens on. Default: `127.0.0.1`. */
  readonly host?: string;
  /** What is in the local folder. Default: nothing. */
  readonly local?: Tree;
  /** What is in it afterwards. Default: the same. */
  readonly after?: Tree;
  /** What the client is told. */
  readonly limits?: Partial<ClientLimits>;
}

/** The members of a {@linkcode ClientTranscript}. */
export const CLIENT_MEMBERS = ["lines", "host", "local", "after", "limits", "needs"] as const;

/** How long nothing must have come for it to count as nothing, in milliseconds. */
const A_MOMENT_MS = 50;

/** What "about a second" is, in milliseconds. */
const ABOUT_A_SECOND_MS = { least: 700, most: 1_600 };

/** Runs a transcript in one way. */
export async function runClientTranscript(transcript: ClientTranscript, way: Way): Promise<void> {
  const { host = "127.0.0.1", local = {}, limits = {} } = transcript;
  using folder = tempFolder();
  using _special = fillTree(folder.path, local);
  await Run.check(transcript, async (run) => {
    using stack = new DisposableStack();
    const spy = stack.use(spyOnConnect());
    const door = stack.use(await openDoor({ hostname: host }));
    const client = await connect({ hostname: host, port: door.port, limits });
    const server = stack.use(new ScriptedServer(await door.accept(), host, way, spy));
    const operations = new Operations(client, folder.path);
    try {
      await play(linesOf(transcript), run, server, operations);
    } finally {
      server.close();
      await within(client.close(), PATIENCE_MS, "close()");
    }
  });
  assertEquals(readTree(folder.path), transcript.after ?? local);
}

async function play(
  lines: readonly Line[],
  run: Run,
  server: ScriptedServer,
  operations: Operations,
): Promise<void> {
  for (const [index, line] of lines.entries()) {
    if (line.who === "client") operations.begin(line.what);
    else if (line.who === "result") run.compare(line, await operations.result(line.what));
    else await server.play(line, lines.slice(index), run);
    if (line.who === "client") run.agrees(line);
  }
}

/** What the client is asked for, one after the other. */
class Operations {
  readonly #client: Awaited<ReturnType<typeof connect>>;
  readonly #folder: string;
  #startedMs = 0;
  #outcome: Promise<string> = Promise.resolve("none was begun");

  constructor(client: Awaited<ReturnType<typeof connect>>, folder: string) {
    this.#client = client;
    this.#folder = folder;
  }

  begin(what: string): void {
    const [verb = "", name = "", text = ""] = what.split(" ");
    this.#startedMs = performance.now();
    this.#outcome = this.#run(verb, name, text).catch(errorShown);
  }

  /** What has come of the operation, in the words of a transcript. */
  async result(expected: string): Promise<string> {
    if (expected === "nothing yet") {
      return await within(this.#outcome, A_MOMENT_MS, "").catch(() => expected);
    }
    const outcome = await within(this.#outcome, PATIENCE_MS, "an operation");
    if (!expected.endsWith("after about a second")) return outcome;
    const tookMs = performance.now() - this.#startedMs;
    const { least, most } = ABOUT_A_SECOND_MS;
    return `${outcome} after ${tookMs > least && tookMs < most ? "about a second" : `${tookMs} ms`}`;
  }

  async #run(verb: string, name: string, text: string): Promise<string> {
    const client = this.#client;
    const local = `${this.#folder}/${name}`;
    switch (verb) {
      case "lists":
        return ["names", ...await list(client, name || "/")].join(" ");
      case "gets": {
        const { outcome, bytes } = await client.download(name, local);
        return `${outcome} ${bytes}`;
      }
      case "reads": {
        await using download = await client.get(name);
        return `read ${await toText(download.readable)}`;
      }
      case "puts": {
        const { outcome, bytes } = await client.put(name, bytesOfLine(text));
        return `${outcome} ${bytes}`;
      }
      case "uploads": {
        const { outcome, bytes } = await client.upload(local, name);
        return `${outcome} ${bytes}`;
      }
      case "quits":
        await client.close();
        return "closed";
      default:
        return fail(`no operation: ${verb}`);
    }
  }
}

function errorShown(error: unknown): string {
  return error instanceof TandemError ? `error ${error.code}` : String(error);
}

/** A server that does what the lines say. */
class ScriptedServer implements Disposable {
  readonly #control: Wire;
  readonly #host: string;
  readonly #way: Way;
  readonly #spy: ConnectSpy;
  readonly #sent = new Set<Line>();
  #port = 0;
  #door: Door | undefined;
  #data: Wire | undefined;

  constructor(control: Wire, host: string, way: Way, spy: ConnectSpy) {
    this.#control = control;
    this.#host = host;
    this.#way = way;
    this.#spy = spy;
  }

  /** Plays the first of `lines`. */
  async play(line: Line, lines: readonly Line[], run: Run): Promise<void> {
    if (line.way === "") await this.#moveDoor(line, run);
    else if (line.way === ">") await this.#receive(line, run);
    else await this.#send(line, lines, run);
  }

  async #moveDoor(line: Line, run: Run): Promise<void> {
    const tries = /^listens after (\d+) tries$/.exec(line.what)?.[1];
    if (tries !== undefined) {
      const refused = () => this.#spy.attempts.filter((one) => one.port === this.#port && one.refused);
      await this.#spy.until(() => refused().length >= Number(tries));
      this.#door = await openDoor({ hostname: this.#host, port: this.#port });
      return run.agrees(line);
    }
    this.#data?.close();
    this.#data = await this.#door?.accept();
    run.compare(line, this.#data === undefined ? "cannot connect" : "connects");
  }

  async #receive(line: Line, run: Run): Promise<void> {
    if (line.who !== "C" || line.what === "EOF") return await run.receive(line, this.#wireOf(line));
    const came = shown(await this.#control.take(bytesOfLine(line.what).length));
    // Here a command looks the same however it was written: but it must be one write.
    const [control] = this.#spy.attempts;
    const written = new TextDecoder().decode(control?.writes.shift());
    run.compare(line, came === line.what ? written : came);
  }

  async #send(line: Line, lines: readonly Line[], run: Run): Promise<void> {
    if (line.what.startsWith("PORT")) await this.#sendPort(line.what.endsWith("closed"), lines);
    else if (line.what === "EOF") await this.#wireOf(line).closeWrite();
    else if (line.what === "RST") this.#wireOf(line).reset();
    else await this.#sendText(line, lines);
    run.agrees(line);
  }

  async #sendPort(closed: boolean, lines: readonly Line[]): Promise<void> {
    this.#closeData();
    if (closed) {
      this.#port = closedPort(this.#host);
    } else {
      const canReset = lines.some(({ what }) => what === "RST");
      this.#door = await openDoor({ hostname: this.#host, canReset });
      this.#port = this.#door.port;
    }
    await this.#control.send(bytesOfLine(header(this.#port)), this.#way === "byte by byte");
  }

  async #sendText(line: Line, lines: readonly Line[]): Promise<void> {
    if (this.#sent.has(line)) return;
    const together = this.#way === "coalesced" ? thoseWith(line, lines) : [line];
    const bytes = bytesOfLine(together.map(({ what }) => what).join(""));
    await this.#wireOf(line).send(bytes, this.#way === "byte by byte");
    for (const one of together) this.#sent.add(one);
  }

  #wireOf({ who, text }: Line): Wire {
    const wire = who === "C" ? this.#control : this.#data;
    return wire ?? fail(`"${text}" without a connection`);
  }

  #closeData(): void {
    this.#data?.close();
    this.#data = undefined;
    this.#door?.[Symbol.dispose]();
    this.#door = undefined;
  }

  /** Closes everything. */
  close(): void {
    this.#closeData();
    this.#control.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The lines that can be sent with the first of them: what follows at once on its connection. */
function thoseWith({ who }: Line, lines: readonly Line[]): readonly Line[] {
  const end = lines.findIndex((line) => line.who !== who || line.way !== "<" || /^(EOF|RST|PORT.*)$/.test(line.what));
  return lines.slice(0, end < 0 ? lines.length : end);
}
