/**
 * One client's session: commands in, answers out, until `quit`.
 *
 * Every command gets a data port, whatever it is: one that listens before the
 * client learns its number, or, where a handler refuses before it wants the
 * connection, one that is closed by then. What a handler throws ends that
 * command and is reported as an event; what the control connection throws ends
 * the session.
 *
 * @module
 */

import { asTandemError, ProtocolError, TandemError } from "../errors.ts";
import type { ServerLimits } from "../limits.ts";
import type { Channel } from "../net/channel.ts";
import { ControlStream } from "../net/control_stream.ts";
import { type DataPort, openDataPort, type PortRange } from "../net/data_port.ts";
import { type Command, decodeCommandText, parseCommand } from "../protocol/command.ts";
import { END, type Message } from "../protocol/decoder.ts";
import { encodeHeader } from "../protocol/header.ts";
import type { PathRules } from "../protocol/path.ts";
import type { FileStore } from "../store/file_store.ts";
import type { ServerEvent } from "./events.ts";
import { answerPlain, type PlainContext, type Rights } from "./plain_exchange.ts";

/** What all sessions of a server share. */
export interface SessionHost {
  /** Where the files are. */
  readonly store: FileStore;
  /** What clients may do. */
  readonly rights: Rights;
  /** What names must fit. */
  readonly nameRules: PathRules;
  /** What is allowed to take how long, and to be how large. */
  readonly limits: ServerLimits;
  /** The ports for data connections; any free one where there is none. */
  readonly dataPorts: PortRange | undefined;
  /** Tells whoever listens. */
  emit(event: ServerEvent): void;
}

/** How long a free data port is waited for, in milliseconds, and how often it is looked for. */
const PORT_WAIT_MS = 5_000;
const PORT_POLL_MS = 50;

/** One client's session. */
export class Session {
  readonly #id: number;
  readonly #channel: Channel;
  readonly #control: ControlStream;
  readonly #host: SessionHost;
  #data: Channel | undefined;
  #portSent = false;
  #answering = false;
  #draining = false;

  /** Begins a session on an accepted control connection. */
  constructor(id: number, channel: Channel, host: SessionHost) {
    this.#id = id;
    this.#channel = channel;
    this.#control = new ControlStream(channel);
    this.#host = host;
  }

