/**
 * A program for `change_races_test.ts`: in the folder of its first argument it
 * makes `tree/sub` again and again, and puts a link to its second argument in
 * the place of `sub`, as fast as it can, until it is ended.
 *
 * @module
 */

const [folder = "", target = ""] = Deno.args;

console.log(JSON.stringify("ready"));
for (;;) {
  // Whoever removes the tree meanwhile is the other side of the race.
  try {
    Deno.mkdirSync(`${folder}/tree/sub`, { recursive: true });
    Deno.writeTextFileSync(`${folder}/tree/sub/a.txt`, "inside");
    Deno.renameSync(`${folder}/tree/sub`, `${folder}/tree/real`);
    Deno.symlinkSync(target, `${folder}/tree/sub`);
    Deno.removeSync(`${folder}/tree/sub`);
  } catch {
    continue;
  }
}
