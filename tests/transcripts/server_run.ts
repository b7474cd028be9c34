/**
 * Plays the client of a transcript, byte for byte, against the real server.
 *
 * Lines that go to the server are sent, lines that come from it are waited for.
 * Beside those of `transcript.ts` there are:
 *
 *     D is refused                      nobody listens on the port that came last
 *     X connects                        a connection from another address
 *     store waits before it commits     from now on files get no name
 *     store has everything              until here, when one would have got it
 *     store commits                     and here, where it gets it
 *     others see a b                    what another session lists meanwhile
 *     D enters                          a data connection of the tandem exchange
 *     C connects                        another session
 *     disk writes a text                somebody else changes a file
 *     D< nothing                        neither a byte nor an end, for a moment
 *
 * Coalesced, all commands that follow the first are sent with it; in the tandem
 * exchange those that do not depend on what comes before.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { connect, Secret, serve, type ServeOptions } from "../../mod.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { assertEquals, fail } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { connectSecretWire, connectWire, type Wire } from "../net/wire.ts";
import { connectFrom } from "../net/other_address.ts";
import { fillTree, readTree, type Tree } from "./tree.ts";
import { HeldStore } from "./held_store.ts";
import { type Line, linesOf, portOf, Run, type Transcript, type Way } from "./transcript.ts";

/** A session of a real server. */
export interface ServerTranscript extends Transcript {
  /** What is in the shared folder. Default: nothing. */
  readonly files?: Tree;
  /** What is in it afterwards. Default: the same. */
  readonly after?: Tree;
  /** What the server is told. Default: that clients may change everything. */
  readonly options?: Pick<ServeOptions, "write" | "overwrite" | "limits" | "mode">;
}

/** The members of a {@linkcode ServerTranscript}. */
export const SERVER_MEMBERS = ["lines", "files", "after", "options", "needs", "secret", "ways"] as const;

/** Runs a transcript in one way. */
export async function runServerTranscript(transcript: ServerTranscript, way: Way): Promise<void> {
  const { files = {}, options = {} } = transcript;
  using folder = tempFolder();
  using _special = fillTree(folder.path, files);
  const secret = transcript.secret === undefined ? undefined : new Secret(transcript.secret);
  const store = new HeldStore(new DiskStore(folder.path));
  {
    await using server = serve({
      overwrite: true,
      ...options,
      ...secret === undefined ? {} : { secret, hostname: "127.0.0.1" },
      store,
      port: 0,
    });
    // However the run ends: the server's end waits for what is being stored.
    using _held = store;
    await Run.check(transcript, async (run) => {
      using client = await ScriptedClient.connect(server.addr.port, { store, way, folder: folder.path, secret });
      await client.play(linesOf(transcript), run);
    });
  }
  assertEquals(readTree(folder.path), transcript.after ?? files);
}

/** What a transcript is played on. */
interface Bed {
  readonly store: HeldStore;
  readonly way: Way;
  readonly folder: string;
  readonly secret: Secret | undefined;
}

/** A client that does what the lines say. */
class ScriptedClient implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #wires = new Map<string, Wire>();
  readonly #bed: Bed;
  readonly #controlPort: number;
  /** The data port that came last. */
  #port = 0;
  readonly #sent = new Set<Line>();

  private constructor(control: Wire, port: number, bed: Bed) {
    this.#wires.set("C", this.#stack.use(control));
    this.#controlPort = port;
    this.#bed = bed;
  }

  static async connect(port: number, bed: Bed): Promise<ScriptedClient> {
    return new ScriptedClient(await wireTo(port, bed), port, bed);
  }

  /** Plays lines to their end. */
  async play(lines: readonly Line[], run: Run): Promise<void> {
    for (const [index, line] of lines.entries()) {
      if (line.who === "store") await this.#bed.store.reach(line.what, run, line);
      else if (line.who === "disk") this.#write(line, run);
      else if (line.who === "others") run.compare(line, await this.#seenByOthers());
      else if (line.way === "") await this.#connect(line, run);
      else if (line.way === "<") await this.#receive(line, run);
      else await this.#send(line, lines.slice(index), run);
    }
  }

  async #connect(line: Line, run: Run): Promise<void> {
    const { who, what } = line;
    let happened = what === "enters" ? what : "connects";
    const port = what === "enters" || who === "C" ? this.#controlPort : this.#port;
    try {
      const wire = who === "X" ? await connectFrom("127.0.0.2", port) : await wireTo(port, this.#bed);
      this.#wires.set(who, this.#stack.use(wire));
    } catch (error) {
      happened = error instanceof Deno.errors.ConnectionRefused ? "is refused" : String(error);
    }
    run.compare(line, happened);
  }

  async #receive(line: Line, run: Run): Promise<void> {
    const wire = this.#wireOf(line);
    if (line.what !== "PORT") return await run.receive(line, wire);
    this.#port = portOf(await wire.take(10));
    run.agrees(line);
  }

  /** Sends a line; coalesced, also what may go with it: the commands to come, or the rest of a body. */
  async #send(line: Line, rest: readonly Line[], run: Run): Promise<void> {
    const wire = this.#wireOf(line);
    if (line.what === "EOF") {
      await wire.closeWrite();
    } else if (!this.#sent.has(line)) {
      const together = this.#bed.way === "coalesced" ? thoseWith(line, rest) : [line];
      const bytes = Buffer.concat(together.map((one) => run.bytesOf(one)));
      await wire.send(bytes, this.#bed.way === "byte by byte");
      for (const one of together) this.#sent.add(one);
    }
    run.agrees(line);
  }

  #write(line: Line, run: Run): void {
    const [, name = "", text = ""] = /^writes (\S+) (.*)$/.exec(line.what) ?? fail(line.text);
    Deno.writeTextFileSync(`${this.#bed.folder}/${name}`, text);
    run.agrees(line);
  }

  /** What another session lists. */
  async #seenByOthers(): Promise<string> {
    const { secret } = this.#bed;
    await using client = await connect({ port: this.#controlPort, ...secret === undefined ? {} : { secret } });
    const names = (await Array.fromAsync(client.list())).map(({ name }) => name);
    return ["see", ...names].join(" ");
  }

  #wireOf({ who, text }: Line): Wire {
    return this.#wires.get(who) ?? fail(`"${text}" without a connection`);
  }

  [Symbol.dispose](): void {
    this.#stack.dispose();
  }
}

/** A connection as the server wants it. */
function wireTo(port: number, { secret }: Bed): Promise<Wire> {
  return secret === undefined ? connectWire(port) : connectSecretWire(port, secret.authorityCert);
}

/** The lines that can be sent with the first of them: on control all commands to come, else what follows at once. */
function thoseWith({ who }: Line, lines: readonly Line[]): Line[] {
  const goesAlong = (line: Line) => line.who === who && line.way === ">" && line.what !== "EOF";
  const [first] = lines;
  if (who === "C" && /^[^+-]/.test(first?.what ?? "")) {
    const next = lines.findIndex((line) => line.who === "C" && line.what === "connects");
    return lines.slice(0, next < 0 ? lines.length : next).filter(goesAlong);
  }
  // Commands of the tandem exchange may be ahead of results, but not of what they depend on.
  const isPassed = (line: Line) =>
    who === "C" && line.who === "D" && line.way !== "" && !/^(EOF|nothing)$/.test(line.what);
  const isAhead = (line: Line) => goesAlong(line) && !/VERSION|^\+abort/.test(line.what) || isPassed(line);
  const end = lines.findIndex((line, index) => index > 0 && !isAhead(line));
  return lines.slice(0, end < 0 ? lines.length : end).filter(goesAlong);
}
