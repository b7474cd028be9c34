/**
 * One client's session: commands in, answers out, until `quit`.
 *
 * The first message decides what a connection is. With a sign it asks for the
 * tandem exchange, or brings the ticket of a session that waits for it; without
 * one the session is plain, and stays so. In the plain exchange every command gets a data port, whatever it is: one that listens before the
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
import { decodeTicket, isTicketMessage, TANDEM_VERSION } from "../protocol/tandem_command.ts";
import { encodeObject } from "../protocol/sealed.ts";
import { encodeError } from "../protocol/tandem_result.ts";
import { END, type Message } from "../protocol/decoder.ts";
import { encodeHeader, HEADER_BYTES } from "../protocol/header.ts";
import type { PathRules } from "../protocol/path.ts";
import { makeNonce, type Secret } from "../secret/secret.ts";
import type { FileStore } from "../store/file_store.ts";
import type { ServerEvent } from "./events.ts";
import { answerPlain, type PlainContext } from "./plain_exchange.ts";
import type { Rights } from "./rights.ts";
import type { Penalties } from "./penalties.ts";
import { TandemSession } from "./tandem_session.ts";
import type { Tickets } from "./tickets.ts";

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
  /** The one exchange that is spoken, where it is not both. */
  readonly mode: "plain" | "tandem" | undefined;
  /** Whether connections are encrypted: then nothing but the tandem exchange is spoken. */
  readonly encrypted: boolean;
  /** What clients must prove that they have, if anything. */
  readonly secret: Secret | undefined;
  /** What failing to do so costs. */
  readonly penalties: Penalties;
  /** The tickets of the sessions that wait for their data connection. */
  readonly tickets: Tickets;
  /** The number of the next session. */
  nextId(): number;
  /** The ports for data connections; any free one where there is none. */
  readonly dataPorts: PortRange | undefined;
  /** Tells whoever listens. */
  emit(event: ServerEvent): void;
}

/** How long a free data port is waited for, in milliseconds, and how often it is looked for. */
const PORT_WAIT_MS = 5_000;
const PORT_POLL_MS = 50;

/** What a session begins with. */
export interface Arrival {
  /** The connection. */
  readonly channel: Channel;
  /** When it was accepted, by `performance.now()`. */
  readonly acceptedMs: number;
  /**
   * Why there is no room for a further session, if there is none: then the
   * connection may only be the data connection of one that is open.
   */
  readonly refusal: TandemError | undefined;
}

/** One client's session. */
export class Session {
  readonly #channel: Channel;
  readonly #control: ControlStream;
  readonly #host: SessionHost;
  readonly #acceptedMs: number;
  readonly #refusal: TandemError | undefined;
  #id = 0;
  #data: Channel | undefined;
  #tandem: TandemSession | undefined;
  #portSent = false;
  #answering = false;
  #draining = false;

  /** Begins on an accepted connection. */
  constructor({ channel, acceptedMs, refusal }: Arrival, host: SessionHost) {
    this.#channel = channel;
    this.#control = new ControlStream(channel);
    this.#host = host;
    this.#acceptedMs = acceptedMs;
    this.#refusal = refusal;
  }

