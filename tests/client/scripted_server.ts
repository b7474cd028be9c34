/**
 * A server that does what a script says, right or wrong, and nothing else.
 *
 * A script is an array of steps, one after the other, for one session. A step
 * that does not go as written fails the script, and so does a script that does
 * not come to its end: `finished` tells which step it was.
 *
 * @module
 */

import type { Credentials } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { type Door, openDoor } from "../net/door.ts";
import type { Received, Wire } from "../net/wire.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";

/** One thing that the server does. */
export interface Step {
  /** What it is, for errors. */
  readonly about: string;
  /** Does it. */
  run(session: ScriptedSession): Promise<void>;
}

/** What a script works with. */
export interface ScriptedSession {
  /** The control connection. */
  readonly control: Wire;
  /** The port through which it came; in the tandem exchange the data connection comes through it too. */
  readonly entrance: Door;
  /** The data port that was opened last. */
  door: Door | undefined;
  /** The data connection that was accepted last. */
  data: Wire | undefined;
  /** How data ports are opened. */
  readonly options: ScriptOptions;
}

/** How a scripted server listens. */
export interface ScriptOptions {
  /** The address. Default: `127.0.0.1`. */
  readonly hostname?: string;
  /** Whether a step resets a connection, which takes another kind of port. */
  readonly resets?: boolean;
  /** What it shows and proves inside TLS. Default: it speaks no TLS. */
  readonly credentials?: Credentials;
}

/** A running script. Disposing of it closes what it has open. */
export class ScriptedServer implements AsyncDisposable {
  /** The control port. */
  readonly port: number;
  /** Resolved when the script has come to its end; rejects with the step that failed. */
  readonly finished: Promise<void>;
  readonly #stack: AsyncDisposableStack;

  private constructor(
    door: Door,
    stack: AsyncDisposableStack,
    steps: readonly Step[],
    options: ScriptOptions,
  ) {
    this.port = door.port;
    this.#stack = stack;
    this.finished = this.#run(door, steps, options);
    // Whoever has another error already does not ask for this one.
    this.finished.catch(() => {});
  }

  /** Listens, and runs `steps` for the first client that comes. */
  static async start(
    steps: readonly Step[],
    options: ScriptOptions = {},
  ): Promise<ScriptedServer> {
    const stack = new AsyncDisposableStack();
    const { hostname = "127.0.0.1", resets = false, credentials } = options;
    const door = await openDoor({ hostname, canReset: resets, credentials });
    stack.use(door);
    return new ScriptedServer(door, stack, steps, options);
  }

  async #run(
    door: Door,
    steps: readonly Step[],
    options: ScriptOptions,
  ): Promise<void> {
    const control = this.#stack.use(await door.accept());
    const session = { control, entrance: door, door: undefined, data: undefined, options };
    this.#stack.defer(() => closeData(session));
    for (const [index, step] of steps.entries()) {
      try {
        await step.run(session);
      } catch (cause) {
        const text = cause instanceof Error ? cause.message : String(cause);
        const about = `step ${index + 1}, "${step.about}"`;
        throw new Error(`the scripted server's ${about}: ${text}`, { cause });
      }
    }
  }

  /** Closes everything. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#stack.disposeAsync();
    await within(this.finished.catch(() => {}), PATIENCE_MS, "a script's end");
  }
}

/** Closes the data port and connection of a session. */
function closeData(session: ScriptedSession): void {
  session.data?.close();
  session.door?.[Symbol.dispose]();
  session.data = undefined;
  session.door = undefined;
}

const encoder = new TextEncoder();
const decoder = new TextDecoder();

/** The command as it stands on the wire. */
export function commandBytes(command: string): string {
  const length = encoder.encode(command).length;
  return String(length).padStart(10, "0") + command;
}

/** A number as a header. */
export function header(value: number): string {
  return String(value).padStart(10, "0");
}

/** What came, as a text that a test can compare. */
function shown({ bytes, ending }: Received): string {
  const text = decoder.decode(bytes);
  return ending === undefined ? text : `${text} (${ending})`;
}

/** The data connection that a step works with. */
export function dataOf(session: ScriptedSession): Wire {
  if (session.data === undefined) throw new Error("no data connection is open");
  return session.data;
}

/** Makes a step. */
export function step(about: string, run: Step["run"]): Step {
  return { about, run };
}

/** Does what is no step of a server: tells the test how far it is, or waits for it. */
export function does(about: string, run: () => unknown): Step {
  return step(about, async () => {
    await within(Promise.resolve(run()), PATIENCE_MS, about);
  });
}

/** Takes a command, which must come in one piece. */
export function takesCommand(command: string): Step {
  return step(`takes ${command}`, async ({ control }) => {
    assertEquals(shown(await control.takePiece()), commandBytes(command));
  });
}

