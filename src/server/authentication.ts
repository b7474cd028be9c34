/**
 * Both proofs of a session with a secret, from the server's side.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { type CommandText, parseTandemCommand } from "../protocol/tandem_command.ts";
import type { JsonObject } from "../protocol/sealed.ts";
import type { Secret } from "../secret/secret.ts";

/** What a client has to prove. */
export interface Challenge {
  /** That it has this. */
  readonly secret: Secret;
  /** Over this nonce, which came with its ticket. */
  readonly nonce: string;
}

/**
 * Judges the first command of a session with a secret; returns the answer to it,
 * the server's own proof.
 *
 * @throws {TandemError} `auth-required` if it is no `auth`; `auth-failed` if the
 * proof is none; `bad-request` if it is malformed.
 */
export async function authenticate(text: CommandText, { secret, nonce }: Challenge): Promise<JsonObject> {
  if (text.verb !== "auth") {
    throw new TandemError("auth-required", "this server wants a secret", {
      hint: "--secret-file or TANDEM_SECRET has it",
    });
  }
  const command = parseTandemCommand(text);
  if (command.verb !== "auth" || !await secret.verify(command.proof, "client", nonce, command.nonce)) {
    throw new TandemError("auth-failed", "the secret is not the server's", {
      hint: "compare it on both sides",
    });
  }
  return { proof: await secret.prove("server", nonce, command.nonce) };
}