  /** Serves the client until the session ends. Never rejects. */
  async run(): Promise<void> {
    const { emit } = this.#host;
    const who = { session: this.#id, peer: this.#channel.peer };
    emit({ event: "session-opened", ...who, outcome: "ok" });
    using _channel = this.#channel;
    try {
      await this.#serve();
      emit({ event: "session-closed", ...who, outcome: "ok" });
    } catch (error) {
      const { code, message } = asTandemError(error);
      emit({ event: "session-closed", ...who, outcome: code, message });
    }
  }

  async #serve(): Promise<void> {
    const { firstCommandTimeoutMs, idleTimeoutMs, commandTimeoutMs } = this.#host.limits;
    let patienceMs = firstCommandTimeoutMs;
    while (!this.#draining) {
      const message = await this.#control.next({
        idleTimeoutMs: patienceMs,
        commandTimeoutMs: Math.min(patienceMs, commandTimeoutMs),
      });
      if (message === END) return;
      if (message.header.value === 0) {
        throw new ProtocolError("a command of length zero came");
      }
      patienceMs = idleTimeoutMs;
      this.#answering = true;
      const last = await this.#answer(message);
      this.#answering = false;
      if (last) return;
    }
  }

  /** Answers one command; returns whether it was the last. */
  async #answer(message: Message): Promise<boolean> {
    const startedMs = performance.now();
    using port = await this.#openDataPort();
    this.#portSent = false;
    let movedBytes = 0;
    let command: Command | undefined;
    let failure: TandemError | undefined;
    try {
      command = await this.#judge(message, port);
      await answerPlain(
        this.#context(port, (bytes) => movedBytes = bytes),
        command,
      );
    } catch (error) {
      failure = asTandemError(error);
    } finally {
      this.#data?.close();
      this.#data = undefined;
    }
    if (!this.#portSent) {
      // Refused: the port is closed before its number is known, so that no
      // client can send a small file into it and take that for success.
      port.refuse();
      await this.#sendPort(port);
    }
    const isQuit = command?.verb === "quit";
    // After `quit` the end of the control connection is as good as a connection to the port.
    if (isQuit && failure?.code === "disconnected") failure = undefined;
    this.#host.emit({
      event: "command",
      session: this.#id,
      peer: this.#channel.peer,
      command: decodeCommandText(message.body) ?? "(not UTF-8)",
      bytes: movedBytes,
      durationMs: Math.round(performance.now() - startedMs),
      outcome: failure?.code ?? "ok",
      ...(failure === undefined ? {} : { message: failure.message }),
    });
    return isQuit;
  }

  async #sendPort({ port }: DataPort): Promise<void> {
    using _deadline = this.#channel.deadline(
      this.#host.limits.commandTimeoutMs,
      "room to send a port",
    );
    this.#portSent = true;
    await this.#channel.write(encodeHeader(port));
  }

  /** The command; what is none gets a data connection that ends before its header, unless it was meant as a `put`. */
  async #judge(message: Message, port: DataPort): Promise<Command> {
    try {
      return parseCommand(message.body, this.#host.nameRules);
    } catch (error) {
      if (!wasMeantAsPut(message.body)) await this.#accept(port);
      throw error;
    }
  }

  #context(
    port: DataPort,
    onProgress: (movedBytes: number) => void,
  ): PlainContext {
    const { store, rights, limits } = this.#host;
    const accept = () => this.#accept(port);
    return { store, rights, limits, accept, onProgress };
  }

  async #accept(port: DataPort): Promise<Channel> {
    const { limits, emit } = this.#host;
    await this.#sendPort(port);
    const data = await port.accept(this.#channel.remoteAddr.hostname, {
      timeoutMs: limits.dataAcceptTimeoutMs,
      signal: this.#control.lost,
      onStranger: (address) => {
        emit({
          event: "warning",
          outcome: "stranger-on-data-port",
          session: this.#id,
          peer: address,
          message: `${address} connected to a data port of ${this.#channel.peer}: possible data-port theft`,
        });
      },
    });
    this.#data = data;
    this.#endWithControl(data);
    return data;
  }

  /** A transfer whose control connection has ended may only finish what is under way. */
  #endWithControl(data: Channel): void {
    const { lost } = this.#control;
    const end = () => {
      const timer = setTimeout(
        () => data.fail(asTandemError(lost.reason)),
        this.#host.limits.orphanGraceMs,
      );
      data.onClose(() => clearTimeout(timer));
    };
    if (lost.aborted) return end();
    lost.addEventListener("abort", end);
    data.onClose(() => lost.removeEventListener("abort", end));
  }

  /** A fresh data port; where none is free, one that becomes so soon. */
  async #openDataPort(): Promise<DataPort> {
    const { hostname } = this.#channel.localAddr;
    const startedMs = performance.now();
    for (;;) {
      try {
        return openDataPort(hostname, this.#host.dataPorts);
      } catch (error) {
        const waitedMs = performance.now() - startedMs;
        if (waitedMs > PORT_WAIT_MS || this.#control.lost.aborted) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, PORT_POLL_MS));
    }
  }

  /** Ends the session as soon as no command is being answered. */
  drain(): void {
    this.#draining = true;
    if (!this.#answering) this.abort(shutDown());
  }

  /** Ends the session now, with whatever is under way. */
  abort(error: TandemError = shutDown()): void {
    this.#data?.fail(error);
    this.#channel.fail(error);
  }
}

/** Whether a command that is none begins as a `put` does; by bytes, since it may not be UTF-8. */
function wasMeantAsPut(command: Uint8Array): boolean {
  const [p, u, t, space = 0x20] = command;
  return p === 0x70 && u === 0x75 && t === 0x74 && space === 0x20;
}

function shutDown(): TandemError {
  return new TandemError("aborted", "the server is shutting down");
}
