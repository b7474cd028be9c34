/**
 * Finding out what the server speaks, without asking it anything extra: the
 * first command is sent with a sign, which a plain server does not notice.
 *
 * A server that answers with a port is plain, and the command is its first one.
 * A server that answers with a ticket speaks tandem, and the command goes to it
 * once more, whole, behind the ticket. A server that closes at the sign is asked
 * again without one, over a new connection, unless only tandem will do. What has
 * no word in the plain exchange is asked for with an `ls`, of which a tandem
 * server takes no notice.
 *
 * @module
 */

import { asTandemError, ProtocolError, TandemError } from "../errors.ts";
import { type ClientLimits, MAX_OBJECT_BYTES } from "../limits.ts";
import { untilAborted } from "../net/abort.ts";
import type { Channel } from "../net/channel.ts";
import { dial } from "../net/data_port.ts";
import { isRefusal } from "../net/net_error.ts";
import { asksForTls, type ServerTrust, wantsSecret } from "../net/tls.ts";
import { nudge, receiveErrorBody, TandemLink } from "../net/tandem_link.ts";
import { type Command, encodeCommand } from "../protocol/command.ts";
import { END } from "../protocol/decoder.ts";
import { type RemotePath, ROOT } from "../protocol/path.ts";
import { encodeHeader } from "../protocol/header.ts";
import { decodeObject } from "../protocol/sealed.ts";
import { encodeTicket, parseWelcome, TANDEM_VERSION } from "../protocol/tandem_command.ts";
import { AnsweredError } from "../protocol/tandem_result.ts";
import { makeNonce, type Secret } from "../secret/secret.ts";
import type { Mode } from "./events.ts";
import type {
  Exchange,
  GetRequest,
  HashRequest,
  IncomingFile,
  OperationOptions,
  PutRequest,
  PutResult,
  PutSource,
} from "./exchange.ts";
import { PlainExchange } from "./plain_exchange.ts";
import { TandemExchange } from "./tandem_exchange.ts";

/** What is needed to find out. */
export interface NegotiationOptions {
  /** The server's name or address, as it was given. */
  readonly hostname: string;
  /** Its port. */
  readonly port: number;
  /** The exchange that must be spoken, if only one will do. */
  readonly mode: Mode | undefined;
  /** Whom the server must be, where everything is encrypted; then `mode` is `tandem`. */
  readonly trust: ServerTrust | undefined;
  /** What both sides prove to each other that they have. */
  readonly secret: Secret | undefined;
  /** What is waited for how long. */
  readonly limits: ClientLimits;
  /** For the plain exchange: whether size zero means missing. */
  readonly zeroIsMissing: boolean;
  /** Called once, when it is known what the server speaks. */
  onMode(mode: Mode): void;
}

/** What may be done with an exchange that has just been chosen. */
interface Choice {
  readonly exchange: Exchange;
  /** Does what is owed to the server for the command that it has been sent, if nobody will. */
  settle(): Promise<void>;
}

/** An exchange that is chosen by the server's first answer. */
export class NegotiatedExchange implements Exchange {
  readonly #options: NegotiationOptions;
  readonly #closed = new AbortController();
  #control: Channel;
  #choosing: Promise<Choice> | undefined;
  #chosen: Exchange | undefined;
  /** What an operation that was given up has left to do. */
  #unsettled: Promise<void> | undefined;

  /** Takes over an open control connection. */
  constructor(control: Channel, options: NegotiationOptions) {
    this.#control = control;
    this.#options = options;
    if (options.mode === "plain") this.#chosen = this.#plain();
  }

  /** Which exchange it is; undefined before the first answer. */
  get mode(): Mode | undefined {
    return this.#chosen?.mode;
  }

  /** How many operations may be under way at one time: one until it is known. */
  get concurrency(): number {
    return this.#chosen?.concurrency ?? 1;
  }

  /** What is in a folder. */
  async list(path: RemotePath, request: { readonly recursive: boolean }, options: OperationOptions) {
    const exchange = await this.#choose({ verb: "ls", path }, options);
    return await exchange.list(path, request, options);
  }

  /** Asks for a file. */
  async get(path: RemotePath, request: GetRequest, options: OperationOptions): Promise<IncomingFile> {
    const exchange = await this.#choose({ verb: "get", path }, options);
    return await exchange.get(path, request, options);
  }

  /** Sends a file. */
  async put(
    path: RemotePath,
    source: PutSource,
    request: PutRequest,
    options: OperationOptions,
  ): Promise<PutResult> {
    const exchange = await this.#choose({ verb: "put", path }, options);
    return await exchange.put(path, source, request, options);
  }

