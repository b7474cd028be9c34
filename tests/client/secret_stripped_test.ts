/**
 * T7, T8: whoever answers a client with a secret by something else than TLS, or
 * by nothing, hears no more from it than that it would like to speak TLS.
 *
 * @module
 */

import { connect, type ConnectOptions, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreaterOrEqual, assertLess, assertMatch } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { NARROW, Running, tandem } from "../cli/program.ts";
import { forAll, PATIENCE_MS, within } from "../net/deadline.ts";
import { openDoor } from "../net/door.ts";
import { SECRET, SECRET_TEXT } from "../net/secrets.ts";
import { recordsOf } from "../net/tls_records.ts";
import type { Wire } from "../net/wire.ts";

const encoder = new TextEncoder();

/** How long the client waits for anything, in milliseconds. */
const TIMEOUT_MS = 400;

/** What a server does with a client. */
type Manners = (wire: Wire) => Promise<unknown>;

/** Takes the first piece of what comes, and says something; then waits. */
const says = (text: string | Uint8Array): Manners => async (wire) => {
  await wire.takePiece();
  await wire.send(typeof text === "string" ? encoder.encode(text) : text);
};

const TICKET = "0123456789abcdef0123456789abcdef";

/** Each with the codes that there may be for it. */
const MANNERS: Readonly<Record<string, readonly [Manners, ...TandemError["code"][]]>> = {
  "answers with a port": [says("0000041873"), "unsupported"],
  "answers with a port that is signed": [says("+000041873"), "unsupported"],
  "answers with a port before it is asked": [
    (wire) => wire.send(encoder.encode("0000041873")),
    "unsupported",
  ],
  "answers with the sign of the tandem exchange": [
    says(`+000000000+000000060{"tandem":1,"ticket":"${TICKET}"}\n00000000`),
    "unsupported",
  ],
  "answers with a refusal": [says('-000000060{"code":"unsupported","message":"no TLS here"}'), "unsupported"],
  "answers as a web server": [says("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n"), "unsupported"],
  "answers as a mail server": [says("220 mail.example.org ESMTP\r\n"), "unsupported"],
  "answers with any bytes": [says(new Uint8Array(600).fill(0x80)), "unsupported"],
  "closes at once": [(wire) => Promise.resolve(wire.close()), "disconnected"],
  "closes once it was spoken to": [(wire) => wire.takePiece().then(() => wire.close()), "disconnected"],
  "resets at once": [(wire) => Promise.resolve(wire.reset()), "disconnected", "connect"],
  "resets once it was spoken to": [(wire) => wire.takePiece().then(() => wire.reset()), "disconnected"],
  "says that TLS went wrong": [says(Uint8Array.of(21, 3, 3, 0, 2, 2, 40)), "disconnected", "unsupported"],
  "says the beginning of a record": [says(Uint8Array.of(22, 3, 3, 1)), "timeout"],
  "is silent": [(wire) => wire.takePiece(), "timeout"],
};

/** A server with such manners, and what it has heard over all connections. */
async function withServer<T>(manners: Manners, run: (port: number) => Promise<T>): Promise<[T, Uint8Array[]]> {
  using door = await openDoor({ canReset: true });
  const wires: Wire[] = [];
  const heard: Promise<Uint8Array>[] = [];
  let over = false;
  const accepting = (async () => {
    while (!over) {
      const wire = await door.accept().catch(() => undefined);
      if (wire === undefined) return;
      wires.push(wire);
      heard.push(listen(wire, manners));
    }
  })();
  try {
    const result = await run(door.port);
    const all = await within(Promise.all(heard), 2 * PATIENCE_MS, "all that was said");
    return [result, all];
  } finally {
    over = true;
    for (const wire of wires) wire.close();
    // Whoever waits for another client is told that there is none.
    await Deno.connect({ port: door.port }).then((conn) => conn.close(), () => {});
    await accepting;
    for (const wire of wires) wire.close();
  }
}

