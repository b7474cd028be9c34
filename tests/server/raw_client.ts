/**
 * A client of the plain exchange that can be told to do it wrong.
 *
 * It is written from the protocol's text and shares no code with the program:
 * every step is a call of its own (a header, some bytes, a port, a data
 * connection), so that a test can stop, cut or repeat at any point. Each wait
 * has a deadline and then closes its socket, which is what unblocks it.
 *
 * @module
 */

import type { TandemServer } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { DEADLINE_MS, within } from "./deadline.ts";

const encoder = new TextEncoder();

/** Text as UTF-8; bytes as they are. */
export function toWire(data: string | Uint8Array): Uint8Array {
  return typeof data === "string" ? encoder.encode(data) : data;
}

/** Ten digits. */
export function header(value: number): string {
  return String(value).padStart(10, "0");
}

/** A command with its header, or any other message. */
export function message(body: string | Uint8Array): Uint8Array {
  const bytes = toWire(body);
  return joined(toWire(header(bytes.length)), bytes);
}

/** Pieces as one. */
export function joined(
  ...pieces: readonly Uint8Array[]
): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(
    pieces.reduce((sum, piece) => sum + piece.length, 0),
  );
  let filled = 0;
  for (const piece of pieces) {
    whole.set(piece, filled);
    filled += piece.length;
  }
  return whole;
}

/** How much is read at the most at once. */
const READ_BYTES = 65_536;

/** One connection, either of the two. */
export class RawConnection implements Disposable {
  /** This end's address and port, as the server's events name it. */
  readonly address: string;
  /** How long each wait may take, in milliseconds. */
  patienceMs: number = DEADLINE_MS;
  readonly #conn: Deno.TcpConn | Deno.TlsConn;
  #buffer: Uint8Array | undefined;
  #closed = false;

  /** Takes over an open connection. */
  constructor(conn: Deno.TcpConn | Deno.TlsConn) {
    if ("setNoDelay" in conn) conn.setNoDelay(true);
    this.#conn = conn;
    const { hostname, port } = conn.localAddr;
    this.address = `${hostname}:${port}`;
  }

  /** Connects, and fails with what the system says. */
  static async open(hostname: string, port: number): Promise<RawConnection> {
    const connecting = Deno.connect({ hostname, port });
    const conn = await within(`a connection to port ${port}`, connecting, {
      onLate: () => connecting.then((late) => late.close(), () => {}),
    });
    // Nobody listened, and the system gave the connection that very port: TCP
    // then connects it with itself. Seen once in a thousand refused `put`s.
    if (conn.localAddr.port === port && conn.localAddr.hostname === hostname) {
      conn.close();
      throw new Deno.errors.ConnectionRefused("connected with itself");
    }
    return new RawConnection(conn);
  }

  /** Sends all of `data`. */
  async send(data: string | Uint8Array): Promise<void> {
    let rest = toWire(data);
    while (rest.length > 0) {
      const count = await this.#wait("room to send", this.#conn.write(rest));
      rest = rest.subarray(count);
    }
  }

  /** Sends `data` in pieces of its own, with `afterEach` between them. */
  async sendPieces(
    data: string | Uint8Array,
    pieceBytes: number,
    afterEach: () => Promise<void>,
  ): Promise<void> {
    const bytes = toWire(data);
    for (let i = 0; i < bytes.length; i += pieceBytes) {
      await this.send(bytes.subarray(i, i + pieceBytes));
      await afterEach();
    }
  }

  /** The next bytes, at the most `limit` of them; none at the end. */
  async readSome(limit = READ_BYTES): Promise<Uint8Array> {
    this.#buffer ??= new Uint8Array(READ_BYTES);
    const buffer = this.#buffer.subarray(0, limit);
    const count = await this.#wait("bytes or an end", this.#conn.read(buffer));
    return buffer.slice(0, count ?? 0);
  }

  /** The next `count` bytes, or fewer where the connection ends before. */
  async read(count: number): Promise<Uint8Array> {
    const bytes = new Uint8Array(count);
    let filled = 0;
    while (filled < count) {
      const piece = await this.readSome(Math.min(count - filled, READ_BYTES));
      if (piece.length === 0) break;
      bytes.set(piece, filled);
      filled += piece.length;
    }
    return bytes.subarray(0, filled);
  }

  /** All bytes until the connection ends, by a close or a reset. */
  async readToEnd(): Promise<Uint8Array> {
    return (await this.#readOut()).bytes;
  }

  async #readOut(): Promise<{ bytes: Uint8Array; reset: boolean }> {
    const pieces: Uint8Array[] = [];
    let reset = false;
    try {
      for (;;) {
        const piece = await this.readSome();
        if (piece.length === 0) break;
        pieces.push(piece);
      }
    } catch (error) {
      if (!isReset(error)) throw error;
      reset = true;
    }
    return { bytes: joined(...pieces), reset };
  }

  /** Waits for the end, and fails if a byte comes before it. */
  async assertEnds(): Promise<void> {
    const came = await this.readToEnd();
    assertEquals(came, new Uint8Array(), "bytes came before the end");
  }

