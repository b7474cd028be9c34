/**
 * A client of the tandem exchange that can be told to do it wrong.
 *
 * It is written from SPEC.md alone and shares no code with the program, but for
 * the sockets of the raw plain client: headers with signs, sealed messages,
 * bodies in chunks, a ticket. What is received is checked against that page; what
 * is sent is whatever a test wants.
 *
 * @module
 */

import { crc32 } from "node:zlib";
import type { TandemServer } from "../../mod.ts";
import { assert, assertEquals, assertMatch } from "../deps.ts";
import { joined, RawConnection, toWire } from "./raw_client.ts";

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The codes that an error may have (`protocol.md`, Errors). */
const CODES = new Set(
  ("not-found exists denied outside-root is-directory not-directory no-space too-large changed integrity " +
    "busy timeout aborted bad-request unsupported auth-required auth-failed internal").split(" "),
);

/** A header of the tandem exchange. */
export function signed(value: number, sign: "+" | "-" = "+"): string {
  return sign + String(value).padStart(9, "0");
}

/** Eight hexadecimal digits. */
export function crcOf(bytes: Uint8Array): string {
  return crc32(bytes).toString(16).padStart(8, "0");
}

/** A text with its seal, as a message without its header. */
export function sealed(text: string): Uint8Array<ArrayBuffer> {
  const bytes = toWire(text);
  return joined(bytes, toWire(`\n${crcOf(bytes)}`));
}

/** Any bytes with a signed header before them. */
export function framed(bytes: string | Uint8Array, sign: "+" | "-" = "+"): Uint8Array<ArrayBuffer> {
  const body = toWire(bytes);
  return joined(toWire(signed(body.length, sign)), body);
}

/** A command as a message. */
export function command(line: string, parameters: Json = {}): Uint8Array<ArrayBuffer> {
  return framed(sealed(`${line}\n${JSON.stringify(parameters)}`));
}

/** An object as a message. */
export function object(value: Json, sign: "+" | "-" = "+"): Uint8Array<ArrayBuffer> {
  return framed(sealed(JSON.stringify(value)), sign);
}

/** A body with its end, in chunks of at most so many bytes. */
export function body(content: string | Uint8Array, chunkBytes = 1 << 20): Uint8Array<ArrayBuffer> {
  const bytes = toWire(content);
  const pieces: Uint8Array[] = [];
  for (let i = 0; i < bytes.length; i += chunkBytes) pieces.push(framed(bytes.subarray(i, i + chunkBytes)));
  return joined(...pieces, toWire(signed(0)));
}

/** What a client sends behind the command of a `put`: a body and its checksum. */
export function upload(content: string | Uint8Array, chunkBytes?: number): Uint8Array<ArrayBuffer> {
  return joined(body(content, chunkBytes), object({ crc32: crcOf(toWire(content)) }));
}

/** What came in place of a message: an object, or the code of an error. */
export type Answer = { readonly object: Json } | { readonly code: string };

/** A body as it came, and the code of the error that ended it, if one did. */
export interface ReceivedBody {
  readonly content: Uint8Array;
  readonly code: string | undefined;
}

/** A connection on which messages come. */
export class MessageReader {
  readonly connection: RawConnection;

  constructor(connection: RawConnection) {
    this.connection = connection;
  }

  /** The next header: its sign and value. */
  async header(): Promise<{ readonly sign: string; readonly value: number }> {
    const text = new TextDecoder().decode(await this.connection.read(10));
    assertMatch(text, /^[+-][0-9]{9}$/, "a signed header");
    return { sign: text.slice(0, 1), value: Number(text.slice(1)) };
  }

  /** The object of a message of so many bytes, whose seal must fit. */
  async unseal(bytes: number): Promise<Json> {
    assert(bytes <= 65_536, `a message of ${bytes} bytes`);
    const message = await this.connection.read(bytes);
    assertEquals(message.length, bytes, "the message is cut");
    const text = new TextDecoder("utf-8", { fatal: true }).decode(message);
    const end = text.lastIndexOf("\n");
    assertEquals(text.slice(end + 1), crcOf(toWire(text.slice(0, end))), "the seal");
    return JSON.parse(text.slice(0, end));
  }

  /** The next object or error; signs that the server is at work are counted and left out. */
  async answer(): Promise<Answer & { readonly workingSigns: number }> {
    for (let workingSigns = 0;; workingSigns++) {
      const { sign, value } = await this.header();
      const message = await this.unseal(value);
      if (sign === "-") return { code: codeOf(message), workingSigns };
      if (message["working"] !== true) return { object: message, workingSigns };
    }
  }

  /** The next object; an error fails. */
  async object(): Promise<Json> {
    const answer = await this.answer();
    if ("object" in answer) return answer.object;
    throw new Error(`expected an object, not "${answer.code}"`);
  }

  /** A body up to its end, or to the error that ends it; without its checksum. */
  async body(): Promise<ReceivedBody> {
    const pieces: Uint8Array[] = [];
    for (;;) {
      const { sign, value } = await this.header();
      if (sign === "-") return { content: joined(...pieces), code: codeOf(await this.unseal(value)) };
      if (value === 0) return { content: joined(...pieces), code: undefined };
      assert(value <= 67_108_864, `a chunk of ${value} bytes`);
      const chunk = await this.connection.read(value);
      assertEquals(chunk.length, value, "the chunk is cut");
      pieces.push(chunk);
    }
  }

  /** A body with a checksum that fits behind it. */
  async checkedBody(): Promise<ReceivedBody> {
    const received = await this.body();
    if (received.code !== undefined) return received;
    const answer = await this.answer();
    if ("code" in answer) return { content: received.content, code: answer.code };
    assertEquals(answer.object["crc32"], crcOf(received.content), "the checksum of a body");
    return received;
  }
}

