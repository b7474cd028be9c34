/**
 * The tasks of `deno.json`, to be run by tests with another place for what they
 * make.
 *
 * @module
 */

import { PROJECT } from "./program.ts";

/** The words behind `deno` of a task that makes one file, with `output` in the place of its own. */
export function taskWords(name: string, output: string): string[] {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${PROJECT}deno.json`));
  const [deno, ...words] = String(tasks[name].command).split(" ");
  const at = words.indexOf("-o");
  if (deno !== "deno" || at < 0) throw new Error(`the task "${name}" is no deno command with -o`);
  return words.with(at + 1, output);
}
