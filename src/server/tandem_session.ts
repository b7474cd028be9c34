/**
 * The commands of one session in the tandem exchange: read as they come,
 * answered one after the other over the one data connection.
 *
 * Commands are read ahead of their turn, up to the most that may be outstanding,
 * so that an `abort` is seen while the command that it is about still runs. What
 * a handler throws is sent in place of its result and the session goes on; what
 * either connection throws ends it.
 *
 * @module
 */

import { asTandemError, ProtocolError, TandemError } from "../errors.ts";
import { MAX_OUTSTANDING_COMMANDS, MAX_TANDEM_COMMAND_BYTES } from "../limits.ts";
import { abortError } from "../net/abort.ts";
import type { Channel } from "../net/channel.ts";
import type { ControlStream } from "../net/control_stream.ts";
import { endsConnection, isNothing, TandemLink } from "../net/tandem_link.ts";
import { END } from "../protocol/decoder.ts";
import { HEADER_BYTES } from "../protocol/header.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import {
  type CommandText,
  decodeCommandLines,
  parseTandemCommand,
  showCommand,
  type TandemCommand,
} from "../protocol/tandem_command.ts";
import { AnsweredError } from "../protocol/tandem_result.ts";
import { authenticate, type Challenge } from "./authentication.ts";
import type { CommandEvent } from "./events.ts";
import type { SessionHost } from "./session.ts";
import type { TandemContext } from "./tandem_context.ts";
import { type AnsweredVerb, answerTandem } from "./tandem_exchange.ts";
import { drainPut } from "./tandem_put.ts";

/** What a session in the tandem exchange is made of. */
export interface TandemSessionParts {
  /** The session's number. */
  readonly id: number;
  /** Its control connection. */
  readonly control: ControlStream;
  /** The control connection's channel. */
  readonly channel: Channel;
  /** Its data connection. */
  readonly data: Channel;
  /** What all sessions share. */
  readonly host: SessionHost;
  /** What the client has to prove before anything else, where the server has a secret. */
  readonly challenge: Challenge | undefined;
}

/** A command that has come and waits for its turn, or runs. */
interface Pending {
  /** What came, or what is wrong with it. */
  readonly text: CommandText | TandemError;
  /** Which command of the session it is, counted from 0. */
  readonly number: number;
  readonly abort: AbortController;
}

/** One session in the tandem exchange. */
export class TandemSession {
  readonly #parts: TandemSessionParts;
  readonly #link: TandemLink;
  #challenge: Challenge | undefined;
  readonly #queue: Pending[] = [];
  #running: Pending | undefined;
  #lastNumber = -1;
  #ended = false;
  #draining = false;
  /** Whether the data connection is being watched while no command runs. */
  #watching = false;
  #failure: unknown;
  #changed = Promise.withResolvers<void>();
  /** Resolved when commands may be read: when the client has proved what it has to, or the session has ended. */
  readonly #admitted = Promise.withResolvers<void>();

  /** Takes over both connections. */
  constructor(parts: TandemSessionParts) {
    this.#parts = parts;
    this.#challenge = parts.challenge;
    this.#link = new TandemLink(parts.data, { ...parts.host.limits, flushes: true });
    parts.control.speakTandem();
  }

