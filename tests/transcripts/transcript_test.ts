/**
 * Tests of the transcripts' own machinery: that what is not as written fails.
 *
 * @module
 */

import { assertEquals, AssertionError, assertRejects, assertStringIncludes, assertThrows } from "../deps.ts";
import { runClientTranscript } from "./client_run.ts";
import { runServerTranscript } from "./server_run.ts";
import { assertFinished, bytesOfLine, linesOf, type Transcript } from "./transcript.ts";

function transcript(...lines: string[]): Transcript {
  return { id: "test", cites: [], about: "a test", lines };
}

Deno.test("linesOf() takes lines apart, line feeds and all", () => {
  const [first, second] = linesOf(transcript("C> 0000000002ls", "D connects"));
  assertEquals(first, { text: "C> 0000000002ls", who: "C", way: ">", what: "0000000002ls" });
  assertEquals(second, { text: "D connects", who: "D", way: "", what: "connects" });
  assertEquals(linesOf(transcript("D< a\nb\n"))[0]?.what, "a\nb\n");
  assertThrows(() => linesOf(transcript("nonsense")), TypeError, "no line");
});

Deno.test("bytesOfLine() repeats what stands in braces", () => {
  assertEquals(new TextDecoder().decode(bytesOfLine("a{x*3}b{ *2}")), "axxxb  ");
});

Deno.test("assertFinished() fails when a session or a connection is left open", () => {
  const whole = ["C> 0000000002ls", "C< PORT", "D connects", "D< EOF", "C> EOF", "C< EOF"];
  assertFinished(transcript(...whole), "<");
  assertThrows(() => assertFinished(transcript(...whole.slice(0, -1)), "<"), AssertionError, "session open");
  const open = whole.filter((line) => line !== "D< EOF");
  assertThrows(() => assertFinished(transcript(...open), "<"), AssertionError, "connection open (line 3)");
  const twice = ["D connects", ...whole.slice(2)];
  assertThrows(() => assertFinished(transcript(...twice), "<"), AssertionError, "(line 1)");
});

const FAILURES: Readonly<Record<string, readonly [readonly string[], string]>> = {
  "another byte than comes": [["C> 0000000002ls", "C< PORT", "D connects", "D< 0000000001"], "-   D< 0000000000"],
  "an end where bytes come": [["C> 0000000002ls", "C< PORT", "D connects", "D< EOF"], "0 and then silence|-   D< 0"],
  "bytes where the end comes": [["C> 0x00000002", "C< PORT"], '"EOF" is no port'],
  "a refusal where somebody listens": [["C> 0000000002ls", "C< PORT", "D is refused"], "-   D connects"],
};

for (const [what, [lines, says]] of Object.entries(FAILURES)) {
  Deno.test(`runServerTranscript() fails and shows the difference when a transcript has ${what}`, async () => {
    const { message } = await assertRejects(
      () => runServerTranscript(transcript(...lines), "whole"),
      AssertionError,
    );
    // deno-lint-ignore no-control-regex
    assertMatchAny(message.replaceAll(/\x1b\[\d+m/g, ""), says.split("|"));
  });
}

Deno.test("runServerTranscript() fails when the folder is not as it should be", async () => {
  const put = transcript("C> 0000000005put a", "C< PORT", "D connects", "D> 0000000000", "D> EOF", "D< EOF");
  await runServerTranscript({ ...put, after: { a: "" } }, "whole");
  await assertRejects(() => runServerTranscript(put, "whole"), AssertionError);
});

Deno.test("runClientTranscript() fails when the client sends or comes to something else", async () => {
  const quits = ["client quits", "C> 0000000004quit", "C< EOF", "C> EOF", "result closed"];
  await runClientTranscript(transcript(...quits), "whole");
  for (const [index, wrong] of ["", "C> 0000000004QUIT", "", "C> 0000000002ls", "result sent 0"].entries()) {
    if (wrong === "") continue;
    await assertRejects(
      () => runClientTranscript(transcript(...quits.with(index, wrong)), "whole"),
      AssertionError,
    );
  }
});

function assertMatchAny(text: string, wanted: readonly string[]): void {
  if (!wanted.some((one) => text.includes(one))) assertStringIncludes(text, wanted[0] ?? "");
}
