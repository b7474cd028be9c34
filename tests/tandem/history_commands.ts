/**
 * The steps of a random history: operations that begin and are left to
 * themselves, and what becomes of them.
 *
 * @module
 */

import { TandemError } from "../../mod.ts";
import { assert, fc } from "../deps.ts";
import type { Pending } from "./history.ts";
import { CLIENTS, type Outcome, type Scene, SIZES } from "./scene.ts";

/** The names that all is about. */
export const NAMES = ["a", "b", "c"];

type Step = fc.AsyncCommand<object, Scene>;

function step(text: string, run: (scene: Scene) => void | Promise<void>): Step {
  return {
    check: () => true,
    run: async (_, scene) => await run(scene),
    toString: () => text,
  };
}

/** How something ends: `ok`, or the code of its failure, which must be one of these. */
async function wordOf(work: Promise<unknown>, allowed: readonly string[]): Promise<string> {
  try {
    await work;
    return "ok";
  } catch (error) {
    if (!(error instanceof TandemError)) throw error;
    const { code, message } = error;
    // Cut off before the first answer: that is how servers end which speak plain.
    if (code === "unsupported") return "disconnected";
    assert([...allowed, "aborted", "disconnected"].includes(code), `${code}: ${message}`);
    return code;
  }
}

/** Has the history know how a write went. */
function settle(pending: Pending, word: string): Outcome {
  if (word === "aborted" || word === "disconnected") return { word, end: pending.unknown() };
  if (word === "ok") pending.done();
  else pending.refused();
  return { word };
}

function put(scene: Scene, client: number, name: string, size: number, how: "put" | "new" | "resume"): void {
  const { history, bed } = scene;
  const { version, content } = scene.newVersion(size);
  scene.begin(client, how, async (client, signal) => {
    const local = `${bed.folder}/from ${version}`;
    if (how === "resume") Deno.writeFileSync(local, content);
    const pending = history.write(name, version);
    const begin = history.now();
    const putting = how === "resume"
      ? client.upload(local, name, { resume: true, signal })
      : client.put(name, content, { onExist: how === "new" ? "error" : "overwrite", signal });
    const word = await wordOf(putting, how === "new" ? ["exists"] : []);
    if (word === "exists") history.read(name, begin, "something", (value) => value !== "absent");
    return settle(pending, word);
  });
}

function get(scene: Scene, client: number, name: string, toDisk: boolean): void {
  const { history, bed } = scene;
  const { version: number } = scene.newVersion(0);
  scene.begin(client, "get", async (client, signal) => {
    const begin = history.now();
    const local = `${bed.folder}/to ${number}`;
    let content = new Uint8Array();
    const getting = async () => {
      if (toDisk) {
        await client.download(name, local, { signal });
        content = Deno.readFileSync(local);
      } else {
        const { readable } = await client.get(name, { signal });
        content = new Uint8Array(await new Response(readable).arrayBuffer());
      }
    };
    const word = await wordOf(getting(), ["not-found"]);
    if (word === "ok") {
      const version = scene.versionOf(content);
      history.read(name, begin, `version ${version}`, (value) => value === version);
    } else if (word === "not-found") {
      history.read(name, begin, "absent", (value) => value === "absent");
    }
    return { word };
  });
}

function list(scene: Scene, client: number): void {
  const { history } = scene;
  scene.begin(client, "list", async (client, signal) => {
    const begin = history.now();
    const found = new Map<string, number | undefined>();
    const word = await wordOf(
      Array.fromAsync(client.list("/", { signal }), ({ name, size }) => found.set(name, size)),
      [],
    );
    if (word !== "ok") return { word };
    for (const name of NAMES) {
      const size = found.get(name);
      history.read(name, begin, `listed with ${size} bytes`, (value) => scene.sizeOf(value) === size);
    }
    for (const name of found.keys()) assert(NAMES.includes(name), `"${name}" is listed`);
    return { word };
  });
}

function remove(scene: Scene, client: number, name: string): void {
  const { history } = scene;
  scene.begin(client, "remove", async (client, signal) => {
    const pending = history.write(name, "absent");
    const begin = history.now();
    const word = await wordOf(client.remove(name, { signal }), ["not-found"]);
    if (word === "not-found") history.read(name, begin, "absent", (value) => value === "absent");
    return settle(pending, word);
  });
}

function rename(scene: Scene, client: number, from: string, to: string, overwrite: boolean): void {
  const { history } = scene;
  scene.begin(client, "rename", async (client, signal) => {
    const pending = history.move(from, to);
    const begin = history.now();
    const allowed = overwrite ? ["not-found"] : ["not-found", "exists"];
    const word = await wordOf(client.rename(from, to, { overwrite, signal }), allowed);
    if (word === "not-found") history.read(from, begin, "absent", (value) => value === "absent");
    if (word === "exists") history.read(to, begin, "something", (value) => value !== "absent");
    return settle(pending, word);
  });
}

const name = fc.constantFrom(...NAMES);
const client = fc.nat(CLIENTS - 1);
const place = fc.nat(20);
const twoNames = fc.shuffledSubarray(NAMES, { minLength: 2, maxLength: 2 });

/** The steps that there are, those that begin something more often than the others. */
export const STEPS: fc.Arbitrary<Step>[] = [
  fc.tuple(client, name, fc.nat(SIZES.length - 1), fc.constantFrom("put", "put", "new", "resume"))
    .map(([client, name, size, how]) =>
      step(`${client}: ${how} ${name} of ${SIZES[size]}`, (scene) => put(scene, client, name, size, how))
    ),
  fc.tuple(client, name, fc.boolean())
    .map(([client, name, toDisk]) => step(`${client}: get ${name}`, (scene) => get(scene, client, name, toDisk))),
  fc.tuple(client, twoNames, fc.boolean()).map(([client, [from = "a", to = "b"], overwrite]) =>
    step(`${client}: rename ${from} ${to} ${overwrite}`, (scene) => rename(scene, client, from, to, overwrite))
  ),
  fc.tuple(client, name).map(([client, name]) =>
    step(`${client}: remove ${name}`, (scene) => remove(scene, client, name))
  ),
  client.map((client) => step(`${client}: list`, (scene) => list(scene, client))),
  place.map((place) => step(`await ${place}`, (scene) => scene.end(place))),
  place.map((place) => step(`abort ${place}`, (scene) => scene.abort(place))),
  fc.nat(3).map((ms) => step(`go on for ${ms} ms`, () => new Promise((resolve) => setTimeout(resolve, ms)))),
  client.map((client) => step(`${client}: cut`, (scene) => scene.cut(client))),
];