  /** What a path names. */
  async stat(path: RemotePath, options: OperationOptions) {
    return await (await this.#probe(options)).stat(path, options);
  }

  /** Makes a folder. */
  async mkdir(path: RemotePath, request: { readonly recursive: boolean }, options: OperationOptions): Promise<void> {
    await (await this.#probe(options)).mkdir(path, request, options);
  }

  /** Removes a file or folder. */
  async remove(path: RemotePath, request: { readonly recursive: boolean }, options: OperationOptions): Promise<void> {
    await (await this.#probe(options)).remove(path, request, options);
  }

  /** Gives a file or folder another name. */
  async rename(
    path: RemotePath,
    request: Parameters<Exchange["rename"]>[1],
    options: OperationOptions,
  ): Promise<void> {
    await (await this.#probe(options)).rename(path, request, options);
  }

  /** The SHA-256 of a file or a part of it. */
  async hash(path: RemotePath, request: HashRequest, options: OperationOptions): Promise<string> {
    return await (await this.#probe(options)).hash(path, request, options);
  }

  /** Asks for nothing but an answer. */
  async ping(options: OperationOptions): Promise<void> {
    await (await this.#probe(options)).ping(options);
  }

  /** Ends the session in order. */
  async quit(): Promise<void> {
    if (this.#choosing === undefined) {
      // A server that must speak tandem has not been told anything yet, so it need not be told of the end.
      if (this.#options.mode === "tandem") return this.close();
      this.#chosen ??= this.#plain();
    }
    const timer = setTimeout(() => this.close(), this.#options.limits.quitTimeoutMs);
    await this.#unsettled;
    clearTimeout(timer);
    await this.#chosen?.quit();
    this.close();
  }

  /** Ends the session now. */
  close(): void {
    this.#closed.abort(new TandemError("aborted", "the session was closed"));
    this.#chosen?.close();
    this.#control.close();
  }

  /** The exchange for what only tandem can do. */
  async #probe(options: OperationOptions): Promise<Exchange> {
    if (this.#chosen !== undefined && this.#unsettled === undefined) return this.#chosen;
    const known = this.#chosen !== undefined;
    const exchange = await this.#choose({ verb: "ls", path: ROOT }, options);
    if (known) return exchange;
    // The listing has been asked for, and the server waits for somebody to take it.
    if (exchange.mode === "plain") {
      await exchange.list(ROOT, { recursive: false }, options).catch((error) => {
        if (options.signal?.aborted) throw error;
      });
    }
    return exchange;
  }

  /** The exchange, chosen by the answer to `command` if it has not been before. */
  async #choose(command: Command, { signal }: OperationOptions): Promise<Exchange> {
    // At once where that can be, so that operations keep their order.
    if (this.#unsettled !== undefined) await untilAborted(this.#unsettled, signal);
    if (this.#chosen !== undefined) return this.#chosen;
    // Judged before anything is sent: a path that is too long is no reason to end the session.
    // With a secret nothing is said that matters before both sides have proved that they have it.
    const { secret } = this.#options;
    const message = secret === undefined ? encodeCommand(command, "+") : encodeAuthWord();
    const choosing = this.#choosing ??= this.#ask(message);
    const chosen = choosing.then((choice) => {
      this.#chosen = choice.exchange;
      this.#options.onMode(choice.exchange.mode ?? "plain");
      return choice;
    });
    try {
      return (await untilAborted(chosen, signal)).exchange;
    } catch (error) {
      if (signal?.aborted) {
        this.#unsettled = chosen.then((choice) => choice.settle()).catch(() => {
          // Whoever comes next finds the session as this has left it.
        }).finally(() => this.#unsettled = undefined);
      }
      throw error;
    }
  }

  async #ask(message: Uint8Array): Promise<Choice> {
    const { limits, mode } = this.#options;
    const control = this.#control;
    using _deadline = control.deadline(limits.timeoutMs, "an answer");
    try {
      const header = await this.#answer(message);
      if (header === undefined) return await this.#again();
      // Only a server that encrypts says why it turns a client away.
      if (header.sign === "-") throw await receiveErrorBody(control, header);
      if (header.sign === "+" && header.value === 0) return await this.#enter();
      if (mode === "tandem") throw unmet(control.peer);
      const plain = this.#plain();
      plain.resumeAt(header.value, message);
      return { exchange: plain, settle: () => plain.settle() };
    } catch (error) {
      const wantsTls = asksForTls(control);
      control.close();
      // What the server said, and what is wrong with what it said, tells more than that it then closed.
      const isSaid = error instanceof AnsweredError || error instanceof TandemError && error.code === "auth-failed";
      const failure = isSaid ? error : control.failure ?? (wantsTls ? wantsSecret(control.peer) : asTandemError(error));
      // What is wrong with a welcome is the server's fault.
      throw failure.code === "bad-request" ? new ProtocolError(failure.message, { cause: failure }) : failure;
    }
  }

  /** The server's first header; undefined if it closed instead. */
  async #answer(message: Uint8Array) {
    try {
      await this.#control.write(message);
      using _nudge = nudge(this.#control, "later", (nothing) => {
        // A connection that breaks meanwhile is found out about by whoever waits.
        this.#control.write(nothing).catch(() => {});
      });
      const header = await this.#control.header(this.#control.isEncrypted ? "tandem" : "plain");
      return header === END ? undefined : header;
    } catch (error) {
      if (this.#control.failure === undefined && isRefusal(error)) return undefined;
      throw error;
    }
  }

  /** The server has closed at the sign: it may be one that takes digits only. */
  async #again(): Promise<Choice> {
    const { hostname, port, limits, mode } = this.#options;
    const { peer, isEncrypted } = this.#control;
    this.#control.close();
    if (isEncrypted) throw new TandemError("disconnected", `${peer} closed the session before it had begun`);
    if (mode === "tandem") throw unmet(this.#control.peer);
    this.#control = await dial(hostname, port, {
      timeoutMs: limits.timeoutMs,
      retryMs: 0,
      what: "the server",
      signal: this.#closed.signal,
    });
    return { exchange: this.#plain(), settle: () => Promise.resolve() };
  }

  /** The server speaks tandem: the data connection goes the same way as this one. */
  async #enter(): Promise<Choice> {
    const { port, limits, trust, secret } = this.#options;
    const control = this.#control;
    const message = await control.message("tandem", MAX_OBJECT_BYTES);
    if (message === END) throw new TandemError("disconnected", `${control.peer} closed the session`);
    if (message.header.sign === "-") throw new ProtocolError(`${control.peer} refused the tandem exchange`);
    const { tandem, ticket, nonce } = parseWelcome(decodeObject(message.body));
    if (tandem < TANDEM_VERSION) throw new ProtocolError(`${control.peer} speaks version ${tandem} of the exchange`);
    if (nonce !== undefined && secret === undefined) throw wantsSecret(control.peer);
    if (nonce === undefined && secret !== undefined) {
      throw new TandemError("auth-failed", `${control.peer} does not ask for the secret`, {
        hint: "start the server with the same secret, or leave it out here",
      });
    }
    const data = await dial(control.remoteAddr.hostname, port, {
      timeoutMs: limits.timeoutMs,
      retryMs: 0,
      what: "the data connection to the server",
      signal: this.#closed.signal,
      trust,
    });
    const link = new TandemLink(data, { ...limits, flushes: false });
    const exchange = new TandemExchange(control, link, limits, async (command) => {
      await link.send(encodeTicket(ticket));
      await link.send(command);
      await link.flush();
    });
    if (secret !== undefined && nonce !== undefined) await this.#prove(exchange, secret, nonce);
    return { exchange, settle: () => exchange.ping({}) };
  }

  /** Each side proves to the other that it has the secret. */
  async #prove(exchange: TandemExchange, secret: Secret, serverNonce: string): Promise<void> {
    const nonce = makeNonce();
    try {
      const proof = await exchange.authenticate(nonce, await secret.prove("client", serverNonce, nonce));
      if (await secret.verify(proof, "server", serverNonce, nonce)) return;
      throw new TandemError("auth-failed", `${this.#control.peer} does not have the same secret`, {
        hint: "compare the secret on both sides",
      });
    } catch (error) {
      exchange.close();
      throw error;
    }
  }

  #plain(): PlainExchange {
    const { limits, zeroIsMissing } = this.#options;
    return new PlainExchange(this.#control, { limits, zeroIsMissing });
  }
}

/** A first command that says nothing yet, for a server that takes no notice of its text. */
function encodeAuthWord(): Uint8Array {
  const word = new TextEncoder().encode("auth");
  return Uint8Array.of(...encodeHeader(word.length, "+"), ...word);
}

function unmet(peer: string): TandemError {
  return new TandemError("unsupported", `${peer} does not speak the tandem exchange`, {
    hint: "leave out --require-tandem to speak the plain one, which has no checksums",
  });
}
