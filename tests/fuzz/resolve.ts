/**
 * Invariant: what a person types either resolves to where a shell that begins
 * in the same folder would go, and that is the shared folder or lies inside it,
 * or is refused: with `outside-root` wherever the way leads above the shared
 * folder, and never where all names on the way are ordinary and it does not.
 *
 * @module
 */

import { posix } from "node:path";
import { parseRemotePath, resolveRemotePath, ROOT, splitPath } from "../../src/protocol/path.ts";
import { fc } from "../deps.ts";
import { outcomeOf } from "../protocol/outcome.ts";
import { ordinaryName, ordinaryPath, pathLike, pathRules } from "./arbitraries.ts";
import { checkInside, isOrdinaryPath } from "./name.ts";
import { assertSame, target } from "./target.ts";

const folder = fc.oneof(
  fc.constant(ROOT),
  ordinaryPath.map((path) => parseRemotePath(path)),
);

const typedPath = fc.oneof(
  pathLike,
  fc.array(
    fc.oneof(fc.constantFrom("..", "..", ".", "", "..."), ordinaryName),
    { maxLength: 8 },
  ).map((names) => names.join("/")),
);

const resolve = target(
  "P1 typed paths lead where a shell would go, or nowhere",
  fc.tuple(folder, typedPath, pathRules),
  ([folder, typed, rules]) => {
    const outcome = outcomeOf(() => resolveRemotePath(folder, typed, rules));
    if (leadsOutside(folder, typed)) {
      assertSame(outcome, { error: "outside-root" });
      return;
    }
    const destination = posix.resolve(`/${folder}`, typed).slice(1);
    if (destination === "" || isOrdinaryPath(destination, rules)) {
      assertSame(outcome, { value: destination });
      if (destination !== "") checkInside(destination);
    } else {
      assertSame("error" in outcome, true);
    }
  },
);

/** Whether a way leads above the shared folder, be it for one step. */
function leadsOutside(folder: string, typed: string): boolean {
  const whole = typed.startsWith("/") ? typed : `${folder}/${typed}`;
  let depth = 0;
  for (const name of whole.split("/")) {
    if (name === "..") depth--;
    else if (name !== "" && name !== ".") depth++;
    if (depth < 0) return true;
  }
  return false;
}

const split = target(
  "splitPath() parts a path into what joins to it again",
  ordinaryPath,
  (text) => {
    const { folder, name } = splitPath(parseRemotePath(text));
    assertSame(name.includes("/"), false);
    assertSame(folder === ROOT ? name : `${folder}/${name}`, text);
  },
);

/** The targets of what is made of paths. */
export const resolveTargets = [resolve, split] as const;
