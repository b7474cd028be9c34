/**
 * The commands of the tandem exchange as messages and as values.
 *
 * A command is a line `verb path` as in the plain exchange, a line with a JSON
 * object of parameters, and the seal. What a parameter means stands at its
 * field.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_COMMAND_BYTES, MAX_TANDEM_COMMAND_BYTES } from "../limits.ts";
import { Fields } from "./fields.ts";
import { HEADER_BYTES } from "./header.ts";
import { parseRemotePath, type PathRules, type RemotePath, ROOT } from "./path.ts";
import { decodeSealed, encodeSealed, type JsonObject, parseObject } from "./sealed.ts";

/** The version of the tandem exchange that this program speaks. */
export const TANDEM_VERSION = 1;

/** What a `put` or `mv` does where its target exists. */
export type OnExistWord = "error" | "overwrite" | "newer";

/** Every {@linkcode OnExistWord}. */
export const ON_EXIST_WORDS: readonly OnExistWord[] = ["error", "overwrite", "newer"];

/** A `get`. */
export interface GetCommand {
  readonly verb: "get";
  readonly path: RemotePath;
  /** Where the body begins, in bytes. */
  readonly offset?: number | undefined;
  /** How long the body may be, in bytes; without it up to the end. */
  readonly length?: number | undefined;
  /** The SHA-256 of what the client has, `offset` bytes long: if the file does not begin with that, the body begins at 0. */
  readonly prefix?: string | undefined;
  /** The version that the file must have. */
  readonly ifUnchanged?: string | undefined;
  /** Whether a SHA-256 is wanted beside the CRC-32. */
  readonly digest?: boolean | undefined;
}

/** A `put`. */
export interface PutCommand {
  readonly verb: "put";
  readonly path: RemotePath;
  /** The size of the whole file, in bytes; without it the body tells. */
  readonly size?: number | undefined;
  /** When the file was changed last, in milliseconds since 1970. */
  readonly mtime?: number | undefined;
  /** The file's permission bits. */
  readonly mode?: number | undefined;
  /** What happens to a file of that name; without it, what the server's rights allow. */
  readonly onExist?: OnExistWord | undefined;
  /** Whether what is there of it already is to be continued; needs `ready`. */
  readonly resume?: boolean | undefined;
  /** Whether the client waits for the server's word before it sends: then a refusal is not followed by a body. */
  readonly ready?: boolean | undefined;
  /** Whether the checksums at the end are with a SHA-256. */
  readonly digest?: boolean | undefined;
}

/** An `auth`: the first command where the server wants a secret. */
export interface AuthCommand {
  readonly verb: "auth";
  /** The client's own nonce, for the server's proof. */
  readonly nonce: string;
  /** The HMAC-SHA-256 with which the client proves that it has the secret. */
  readonly proof: string;
}

/** A command, parsed and its path checked. */
export type TandemCommand =
  | { readonly verb: "ls"; readonly path: RemotePath; readonly recursive?: boolean | undefined }
  | { readonly verb: "stat"; readonly path: RemotePath }
  | GetCommand
  | PutCommand
  | { readonly verb: "mkdir"; readonly path: RemotePath; readonly recursive?: boolean | undefined }
  | { readonly verb: "rm"; readonly path: RemotePath; readonly recursive?: boolean | undefined }
  | {
    readonly verb: "mv";
    readonly path: RemotePath;
    readonly to: RemotePath;
    readonly onExist?: OnExistWord | undefined;
  }
  | {
    readonly verb: "hash";
    readonly path: RemotePath;
    readonly offset?: number | undefined;
    readonly length?: number | undefined;
  }
  | AuthCommand
  | { readonly verb: "ping" }
  | {
    readonly verb: "abort";
    /** Which command, counted from 0 in the session, aborts themselves not; without it, the one that runs. */
    readonly command?: number | undefined;
  }
  | { readonly verb: "quit" };

/** What a command can be. */
export type TandemVerb = TandemCommand["verb"];

/** A command as it came: who it is for does not need its parameters to be right. */
export interface CommandText {
  /** `get` of `get a.bin`. */
  readonly verb: string;
  /** `a.bin` of `get a.bin`; undefined where there is no space. */
  readonly rest: string | undefined;
  /** The parameters. */
  readonly parameters: JsonObject;
}

const encoder = new TextEncoder();

/** A message of a line and an object; what is not so need not be said. */
function encodeLines(line: string, parameters: JsonObject): Uint8Array {
  return encodeSealed(`${line}\n${JSON.stringify(parameters, (_, value) => value === false ? undefined : value)}`);
}

/**
 * The line and the parameters of a message, without its header.
 *
 * @throws {TandemError} `integrity`, `protocol` as {@linkcode decodeSealed};
 * `bad-request` if there are no two lines.
 */
export function decodeCommandLines(body: Uint8Array): CommandText {
  const text = decodeSealed(body);
  const lineEnd = text.indexOf("\n");
  const parameters = lineEnd < 0 ? undefined : parseObject(text.slice(lineEnd + 1));
  if (parameters === undefined) {
    throw new TandemError("bad-request", "a command is a line and a JSON object on the next one");
  }
  const line = text.slice(0, lineEnd);
  const space = line.indexOf(" ");
  return space < 0
    ? { verb: line, rest: undefined, parameters }
    : { verb: line.slice(0, space), rest: line.slice(space + 1), parameters };
}

/**
 * A command with its header, to be sent in one write.
 *
 * @throws {TandemError} `bad-request` if its path is longer than any server takes.
 */
