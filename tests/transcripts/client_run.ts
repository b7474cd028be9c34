/**
 * Plays the server of a transcript, byte for byte, against the real client.
 *
 * Lines that come from the server are sent, lines that go to it are waited for;
 * a plain command must come in one piece, and so must a ticket with what is
 * behind it. A transcript is of the plain exchange unless it says otherwise. Beside those of `transcript.ts` there are:
 *
 *     client gets a              begins an operation, see `operations.ts`
 *     result fetched 5           what came of it
 *     C< PORT closed             the number of a port that nobody listens on
 *     D listens after 2 tries    it opens when the client was refused so often
 *     D< RST                     the server resets the data connection
 *     D enters                   the data connection of the tandem exchange comes
 *     C connects                 the client begins anew
 *
 * Coalesced, what follows each other on the data connection is sent in one piece.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { type ClientLimits, connect, Secret } from "../../mod.ts";
import { header } from "../client/scripted_server.ts";
import { assertEquals, fail } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { type ConnectAttempt, type ConnectSpy, spyOnConnect } from "../net/connect_spy.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { closedPort, type Door, openDoor } from "../net/door.ts";
import type { Wire } from "../net/wire.ts";
import { isMessage } from "./messages.ts";
import { NOTHING, withoutNothing } from "./nothing.ts";
import { expectedResult, Operations } from "./operations.ts";
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
  /** What the client is told to speak; `either` has it find out. Default: `plain`, or `either` with a secret. */
  readonly mode?: "plain" | "tandem" | "either";
  /** What the client is told. */
  readonly limits?: Partial<ClientLimits>;
}

/** The members of a {@linkcode ClientTranscript}. */
export const CLIENT_MEMBERS = ["lines", "host", "local", "after", "limits", "mode", "needs", "secret"] as const;

