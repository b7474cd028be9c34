/**
 * A program for `jail_test.ts`: in the folder that it is given it replaces the
 * file `sub` by another one of the same content, as fast as it can, until it is
 * ended.
 *
 * @module
 */

const [folder = ""] = Deno.args;

console.log(JSON.stringify("ready"));
for (;;) {
  Deno.writeTextFileSync(`${folder}/.next`, "inside");
  Deno.renameSync(`${folder}/.next`, `${folder}/sub`);
}
