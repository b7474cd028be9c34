/**
 * Our server with the client in Python, which was written from the protocol's
 * text alone.
 *
 * @module
 */

import { assert, assertEquals } from "../deps.ts";
import { serveForTest, survives, tempFolder } from "../helpers.ts";
import { ALL, assertContent, assertFiles, FEW, type Sizes, SMALL, writeFiles } from "./files.ts";
import { forAll } from "../net/deadline.ts";
import { pythonTest, runPythonClient } from "./python.ts";

const MANNERS: Readonly<Record<string, readonly [readonly string[], Sizes]>> = {
  "as the text has it": [[], ALL],
  "pads with spaces before": [["--pad=space-left"], FEW],
  "pads with spaces after": [["--pad=space-right"], FEW],
  "sends headers with what follows": [["--coalesce"], ALL],
  "pauses after headers": [["--split"], FEW],
  "sends byte by byte": [["--byte-at-a-time"], SMALL],
  "half-closes after a put": [["--half-close"], FEW],
  "is late for the data port": [["--delay-data=0.03"], FEW],
  "goes without quit": [["--no-quit"], FEW],
};

for (const [manner, [options, sizes]] of Object.entries(MANNERS)) {
  pythonTest(`serve() serves a client that ${manner}`, async () => {
    using shared = tempFolder();
    using local = tempFolder();
    const names = Object.keys(sizes);
    writeFiles(shared.path, sizes);
    // The program takes no colon in a local name.
    writeFiles(local.path, Object.fromEntries(Object.values(sizes).map((size, i) => [`up${i}`, size])));
    Deno.mkdirSync(`${shared.path}/sub`);
    await using server = serveForTest(shared.path);
    const commands = [
      "ls",
      ...names.map((name, i) => `get=${name}:${local.path}/down${i}`),
      ...names.map((name, i) => `put=${local.path}/up${i}:sub/${name}`),
      ...["ls=sub", "get=missing:/dev/null", "raw=GET x", "ls"],
    ];
    const reports = await runPythonClient(server.addr.port, ...options, "--", ...commands);
    const quits = options.includes("--no-quit") ? [] : ["ok"];
    assertEquals(
      reports.map(({ outcome }) => outcome),
      [...commands.map((command) => /missing|raw/.test(command) ? "no-header" : "ok"), ...quits],
    );
    assertEquals(linesOf(reports[0]?.text), [...names, "sub/"].sort());
    assertEquals(linesOf(reports[1 + 2 * names.length]?.text), names.toSorted());
    for (const [i, size] of Object.values(sizes).entries()) {
      assertContent(`${local.path}/down${i}`, size);
    }
    assertFiles(`${shared.path}/sub`, sizes);
  });
}

const STEPS = [
  ...["after-connect", "in-command-header", "after-command-header", "in-command", "after-command"],
  ...["after-port", "after-data-connect", "in-data-header", "after-data-header", "in-body", "after-body"],
];

const RESET_STEPS = ["in-command", "after-command", "after-port", "after-data-connect", "in-body", "after-body"];

for (const reset of [false, true]) {
  pythonTest(`serve() survives a client that ${reset ? "resets" : "closes"} at any step`, async () => {
    using shared = tempFolder();
    using local = tempFolder();
    writeFiles(shared.path, { a: 100_000 });
    writeFiles(local.path, { a: 100_000 });
    await using server = serveForTest(shared.path, { limits: { orphanGraceMs: 100 } });
    const { port } = server.addr;
    const manner = reset ? ["--reset"] : [];
    await survives(server, shared.path, async () => {
      await forAll(reset ? RESET_STEPS : STEPS, async (step) => {
        const options = [...manner, `--close-at=${step}`];
        const runs = await Promise.all([
          runPythonClient(port, ...options, "ls", `get=a:${local.path}/${step}`),
          runPythonClient(port, ...options, "ls", `put=${local.path}/a:put-${step}`),
        ]);
        for (const [first, last] of runs) {
          assertEquals([first?.outcome, last?.outcome, last?.at], ["ok", "dropped", step]);
        }
      });
    });
    await server.shutdown();
    const stored = [...Deno.readDirSync(shared.path)].map(({ name }) => name).sort();
    // Whoever closes after the last byte has sent a whole file.
    if (!reset || stored.length > 1) assertEquals(stored, ["a", "put-after-body"]);
    for (const name of stored) assertContent(`${shared.path}/${name}`, 100_000);
  });
}

pythonTest("D6 serve() stores nothing of a client that puts more than it announced", async () => {
  using shared = tempFolder();
  using local = tempFolder();
  writeFiles(shared.path, { old: 10 });
  writeFiles(local.path, { a: 1_000 });
  await using server = serveForTest(shared.path);
  for (const extra of [1, 70_000]) {
    const put = (name: string) => `put=${local.path}/a:${name}`;
    const reports = await runPythonClient(server.addr.port, `--extra=${extra}`, put("new"), put("old"), "ls");
    assertEquals(reports.at(-2)?.text, "old\n");
    assertEquals(reports.at(-1)?.outcome, "ok");
  }
  assertFiles(shared.path, { old: 10 });
});

pythonTest("serve() refuses a put so that no client takes it for done", async () => {
  using shared = tempFolder();
  using local = tempFolder();
  writeFiles(shared.path, { old: 10 });
  writeFiles(local.path, { a: 0, b: 100_000 });
  await using readOnly = serveForTest(shared.path, { write: false, overwrite: false });
  await using addOnly = serveForTest(shared.path, { write: true, overwrite: false });
  for (const { addr } of [readOnly, addOnly]) {
    for (const name of ["a", "b"]) {
      const put = `put=${local.path}/${name}:old`;
      const [report, listing] = await runPythonClient(addr.port, put, "ls");
      assert(report?.outcome === "refused" || report?.outcome === "reset", report?.outcome);
      assertEquals(listing?.text, "old\n");
    }
  }
  assertFiles(shared.path, { old: 10 });
});

/** The lines of a listing, in the order of the tests' own. */
function linesOf(text = ""): string[] {
  return text.split("\n").slice(0, -1).sort();
}
