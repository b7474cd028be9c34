/**
 * Tests that a random history of several clients whose operations overlap, are
 * aborted and cut off, has an explanation: a model of what each name may have.
 *
 * @module
 */

import { assertEquals, assertMatch, fc } from "../deps.ts";
import { temporaries } from "../helpers.ts";
import { quickFolder } from "../store/places.ts";
import { within } from "../net/deadline.ts";
import { SOAK } from "../server/test_bed.ts";
import { openBed, tell } from "./bed.ts";
import { History } from "./history.ts";
import { NAMES, STEPS } from "./history_commands.ts";
import { Scene } from "./scene.ts";

const RUNS = SOAK ? 600 : 25;
const MAX_STEPS = SOAK ? 120 : 60;

Deno.test("History explains a read by what was written, and by nothing that was replaced before it", () => {
  const isVersion = (version: number) => (value: unknown) => value === version;
  const history = new History();
  history.write("a", 1).done();
  const second = history.write("a", 2);
  const begin = history.now();
  history.read("a", begin, "1", isVersion(1));
  history.read("a", begin, "2", isVersion(2));
  second.done();
  assertEquals(history.unexplained(), []);
  history.read("a", begin, "1 still", isVersion(1));
  assertEquals(history.unexplained(), []);
  history.read("a", history.now(), "1 again", isVersion(1));
  history.read("a", history.now(), "3", isVersion(3));
  assertEquals(history.unexplained().length, 2);
});

Deno.test("History follows a value to the name that it was moved to", () => {
  const history = new History();
  history.write("a", 1).done();
  history.move("a", "b").done();
  history.read("b", history.now(), "1", (value) => value === 1);
  history.read("a", history.now(), "absent", (value) => value === "absent");
  assertEquals(history.unexplained(), []);
  history.read("a", history.now(), "1", (value) => value === 1);
  history.read("b", history.now(), "absent", (value) => value === "absent");
  assertEquals(history.unexplained().length, 2);
});

Deno.test("History takes what was aborted for possible until it is known to be over", () => {
  const history = new History();
  const end = history.write("a", 1).unknown();
  history.write("a", 2).done();
  history.read("a", history.now(), "1", (value) => value === 1);
  assertEquals(history.unexplained(), []);
  end();
  history.write("a", 3).done();
  history.read("a", history.now(), "1", (value) => value === 1);
  history.read("a", history.now(), "absent", (value) => value === "absent");
  assertEquals(history.unexplained().length, 2);
});

const totals: Record<string, number> = {};

/** Runs a history, lets all end, and looks at what there is. */
async function runHistory(steps: Iterable<fc.AsyncCommand<object, Scene>>): Promise<void> {
  await using bed = await openBed({ makeFolder: quickFolder });
  const history = new History();
  await using scene = await Scene.open(bed, history);
  await fc.asyncModelRun(() => ({ model: {}, real: scene }), steps);
  await scene.endAll();
  // What was cut off may still go on for a moment.
  await within(bed.server.shutdown(), 5_000, "the end of the server");
  for (const name of NAMES) {
    const begin = history.now();
    const content = await within(readWhole(`${bed.root}/${name}`), 1_000, "a file");
    const shown = content === undefined ? "absent" : scene.versionOf(content);
    history.read(name, begin, `${shown} at the end`, (value) => value === shown);
  }
  assertEquals(history.unexplained(), [], String(history));
  // Of what was cut off a part may be kept.
  for (const left of temporaries(bed.root)) assertMatch(left, /^\.tandem-[abc]\.partial$/);
  for (const [word, count] of Object.entries(scene.outcomes)) totals[word] = (totals[word] ?? 0) + count;
}

async function readWhole(path: string): Promise<Uint8Array | undefined> {
  try {
    return await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

Deno.test(`Q5 every one of ${RUNS} random histories of overlapping operations has an explanation`, async () => {
  const seed = SOAK ? Date.now() & 0x7fffffff : 2121;
  const histories = fc.asyncProperty(fc.commands(STEPS, { size: "max", maxCommands: MAX_STEPS }), runHistory);
  await fc.assert(histories, { numRuns: RUNS, seed, endOnFailure: true });
  tell(`${RUNS} histories, seed ${seed}: ${JSON.stringify(totals)}`);
});