export function encodeTandemCommand(command: TandemCommand): Uint8Array {
  const { verb, ...parameters } = command;
  if (!("path" in parameters)) return encodeLines(verb, parameters);
  const { path, ...rest } = parameters;
  const line = path === ROOT ? verb : `${verb} ${path}`;
  const longest = Math.max(byteLength(line), "to" in rest ? byteLength(rest.to) : 0);
  if (longest > MAX_COMMAND_BYTES) {
    throw new TandemError(
      "bad-request",
      `the path is too long: a command holds ${MAX_COMMAND_BYTES} bytes, this one has ${longest}`,
    );
  }
  const message = encodeLines(line, rest);
  if (message.length - HEADER_BYTES > MAX_TANDEM_COMMAND_BYTES) {
    throw new TandemError("bad-request", `a command holds ${MAX_TANDEM_COMMAND_BYTES} bytes with its parameters`);
  }
  return message;
}

/**
 * Judges a command that came.
 *
 * @throws {TandemError} `bad-request` if a name is missing or none, or a
 * parameter is not of its kind; `unsupported` if the verb is unknown;
 * `outside-root` or `denied` as {@linkcode parseRemotePath}.
 */
export function parseTandemCommand({ verb, rest, parameters }: CommandText, rules: PathRules = {}): TandemCommand {
  const fields = new Fields(parameters, verb);
  const named = () => parseRemotePath(rest ?? "", rules);
  const created = (name = rest) => parseRemotePath(name ?? "", { ...rules, create: true });
  const folder = () => rest === undefined ? ROOT : parseRemotePath(rest, rules);
  const alone = () => {
    if (rest !== undefined) throw new TandemError("bad-request", `"${verb}" takes no name`);
  };
  switch (verb) {
    case "ls":
      return { verb, path: folder(), recursive: fields.flag("recursive") };
    case "stat":
      return { verb, path: folder() };
    case "get":
      return parseGet(named(), fields);
    case "put":
      return parsePut(created(), fields);
    case "mkdir":
      return { verb, path: created(), recursive: fields.flag("recursive") };
    case "rm":
      return { verb, path: named(), recursive: fields.flag("recursive") };
    case "mv": {
      const to = created(fields.required("to", fields.text("to")));
      return { verb, path: named(), to, onExist: fields.oneOf("onExist", ON_EXIST_WORDS) };
    }
    case "hash":
      return { verb, path: named(), offset: fields.count("offset"), length: fields.count("length") };
    case "auth":
      alone();
      return {
        verb,
        nonce: fields.required("nonce", fields.token("nonce")),
        proof: fields.required("proof", fields.sha256("proof")),
      };
    case "ping":
    case "quit":
      alone();
      return { verb };
    case "abort":
      alone();
      return { verb, command: fields.count("command") };
    default:
      throw new TandemError("unsupported", `unknown command "${verb}"`);
  }
}

function parseGet(path: RemotePath, fields: Fields): GetCommand {
  const offset = fields.count("offset");
  const prefix = fields.sha256("prefix");
  if (prefix !== undefined && offset === undefined) {
    throw new TandemError("bad-request", '"prefix" needs an "offset"');
  }
  return {
    verb: "get",
    path,
    offset,
    length: fields.count("length"),
    prefix,
    ifUnchanged: fields.text("ifUnchanged"),
    digest: fields.flag("digest"),
  };
}

function parsePut(path: RemotePath, fields: Fields): PutCommand {
  const resume = fields.flag("resume");
  const ready = fields.flag("ready");
  if (resume && !ready) throw new TandemError("bad-request", '"resume" needs "ready"');
  return {
    verb: "put",
    path,
    size: fields.count("size"),
    mtime: fields.timeMs("mtime"),
    mode: fields.mode("mode"),
    onExist: fields.oneOf("onExist", ON_EXIST_WORDS),
    resume,
    ready,
    digest: fields.flag("digest"),
  };
}

/** The line of a command, for a log. */
export function showCommand({ verb, rest }: CommandText): string {
  return rest === undefined ? verb : `${verb} ${rest}`;
}

/** What a server answers to the sign: the way to the session's data connection. */
export interface Welcome {
  /** The version of the tandem exchange that it speaks. */
  readonly tandem: number;
  /** What the data connection must show, once and within ten seconds. */
  readonly ticket: string;
  /** What the client's proof is over, where the server wants a secret. */
  readonly nonce: string | undefined;
}

/**
 * Reads a server's welcome.
 *
 * @throws {TandemError} `bad-request` if it is none.
 */
export function parseWelcome(object: JsonObject): Welcome {
  const fields = new Fields(object, "the server's welcome");
  return {
    tandem: fields.required("tandem", fields.count("tandem")),
    ticket: fields.required("ticket", fields.token("ticket")),
    nonce: fields.token("nonce"),
  };
}

/** The first message of a data connection, with its header. */
export function encodeTicket(ticket: string): Uint8Array {
  return encodeLines(`data ${ticket}`, { tandem: TANDEM_VERSION });
}

const TICKET_START = encoder.encode("data ");

/** Whether the first message of a connection is that of a data connection: no other command begins so. */
export function isTicketMessage(body: Uint8Array): boolean {
  return TICKET_START.every((byte, i) => body[i] === byte);
}

/**
 * The ticket of a data connection's first message.
 *
 * @throws {TandemError} as {@linkcode decodeCommandLines}.
 */
export function decodeTicket(body: Uint8Array): string {
  return decodeCommandLines(body).rest ?? "";
}

function byteLength(text: string): number {
  return encoder.encode(text).length;
}
