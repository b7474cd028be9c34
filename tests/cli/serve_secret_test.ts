/**
 * `serve` with a secret or a certificate of its own: where it listens, what it
 * refuses to begin with, what it tells people to type, and the rights that it
 * gives up.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { connect, generateSecret } from "../../mod.ts";
import { assertEquals, assertMatch, assertNotEquals, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { assertCode, assertFails, IS_UNIX, linesOf, run, type ServeProgram, startServe, tandem } from "./program.ts";
import { textFiles, writeFiles } from "./place.ts";
import { assertHides, cleanEnv, EVERYWHERE, WITH_SECRET, writeSecret } from "./secrets.ts";

/** A folder to share, beside a file with a secret. */
function sharedFolder() {
  const folder = tempFolder();
  writeFiles(folder.path, { "shared/a": "content", "here/": "" });
  const secret = generateSecret();
  const file = writeSecret(`${folder.path}/secret`, `${secret}\n`);
  return {
    shared: `${folder.path}/shared`,
    here: `${folder.path}/here`,
    secret,
    file,
    path: folder.path,
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  };
}

function serveWith(flags: readonly string[], env: Readonly<Record<string, string>> = {}): Promise<ServeProgram> {
  return startServe(tandem(["serve", "-p0", ...flags], EVERYWHERE), cleanEnv(env));
}

/** What a client on this machine lists, by one of its addresses. */
async function names(port: number, secret: string, hostname: string): Promise<string[]> {
  await using client = await connect({ hostname, port, secret });
  return (await Array.fromAsync(client.list())).map(({ name }) => name);
}

Deno.test("serve listens on loopback without a secret, and on all addresses with one", async (t) => {
  using folder = sharedFolder();
  const { file, secret, shared } = folder;
  const rows: readonly (readonly [flags: readonly string[], listens: RegExp, env?: Record<string, string>])[] = [
    [[], /^listening 127\.0\.0\.1:[0-9]+$/],
    [["--secret-file", file], /^listening \[::\]:[0-9]+$/],
    [[], /^listening \[::\]:[0-9]+$/, { TANDEM_SECRET: secret }],
    [["--new-secret"], /^listening \[::\]:[0-9]+$/],
    [["--secret-file", file, "--host", "127.0.0.1"], /^listening 127\.0\.0\.1:[0-9]+$/],
    [["--secret-file", file, "--host", "0.0.0.0"], /^listening 0\.0\.0\.0:[0-9]+$/],
  ];
  for (const [flags, listens, env] of rows) {
    const name = [...flags.map((flag) => flag === file ? "FILE" : flag), ...Object.keys(env ?? {})].join(" ");
    await t.step(name || "no flag", async () => {
      await using server = await serveWith(["-q", ...flags, shared], env);
      assertMatch(server.firstLine, listens);
      if (flags.includes("--new-secret")) return;
      if (name === "") {
        await using client = await connect({ port: server.port });
        assertEquals((await Array.fromAsync(client.list())).length, 1);
        return;
      }
      assertEquals(await names(server.port, secret, "127.0.0.1"), ["a"]);
      if (listens.source.includes("::")) assertEquals(await names(server.port, secret, "::1"), ["a"]);
    });
  }
});

Deno.test("serve --json with a secret has the address as it is, and nothing of the secret", async () => {
  using folder = sharedFolder();
  await using server = await serveWith(["--json", "--secret-file", folder.file, folder.shared]);
  const { event, hostname, port, ...more } = JSON.parse(server.firstLine);
  assertEquals([event, hostname, typeof port, more], ["listening", "::", "number", {}]);
  assertHides(server.process.stdout.text + server.process.stderr.text, folder.secret);
});

Deno.test("serve tells people that it is encrypted, and a command that works as it stands", async () => {
  using folder = sharedFolder();
  await using server = await serveWith(["--host", "127.0.0.1", "--secret-file", folder.file, folder.shared]);
  const told = await server.process.stderr.until(/connect .*\n/);
  assertMatch(told, /encrypted/);
  const [, command = ""] = /^ +(tandem .*)$/m.exec(told) ?? [];
  // What it says of the secret may be a placeholder, but without one nobody gets in.
  assertMatch(command, /--secret-file|TANDEM_SECRET/);
});

