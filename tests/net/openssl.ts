/**
 * Certificates made by OpenSSL, which knows nothing of this project.
 *
 * @module
 */

import type { Credentials } from "../../mod.ts";
import { assert } from "../deps.ts";
import { tempFolder } from "../helpers.ts";

/** Runs `openssl` in a folder. */
export async function openssl(cwd: string, ...args: string[]): Promise<void> {
  const command = new Deno.Command("openssl", { args, cwd, stdin: "null", stdout: "null", stderr: "piped" });
  const { success, stderr } = await command.output();
  assert(success, `openssl ${args.join(" ")}: ${new TextDecoder().decode(stderr)}`);
}

/** Whether there is one. */
export const HAS_OPENSSL = (() => {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** What a certificate says, beside the key. */
export interface Subject {
  /** Whose it is, as OpenSSL writes it: `DNS:localhost,IP:127.0.0.1`. */
  readonly names: string;
  /** Whether it is an authority's. Default: no. */
  readonly isAuthority?: boolean;
}

/** Makes a certificate that the same key signs. */
export async function selfSigned({ names, isAuthority = false }: Subject): Promise<Credentials> {
  using folder = tempFolder();
  const { path } = folder;
  const usage = isAuthority ? "critical,keyCertSign" : "critical,digitalSignature";
  await openssl(
    path,
    ...["req", "-x509", "-newkey", "ed25519", "-nodes", "-keyout", "key.pem", "-out", "cert.pem", "-days", "30"],
    ...["-subj", "/CN=a test", "-addext", `basicConstraints=critical,CA:${isAuthority ? "TRUE" : "FALSE"}`],
    ...["-addext", `keyUsage=${usage}`, "-addext", `subjectAltName=${names}`],
  );
  return read(path);
}

/** Makes a certificate that an authority signs. */
export async function signedBy(authority: Credentials, { names }: Subject): Promise<Credentials> {
  using folder = tempFolder();
  const { path } = folder;
  Deno.writeTextFileSync(`${path}/ca.pem`, authority.cert);
  Deno.writeTextFileSync(`${path}/ca.key`, authority.key);
  Deno.writeTextFileSync(
    `${path}/extensions`,
    `basicConstraints=critical,CA:FALSE\nkeyUsage=critical,digitalSignature\nsubjectAltName=${names}\n`,
  );
  await openssl(
    path,
    ...["req", "-newkey", "ed25519", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", "/CN=a test"],
  );
  await openssl(
    path,
    ...["x509", "-req", "-in", "request.pem", "-CA", "ca.pem", "-CAkey", "ca.key", "-set_serial", "77"],
    ...["-extfile", "extensions", "-days", "30", "-out", "cert.pem"],
  );
  return read(path);
}

function read(folder: string): Credentials {
  return {
    cert: Deno.readTextFileSync(`${folder}/cert.pem`),
    key: Deno.readTextFileSync(`${folder}/key.pem`),
  };
}