  /** Waits for the end of a put. */
  async endOfPut(): Promise<PutOutcome> {
    const { bytes, reset } = await this.#readOut();
    const text = new TextDecoder().decode(bytes);
    if (text !== "") assertEquals(text, "refused\n", "bytes came before the end");
    return text !== "" ? "told" : reset ? "refused" : "closed";
  }

  /**
   * What a server answers on a data connection: a message, or undefined where
   * the connection ends before its header. Anything else fails.
   */
  async readAnswer(): Promise<Uint8Array | undefined> {
    const bytes = await this.readToEnd();
    if (bytes.length === 0) return undefined;
    const text = new TextDecoder().decode(bytes.subarray(0, 10));
    assertEquals(/^[0-9]{10}$/.test(text), true, `a header is ten digits`);
    const body = bytes.subarray(10);
    assertEquals(body.length, Number(text), "bytes of the announced ones");
    return body;
  }

  /** Says that nothing more will be sent. */
  async closeWrite(): Promise<void> {
    await this.#conn.closeWrite();
  }

  /** Closes the connection; more than once does no harm. */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#conn.close();
  }

  /** Closes the connection. */
  [Symbol.dispose](): void {
    this.close();
  }

  #wait<T>(what: string, waiting: Promise<T>): Promise<T> {
    return within(what, waiting, { deadlineMs: this.patienceMs, onLate: () => this.close() });
  }
}

/** What a `put` came to, as far as a client can see. */
export type PutOutcome =
  /** A clean end without a word, as of one that was stored. */
  | "closed"
  /** The server said that it failed (SRV-10). */
  | "told"
  /** Nobody was at the port, or the connection was reset. */
  | "refused";

/** The control connection, and the way to the data connections. */
export class RawClient extends RawConnection {
  readonly #hostname: string;

  constructor(conn: Deno.TcpConn) {
    super(conn);
    this.#hostname = conn.remoteAddr.hostname;
  }

  /** Opens a control connection. */
  static async connect(server: TandemServer): Promise<RawClient> {
    const { hostname, port } = server.addr;
    const connecting = Deno.connect({ hostname, port });
    const conn = await within("the control connection", connecting, {
      onLate: () => connecting.then((late) => late.close(), () => {}),
    });
    return new RawClient(conn);
  }

  /** Sends a command with its header, in one write. */
  async sendCommand(command: string | Uint8Array): Promise<void> {
    await this.send(message(command));
  }

  /** The port that comes next on the control connection. */
  async receivePort(): Promise<number> {
    const text = new TextDecoder().decode(await this.read(10));
    assertEquals(/^[0-9]{10}$/.test(text), true, `a port, not "${text}"`);
    return Number(text);
  }

  /** Connects to a data port. */
  connectData(port: number): Promise<RawConnection> {
    return RawConnection.open(this.#hostname, port);
  }

  /** Sends a command and opens its data connection. */
  async ask(command: string | Uint8Array): Promise<RawConnection> {
    await this.sendCommand(command);
    return await this.connectData(await this.receivePort());
  }

  /** The answer to any command: a body, or undefined where none came. */
  async answerTo(
    command: string | Uint8Array,
  ): Promise<Uint8Array | undefined> {
    using data = await this.ask(command);
    return await data.readAnswer();
  }

  /** A file, or undefined where the server refused. */
  get(name: string): Promise<Uint8Array | undefined> {
    return this.answerTo(`get ${name}`);
  }

  /** The lines of a listing, or undefined where the server refused. */
  async list(path?: string): Promise<string[] | undefined> {
    const body = await this.answerTo(path === undefined ? "ls" : `ls ${path}`);
    if (body === undefined) return undefined;
    return new TextDecoder().decode(body).split("\n").slice(0, -1);
  }

  /** Sends a whole file and waits for the server to close. */
  put(name: string, content: string | Uint8Array): Promise<PutOutcome> {
    return this.putBy(`put ${name}`, content);
  }

  /** As {@linkcode RawClient.put}, with the whole command given. */
  async putBy(
    command: string | Uint8Array,
    content: string | Uint8Array,
  ): Promise<PutOutcome> {
    await this.sendCommand(command);
    const port = await this.receivePort();
    try {
      using data = await this.connectData(port);
      await data.send(message(content));
      await data.closeWrite();
      return await data.endOfPut();
    } catch (error) {
      if (isRefusal(error)) return "refused";
      throw error;
    }
  }

  /** Says `quit`, takes its port, and waits for the end. */
  async quit(): Promise<void> {
    using data = await this.ask("quit");
    await data.assertEnds();
    await this.assertEnds();
  }
}

/** Whether nobody listened at a port. */
export function isRefusal(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionRefused || isReset(error);
}

/** Whether the other side has closed while bytes were under way; with TLS also without its end mark. */
export function isReset(error: unknown): boolean {
  return error instanceof Deno.errors.ConnectionReset ||
    error instanceof Deno.errors.BrokenPipe ||
    error instanceof Deno.errors.UnexpectedEof;
}
