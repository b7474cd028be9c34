/**
 * Our client with the server in Python, which was written from the protocol's
 * text alone.
 *
 * @module
 */

import type { Client, ConnectOptions, ErrorCode } from "../../mod.ts";
import { list, openSession, QUICK, SHORT } from "../client/session.ts";
import { assert, assertEquals } from "../deps.ts";
import { type TempFolder, tempFolder, temporaries } from "../helpers.ts";
import { forAll, PATIENCE_MS, timed } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { ALL, assertContent, assertFiles, type Sizes, SMALL, writeFiles } from "./files.ts";
import { PythonServer, pythonTest } from "./python.ts";

/** A server in Python, its folder, and one beside it for the client. */
interface Peer extends AsyncDisposable {
  readonly server: PythonServer;
  readonly shared: string;
  readonly local: string;
}

async function startPeer(...options: string[]): Promise<Peer> {
  await using stack = new AsyncDisposableStack();
  const shared: TempFolder = stack.use(tempFolder());
  const local: TempFolder = stack.use(tempFolder());
  const server = stack.use(await PythonServer.start(shared.path, ...options));
  const open = stack.move();
  return {
    server,
    shared: shared.path,
    local: local.path,
    [Symbol.asyncDispose]: () => open.disposeAsync(),
  };
}

/** What our client is told of the exchange: nothing, so that its first header has a sign; or to speak plain. */
type Told = Pick<ConnectOptions, "mode">;

/** Registers a test for a client that is told nothing, and for one that is told to speak plain. */
function bothWays(name: string, run: (told: Told) => Promise<void>): void {
  pythonTest(`${name} (told nothing)`, () => run({}));
  pythonTest(`${name} (told plain)`, () => run({ mode: "plain" }));
}

const MANNERS: Readonly<Record<string, readonly [readonly string[], Sizes]>> = {
  "as the text has it": [[], ALL],
  "pads with spaces before": [["--pad=space-left"], SMALL],
  "pads with spaces after": [["--pad=space-right"], SMALL],
  "writes a plus before its numbers": [["--pad=plus"], SMALL],
  "sends sizes with what follows": [["--coalesce"], ALL],
  "sends byte by byte": [["--byte-at-a-time"], SMALL],
  "names its ports before it listens": [["--port-before-listen=0.02"], SMALL],
  "hangs after quit until somebody comes": [["--hang-after-quit"], SMALL],
  "has no port after quit": [["--no-port-after-quit"], SMALL],
  "drops whoever signs commands": [["--drop-signed"], SMALL],
  "drops whoever signs commands, but signs its own numbers": [["--drop-signed", "--pad=plus"], SMALL],
  "sends numbers with a plus byte by byte": [["--pad=plus", "--byte-at-a-time"], SMALL],
  "sends numbers with spaces byte by byte": [["--pad=space-right", "--byte-at-a-time"], SMALL],
  "names ports with a plus before it listens": [["--pad=plus", "--port-before-listen=0.02"], SMALL],
};