Deno.test("serve where others reach it says that it is not encrypted, and whether a secret in the environment was seen", async (t) => {
  using folder = sharedFolder();
  const unseen = EVERYWHERE.filter((flag) => !flag.startsWith("--allow-env"));
  const env = cleanEnv({ TANDEM_SECRET: folder.secret });
  const saying = async (flags: string[], rights: readonly string[], variables = cleanEnv()) => {
    await using server = await startServe(tandem(["serve", "-p0", ...flags, folder.shared], rights), variables);
    return await server.process.stderr.until(/connect .*\n/);
  };
  await t.step("one that it may not see", async () => {
    const told = await saying(["--host", "0.0.0.0"], unseen, env);
    assertMatch(told, /^tandem: not encrypted; TANDEM_SECRET .*--allow-env=TANDEM_SECRET\n/);
    assertMatch(told, /unencrypted, to anybody/);
    assertHides(told, folder.secret);
  });
  await t.step("none", async () => {
    const told = await saying(["--host", "0.0.0.0"], EVERYWHERE);
    assertEquals(told.includes("TANDEM_SECRET"), false, told);
    assertMatch(told, /unencrypted, to anybody/);
  });
  await t.step("on loopback there is nothing to say", async () => {
    const told = await saying([], unseen);
    assertEquals(/TANDEM_SECRET|encrypted/.test(told), false, told);
  });
});

Deno.test("serve lets write on all addresses with a secret, and the client must have it", async () => {
  using folder = sharedFolder();
  for (const flag of ["--write", "--overwrite"]) {
    await using server = await serveWith(["-q", flag, "--secret-file", folder.file, folder.shared]);
    await using client = await connect({ port: server.port, secret: folder.secret });
    assertEquals((await client.put(`by${flag}`, "new")).outcome, "stored");
    const stranger = tandem(["connect", `127.0.0.1:${server.port}`, "put", "-", "stranger"]);
    assertCode(await run(stranger, { ...cleanEnv(), stdin: "x" }), 5);
  }
  assertEquals(textFiles(folder.shared), { a: "content", "by--write": "new", "by--overwrite": "new" });
});

Deno.test("serve refuses to let anybody write who reaches it, and names all three ways out", async (t) => {
  using folder = sharedFolder();
  const certificate = await ownCertificate(folder.path);
  const rows = [
    ["--write", "--host", "0.0.0.0"],
    ["--overwrite", "--host", "::"],
    ["--write", "--overwrite", "--host", "192.0.2.1"],
    // A certificate says who the server is, and not who the client is.
    ["--write", "--host", "0.0.0.0", ...certificate],
  ];
  for (const flags of rows) {
    await t.step(flags.slice(0, 4).join(" "), async () => {
      const ended = await run(tandem(["serve", "-p0", ...flags, folder.shared], EVERYWHERE), cleanEnv());
      assertFails(ended, 2, flags.includes("--overwrite") ? "--overwrite" : "--write");
      for (const way of ["--secret-file", "--host 127.0.0.1", "--allow-anonymous-write"]) {
        assertStringIncludes(ended.stderr, way);
      }
    });
  }
  await t.step("each of the three ways leads out", async () => {
    for (const way of [["--secret-file", folder.file], ["--host", "127.0.0.1"], ["--allow-anonymous-write"]]) {
      const host = way.includes("--host") ? [] : ["--host", "0.0.0.0"];
      await using server = await serveWith(["-q", "--write", ...host, ...way, folder.shared]);
      assertMatch(server.firstLine, /^listening /);
    }
  });
});

Deno.test("serve refuses flags that contradict a secret or a certificate, with exit 2", async (t) => {
  using folder = sharedFolder();
  const certificate = await ownCertificate(folder.path);
  const [, cert = "", , key = ""] = certificate;
  const env = { TANDEM_SECRET: folder.secret };
  const other = await ownCertificate(folder.path, "other");
  const rows: Readonly<
    Record<string, readonly [flags: readonly string[], says: RegExp, env?: Record<string, string>]>
  > = {
    "--plain-only with a file": [["--plain-only", "--secret-file", folder.file], /--plain-only/],
    "--plain-only with TANDEM_SECRET": [["--plain-only"], /--plain-only/, env],
    "--plain-only with --new-secret": [["--plain-only", "--new-secret"], /--plain-only/],
    "--plain-only with a certificate": [["--plain-only", ...certificate], /--plain-only/],
    "--new-secret with a file": [["--new-secret", "--secret-file", folder.file], /--new-secret/],
    "--new-secret with TANDEM_SECRET": [["--new-secret"], /--new-secret.*TANDEM_SECRET/, env],
    "--tls-cert without --tls-key": [["--tls-cert", cert], /--tls-key/],
    "--tls-key without --tls-cert": [["--tls-key", key], /--tls-cert/],
    "the key of another certificate": [["--tls-cert", cert, "--tls-key", other[3] ?? ""], /certificate|key/],
    "certificate and key exchanged": [["--tls-cert", key, "--tls-key", cert], /certificate|key/],
    "a certificate that is not there": [["--tls-cert", `${cert}.none`, "--tls-key", key], /--tls-cert.*none/],
    "a certificate that is none": [["--tls-cert", folder.file, "--tls-key", key], /--tls-cert/],
    "a folder": [["--tls-cert", folder.shared, "--tls-key", key], /--tls-cert/],
  };
  for (const [about, [flags, says, env]] of Object.entries(rows)) {
    await t.step(about, async () => {
      const words = tandem(["serve", "-p0", "--host", "127.0.0.1", ...flags, folder.shared], WITH_SECRET);
      const ended = await run(words, cleanEnv(env));
      assertFails(ended, 2);
      assertMatch(ended.stderr, says);
      assertMatch(ended.stderr, /hint: /);
      assertHides(ended.stderr, folder.secret);
    });
  }
});