  /** Ends the session once what has come is answered. */
  drain(): void {
    this.#draining = true;
    this.#tell();
    // Who has said nothing yet is not waited for.
    if (this.#lastNumber < 0) this.#parts.data.fail(new TandemError("aborted", "the server is shutting down"));
  }

  /** Answers commands until `quit` or the end. */
  async run(): Promise<void> {
    const { data, control, host } = this.#parts;
    // Without its data connection the session is of no use, and without its control connection soon over.
    const orphaned = () => {
      const timer = setTimeout(() => data.fail(asTandemError(control.lost.reason)), host.limits.orphanGraceMs);
      data.onClose(() => clearTimeout(timer));
    };
    if (control.lost.aborted) orphaned();
    control.lost.addEventListener("abort", orphaned);
    data.onClose(() => control.lost.removeEventListener("abort", orphaned));
    if (this.#challenge === undefined) this.#admitted.resolve();
    await this.#takeFirst();
    const reading = this.#readAll();
    try {
      await this.#answerAll();
    } finally {
      this.#ended = true;
      this.#tell();
      this.#admitted.resolve();
      data.close();
      this.#parts.channel.close();
      await reading;
    }
  }

  /** The first command comes over the data connection, behind the ticket. */
  async #takeFirst(): Promise<void> {
    const { data, host } = this.#parts;
    using _deadline = data.deadline(host.limits.commandTimeoutMs, "the first command");
    let message;
    do {
      message = await data.message("tandem", MAX_TANDEM_COMMAND_BYTES);
    } while (message !== END && isNothing(message.header));
    if (message === END) throw new TandemError("disconnected", "the data connection ended before its first command");
    if (message.header.sign === "-") throw new ProtocolError("an error came where commands come");
    this.#take(message.body);
  }

  /** Reads commands until their end. Never rejects. */
  async #readAll(): Promise<void> {
    const { control, host } = this.#parts;
    const { commandTimeoutMs } = host.limits;
    await this.#admitted.promise;
    try {
      while (!this.#ended) {
        if (this.#queue.length >= MAX_OUTSTANDING_COMMANDS) {
          await this.#changed.promise;
          continue;
        }
        const message = await control.next({ idleTimeoutMs: undefined, commandTimeoutMs });
        if (message === END) break;
        if (isNothing(message.header)) continue;
        if (message.header.sign === "-") throw new ProtocolError("an error came where commands come");
        this.#take(message.body);
      }
    } catch (error) {
      this.#failure = error;
    }
    this.#ended = true;
    this.#tell();
  }

  /** Takes a command to the end of the queue; an `abort` works at once. */
  #take(body: Uint8Array): void {
    const text = readCommand(body);
    if (text instanceof TandemError || text.verb !== "abort" || this.#challenge !== undefined) {
      this.#queue.push({ text, number: ++this.#lastNumber, abort: new AbortController() });
      this.#tell();
      return;
    }
    const number = numberToAbort(text) ?? this.#running?.number;
    const meant = [this.#running, ...this.#queue].find((pending) => pending?.number === number);
    // One that is over already needs no abort.
    meant?.abort.abort(new TandemError("aborted", "the client gave it up"));
  }

