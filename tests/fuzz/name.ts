/**
 * Invariant: `parseRemotePath()` takes exactly what a plain description of the
 * rules takes, changes no letter of it and takes it again. Joined to a folder
 * in the most careless way and normalized, a path that was taken lies strictly
 * inside that folder, on Unix as on Windows. `isServableName()` agrees with it
 * on every single name. Nothing is thrown but TandemErrors.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { posix, win32 } from "node:path";
import { isServableName, parseRemotePath, type PathRules } from "../../src/protocol/path.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { pathLike, pathRules } from "./arbitraries.ts";
import { assertSame, target } from "./target.ts";

const accepted = target(
  "P1 paths are taken exactly as the rules say",
  fc.tuple(pathLike, pathRules),
  ([path, rules]) => {
    const outcome = outcomeOf(() => parseRemotePath(path, rules));
    if (isOrdinaryPath(path, rules)) {
      assertSame("value" in outcome && outcome.value, path);
    } else {
      const code = "error" in outcome ? outcome.error : "none";
      assertSame(/^(?:outside-root|denied|bad-request)$/.test(code), true);
    }
    for (const name of path.split("/")) {
      assertSame(isServableName(name, rules), isOrdinaryName(name, rules));
    }
  },
);

const inside = target(
  "P1 paths that are taken stay inside the shared folder",
  fc.tuple(pathLike, pathRules),
  ([path, rules]) => {
    const outcome = outcomeOf(() => parseRemotePath(path, rules));
    if ("value" in outcome) checkInside(outcome.value);
  },
);

/** Throws unless a path, joined without any care, lies strictly inside, and is printable. */
export function checkInside(path: string): void {
  const onUnix = posix.normalize(`/srv/shared/${path}`);
  assertSame(onUnix, `/srv/shared/${path}`);
  assertSame(onUnix.length > "/srv/shared/".length, true);
  const onWindows = win32.normalize(`C:\\shared\\${path}`);
  assertSame(onWindows, `C:\\shared\\${path.replaceAll("/", "\\")}`);
  // deno-lint-ignore no-control-regex
  assertSame(/[\0-\x1f\x7f-\x9f\\]/.test(path), false);
}

/** The rules for a path, described once more. */
export function isOrdinaryPath(path: string, rules: PathRules): boolean {
  return path.split("/").every((name) => isOrdinaryName(name, rules));
}

function isOrdinaryName(name: string, rules: PathRules): boolean {
  return !["", ".", ".."].includes(name) &&
    !/[\p{Cc}\p{Cs}\ufffd\\/]/u.test(name) &&
    Buffer.byteLength(name) <= 255 &&
    !/^\.tandem-/i.test(name) &&
    !(rules.create && /\p{Bidi_Control}/u.test(name)) &&
    !(rules.windows && isReservedOnWindows(name));
}

const DEVICES = new Set(
  ["con", "prn", "aux", "nul", "conin$", "conout$"].concat(
    [..."0123456789\u00b9\u00b2\u00b3"].flatMap((digit) => [
      `com${digit}`,
      `lpt${digit}`,
    ]),
  ),
);

function isReservedOnWindows(name: string): boolean {
  if (/[<>:"|?*]/.test(name) || /[. ]$/.test(name)) return true;
  // A device stays one with a suffix, and with spaces before that.
  const [base = ""] = name.split(".");
  const small = base.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
  return DEVICES.has(small.replace(/ +$/, ""));
}

/** The targets of names. */
export const nameTargets = [accepted, inside] as const;
