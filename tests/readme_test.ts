/** What README.md says of flags, commands and versions is what the program says. */

import { helpText } from "../src/cli/help.ts";
import { VERSION } from "../src/cli/version.ts";
import { assertEquals, assertStringIncludes } from "./deps.ts";

const PROJECT = new URL("..", import.meta.url);
const README = Deno.readTextFileSync(new URL("README.md", PROJECT));

for (const topic of ["serve", "connect"]) {
  Deno.test(`README.md has the text of \`help ${topic}\` as it is`, () => {
    assertStringIncludes(README, `\`\`\`text\n${helpText(topic)}\n\`\`\``);
  });
}

Deno.test("deno.json has the version that the program prints", () => {
  const { version } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", PROJECT)));
  assertEquals(version, VERSION);
});

Deno.test("every line of README.md that a test is asked for by is a task of deno.json", () => {
  const { tasks } = JSON.parse(Deno.readTextFileSync(new URL("deno.json", PROJECT)));
  const named = [...README.matchAll(/\btask ([a-z:]+)/g)].map(([, name = ""]) => name);
  assertEquals(named.filter((name) => !(name in tasks)), []);
});