Deno.test("serve with a certificate of its own is reached with --tls-ca, and the secret may be asked for too", async (t) => {
  using folder = sharedFolder();
  const certificate = await ownCertificate(folder.path);
  const ca = certificate[1] ?? "";
  const connectTo = (server: ServeProgram, ...flags: string[]) =>
    run(tandem(["connect", "-q", ...flags, `localhost:${server.port}`, "cat", "a"], WITH_SECRET), cleanEnv());
  await t.step("a certificate", async () => {
    await using server = await serveWith([...certificate, folder.shared]);
    assertMatch(server.firstLine, /^listening 127\.0\.0\.1:/);
    const told = await server.process.stderr.until(/connect .*\n/);
    assertMatch(told, /--tls/);
    const good = await connectTo(server, "--tls-ca", ca);
    assertEquals([good.code, good.stdout, good.stderr], [0, "content", ""]);
    assertCode(await connectTo(server, "--tls"), 5);
    assertCode(await connectTo(server), 5);
    assertCode(await connectTo(server, "--tls-ca", ca, "--secret-file", folder.file), 5);
  });
  await t.step("a certificate and a secret", async () => {
    await using server = await serveWith([
      "--host=127.0.0.1",
      ...certificate,
      "--secret-file",
      folder.file,
      folder.shared,
    ]);
    const good = await connectTo(server, "--tls-ca", ca, "--secret-file", folder.file);
    assertEquals([good.code, good.stdout, good.stderr], [0, "content", ""]);
    assertCode(await connectTo(server, "--tls-ca", ca), 5);
  });
});

Deno.test({
  name: "serve --new-secret prints the command for the other machine, which works in a shell there",
  ignore: !IS_UNIX,
  async fn(t) {
    using folder = sharedFolder();
    const elsewhere = programFolder(folder.path);
    const seen = new Set<string>();
    for (const flags of [[], ["-q"], ["--log", "json"], ["-q", "--log", "json"], ["-v", "--log=text"]]) {
      await t.step(flags.join(" ") || "no flag", async () => {
        await using server = await serveWith(["--new-secret", "--host", "127.0.0.1", ...flags, folder.shared]);
        const command = await commandOf(server, flags.join().includes("json"));
        seen.add(command);
        const { env } = cleanEnv();
        const pasted = await run(["sh", "-c", command], {
          ...cleanEnv({ PATH: `${elsewhere}:${env["PATH"]}` }),
          cwd: folder.here,
        });
        assertCode(pasted, 0);
        assertEquals([pasted.stdout, pasted.stderr], ["a\n", ""]);
        if (flags.includes("-q")) assertEquals(server.process.stdout.text, `${server.firstLine}\n`);
        const told = server.process.stderr.text;
        if (flags.join() === "-q") assertEquals(linesOf(told).length, 2, told);
        if (!flags.join().includes("json")) return;
        server.process.kill("SIGTERM");
        for (const line of linesOf((await server.process.ended()).stderr)) JSON.parse(line);
      });
    }
    assertEquals(seen.size, 5);
  },
});

Deno.test({
  name: "serve --new-secret on all addresses prints a command that works once the host is filled in",
  ignore: !IS_UNIX,
  async fn() {
    using folder = sharedFolder();
    const elsewhere = programFolder(folder.path);
    await using server = await serveWith(["--new-secret", folder.shared]);
    const command = await commandOf(server, false);
    const { env } = cleanEnv();
    const pasted = await run(
      ["sh", "-c", command.replace("THIS-HOST", "127.0.0.1")],
      cleanEnv({ PATH: `${elsewhere}:${env["PATH"]}` }),
    );
    assertCode(pasted, 0);
    assertEquals(pasted.stdout, "a\n");
  },
});

Deno.test("serve --new-secret writes its secret nowhere but in that command", async () => {
  using folder = sharedFolder();
  await using server = await serveWith(["--new-secret", "--host=127.0.0.1", "-v", folder.shared]);
  const command = await commandOf(server, false);
  const [, secret = ""] = /^TANDEM_SECRET=(\S+) /.exec(command) ?? [];
  assertEquals(await names(server.port, secret, "127.0.0.1"), ["a"]);
  await connect({ port: server.port, secret: generateSecret() }).then((client) => client.close(), () => {});
  await server.process.stderr.until(/handshake-failed/);
  server.process.kill("SIGTERM");
  const { stdout, stderr } = await server.process.ended();
  assertEquals(stderr.split(secret).length, 2, stderr);
  assertHides(stdout + stderr.replace(secret, ""), secret);
});

