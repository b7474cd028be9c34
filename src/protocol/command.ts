/**
 * The commands of the plain exchange as text and as values.
 *
 * `ls`, `ls PATH`, `get NAME`, `put NAME`, `quit`; the name is the rest of the
 * command after one space, in UTF-8. Parsing says exactly why a command is
 * none, and never guesses.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_COMMAND_BYTES } from "../limits.ts";
import { encodeHeader, HEADER_BYTES, type Sign } from "./header.ts";
import { parseRemotePath, type PathRules, type RemotePath, ROOT } from "./path.ts";

/** A command, parsed and its path checked. */
export type Command =
  | { readonly verb: "ls"; readonly path: RemotePath }
  | { readonly verb: "get"; readonly path: RemotePath }
  | { readonly verb: "put"; readonly path: RemotePath }
  | { readonly verb: "quit" };

/** The control port where none is named. */
export const DEFAULT_PORT = 2121;

/** What a command can be. */
export type Verb = Command["verb"];

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** The text of a command's bytes, or undefined where they are not UTF-8. */
export function decodeCommandText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

/**
 * Reads a command from its bytes, without their header.
 *
 * @throws {TandemError} `bad-request` if it is not UTF-8, has no name where one
 * is needed or one that cannot be a name; `unsupported` if the verb is unknown;
 * `outside-root` or `denied` as {@linkcode parseRemotePath}.
 */
export function parseCommand(
  bytes: Uint8Array,
  rules: PathRules = {},
): Command {
  const text = decodeCommandText(bytes);
  if (text === undefined) {
    throw new TandemError("bad-request", "the command is not UTF-8");
  }
  const space = text.indexOf(" ");
  const verb = space < 0 ? text : text.slice(0, space);
  const rest = space < 0 ? undefined : text.slice(space + 1);
  switch (verb) {
    case "ls":
      return { verb, path: listPath(rest, rules) };
    case "get":
      return { verb, path: parseRemotePath(rest ?? "", rules) };
    case "put":
      return {
        verb,
        path: parseRemotePath(rest ?? "", { ...rules, create: true }),
      };
    case "quit":
      if (rest === undefined) return { verb };
      throw new TandemError("bad-request", '"quit" takes no name');
    default:
      throw new TandemError(
        "unsupported",
        `unknown command "${verb}"`,
        { hint: "the plain exchange has ls, get, put and quit" },
      );
  }
}

/** A folder as a peer names it: nothing is the shared folder, and one trailing `/` (as listings show it) is dropped. */
function listPath(rest: string | undefined, rules: PathRules): RemotePath {
  if (rest === undefined) return ROOT;
  const trimmed = rest.length > 1 && rest.endsWith("/") ? rest.slice(0, -1) : rest;
  return parseRemotePath(trimmed, rules);
}

/** The text of a command, as {@linkcode parseCommand} reads it. */
export function formatCommand(command: Command): string {
  if (command.verb === "quit") return "quit";
  return command.path === ROOT ? command.verb : `${command.verb} ${command.path}`;
}

/**
 * A command with its header, to be sent in one write.
 *
 * @throws {TandemError} `bad-request` if it is longer than any server takes.
 */
export function encodeCommand(command: Command, sign: Sign = ""): Uint8Array {
  const text = encoder.encode(formatCommand(command));
  if (text.length > MAX_COMMAND_BYTES) {
    throw new TandemError(
      "bad-request",
      `the path is too long: a command holds ${MAX_COMMAND_BYTES} bytes, this one has ${text.length}`,
    );
  }
  const message = new Uint8Array(HEADER_BYTES + text.length);
  message.set(encodeHeader(text.length, sign));
  message.set(text, HEADER_BYTES);
  return message;
}
