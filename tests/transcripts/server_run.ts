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
 *     D< nothing                        neither a byte nor an end, for a moment
 *
 * Coalesced, all commands that follow the first are sent with it.
 *
 * @module
 */

import { connect, serve, type ServeOptions } from "../../mod.ts";
import { DiskStore } from "../../src/store/disk_store.ts";
import { assertEquals, fail } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { connectWire, type Wire } from "../net/wire.ts";
import { connectFrom } from "../net/other_address.ts";
import { fillTree, readTree, type Tree } from "./tree.ts";
import { HeldStore } from "./held_store.ts";
import { bytesOfLine, type Line, linesOf, portOf, Run, type Transcript, type Way } from "./transcript.ts";

/** A session of a real server. */
export interface ServerTranscript extends Transcript {
  /** What is in the shared folder. Default: nothing. */
  readonly files?: Tree;
  /** What is in it afterwards. Default: the same. */
  readonly after?: Tree;
  /** What the server is told. Default: that clients may change everything. */
  readonly options?: Pick<ServeOptions, "write" | "overwrite" | "limits">;
}

/** The members of a {@linkcode ServerTranscript}. */
export const SERVER_MEMBERS = ["lines", "files", "after", "options", "needs"] as const;

/** How long nothing must have come for it to count as nothing, in milliseconds. */
const A_MOMENT_MS = 50;

/** Runs a transcript in one way. */
export async function runServerTranscript(transcript: ServerTranscript, way: Way): Promise<void> {
  const { files = {}, options = {} } = transcript;
  using folder = tempFolder();
  using _special = fillTree(folder.path, files);
  const store = new HeldStore(new DiskStore(folder.path));
  {
    await using server = serve({ overwrite: true, ...options, store, port: 0 });
    // However the run ends: the server's end waits for what is being stored.
    using _held = store;
    await Run.check(transcript, async (run) => {
      using client = await ScriptedClient.connect(server.addr.port, store, way);
      await client.play(linesOf(transcript), run);
    });
  }
  assertEquals(readTree(folder.path), transcript.after ?? files);
}

/** A client that does what the lines say. */
class ScriptedClient implements Disposable {
  readonly #stack = new DisposableStack();
  readonly #wires = new Map<string, Wire>();
  readonly #store: HeldStore;
  readonly #way: Way;
  readonly #controlPort: number;
  /** The data port that came last. */
  #port = 0;
  readonly #sent = new Set<Line>();

  private constructor(control: Wire, port: number, store: HeldStore, way: Way) {
    this.#wires.set("C", this.#stack.use(control));
    this.#controlPort = port;
    this.#store = store;
    this.#way = way;
  }

  static async connect(port: number, store: HeldStore, way: Way): Promise<ScriptedClient> {
    return new ScriptedClient(await connectWire(port), port, store, way);
  }

  /** Plays lines to their end. */
  async play(lines: readonly Line[], run: Run): Promise<void> {
    for (const [index, line] of lines.entries()) {
      if (line.who === "store") await this.#store.reach(line.what, run, line);
      else if (line.who === "others") run.compare(line, await this.#seenByOthers());
      else if (line.way === "") await this.#connect(line, run);
      else if (line.way === "<") await this.#receive(line, run);
      else await this.#send(line, lines.slice(index), run);
    }
  }

  async #connect(line: Line, run: Run): Promise<void> {
    const { who } = line;
    let happened = "connects";
    try {
      const wire = who === "X" ? await connectFrom("127.0.0.2", this.#port) : await connectWire(this.#port);
      this.#wires.set(who, this.#stack.use(wire));
    } catch (error) {
      happened = error instanceof Deno.errors.ConnectionRefused ? "is refused" : String(error);
    }
    run.compare(line, happened);
  }

  async #receive(line: Line, run: Run): Promise<void> {
    const wire = this.#wireOf(line);
    if (line.what === "nothing") {
      const { ending } = await wire.takeEnd(A_MOMENT_MS);
      return run.compare(line, ending === "silence" ? "nothing" : ending ?? "a byte");
    }
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
      const together = this.#way === "coalesced" ? thoseWith(line, rest) : [line];
      const bytes = bytesOfLine(together.map(({ what }) => what).join(""));
      await wire.send(bytes, this.#way === "byte by byte");
      for (const one of together) this.#sent.add(one);
    }
    run.agrees(line);
  }

  /** What another session lists. */
  async #seenByOthers(): Promise<string> {
    await using client = await connect({ port: this.#controlPort });
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

/** The lines that can be sent with the first of them: on control all commands to come, else what follows at once. */
function thoseWith({ who }: Line, lines: readonly Line[]): Line[] {
  const goesAlong = (line: Line) => line.who === who && line.way === ">" && line.what !== "EOF";
  if (who === "C") return lines.filter(goesAlong);
  const end = lines.findIndex((line) => !goesAlong(line));
  return lines.slice(0, end < 0 ? lines.length : end);
}