  async #answerAll(): Promise<void> {
    for (;;) {
      const pending = await this.#next();
      if (pending === undefined) break;
      const last = await this.#answer(pending);
      this.#running = undefined;
      if (last) break;
    }
    if (!this.#parts.data.isClosed) await this.#link.flush();
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** The next command; undefined when there will be none. */
  async #next(): Promise<Pending | undefined> {
    const { channel, host } = this.#parts;
    using stack = new DisposableStack();
    for (let waits = false;; waits = true) {
      const pending = this.#queue.shift();
      if (pending !== undefined) {
        // At once: an abort may come right behind it.
        this.#running = pending;
        this.#tell();
        return pending;
      }
      if (this.#ended || this.#draining) return undefined;
      if (!waits) {
        await this.#link.flush();
        this.#watchData();
        stack.use(channel.deadline(host.limits.idleTimeoutMs, "a command"));
      } else {
        await this.#changed.promise;
      }
    }
  }

  /** While no command runs, the end of the data connection is the end of the session. */
  #watchData(): void {
    const { data } = this.#parts;
    const end = () => {
      this.#ended = true;
      this.#tell();
    };
    const look = () => {
      this.#link.skipNothing();
      if (data.ended || data.isClosed) end();
      // The body of a put may be here before its command; more of it is not read.
      else if (this.#running === undefined && data.bufferedBytes < HEADER_BYTES) watch();
    };
    // One at a time: the next rest finds the one of this one still waiting.
    const watch = () => {
      if (this.#watching) return;
      this.#watching = true;
      data.fill().finally(() => this.#watching = false).then(look, end);
    };
    look();
  }

  /** Answers one command; returns whether it was the last. */
  async #answer({ text, abort }: Pending): Promise<boolean> {
    const { id, channel, data, host } = this.#parts;
    const startedMs = performance.now();
    let movedBytes = 0;
    let failure: TandemError | undefined;
    let answered = false;
    let last = false;
    const refuse = async (error: TandemError) => {
      if (answered) return;
      answered = true;
      await this.#link.sendError(error);
    };
    const challenge = this.#challenge;
    const onProgress = (bytes: number) => movedBytes = bytes;
    try {
      const result = challenge === undefined
        ? await this.#perform(text, { signal: abort.signal, refuse, onProgress })
        : await this.#authenticate(text, challenge);
      if (result === undefined) {
        last = true;
      } else {
        if (answered) throw abortError(abort.signal);
        answered = true;
        await this.#link.sendObject(result);
      }
    } catch (error) {
      failure = failureOf(error);
      if (!answered && !data.isClosed) await refuse(asTandemError(error));
      if (challenge !== undefined || data.isClosed || endsConnection(error)) {
        last = true;
        this.#failure ??= failure;
      }
    }
    host.emit({
      event: "command",
      session: id,
      peer: channel.peer,
      ...(challenge === undefined ? shownCommand(text) : { command: "auth" }),
      bytes: movedBytes,
      durationMs: Math.round(performance.now() - startedMs),
      outcome: failure?.code ?? "ok",
      ...(failure === undefined ? {} : { message: failure.message }),
    });
    return last;
  }

  /** Does what a command says; returns the last message of its result, or undefined if it is `quit`. */
  async #perform(
    text: CommandText | TandemError,
    dealings: Pick<TandemContext, "signal" | "refuse" | "onProgress">,
  ): Promise<JsonObject | undefined> {
    const command = await this.#judge(text, dealings.refuse);
    if (command.verb === "quit") return undefined;
    const { store, rights, limits } = this.#parts.host;
    const { signal } = dealings;
    // The body of a put must be read all the same.
    if (signal.aborted && command.verb !== "put") throw abortError(signal);
    const answerable = command as Extract<typeof command, { verb: AnsweredVerb }>;
    return await answerTandem({ store, rights, limits, link: this.#link, ...dealings }, answerable);
  }

  /** Who cannot prove that it has the secret waits for its answer, and that is the last one. */
  async #authenticate(text: CommandText | TandemError, challenge: Challenge): Promise<JsonObject> {
    const { host, channel } = this.#parts;
    const { hostname } = channel.remoteAddr;
    try {
      if (text instanceof TandemError) throw text;
      const proof = await authenticate(text, challenge);
      this.#challenge = undefined;
      this.#admitted.resolve();
      host.penalties.forgive(hostname);
      return proof;
    } catch (error) {
      await host.penalties.punish(hostname);
      throw error;
    }
  }

  /** The command that came. What is none is refused; the body that follows a put is read all the same. */
  async #judge(text: CommandText | TandemError, refuse: (error: TandemError) => Promise<void>): Promise<TandemCommand> {
    if (text instanceof TandemError) throw text;
    if (text.verb === "auth") throw new TandemError("unsupported", "there is no secret to be proved here, or it was");
    const { nameRules, limits } = this.#parts.host;
    try {
      return parseTandemCommand(text, nameRules);
    } catch (error) {
      if (text.verb === "put" && text.parameters["ready"] !== true) {
        await refuse(asTandemError(error));
        await drainPut({ link: this.#link, limits });
      }
      throw error;
    }
  }

  #tell(): void {
    this.#changed.resolve();
    this.#changed = Promise.withResolvers();
  }
}

/** Which command an `abort` is about; none where it says nothing that makes sense, for it has no result that could say so. */
function numberToAbort(text: CommandText): number | undefined {
  try {
    const command = parseTandemCommand(text);
    return command.verb === "abort" ? command.command : undefined;
  } catch {
    return NO_COMMAND;
  }
}

const NO_COMMAND = -1;

/** Why a command failed. A client that breaks off a body for reasons of its own has given it up. */
function failureOf(error: unknown): TandemError {
  const failure = asTandemError(error);
  if (!(error instanceof AnsweredError) || failure.code !== "internal") return failure;
  return new TandemError("aborted", `the client gave it up: ${failure.message}`);
}

/** A command as it came; what has the right seal and is no command is answered like any other that fails. */
function readCommand(body: Uint8Array): CommandText | TandemError {
  try {
    return decodeCommandLines(body);
  } catch (error) {
    if (error instanceof TandemError && error.code === "bad-request") return error;
    throw error;
  }
}

/** A command as events have it. */
function shownCommand(text: CommandText | TandemError): Pick<CommandEvent, "command" | "parameters"> {
  if (text instanceof TandemError) return { command: "(no command)" };
  const { parameters } = text;
  return { command: showCommand(text), ...(Object.keys(parameters).length === 0 ? {} : { parameters }) };
}