for (const [manner, [options, sizes]] of Object.entries(MANNERS)) {
  bothWays(`connect() works with a server that ${manner}`, async (told) => {
    await using peer = await startPeer(...options);
    const { server, shared, local } = peer;
    writeFiles(shared, sizes);
    Deno.mkdirSync(`${shared}/sub`);
    Deno.mkdirSync(`${local}/down`);
    writeFiles(local, sizes);
    const names = Object.keys(sizes);
    const commands = [
      "ls",
      ...names.map((name) => `get ${name}`),
      ...names.map((name) => `put sub/${name}`),
      ...["get missing", "ls sub", "quit"],
    ];
    {
      await using session = await openSession(server.port, told);
      const { client } = session;
      assertEquals((await list(client)).sort(), [...names, "sub/"].sort());
      for (const name of names) await client.download(name, `${local}/down/${name}`);
      for (const name of names) await client.upload(`${local}/${name}`, `sub/${name}`);
      await assertFails(client.get("missing"), "not-found");
      assertEquals((await list(client, "sub")).sort(), names.toSorted());
    }
    assertFiles(`${local}/down`, sizes);
    assertFiles(`${shared}/sub`, sizes);
    const signs = told.mode === undefined;
    const isDropped = signs && options.includes("--drop-signed");
    if (isDropped) {
      const { header, outcome } = await server.next();
      assertEquals([header, outcome], ["+000000002", "signed"]);
    }
    const reports = await server.take(options.includes("--no-port-after-quit") ? commands.length - 1 : commands.length);
    assertEquals(
      reports.map(({ command, outcome }) => `${command}: ${outcome}`),
      commands.slice(0, reports.length).map((one) => `${one}: ${one === "get missing" ? "missing" : "ok"}`),
    );
    // NEG-1, NEG-3: a sign before the very first command and nowhere else.
    assertEquals(reports[0]?.header, signs && !isDropped ? "+000000002" : "0000000002");
    for (const { header } of reports.slice(1)) assert(/^\d{10}$/.test(header ?? ""), header);
    for (const { size_header } of reports) assert(/^\d{10}$|^$/.test(size_header ?? ""), size_header);
  });
}

/** Fetches and sends a file; how each failed. */
async function failBoth(peer: Peer, told: Told, limits = QUICK): Promise<Record<"get" | "put", ErrorCode>> {
  const attempt = async (run: (client: Client) => Promise<unknown>) => {
    await using session = await openSession(peer.server.port, { ...told, limits });
    await run(session.client);
  };
  const { local, shared } = peer;
  writeFiles(shared, { here: SIZE });
  writeFiles(local, { up: SIZE });
  const [get, put] = await Promise.all([
    failureOf(attempt((client) => client.download("here", `${local}/down`))),
    failureOf(attempt((client) => client.upload(`${local}/up`, "new"))),
  ]);
  assertFiles(local, { up: SIZE });
  assertFiles(shared, { here: SIZE });
  assertEquals(temporaries(local), []);
  return { get: get.code, put: put.code };
}

const SIZE = 1_000_000;

/** Where the server leaves, or falls silent. The last two it reaches only while it sends or takes a body. */
const STEPS = [
  ...["after-accept", "after-command", "in-port", "after-port", "after-data-accept"],
  ...["in-data-header", "after-data-header", "in-body", "before-last-byte"],
];

const LEAVINGS: readonly ErrorCode[] = ["connect", "disconnected", "not-found", "denied"];

for (const manner of [[], ["--reset"]]) {
  const how = manner.length === 0 ? "closes" : "resets";
  bothWays(`K5 connect() fails and keeps nothing with a server that ${how} at any step`, async (told) => {
    await forAll(STEPS, async (step) => {
      await using peer = await startPeer(`--close-at=${step}`, ...manner);
      const codes = await failBoth(peer, told);
      assert(LEAVINGS.includes(codes.get) && LEAVINGS.includes(codes.put), `${step}: ${JSON.stringify(codes)}`);
    });
  });
}

bothWays("K7 connect() times out with a server that is silent at any step", async (told) => {
  await forAll(STEPS, async (step) => {
    await using peer = await startPeer(`--silent-at=${step}`);
    assertEquals(await failBoth(peer, told, SHORT), { get: "timeout", put: "timeout" }, step);
  });
});

bothWays("K6 connect() keeps nothing of a server that sends more than it announced", async (told) => {
  for (const extra of [1, 200_000]) {
    await using peer = await startPeer(`--extra=${extra}`);
    writeFiles(peer.shared, { a: 10 });
    await using session = await openSession(peer.server.port, { ...told, limits: QUICK });
    await assertFails(session.client.download("a", `${peer.local}/a`), "protocol");
    await assertFails(list(session.client), "protocol");
    assertFiles(peer.local, {});
  }
});