/** Runs a transcript in one way. */
export async function runClientTranscript(transcript: ClientTranscript, way: Way): Promise<void> {
  const { host = "127.0.0.1", local = {}, limits = {} } = transcript;
  const secret = transcript.secret === undefined ? undefined : new Secret(transcript.secret);
  const { mode = secret === undefined ? "plain" : "either" } = transcript;
  using folder = tempFolder();
  using _special = fillTree(folder.path, local);
  await Run.check(transcript, async (run) => {
    using stack = new DisposableStack();
    const spy = stack.use(spyOnConnect());
    const canReset = transcript.lines.includes("C< RST");
    const secured = secret === undefined ? {} : { credentials: secret.issueCredentials(), through: withoutNothing };
    const door = stack.use(await openDoor({ hostname: host, canReset, ...secured }));
    const operations: Operations = new Operations(() => client, folder.path);
    const connecting = connect({
      hostname: host,
      port: door.port,
      limits,
      onEvent: (event) => operations.tell(event),
      ...mode === "either" ? {} : { mode },
      ...secret === undefined ? {} : { secret },
    });
    const server = stack.use(new ScriptedServer({ door, host, way, spy }));
    const [client] = await Promise.all([connecting, server.accept()]);
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
    const [, bytes] = /^has (\d+)$/.exec(line.what) ?? [];
    if (bytes !== undefined) await operations.has(Number(bytes));
    else if (line.who === "client") operations.begin(line.what);
    else if (line.who === "result") await compareResult(line, run, operations);
    else await server.play(line, lines.slice(index), run);
    if (line.who === "client") run.agrees(line);
  }
}

async function compareResult(line: Line, run: Run, operations: Operations): Promise<void> {
  const came = await operations.result(line.what);
  run.compare(line, came === expectedResult(line.what) ? line.what : came);
}

/** What a transcript is played on. */
interface Bed {
  readonly door: Door;
  readonly host: string;
  readonly way: Way;
  readonly spy: ConnectSpy;
}

/** A server that does what the lines say. */
class ScriptedServer implements Disposable {
  readonly #bed: Bed;
  readonly #sent = new Set<Line>();
  #control: Wire | undefined;
  /** The client's end of it, and of a data connection that entered. */
  #controlAttempt: ConnectAttempt | undefined;
  #dataAttempt: ConnectAttempt | undefined;
  #port = 0;
  #door: Door | undefined;
  #data: Wire | undefined;

  constructor(bed: Bed) {
    this.#bed = bed;
  }

  /** Takes a control connection. */
  async accept(): Promise<void> {
    this.#control?.close();
    this.#control = await this.#bed.door.accept();
    this.#controlAttempt = this.#bed.spy.attempts.at(-1);
  }

  /** Plays the first of `lines`. */
  async play(line: Line, lines: readonly Line[], run: Run): Promise<void> {
    if (line.way === "") await this.#moveDoor(line, run);
    else if (line.way === ">") await this.#receive(line, run);
    else await this.#send(line, lines, run);
  }

  async #moveDoor(line: Line, run: Run): Promise<void> {
    const { spy, host, door } = this.#bed;
    if (line.who === "C" && line.what === "connects") {
      await this.accept();
      return run.agrees(line);
    }
    if (line.what === "enters") {
      this.#closeData();
      this.#data = await door.accept();
      this.#dataAttempt = spy.attempts.at(-1);
      return run.agrees(line);
    }
    const tries = /^listens after (\d+) tries$/.exec(line.what)?.[1];
    if (tries !== undefined) {
      const refused = () => spy.attempts.filter((one) => one.port === this.#port && one.refused);
      await spy.until(() => refused().length >= Number(tries));
      this.#door = await openDoor({ hostname: host, port: this.#port });
      return run.agrees(line);
    }
    this.#data?.close();
    this.#data = await this.#door?.accept();
    run.compare(line, this.#data === undefined ? "cannot connect" : "connects");
  }

  async #receive(line: Line, run: Run): Promise<void> {
    const wire = this.#wireOf(line);
    if (line.who !== "C" || /^(EOF|nothing)$/.test(line.what) || isMessage(line.what)) {
      await run.receive(line, wire);
      if (line.what === "TICKET") this.#checkFirstWrite(line, run);
      return;
    }
    const came = shown(await wire.take(bytesOfLine(line.what).length));
    // Here a command looks the same however it was written: but it must be one write.
    const written = new TextDecoder().decode(this.#nextWrite());
    run.compare(line, came === line.what ? written : came);
  }

  /** What the client wrote next on the control connection, without what says nothing. */
  #nextWrite(): Uint8Array | undefined {
    const writes = this.#controlAttempt?.writes ?? [];
    while (new TextDecoder().decode(writes[0]) === NOTHING) writes.shift();
    return writes.shift();
  }

  /** The ticket and the first command must come in one write: two messages, whole. */
  #checkFirstWrite(line: Line, run: Run): void {
    const written = new TextDecoder().decode(this.#dataAttempt?.writes[0]);
    const lengths = [0, 0];
    let end = 0;
    for (const at of lengths.keys()) {
      lengths[at] = Number(written.slice(end, end + 10));
      end += 10 + (lengths[at] ?? 0);
    }
    if (end !== new TextEncoder().encode(written).length) run.differs(line, `in a write of its own: ${written}`);
  }

  async #send(line: Line, lines: readonly Line[], run: Run): Promise<void> {
    if (/^\+?PORT/.test(line.what)) await this.#sendPort(line.what, lines);
    else if (line.what === "EOF") await this.#wireOf(line).closeWrite();
    else if (line.what === "RST") this.#wireOf(line).reset();
    else await this.#sendText(line, lines, run);
    run.agrees(line);
  }

  async #sendPort(what: string, lines: readonly Line[]): Promise<void> {
    const [closed, signed] = [what.endsWith("closed"), what.startsWith("+")];
    this.#closeData();
    if (closed) {
      this.#port = closedPort(this.#bed.host);
    } else {
      const canReset = lines.some(({ what }) => what === "RST");
      this.#door = await openDoor({ hostname: this.#bed.host, canReset });
      this.#port = this.#door.port;
    }
    const text = signed ? `+${header(this.#port).slice(1)}` : header(this.#port);
    await this.#control?.send(bytesOfLine(text), this.#bed.way === "byte by byte");
  }

  async #sendText(line: Line, lines: readonly Line[], run: Run): Promise<void> {
    if (this.#sent.has(line)) return;
    const { way } = this.#bed;
    const together = way === "coalesced" ? thoseWith(line, lines) : [line];
    const bytes = Buffer.concat(together.map((one) => run.bytesOf(one)));
    await this.#wireOf(line).send(bytes, way === "byte by byte");
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
    this.#control?.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }
}

/** The lines that can be sent with the first of them: what follows at once on its connection. */
function thoseWith({ who }: Line, lines: readonly Line[]): readonly Line[] {
  const end = lines.findIndex((line) =>
    line.who !== who || line.way !== "<" || /^(EOF|RST|\+?PORT.*)$/.test(line.what)
  );
  return lines.slice(0, end < 0 ? lines.length : end);
}
