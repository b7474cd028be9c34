/**
 * Safety rows D1 and D5 with a thief at full speed: a program in C that tries
 * all the ports where data connections could be, and the server's own, while
 * clients connect and get a file, each over a session of its own.
 *
 * @module
 */

import { type Client, generateSecret, Secret, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreater } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { joined, RawConnection } from "../server/raw_client.ts";
import { command, type Door, ticketMessage, welcomed } from "../server/raw_tandem.ts";
import { openTls } from "../server/raw_tls.ts";
import { SOAK } from "../server/test_bed.ts";
import { connectTo, openBed, tell } from "./bed.ts";
import { canMakeThief, type Haul, makeThief, startThief } from "./thief.ts";

const COMMANDS = SOAK ? 1_000 : 150;

/** With a secret each wrong ticket has its price, in time. */
const WRONG_TICKETS = SOAK ? 100 : 5;

/** Where Linux, and our server, have their short-lived ports. */
const USUAL_PORTS = [32_768, 60_999] as const;

/** In every piece of the file that is got: what a thief is known by. */
const MARK = crypto.randomUUID();

/** Sent in more than one packet. */
const CONTENT = new TextEncoder().encode(MARK.repeat(3_000));

/** Tries that a thief must have made in a second for the test to be one: far fewer than it makes even on a busy machine. */
const LEAST_PER_SECOND = 2_000;

const ignore = !canMakeThief();

/** Where thieves come from: where the clients do, and another address of this machine. */
const ADDRESSES = ["127.0.0.1", "127.0.0.2"];

function show({ tries, opened, stolenBytes, perSecond }: Haul): string {
  return `${tries} tries, ${perSecond}/s, ${opened} opened, ${stolenBytes} bytes stolen`;
}

for (
  const [how, secret] of [["without a secret", undefined], ["with a secret", new Secret(generateSecret())]] as const
) {
  for (const from of ADDRESSES) {
    Deno.test({
      name: `D1 a thief at full speed from ${from} steals nothing of ${COMMANDS} gets ${how}, and all are served`,
      ignore,
      async fn() {
        await using bed = await openBed({ ...(secret === undefined ? {} : { secret }) });
        Deno.writeFileSync(`${bed.root}/a.bin`, CONTENT);
        const { port } = bed.server.addr;
        const program = await makeThief(bed.folder);
        await using thief = await startThief(program, { from, port, range: USUAL_PORTS, mark: MARK });
        let served = 0;
        for (let i = 0; i < COMMANDS; i++) {
          await using client = await connectTo(port, secret === undefined ? {} : { secret });
          assertEquals(await contentOf(client), CONTENT);
          served++;
        }
        const haul = await thief.stop();
        tell(`D1 ${how}, ${from}: ${served} served; ${show(haul)}`);
        assertEquals(served, COMMANDS);
        assertEquals(haul.stolenBytes, 0, show(haul));
        assertGreater(haul.opened, 0, "the thief never got as far as the door");
        assertGreater(haul.perSecond, LEAST_PER_SECOND, show(haul));
        bed.log.clear();
      },
    });
  }

  Deno.test({
    name: `D5 wrong tickets do not keep the right one out while a thief is at full speed, ${how}`,
    ignore,
    async fn() {
      await using bed = await openBed({ ...(secret === undefined ? {} : { secret }) });
      const { port } = bed.server.addr;
      const door: Door = secret === undefined
        ? ({ addr }) => RawConnection.open(addr.hostname, addr.port)
        : ({ addr }) => openTls(addr, secret.authorityCert);
      const program = await makeThief(bed.folder);
      await using thief = await startThief(program, { from: "127.0.0.2", port, range: USUAL_PORTS, mark: MARK });
      for (let i = 0; i < WRONG_TICKETS; i++) {
        using session = await welcomed(bed.server, "auth", door);
        using wrong = await door(bed.server);
        await wrong.send(ticketMessage(crypto.randomUUID().replaceAll("-", "")));
        await wrong.assertEnds();
        using data = await door(bed.server);
        await data.send(joined(ticketMessage(session.ticket), command("ping")));
        const answer = new TextDecoder().decode(await data.read(1));
        // It has found its session, which wants a proof first where there is a secret.
        assertEquals(answer, secret === undefined ? "+" : "-");
        // So that what failing costs does not add up.
        if (secret !== undefined) {
          await using client = await connectTo(port, { secret });
          await client.ping();
        }
        bed.log.clear();
      }
      const haul = await thief.stop();
      tell(`D5 ${how}: ${show(haul)}`);
      assertEquals(haul.stolenBytes, 0, show(haul));
    },
  });
}

Deno.test({
  name: "D2 the same thief does steal in the plain exchange, where it knows what ports to try: it can",
  ignore,
  async fn() {
    using folder = tempFolder();
    const dataPorts = { from: 41_000, to: 41_007 };
    await using bed = await openBed({ serve: { dataPorts } });
    Deno.writeFileSync(`${bed.root}/a.bin`, CONTENT);
    const { port } = bed.server.addr;
    const program = await makeThief(folder.path);
    const range = [dataPorts.from, dataPorts.to] as const;
    await using thief = await startThief(program, { from: "127.0.0.1", port, range, mark: MARK });
    let served = 0;
    let isRobbed = false;
    while (!isRobbed && served < 200) {
      await using client = await connectTo(port, { mode: "plain", limits: { timeoutMs: 2_000 } });
      try {
        assertEquals(await contentOf(client), CONTENT);
        served++;
      } catch (error) {
        assert(error instanceof TandemError);
        isRobbed = true;
      }
    }
    const haul = await thief.stop();
    tell(`D2: robbed after ${served} gets; ${show(haul)}`);
    assertGreater(haul.stolenBytes, 0, show(haul));
    assert(isRobbed);
  },
});

async function contentOf(client: Client): Promise<Uint8Array> {
  const pieces: Uint8Array[] = [];
  await client.getInto("a.bin", { write: (bytes) => void pieces.push(bytes.slice()) });
  return joined(...pieces);
}
