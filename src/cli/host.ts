/**
 * `HOST`, `HOST:PORT`, `[IPV6]:PORT` and `tandem://HOST:PORT/PATH`.
 *
 * @module
 */

import { DEFAULT_PORT } from "../../mod.ts";
import { usage } from "./flags.ts";

/** Where to connect. */
export interface Target {
  /** The name or address. */
  readonly hostname: string;
  /** The control port. */
  readonly port: number;
  /** The remote folder to begin in; `""` is the shared one. */
  readonly path: string;
}

/**
 * Reads a host as it was typed.
 *
 * @param portFlag the port that was given apart from it.
 * @param otherwise the port where none of both says one.
 * @throws {TandemError} `usage` if it is none, or the two ports differ.
 */
export function parseHost(typed: string, portFlag: number | undefined, otherwise = DEFAULT_PORT): Target {
  const isUrl = typed.startsWith("tandem://");
  const slash = isUrl ? typed.indexOf("/", "tandem://".length) : -1;
  const host = isUrl ? typed.slice("tandem://".length, slash < 0 ? undefined : slash) : typed;
  const path = slash < 0 ? "" : decodePath(typed.slice(slash));
  // More than one colon without brackets is an IPv6 address without a port.
  const bare = /^[0-9a-f]*(?::[0-9a-f.]*){2,}(?:%\w+)?$/i.test(host) && !/^[0-9.]+:[0-9]+:[0-9]+$/.test(host);
  const match = bare ? null : /^(?:\[([^\]]+)\]|([^:[\]]*))(?::([0-9]{1,5}))?$/.exec(host);
  // Not shown: what stands there may be a secret.
  if (host.includes("@")) {
    throw usage("a host has no user and no password", "HOST, HOST:PORT, or --secret-file for a secret");
  }
  const hostname = bare ? host : match?.[1] ?? match?.[2] ?? "";
  if (hostname === "" || /[\s/@]/.test(hostname)) {
    throw usage(
      `"${typed}" is no host`,
      "HOST, HOST:PORT, [IPV6]:PORT or tandem://HOST:PORT/PATH",
    );
  }
  const typedPort = match?.[3] === undefined ? undefined : Number(match[3]);
  if (typedPort !== undefined && (typedPort < 1 || typedPort > 65_535)) {
    throw usage(`${typedPort} is no port: 1 to 65535`);
  }
  if (
    typedPort !== undefined && portFlag !== undefined && typedPort !== portFlag
  ) {
    throw usage(`two ports were given: ${typedPort} and ${portFlag}`);
  }
  return { hostname, port: typedPort ?? portFlag ?? otherwise, path };
}

function decodePath(path: string): string {
  try {
    return decodeURIComponent(path);
  } catch {
    throw usage(`"${path}" is no path of a URL`);
  }
}

/** Whether only this machine can be meant by an address. */
export function isLoopback(hostname: string): boolean {
  return hostname === "localhost" || hostname === "::1" ||
    /^127(\.[0-9]{1,3}){3}$/.test(hostname);
}