function codeOf(error: Json): string {
  const { code, message } = error;
  assert(typeof code === "string" && CODES.has(code), `a code, not ${JSON.stringify(code)}`);
  assert(typeof message === "string" && message !== "", "a message");
  return code;
}

/** A session that has its ticket and not its data connection. */
export interface Welcomed extends Disposable {
  readonly control: RawConnection;
  readonly ticket: string;
  /** What is to be proved over, where the server wants a secret. */
  readonly nonce: string | undefined;
}

/** Opens a connection to a server's one port. */
export type Door = (server: TandemServer) => Promise<RawConnection>;

/** Without TLS. */
const openDoor: Door = ({ addr }) => RawConnection.open(addr.hostname, addr.port);

/** Opens a control connection, sends a first command with a sign, and takes the ticket. */
export async function welcomed(server: TandemServer, first = "ls", door = openDoor): Promise<Welcomed> {
  const control = await door(server);
  try {
    await control.send(framed(first));
    const reader = new MessageReader(control);
    assertEquals(await reader.header(), { sign: "+", value: 0 });
    const { sign, value } = await reader.header();
    assertEquals(sign, "+");
    const { tandem, ticket, nonce } = await reader.unseal(value);
    assertEquals(tandem, 1);
    assert(typeof ticket === "string");
    assertMatch(ticket, /^[0-9a-f]{32}$/);
    assert(nonce === undefined || typeof nonce === "string");
    return { control, ticket, nonce, [Symbol.dispose]: () => control.close() };
  } catch (error) {
    control.close();
    throw error;
  }
}

/** The message that makes a connection a data connection. */
export function ticketMessage(ticket: string): Uint8Array<ArrayBuffer> {
  return command(`data ${ticket}`, { tandem: 1 });
}

/** A session with both of its connections. Its first command, a `ping`, is answered already. */
export class RawTandem extends MessageReader implements Disposable {
  /** Where commands go. */
  readonly control: RawConnection;
  /** Where results come. */
  readonly data: RawConnection;

  constructor(control: RawConnection, data: RawConnection) {
    super(data);
    this.control = control;
    this.data = data;
  }

  /** Opens a session. Its next command is number 1. */
  static async open(server: TandemServer, door = openDoor): Promise<RawTandem> {
    const session = await RawTandem.begin(server, command("ping"), door);
    assertEquals(await session.object(), {});
    return session;
  }

  /** Opens a session and sends `first` as the first command, with whatever belongs to it. */
  static async begin(server: TandemServer, first: Uint8Array, door = openDoor): Promise<RawTandem> {
    const { control, ticket } = await welcomed(server, "ls", door);
    try {
      const data = await door(server);
      await data.send(joined(ticketMessage(ticket), first));
      return new RawTandem(control, data);
    } catch (error) {
      control.close();
      throw error;
    }
  }

  /** The control connection's address, as events name the session. */
  get address(): string {
    return this.control.address;
  }

  /** Sends a command. */
  async send(line: string, parameters: Json = {}): Promise<void> {
    await this.control.send(command(line, parameters));
  }

  /** Sends a command that is answered by one object, or refused. */
  async ask(line: string, parameters: Json = {}): Promise<Answer> {
    await this.send(line, parameters);
    return await this.answer();
  }

  /** What a command that is answered by one object comes to: `ok` or a code. */
  async outcome(line: string, parameters: Json = {}): Promise<string> {
    const answer = await this.ask(line, parameters);
    return "code" in answer ? answer.code : "ok";
  }

  /** A file, or the code of the error that came instead of it or ended it. */
  async get(path: string, parameters: Json = {}): Promise<Uint8Array | string> {
    await this.send(`get ${path}`, parameters);
    return await this.file();
  }

  /** The answer to a `get`. */
  async file(): Promise<Uint8Array | string> {
    const info = await this.answer();
    if ("code" in info) return info.code;
    const { content, code } = await this.checkedBody();
    if (code !== undefined) return code;
    assertEquals(content.length, info.object["length"], "the announced length");
    return content;
  }

  /** Sends a file at once; `stored` or the code of the refusal. */
  async put(path: string, content: string | Uint8Array, parameters: Json = {}): Promise<string> {
    await this.send(`put ${path}`, parameters);
    await this.data.send(upload(content));
    return await this.stored(content);
  }

  /** The answer to a `put`. */
  async stored(content: string | Uint8Array): Promise<string> {
    const answer = await this.answer();
    if ("code" in answer) return answer.code;
    const bytes = toWire(content);
    assertEquals(answer.object, { size: bytes.length, crc32: crcOf(bytes) });
    return "stored";
  }

  /** The entries of a folder, or the code of the refusal. */
  async list(path?: string, parameters: Json = {}): Promise<Json[] | string> {
    await this.send(path === undefined ? "ls" : `ls ${path}`, parameters);
    return await this.entries();
  }

  /** The answer to an `ls`. */
  async entries(): Promise<Json[] | string> {
    const { content, code } = await this.checkedBody();
    if (code !== undefined) return code;
    return new TextDecoder().decode(content).split("\n").slice(0, -1).map((line) => JSON.parse(line));
  }

  /** The names in a folder. */
  async names(path?: string, parameters: Json = {}): Promise<unknown> {
    const entries = await this.list(path, parameters);
    return typeof entries === "string" ? entries : entries.map(({ name }) => name);
  }

  /** Says `quit` and waits for the end of both connections. */
  async quit(): Promise<void> {
    await this.send("quit");
    await this.data.assertEnds();
    await this.control.assertEnds();
  }

  /** Closes both connections. */
  close(): void {
    this.control.close();
    this.data.close();
  }

  /** Closes both connections. */
  [Symbol.dispose](): void {
    this.close();
  }
}
