/**
 * `help`, from the same tables that arguments are parsed with.
 *
 * @module
 */

import { helpLines } from "./commands.ts";
import { CONNECT_FLAGS } from "./connect_command.ts";
import { flagLines, usage } from "./flags.ts";
import { SERVE_FLAGS } from "./serve_command.ts";

/**
 * The text of `help`, `help serve` or `help connect`.
 *
 * @throws {TandemError} `usage` if there is no help about `topic`.
 */
export function helpText(topic?: string): string {
  switch (topic) {
    case undefined:
      return OVERVIEW;
    case "serve":
      return [
        "tandem serve [DIR]    shares DIR (the current folder) until it is stopped",
        "",
        ...flagLines(SERVE_FLAGS),
        "",
        "BYTES may have a unit: 64K, 10M, 2G, 1T.",
      ].join("\n");
    case "connect":
      return [
        "tandem connect HOST[:PORT] [COMMAND [ARG...]]",
        "",
        "Runs one command; without one it reads commands from the terminal, a pipe or -f FILE.",
        "",
        ...flagLines(CONNECT_FLAGS),
        "",
        "Commands:",
        ...helpLines().map((line) => `  ${line}`),
        "",
        EXIT_TEXT,
      ].join("\n");
    case "secret":
      return SECRET_TEXT;
    default:
      throw usage(
        `there is no help about "${topic}"`,
        "help serve, help connect, help secret",
      );
  }
}

const OVERVIEW = `tandem moves files between two machines over two connections.

  tandem serve [DIR]                  share a folder, read-only
  tandem serve --write [DIR]          let clients add files
  tandem serve --new-secret [DIR]     to other machines, encrypted, for whoever has the secret
  tandem connect HOST ls              list what is shared
  tandem connect HOST get a.bin       fetch a file
  tandem connect HOST put b.bin       store one
  tandem connect HOST                 a prompt

  tandem secret                       makes a secret, for --secret-file or TANDEM_SECRET
  tandem completions bash|zsh|fish    completion for a shell
  tandem help serve | help connect    every flag and command
  tandem --version`;

const SECRET_TEXT = `tandem secret    makes a secret and prints it

Whoever has it can connect to a server that has it, and can play that server; nobody else
can, or reads what is sent. It comes from a file that only its owner may read, or from the
variable TANDEM_SECRET, and is never an argument:

  tandem secret > FILE; chmod 600 FILE
  tandem serve --secret-file FILE [DIR]
  tandem connect --secret-file FILE HOST ls`;

const EXIT_TEXT = "Exit codes: 0 ok, 1 other, 2 usage, 3 cannot connect, 4 not found, 5 denied, 6 storage,\n" +
  "7 protocol, 8 integrity, 9 some of several failed, 10 exists, 11 timed out, 130 interrupted,\n" +
  "143 terminated.";
