/**
 * The one function that turns a peer's string into a path, used by both ends,
 * for uploads and downloads alike.
 *
 * A {@linkcode RemotePath} is relative to the shared folder, its components are
 * joined by `/`, and each of them is an ordinary name. The type is branded: a
 * string that has not been through here does not compile where a path is
 * wanted. Nothing is decoded, folded or normalized; what does not fit is refused.
 *
 * @module
 */

import { TandemError } from "../errors.ts";
import { MAX_NAME_BYTES } from "../limits.ts";

/** A path below the shared folder that has been checked; `""` is that folder itself. */
export type RemotePath = string & { readonly checkedPath: true };

/** The shared folder itself. */
export const ROOT = "" as RemotePath;

/** What begins the name of every temporary file, and so no name that a peer may use. */
export const TEMPORARY_PREFIX = ".tandem-";

/** How a path is judged. */
export interface PathRules {
  /** Whether the name is about to be created: then bidirectional controls, which disguise names, are refused too. */
  readonly create?: boolean;
  /** Whether the names must fit Windows, which holds fewer than other systems. */
  readonly windows?: boolean;
}

// What no name may hold: C0, DEL, C1, the replacement character that stands for broken UTF-8.
// deno-lint-ignore no-control-regex
const UNPRINTABLE = /[\u0000-\u001f\u007f-\u009f\ufffd]/;
/** Characters that change the direction of text, and so disguise a name. */
export const BIDI_CONTROLS: RegExp = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/;
const WINDOWS_CHARACTERS = /[<>:"|?*]/;
const WINDOWS_DEVICE = /^(?:con|prn|aux|nul|conin\$|conout\$|(?:com|lpt)[0-9\u00b9\u00b2\u00b3]) *(?:\.|$)/i;

const encoder = new TextEncoder();

/**
 * Checks a path as it stands on the wire.
 *
 * @throws {TandemError} `outside-root` if it is absolute or has a `.`, a `..`
 * or a backslash; `denied` if it names one of our temporary files;
 * `bad-request` if a component is no servable name.
 */
export function parseRemotePath(
  text: string,
  rules: PathRules = {},
): RemotePath {
  if (text === "") {
    throw new TandemError("bad-request", "a name is missing");
  }
  if (text.startsWith("/")) {
    throw new TandemError(
      "outside-root",
      `"${text}" is absolute; names are relative to the shared folder`,
    );
  }
  for (const name of text.split("/")) checkName(name, text, rules);
  return text as RemotePath;
}

/**
 * Resolves what a person typed against the folder they are in: `/` is the
 * shared folder, `.` and `..` work as in a shell, a trailing `/` is dropped.
 *
 * @throws {TandemError} `outside-root` if it leads above the shared folder, and
 * as {@linkcode parseRemotePath}.
 */
export function resolveRemotePath(
  folder: RemotePath,
  typed: string,
  rules: PathRules = {},
): RemotePath {
  const names = typed.startsWith("/") || folder === ROOT ? [] : folder.split("/");
  for (const name of typed.split("/")) {
    if (name === "" || name === ".") continue;
    if (name !== "..") {
      names.push(name);
    } else if (names.pop() === undefined) {
      throw new TandemError(
        "outside-root",
        `"${typed}" leads above the shared folder`,
      );
    }
  }
  return names.length === 0 ? ROOT : parseRemotePath(names.join("/"), rules);
}

/** Whether a single name, as found in a folder, may be listed and served. */
export function isServableName(name: string, rules: PathRules = {}): boolean {
  return !name.includes("/") && nameFault(name, rules) === undefined;
}

/** The folder that a path is in, and its last name; the root has neither. */
export function splitPath(
  path: RemotePath,
): { readonly folder: RemotePath; readonly name: string } {
  const slash = path.lastIndexOf("/");
  return {
    folder: path.slice(0, Math.max(slash, 0)) as RemotePath,
    name: path.slice(slash + 1),
  };
}

function checkName(name: string, whole: string, rules: PathRules): void {
  const fault = nameFault(name, rules);
  if (fault === undefined) return;
  throw new TandemError(fault.code, `"${whole}" is refused: ${fault.reason}`);
}

interface NameFault {
  readonly code: "outside-root" | "denied" | "bad-request";
  readonly reason: string;
}

/** What is wrong with one component, or undefined. */
function nameFault(name: string, rules: PathRules): NameFault | undefined {
  const fault = (
    code: NameFault["code"],
    reason: string,
  ): NameFault => ({ code, reason });
  if (name === "") return fault("bad-request", "it has an empty component");
  if (name === "." || name === "..") {
    return fault("outside-root", `it has the component "${name}"`);
  }
  if (name.includes("\\")) return fault("outside-root", "it has a backslash");
  if (UNPRINTABLE.test(name) || !name.isWellFormed()) {
    return fault("bad-request", "it has a control character or broken UTF-8");
  }
  if (name.length > MAX_NAME_BYTES / 3 && byteLength(name) > MAX_NAME_BYTES) {
    return fault("bad-request", `a name is over ${MAX_NAME_BYTES} bytes`);
  }
  // Without regard to case, because some disks have none.
  if (
    name.slice(0, TEMPORARY_PREFIX.length).toLowerCase() === TEMPORARY_PREFIX
  ) {
    return fault("denied", `names in ${TEMPORARY_PREFIX}* are tandem's own`);
  }
  if (rules.create && BIDI_CONTROLS.test(name)) {
    return fault("bad-request", "it has a text direction control");
  }
  if (rules.windows) return windowsFault(name);
  return undefined;
}

function windowsFault(name: string): NameFault | undefined {
  const reason = WINDOWS_CHARACTERS.test(name)
    ? "Windows does not allow one of its characters"
    : name.endsWith(".") || name.endsWith(" ")
    ? "on Windows no name ends with a dot or a space"
    : WINDOWS_DEVICE.test(name)
    ? "it is a device on Windows"
    : undefined;
  return reason === undefined ? undefined : { code: "bad-request", reason };
}

function byteLength(text: string): number {
  return encoder.encode(text).length;
}
