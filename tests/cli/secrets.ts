/**
 * Secrets as people have them: in files and in the environment; and the check
 * that a text shows nothing of one.
 *
 * @module
 */

import { generateSecret, type ServeOptions } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { type Place, place } from "./place.ts";
import { NARROW, type StartOptions } from "./program.ts";

/** What adds authorities to those that Deno trusts. */
export const TRUST_VARIABLES: readonly string[] = ["DENO_CERT", "DENO_TLS_CA_STORE", "NODE_EXTRA_CA_CERTS"];

/** What has Deno write down the keys of connections. */
export const KEY_LOG_VARIABLE = "SSLKEYLOGFILE";

/** All that has a client with a secret say something. */
export const TOLD_VARIABLES: readonly string[] = [...TRUST_VARIABLES, KEY_LOG_VARIABLE];

/** The rights of a program that looks for a secret in its environment, and for who else is trusted. */
export const WITH_SECRET: readonly string[] = [...NARROW, `--allow-env=TANDEM_SECRET,${TOLD_VARIABLES.join()}`];

/** The same for a server on all addresses. */
export const EVERYWHERE: readonly string[] = WITH_SECRET.map((flag) => flag.replace(/^--allow-net=.*/, "--allow-net"));

/** The environment of these tests, without what a program takes a secret or more trust from, and with `added`. */
export function cleanEnv(
  added: Readonly<Record<string, string>> = {},
): Required<Pick<StartOptions, "env" | "clearEnv">> {
  const present = Object.entries(Deno.env.toObject());
  const kept = present.filter(([name]) => name !== "TANDEM_SECRET" && !TOLD_VARIABLES.includes(name));
  return { env: { ...Object.fromEntries(kept), ...added }, clearEnv: true };
}

/** A file that only its owner can read, or what `mode` says. */
export function writeSecret(path: string, content: string | Uint8Array, mode = 0o600): string {
  if (typeof content === "string") Deno.writeTextFileSync(path, content);
  else Deno.writeFileSync(path, content);
  Deno.chmodSync(path, mode);
  return path;
}

/** A place whose server has a secret. */
export interface SecretPlace extends Place {
  /** The secret. */
  readonly secret: string;
  /** A file with it. */
  readonly file: string;
}

/** Serves one file, `a`, on loopback to whoever has a fresh secret. */
export function secretPlace(options: ServeOptions = {}): SecretPlace {
  const secret = generateSecret();
  const shared = place({ a: "content" }, { hostname: "127.0.0.1", secret, ...options });
  return { ...shared, secret, file: writeSecret(`${shared.root}/../secret`, `${secret}\n`) };
}

/** Checks that a text has nothing of a secret: neither three words or two groups of it that stand together, nor its digits. */
export function assertHides(text: string, secret: string, about = ""): void {
  const pieces = secret.split(/[-\s]/);
  const together = pieces.length === 7 ? 2 : Math.min(3, pieces.length);
  const shown = text.toLowerCase();
  for (let i = 0; i + together <= pieces.length; i++) {
    const some = pieces.slice(i, i + together);
    for (const between of ["-", " ", "", "%20", "\\x20"]) {
      const found = shown.includes(some.join(between).toLowerCase());
      assertEquals(found, false, `${about}: a secret is shown in: ${text}`);
    }
  }
}