/** Sends bytes over the control connection. */
export function sendsOnControl(text: string): Step {
  return step(`sends ${text} on control`, async ({ control }) => {
    await control.send(encoder.encode(text));
  });
}

/** Opens a data port. */
export function opensPort(): Step {
  return step("opens a port", async (session) => {
    const { hostname = "127.0.0.1", resets = false } = session.options;
    closeData(session);
    session.door = await openDoor({ hostname, canReset: resets });
  });
}

/** Opens a data port and tells its number, written by `write`. */
export function sendsPort(write: (port: number) => string = header): Step {
  return step("sends a port", async (session) => {
    await opensPort().run(session);
    const text = write(session.door?.port ?? 0);
    await session.control.send(encoder.encode(text));
  });
}

/** Tells the number of a port that is closed. */
export function sendsClosedPort(): Step {
  return step("sends a closed port", async (session) => {
    await opensPort().run(session);
    const port = session.door?.port ?? 0;
    closeData(session);
    await session.control.send(encoder.encode(header(port)));
  });
}

/** Accepts a data connection. */
export function acceptsData(): Step {
  return step("accepts the data connection", async (session) => {
    session.data = await session.door?.accept();
  });
}

/** Sends texts over the data connection, each in a write of its own. */
export function sends(...pieces: string[]): Step {
  return step(`sends ${pieces.join("|").slice(0, 80)}`, async (session) => {
    for (const piece of pieces) {
      await dataOf(session).send(encoder.encode(piece));
    }
  });
}

/** Takes exactly this text from the data connection. */
export function takes(text: string): Step {
  return step(`takes ${text}`, async (session) => {
    const { length } = encoder.encode(text);
    assertEquals(shown(await dataOf(session).take(length)), text);
  });
}

/** Takes as many bytes from the data connection, whatever they are. */
export function takesBytes(count: number): Step {
  return step(`takes ${count} bytes`, async (session) => {
    const { bytes } = await dataOf(session).take(count);
    assertEquals(bytes.length, count);
  });
}

/** Waits until the client has closed its half of the data connection, with nothing before. */
export function takesDataEnd(): Step {
  return step("takes the end of the data connection", async (session) => {
    assertEquals(shown(await dataOf(session).takeEnd()), " (EOF)");
  });
}

/** Waits until the client has left the data connection, whatever comes before. */
export function isLeft(): Step {
  return step("is left on the data connection", async (session) => {
    const ending = await dataOf(session).drain();
    if (ending === "silence") throw new Error("the client stays");
  });
}

/** Waits until the client has closed the control connection, with nothing before. */
export function takesControlEnd(): Step {
  return step("takes the end of the control connection", async ({ control }) => {
    assertEquals(shown(await control.takeEnd()), " (EOF)");
  });
}

/** Closes the data connection and its port. */
export function closesData(): Step {
  return step("closes the data connection", (session) => {
    closeData(session);
    return Promise.resolve();
  });
}

/** Resets the data connection. */
export function resetsData(): Step {
  return step("resets the data connection", (session) => {
    dataOf(session).reset();
    closeData(session);
    return Promise.resolve();
  });
}

/** Closes the control connection. */
export function closesControl(): Step {
  return step("closes the control connection", ({ control }) => {
    control.close();
    return Promise.resolve();
  });
}

/**
 * Sends over one of the connections until the client is gone, which must have
 * happened before `maxBytes`: whatever was not sent, the client has not taken.
 */
export function floods(
  where: "control" | "data",
  text: string,
  maxBytes: number,
): Step {
  return step(`floods the ${where} connection`, async (session) => {
    const wire = where === "data" ? dataOf(session) : session.control;
    const piece = encoder.encode(text);
    for (let sent = 0; await wire.send(piece); sent += piece.length) {
      if (sent > maxBytes) throw new Error(`the client took over ${maxBytes}`);
    }
  });
}

/** Answers `command` with a data connection that `steps` use, and closes it. */
export function answers(command: string, ...steps: Step[]): Step[] {
  return [
    takesCommand(command),
    sendsPort(),
    acceptsData(),
    ...steps,
    closesData(),
  ];
}

/** Answers `ls` with these names. */
export function answersList(names: string): Step[] {
  const { length } = encoder.encode(names);
  return answers("ls", sends(header(length), names));
}

/** Answers `get` with this content. */
export function answersGet(name: string, content: string): Step[] {
  const { length } = encoder.encode(content);
  return answers(`get ${name}`, sends(header(length), content));
}

/** Takes a `put` of this content. */
export function answersPut(name: string, content: string): Step[] {
  const { length } = encoder.encode(content);
  return answers(
    `put ${name}`,
    takes(header(length) + content),
    takesDataEnd(),
  );
}

/** Ends the session when the client does. */
export function answersQuit(): Step[] {
  return [takesCommand("quit"), closesControl()];
}
