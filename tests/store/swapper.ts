/**
 * A program for `jail_test.ts`: in the folder of its first argument it lets
 * `sub` be by turns what it was and a link to its second argument, as fast as
 * it can, until it is ended.
 *
 * @module
 */

const [folder = "", target = ""] = Deno.args;

Deno.symlinkSync(target, `${folder}/.link`);
console.log(JSON.stringify("ready"));
for (;;) {
  Deno.renameSync(`${folder}/sub`, `${folder}/.real`);
  Deno.renameSync(`${folder}/.link`, `${folder}/sub`);
  Deno.renameSync(`${folder}/sub`, `${folder}/.link`);
  Deno.renameSync(`${folder}/.real`, `${folder}/sub`);
}
