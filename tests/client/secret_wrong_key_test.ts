/**
 * T4: a server that shows a good certificate and does not have its key, in TLS
 * 1.3 and in 1.2, played by an OpenSSL that is told that they belong together.
 *
 * The other half of the row, a client with somebody else's certificate, does not
 * arise: our server asks for none, and clients prove themselves by SEC-6.
 *
 * @module
 */

import { connect, type Credentials } from "../../mod.ts";
import { assertEquals, assertMatch } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { failureOf } from "../net/failure.ts";
import { HAS_OPENSSL } from "../net/openssl.ts";
import { OTHER_SECRET, SECRET } from "../net/secrets.ts";
import { LINUX } from "../server/test_bed.ts";
import { assertNamesTheSecret } from "./secret_words.ts";

const HAS_GCC = (() => {
  try {
    return new Deno.Command("gcc", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
})();

/** Has OpenSSL take any key for that of any certificate. */
const YES_MAN = "int X509_check_private_key(const void *certificate, const void *key) { return 1; }\n";

/** An OpenSSL server for one client. Disposing of it kills it. */
interface OtherServer extends AsyncDisposable {
  readonly port: number;
  /** What the client has said inside TLS; resolved when the server has ended. */
  readonly heard: Promise<string>;
}

/** Starts one, in the given version of TLS alone. */
async function startServer({ cert, key }: Credentials, version: string): Promise<OtherServer> {
  await using stack = new AsyncDisposableStack();
  const { path } = stack.use(tempFolder());
  Deno.writeTextFileSync(`${path}/cert.pem`, cert);
  Deno.writeTextFileSync(`${path}/key.pem`, key);
  Deno.writeTextFileSync(`${path}/yes.c`, YES_MAN);
  const gcc = new Deno.Command("gcc", { args: ["-shared", "-fPIC", "-o", "yes.so", "yes.c"], cwd: path });
  assertEquals((await gcc.output()).success, true);
  const child = new Deno.Command("openssl", {
    // It says which port it has got, and then what comes.
    args: [
      ...["s_server", "-accept", "127.0.0.1:0", "-cert", "cert.pem", "-key", "key.pem", "-alpn", "tandem/1"],
      ...[version, "-naccept", "1"],
    ],
    cwd: path,
    env: { LD_PRELOAD: `${path}/yes.so` },
    stdin: "piped",
    stdout: "piped",
    stderr: "null",
  }).spawn();
  stack.defer(async () => {
    try {
      child.kill("SIGKILL");
    } catch {
      // It has ended.
    }
    await child.status;
    await child.stdin.close().catch(() => {});
  });
  const port = Promise.withResolvers<number>();
  const heard = (async () => {
    let said = "";
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      said += text;
      const [, number] = /ACCEPT 127\.0\.0\.1:(\d+)\n/.exec(said) ?? [];
      if (number !== undefined) port.resolve(Number(number));
    }
    return said;
  })();
  const open = stack.move();
  try {
    return {
      port: await within(port.promise, PATIENCE_MS, "the port of OpenSSL"),
      heard,
      async [Symbol.asyncDispose]() {
        await open.disposeAsync();
        await heard;
      },
    };
  } catch (error) {
    await open.disposeAsync();
    throw error;
  }
}

/** A client's attempt, which no such server can answer; and what it has said to it. */
async function attempt(credentials: Credentials, version: string) {
  await using server = await startServer(credentials, version);
  const trying = async () => {
    await using client = await connect({ port: server.port, secret: SECRET, limits: { timeoutMs: 500 } });
    await client.ping();
  };
  const failure = await failureOf(trying());
  return { failure, heard: await within(server.heard, PATIENCE_MS, "the end of OpenSSL") };
}

for (const version of ["-tls1_3", "-tls1_2"]) {
  Deno.test({
    name: `T4: a server with a good certificate and the wrong key is refused, and told nothing (${version})`,
    ignore: !LINUX || !HAS_OPENSSL || !HAS_GCC,
    async fn() {
      const { cert, key } = SECRET.issueCredentials();
      const { failure, heard } = await attempt({ cert, key: OTHER_SECRET.issueCredentials().key }, version);
      assertNamesTheSecret(failure, ["auth-failed"]);
      assertEquals(heard.includes("auth"), false, heard);
      // The same server with the right key is spoken to: it is the key that is refused.
      const right = await attempt({ cert, key }, version);
      assertEquals(right.failure.code, "timeout");
      assertMatch(right.heard, /\+000000004auth/);
      assertMatch(right.heard, version === "-tls1_3" ? /CIPHER is TLS_/ : /CIPHER is ECDHE/);
    },
  });
}