/** The command that `--new-secret` prints for the other machine. */
async function commandOf(server: ServeProgram, asJson: boolean): Promise<string> {
  const told = await server.process.stderr.until(/TANDEM_SECRET=.*\n/);
  const line = linesOf(told).find((line) => line.includes("TANDEM_SECRET=")) ?? "";
  const command = asJson ? JSON.parse(line).command : line.trim();
  assertMatch(command, /^TANDEM_SECRET=[0-9a-z-]+ tandem connect /);
  return command;
}

/** A folder for `PATH` in which there is a `tandem`. */
function programFolder(parent: string): string {
  const words = tandem([], WITH_SECRET).map((word) => `'${word}'`).join(" ");
  writeFiles(parent, { "bin/tandem": `#!/bin/sh\nexec ${words} "$@"\n` });
  Deno.chmodSync(`${parent}/bin/tandem`, 0o700);
  return `${parent}/bin`;
}

/** The flags for a certificate of `localhost` that vouches for itself. */
async function ownCertificate(folder: string, name = "own"): Promise<string[]> {
  const [cert, key] = [`${folder}/${name}.pem`, `${folder}/${name}.key`];
  const words = "openssl req -x509 -newkey ed25519 -nodes -days 30 -subj /CN=localhost".split(" ");
  const extensions = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
  assertCode(await run([...words, ...extensions, "-keyout", key, "-out", cert]), 0);
  return ["--tls-cert", cert, "--tls-key", key];
}

/** A program that serves, and then tells which rights are left to it. */
const RIGHTS_LEFT = fileURLToPath(new URL("./rights_left.ts", import.meta.url));

/** What is left to a `serve` that was given `rights`, in the words of `Deno.permissions`. */
async function rightsLeft(rights: readonly string[], folder: string): Promise<Record<string, string>> {
  const ended = await run([Deno.execPath(), "run", ...rights, RIGHTS_LEFT, folder], cleanEnv());
  assertCode(ended, 0);
  return JSON.parse(linesOf(ended.stdout).at(-1) ?? "");
}

Deno.test("serve gives up the rights to run programs, to load libraries and to see the environment when it starts", async (t) => {
  using folder = sharedFolder();
  const some = ["--no-prompt", "--allow-read", "--allow-write", "--allow-net=127.0.0.1"];
  const sh = "/bin/sh";
  const rows = [
    ["--allow-run", "--allow-ffi", "--allow-env"],
    [`--allow-run=${sh}`, "--allow-ffi=/lib", "--allow-env=HOME,TANDEM_SECRET"],
  ];
  for (const more of rows) {
    await t.step(more.join(" "), async () => {
      const { before, after } = split(await rightsLeft([...some, ...more], folder.shared));
      // Else it would show nothing.
      assertEquals([before["run"], before["ffi"], before["env"]], ["granted", "granted", "granted"]);
      for (const name of ["run", "ffi", "env"]) assertNotEquals(after[name], "granted", name);
      assertEquals([after["ran"], after["read HOME"]], ["NotCapable", "NotCapable"]);
      assertEquals([after["read"], after["net"]], ["granted", "granted"]);
    });
  }
});

Deno.test("serve with all rights gives up none where it walks paths by descriptors, and some elsewhere", async () => {
  using folder = sharedFolder();
  const { after } = split(await rightsLeft(["-A"], folder.shared));
  const [major = 0, minor = 0] = Deno.version.deno.split(".").map(Number);
  const walks = Deno.build.os === "linux" && (major > 2 || minor >= 8);
  for (const name of ["run", "ffi", "env"]) assertEquals(after[name] === "granted", walks, name);
  assertEquals(after["served"], "a");
});

function split(all: Record<string, string>) {
  const some = (start: string) =>
    Object.fromEntries(
      Object.entries(all).filter(([key]) => key.startsWith(start)).map((
        [key, value],
      ) => [key.slice(start.length), value]),
    );
  return { before: some("before "), after: some("after ") };
}

Deno.test("what serve is given in TANDEM_SECRET is no longer in its environment", async () => {
  using folder = sharedFolder();
  const words = [Deno.execPath(), "run", "-A", RIGHTS_LEFT, folder.shared];
  const ended = await run(words, cleanEnv({ TANDEM_SECRET: folder.secret }));
  assertCode(ended, 0);
  assertEquals(JSON.parse(linesOf(ended.stdout).at(-1) ?? "")["after TANDEM_SECRET"], "none");
  assertHides(ended.stdout + ended.stderr, folder.secret);
});