  /** Serves the client until the session ends, unless this is the data connection of another one. Never rejects. */
  async run(): Promise<void> {
    const { emit, limits, penalties } = this.#host;
    const { peer } = this.#channel;
    using stack = new DisposableStack();
    stack.use(this.#channel);
    let failure: unknown;
    try {
      // The data connection of a session that is let in is not kept waiting.
      if (this.#refusal === undefined) await penalties.hold(this.#channel.remoteAddr.hostname);
      const patienceMs = this.#refusal === undefined ? limits.firstCommandTimeoutMs : limits.dataAcceptTimeoutMs;
      const first = await this.#receive(Math.max(1, this.#acceptedMs + patienceMs - performance.now()));
      const isData = first !== END && first.header.sign === "+" && isTicketMessage(first.body);
      if (isData && this.#host.mode !== "plain") {
        return this.#redeem(first, stack);
      }
      if (this.#refusal === undefined) {
        this.#open();
        await this.#serve(first);
      }
    } catch (error) {
      failure = error;
    }
    if (this.#refusal !== undefined) {
      emit({ event: "warning", outcome: "session-refused", peer, message: this.#refusal.message });
      return await refuse(this.#channel, this.#refusal, limits.commandTimeoutMs);
    }
    // It may have ended before it said anything.
    if (this.#id === 0) this.#open();
    const { code, message } = asTandemError(failure);
    const outcome = failure === undefined ? { outcome: "ok" as const } : { outcome: code, message };
    emit({ event: "session-closed", session: this.#id, peer, ...outcome });
  }

  #open(): void {
    const { emit, nextId } = this.#host;
    this.#id = nextId();
    emit({ event: "session-opened", session: this.#id, peer: this.#channel.peer, outcome: "ok" });
  }

  /** Hands the connection to the session whose ticket it brings. */
  #redeem(first: Message, stack: DisposableStack): void {
    try {
      this.#control.detach();
      this.#host.tickets.redeem(decodeTicket(first.body), this.#channel);
      // It is the other session's to close.
      stack.move();
    } catch (error) {
      const { peer } = this.#channel;
      const { message } = asTandemError(error);
      const { emit, secret, penalties } = this.#host;
      emit({ event: "warning", outcome: "ticket-refused", peer, message });
      if (secret !== undefined) penalties.fail(this.#channel.remoteAddr.hostname);
    }
  }

  async #receive(patienceMs: number): Promise<Message | typeof END> {
    const message = await this.#control.next({
      idleTimeoutMs: patienceMs,
      commandTimeoutMs: Math.min(patienceMs, this.#host.limits.commandTimeoutMs),
    });
    if (message !== END && message.header.value === 0) {
      throw new ProtocolError("a command of length zero came");
    }
    return message;
  }

  async #serve(first: Message | typeof END): Promise<void> {
    const { limits, mode, encrypted } = this.#host;
    const signed = first !== END && first.header.sign === "+";
    if (signed && mode !== "plain") return await this.#serveTandem();
    if (first !== END && (encrypted || mode === "tandem")) {
      throw new TandemError("unsupported", "a plain command came, and this server speaks the tandem exchange only");
    }
    let message = first;
    while (message !== END) {
      this.#answering = true;
      const last = await this.#answer(message);
      this.#answering = false;
      if (last || this.#draining) return;
      message = await this.#receive(limits.idleTimeoutMs);
    }
  }

  /** The client speaks tandem: it gets a ticket, and brings its first command with that. */
  async #serveTandem(): Promise<void> {
    const { tickets, limits, secret } = this.#host;
    const challenge = secret === undefined ? undefined : { secret, nonce: makeNonce() };
    const send = async (ticket: string) => {
      using _deadline = this.#channel.deadline(limits.commandTimeoutMs, "room to send a ticket");
      const welcome = encodeObject({
        tandem: TANDEM_VERSION,
        ticket,
        ...(challenge === undefined ? {} : { nonce: challenge.nonce }),
      });
      const answer = new Uint8Array(HEADER_BYTES + welcome.length);
      answer.set(encodeHeader(0, "+"));
      answer.set(welcome, HEADER_BYTES);
      await this.#channel.write(answer);
    };
    const { lost } = this.#control;
    const { hostname } = this.#channel.remoteAddr;
    this.#data = await tickets.exchange(hostname, send, { timeoutMs: limits.dataAcceptTimeoutMs, signal: lost });
    this.#tandem = new TandemSession({
      id: this.#id,
      control: this.#control,
      channel: this.#channel,
      data: this.#data,
      host: this.#host,
      challenge,
    });
    using _data = this.#data;
    if (this.#draining) this.#tandem.drain();
    await this.#tandem.run();
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
    if (this.#tandem !== undefined) this.#tandem.drain();
    else if (!this.#answering) this.abort(shutDown());
  }

  /** Ends the session now, with whatever is under way. */
  abort(error: TandemError = shutDown()): void {
    this.#data?.fail(error);
    this.#channel.fail(error);
  }
}

/** Says why a client is turned away, where that can be said: inside TLS, for there is no plain client there. */
export async function refuse(channel: Channel, refusal: TandemError, timeoutMs: number): Promise<void> {
  if (!channel.isEncrypted || channel.isClosed) return;
  try {
    using _deadline = channel.deadline(timeoutMs, "room to refuse");
    await channel.write(encodeError(refusal));
  } catch {
    // Who does not want to know need not.
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
