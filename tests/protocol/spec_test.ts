/**
 * Keeps SPEC.md and the vectors together: each sentence with an id is shown by
 * a vector, and no vector cites a sentence that does not exist.
 *
 * @module
 */

import { assertEquals } from "../deps.ts";
import { readScenarios, type Scenario, vectorFiles } from "./vectors.ts";

const SPEC = new URL("../../src/protocol/SPEC.md", import.meta.url);

/** The ids that a text gives to its sentences, in order. */
function sentenceIds(spec: string): string[] {
  return [...spec.matchAll(/\*\*([A-Z]+-\d+)\*\*/g)].map(([, id]) => id ?? "");
}

/** What stands more than once in a list. */
function repeated(list: readonly string[]): string[] {
  return list.filter((one, i) => list.indexOf(one) < i);
}

/** The sentences that no vector cites. */
function uncited(
  ids: readonly string[],
  scenarios: readonly Scenario[],
): string[] {
  const cited = new Set(scenarios.flatMap(({ cites }) => cites));
  return ids.filter((id) => !cited.has(id));
}

/** The vectors that cite nothing, or what is no sentence. */
function astray(
  ids: readonly string[],
  scenarios: readonly Scenario[],
): string[] {
  return scenarios
    .filter(({ cites }) => cites.length === 0 || !cites.every((id) => ids.includes(id)))
    .map(({ id, cites }) => `${id} cites [${cites.join(", ")}]`);
}

const spec = Deno.readTextFileSync(SPEC);
const ids = sentenceIds(spec);
const scenarios = vectorFiles().flatMap(readScenarios);

Deno.test("SPEC.md has at least one vector for each of its ids", () => {
  assertEquals(uncited(ids, scenarios), []);
});

Deno.test("SPEC.md has every id that a vector cites", () => {
  assertEquals(astray(ids, scenarios), []);
});

Deno.test("SPEC.md gives each id once", () => {
  assertEquals(repeated(ids), []);
});

Deno.test("SPEC.md has no marked sentence whose id is malformed", () => {
  assertEquals(ids.length, spec.match(/^- \*\*/gm)?.length);
});

Deno.test("vectors have ids of their own", () => {
  assertEquals(repeated(scenarios.map(({ id }) => id)), []);
});

Deno.test("these checks find what they look for", () => {
  const text = "- **HDR-1** One.\n- **HDR-2** Two.\n- **HDR-1** Again.\n";
  const vectors = [
    { id: "a", cites: ["HDR-1"] },
    { id: "b", cites: ["HDR-1", "HDR-3"] },
    { id: "c", cites: [] },
  ];
  const found = sentenceIds(text);
  assertEquals(found, ["HDR-1", "HDR-2", "HDR-1"]);
  assertEquals(repeated(found), ["HDR-1"]);
  assertEquals(uncited(found, vectors), ["HDR-2"]);
  assertEquals(astray(found, vectors), [
    "b cites [HDR-1, HDR-3]",
    "c cites []",
  ]);
});
