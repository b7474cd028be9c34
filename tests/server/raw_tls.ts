/**
 * The way into a server with a secret for the raw client of the tandem
 * exchange: TLS, and proofs that can be made wrong.
 *
 * The keys are derived here from SPEC.md (SEC-3, SEC-6) and not by the program;
 * only the authority's certificate is the program's own, which other tests look
 * at.
 *
 * @module
 */

import { createHmac, hkdfSync } from "node:crypto";
import net from "node:net";
import { generateSecret, Secret, type TandemServer } from "../../mod.ts";
import { assert, assertEquals } from "../deps.ts";
import { within } from "./deadline.ts";
import { joined, RawConnection } from "./raw_client.ts";
import { command, type Door, type Json, RawTandem, ticketMessage, type Welcomed, welcomed } from "./raw_tandem.ts";

const ALPN = "tandem/1";
const SERVER_NAME = "tandem.invalid";

/** Where to connect to. */
export interface Place {
  readonly hostname: string;
  readonly port: number;
}

/** Opens a connection with TLS to a server that `authority` vouches for. Fails with what Deno says of the handshake. */
export async function openTls(
  { hostname, port }: Place,
  authority: string,
  { name = SERVER_NAME, beforehand }: { name?: string; beforehand?: Promise<unknown> } = {},
): Promise<RawConnection> {
  const conn = await within("a connection", Deno.connect({ hostname, port }));
  await beforehand;
  const secured = await Deno.startTls(conn, { hostname: name, caCerts: [authority], alpnProtocols: [ALPN] });
  try {
    await within("a handshake", secured.handshake());
    return new RawConnection(secured);
  } catch (error) {
    secured.close();
    throw error;
  }
}

/** A fresh secret, and what somebody who has it, or only a part of what follows from it, can do to a server. */
export class RawSecret {
  /** Its text. */
  readonly text: string = generateSecret();
  /** As the program has it. */
  readonly secret: Secret = new Secret(this.text);
  readonly #proofKey = new Uint8Array(hkdfSync("sha256", this.text.replaceAll("-", ""), "tandem/1", "proof", 32));

  /** Opens a connection with TLS. Somebody without the secret could as well, if they do not ask who the server is. */
  readonly door: Door = (server) => this.openAt(server.addr);

  /** Opens a connection with TLS at any place. */
  openAt(place: Place): Promise<RawConnection> {
    return openTls(place, this.secret.authorityCert);
  }

  /** A proof (SEC-6), of any label. */
  prove(label: string, serverNonce: string, clientNonce: string): string {
    return createHmac("sha256", this.#proofKey).update(`${label} ${serverNonce} ${clientNonce}`).digest("hex");
  }

  /** The parameters of a right `auth`. */
  proof(serverNonce: string | undefined, clientNonce: string = "0123456789abcdef".repeat(2)): Json {
    assert(serverNonce !== undefined, "the server wants no secret");
    return { nonce: clientNonce, proof: this.prove("client", serverNonce, clientNonce) };
  }

  /** A session that has its ticket and its nonce. */
  welcomed(server: TandemServer | AtAddress): Promise<Welcomed> {
    return welcomed(server as TandemServer, "auth", this.door);
  }

  /** A session whose first command, behind the ticket, is whatever `first` makes of its nonce. */
  async begin(
    server: TandemServer | AtAddress,
    first: (nonce: string) => Uint8Array,
  ): Promise<RawTandem & { readonly ticket: string; readonly nonce: string }> {
    const { control, ticket, nonce = "" } = await this.welcomed(server);
    try {
      const data = await this.door(server as TandemServer);
      await data.send(joined(ticketMessage(ticket), first(nonce)));
      return Object.assign(new RawTandem(control, data), { ticket, nonce });
    } catch (error) {
      control.close();
      throw error;
    }
  }

  /** A session in which both sides have proved themselves. Its next command is number 1. */
  async open(server: TandemServer | AtAddress): Promise<RawTandem> {
    const session = await this.begin(server, (nonce) => command("auth", this.proof(nonce)));
    const clientNonce = String(this.proof("")["nonce"]);
    assertEquals(await session.object(), { proof: this.prove("server", session.nonce, clientNonce) });
    return session;
  }
}

/** Somewhere that stands for a server: it has its address. */
export interface AtAddress {
  readonly addr: Place;
}

/** A way to a server from another address of this machine. Disposing of it cuts what goes through it. */
export interface Relay extends AsyncDisposable, AtAddress {}

/**
 * Listens on `127.0.0.1` and passes what comes on to `port` from `address`, any
 * of `127.0.0.0/8`: Deno's own sockets cannot choose theirs.
 */
export async function relayFrom(address: string, port: number): Promise<Relay> {
  const sockets = new Set<net.Socket>();
  const keep = (socket: net.Socket) => {
    sockets.add(socket);
    socket.on("close", () => sockets.delete(socket));
    socket.setNoDelay(true);
  };
  const listener = net.createServer({ allowHalfOpen: true }, (near) => {
    const far = net.connect({ host: "127.0.0.1", port, localAddress: address, allowHalfOpen: true });
    for (const [from, to] of [[near, far], [far, near]] as const) {
      keep(from);
      from.pipe(to);
      from.on("error", () => to.destroy());
      from.on("close", () => to.destroy());
    }
  });
  const ready = Promise.withResolvers<void>();
  listener.listen(0, "127.0.0.1", ready.resolve);
  await within("a relay", ready.promise);
  const { port: nearPort } = listener.address() as net.AddressInfo;
  return {
    addr: { hostname: "127.0.0.1", port: nearPort },
    async [Symbol.asyncDispose]() {
      const closed = Promise.withResolvers<void>();
      listener.close(() => closed.resolve());
      for (const socket of sockets) socket.destroy();
      await within("the end of a relay", closed.promise);
    },
  };
}

/** The first bytes that a client of TLS says: its whole ClientHello. */
export async function clientHello(): Promise<Uint8Array<ArrayBuffer>> {
  using listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const [theirs, ours] = await Promise.all([
    listener.accept(),
    Deno.connect({ hostname: "127.0.0.1", port: (listener.addr as Deno.NetAddr).port }),
  ]);
  const secured = await Deno.startTls(ours, { hostname: SERVER_NAME, alpnProtocols: [ALPN] });
  const shaken = secured.handshake().catch(() => {});
  const buffer = new Uint8Array(4_096);
  const count = await theirs.read(buffer) ?? 0;
  theirs.close();
  await shaken;
  secured.close();
  return buffer.slice(0, count);
}

/** A certificate for `localhost` and `127.0.0.1`, and its key, made by openssl; it vouches for itself. */
export function ownCertificate(folder: string): { readonly cert: string; readonly key: string } {
  const { success, stderr } = new Deno.Command("openssl", {
    args: [
      ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"],
      ...["-keyout", `${folder}/key.pem`, "-out", `${folder}/cert.pem`, "-subj", "/CN=localhost"],
      ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE"],
    ],
  }).outputSync();
  assert(success, new TextDecoder().decode(stderr));
  return {
    cert: Deno.readTextFileSync(`${folder}/cert.pem`),
    key: Deno.readTextFileSync(`${folder}/key.pem`),
  };
}