/** All that a client says to a server with such manners. */
async function listen(wire: Wire, manners: Manners): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  const overheard: Pick<Wire, "takePiece" | "send" | "close" | "reset"> = {
    async takePiece() {
      const piece = await wire.takePiece();
      pieces.push(piece.bytes.slice());
      return piece;
    },
    send: (bytes) => wire.send(bytes),
    close: () => wire.close(),
    reset: () => wire.reset(),
  };
  await manners(overheard as Wire);
  // The system keeps a connection open whose handshake is not over, so its end is not waited for.
  pieces.push((await wire.take(1_000_000, 2 * TIMEOUT_MS)).bytes);
  return Uint8Array.from(pieces.flatMap((piece) => [...piece]));
}

/** Checks that nothing was said but the first word of TLS, and perhaps that it went wrong. */
function assertOnlyHello(heard: readonly Uint8Array[]): void {
  // A server that resets may not have been told anything; nor may somebody else who looks at ports of this machine.
  const spoken = heard.filter(({ length }) => length > 0);
  assertEquals(spoken.length <= 1, true, "it was asked more than once");
  for (const bytes of spoken) {
    const [first, ...others] = recordsOf(bytes);
    assertEquals([first?.kind, first?.bytes[5]], ["handshake", 1], "no ClientHello");
    for (const { kind } of others) assertEquals(kind, "alert");
    const text = new TextDecoder("latin1").decode(bytes);
    for (const word of ["auth", "ls", "get", "secret-name", "data ", "0000000", SECRET_TEXT]) {
      // Two letters stand in random bytes by chance.
      if (word.length > 3) assertEquals(text.includes(word), false, word);
    }
  }
}

const TOLD: Readonly<Record<string, ConnectOptions>> = {
  "a secret": { secret: SECRET },
  "a secret and no other exchange": { secret: SECRET, mode: "tandem" },
  "a certificate to check": { tls: {} },
};

for (const [what, [manners, ...codes]] of Object.entries(MANNERS)) {
  Deno.test(`T7: a client with a secret says nothing to a server that ${what}, and stops in time`, async () => {
    await forAll(Object.entries(TOLD), async ([with_, told]) => {
      const startedMs = performance.now();
      const [failure, heard] = await withServer(manners, async (port) => {
        const attempt = async () => {
          await using client = await connect({ port, ...told, limits: { timeoutMs: TIMEOUT_MS } });
          await client.put("secret-name", "x");
        };
        return await within(attempt().then(() => undefined, (error) => error), PATIENCE_MS, "the end");
      });
      const tookMs = performance.now() - startedMs;
      assert(failure instanceof TandemError, String(failure));
      assertEquals(codes.includes(failure.code), true, `${with_}: ${failure.code}: ${failure.message}`);
      assertMatch(failure.message, /127\.0\.0\.1:\d+/);
      if (failure.code === "timeout") assertGreaterOrEqual(tookMs, TIMEOUT_MS * 0.8);
      else assertLess(tookMs, TIMEOUT_MS * 0.8 + 3_000);
      assertOnlyHello(heard);
    });
  });
}

/** The exit codes of cli.md. */
const EXIT_CODES: Readonly<Record<string, number>> = {
  "answers with a port": 7,
  "closes once it was spoken to": 7,
  "is silent": 11,
};

Deno.test("T7: the program ends with the code for it, and says what to do", async () => {
  using folder = tempFolder();
  const file = `${folder.path}/the-secret`;
  Deno.writeTextFileSync(file, `${SECRET_TEXT}\n`, { mode: 0o600 });
  Deno.writeTextFileSync(`${folder.path}/secret-name`, "x");
  await forAll(Object.entries(EXIT_CODES), async ([what, code]) => {
    const [manners = says("")] = MANNERS[what] ?? [];
    const [ended, heard] = await withServer(manners, async (port) => {
      const args = ["connect", `127.0.0.1:${port}`, "--secret-file", file, "--timeout", "1", "put", "secret-name"];
      await using program = new Running(tandem(args, [...NARROW, "--allow-env", "--allow-sys"]), { cwd: folder.path });
      return await program.ended();
    });
    assertEquals([what, ended.code, ended.stdout], [what, code, ""], ended.stderr);
    if (code === 7) assertMatch(ended.stderr, /hint: .*secret/);
    assertEquals(ended.stderr.includes(SECRET_TEXT), false);
    assertOnlyHello(heard);
  });
});