bothWays("K3 connect() keeps nothing of a server whose sizes are none", async (told) => {
  await forAll(["abcdefghij", "-000000005", "0x00000005", "          "], async (header) => {
    await using peer = await startPeer(`--bad-header=${header}`);
    writeFiles(peer.shared, { a: 10 });
    await using session = await openSession(peer.server.port, { ...told, limits: QUICK });
    await assertFails(session.client.download("a", `${peer.local}/a`), "protocol");
    await assertFails(list(session.client), "protocol");
    assertFiles(peer.local, {});
  });
});

bothWays("K2 connect() fails with a server whose ports are none", async (told) => {
  await forAll(["abcdefghij", "0000000000", "0000065536"], async (port) => {
    await using peer = await startPeer(`--bad-port=${port}`);
    assertEquals(await failBoth(peer, told), { get: "protocol", put: "protocol" });
  });
});

bothWays("connect() takes size zero for missing when it was told to", async (told) => {
  await using peer = await startPeer("--zero-for-missing");
  const { server, local } = peer;
  writeFiles(peer.shared, { a: 10 });
  {
    await using wise = await openSession(server.port, { ...told, zeroIsMissing: true });
    await assertFails(wise.client.download("missing", `${local}/none`), "not-found");
    await wise.client.download("a", `${local}/a`);
  }
  await using other = await openSession(server.port, told);
  await other.client.download("missing", `${local}/empty`);
  assertFiles(local, { a: 10, empty: 0 });
});

bothWays("Client.upload() fails with denied when the server refuses, and the session goes on", async (told) => {
  await using peer = await startPeer();
  writeFiles(peer.shared, { a: 10, sub: 0 });
  writeFiles(peer.local, { b: 20 });
  await using session = await openSession(peer.server.port, { ...told, limits: QUICK });
  const { client } = session;
  for (const name of ["a", "missing/a", "sub/a"]) {
    await assertFails(client.upload(`${peer.local}/b`, name), "denied");
  }
  await client.upload(`${peer.local}/b`, "b");
  assertFiles(peer.shared, { a: 10, sub: 0, b: 20 });
});

bothWays("Client.upload() replaces a file where the server does", async (told) => {
  await using peer = await startPeer("--overwrite");
  writeFiles(peer.shared, { a: 10 });
  writeFiles(peer.local, { a: 20 });
  await using session = await openSession(peer.server.port, told);
  await session.client.upload(`${peer.local}/a`, "a");
  assertContent(`${peer.shared}/a`, 20);
});

bothWays("K1 Client.list() gives whatever a server lists, and a last line without its end", async (told) => {
  const bodies = [
    ["../x\n/etc/passwd\n\x1b[2J\n", ["../x", "/etc/passwd", "\x1b[2J"]],
    ["a\nb/\nc", ["a", "b/", "c"]],
    ["\n\n/\na\r\n", ["a\r"]],
    ["", []],
  ] as const;
  using folder = tempFolder();
  const path = `${folder.path}/listing`;
  Deno.writeTextFileSync(path, "");
  await using peer = await startPeer(`--listing=${path}`);
  await using session = await openSession(peer.server.port, told);
  for (const [body, names] of bodies) {
    Deno.writeTextFileSync(path, body);
    assertEquals(await list(session.client), [...names]);
  }
});

bothWays("Client.close() leaves no server waiting that hangs after quit", async (told) => {
  await using peer = await startPeer("--hang-after-quit");
  await using session = await openSession(peer.server.port, told);
  assertEquals(await list(session.client), []);
  const tookMs = await timed(() => session.client.close(), PATIENCE_MS, "close()");
  assert(tookMs < 1_000, `${tookMs} ms`);
  const reports = await peer.server.take(2);
  assertEquals(reports.map(({ command, outcome }) => [command, outcome]), [["ls", "ok"], ["quit", "ok"]]);
});
