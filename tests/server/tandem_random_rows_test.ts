/**
 * Safety row C4 in the tandem exchange: random commands and random bytes on both
 * connections.
 *
 * @module
 */

import type { ServerEvent } from "../../mod.ts";
import { assert, assertEquals } from "../deps.ts";
import { EventLog } from "./event_log.ts";
import { isReset, joined } from "./raw_client.ts";
import { command, framed, object, RawTandem, sealed, upload } from "./raw_tandem.ts";
import { SOAK, testBed } from "./test_bed.ts";

const RANDOM_SESSIONS = SOAK ? 20_000 : 400;

Deno.test(`C4 ${RANDOM_SESSIONS} sessions of random commands and bytes neither crash nor hang the server`, async () => {
  const log = new EventLog();
  const onEvent = (event: ServerEvent) => {
    const isBug = "outcome" in event && event.outcome === "internal";
    if (isBug || event.event === "session-closed") log.record(event);
  };
  await using bed = testBed({ limits: { maxFileBytes: 1_000, orphanGraceMs: 50 }, onEvent });
  const seed = crypto.getRandomValues(new Uint32Array(1))[0] ?? 0;
  const random = randomNumbers(seed);
  await bed.survives(async () => {
    let left = RANDOM_SESSIONS;
    const worker = async () => {
      while (left-- > 0) {
        const sent = [randomBytes(random), randomBytes(random), randomBytes(random)] as const;
        try {
          using session = await RawTandem.begin(
            bed.server,
            random() < 0.8 ? joined(command("ping"), sent[0]) : sent[0],
          );
          const outcome = await babble(session, sent[1], sent[2], log);
          assert(["ok", "protocol", "disconnected", "integrity", "bad-request"].includes(outcome), outcome);
        } catch (error) {
          const texts = sent.map((bytes) => JSON.stringify(new TextDecoder().decode(bytes)));
          throw new Error(`seed ${seed}, sent ${texts}`, { cause: error });
        }
      }
    };
    await Promise.all(Array.from({ length: 16 }, worker));
    // What random commands have made, they may not have removed.
    for (const { name } of Deno.readDirSync(bed.root)) Deno.removeSync(`${bed.root}/${name}`, { recursive: true });
  });
  assertEquals(log.internalErrors(), []);
});

/** Sends bytes over both connections and ends them; returns how the session ended. */
async function babble(session: RawTandem, control: Uint8Array, data: Uint8Array, log: EventLog): Promise<string> {
  try {
    await session.control.send(control);
    await session.data.send(data);
    await session.data.closeWrite();
    await session.control.closeWrite();
    await session.data.readToEnd();
  } catch (error) {
    if (!isReset(error)) throw error;
  }
  session.close();
  return (await log.sessionClosed(session)).outcome;
}

function randomBytes(random: () => number): Uint8Array {
  const pick = (most: number) => Math.floor(random() * most);
  const words = ["ls", "get", "put", "mkdir", "mv", "rm", "hash", "abort", "ping", "a", "b", "a/b", "..", "/", "x"];
  const word = () => words[pick(words.length)] ?? "";
  const values = [0, 1, -1, true, "a", "../x", null, 2 ** 53, "overwrite", {}, "0".repeat(64)];
  const keys = ["recursive", "to", "size", "offset", "length", "ready", "resume", "onExist", "command", "prefix"];
  const bytes = (most: number) => Uint8Array.from({ length: pick(most) }, () => pick(256));
  const parameters = () => {
    return Object.fromEntries(
      Array.from({ length: pick(3) }, () => [keys[pick(keys.length)], values[pick(values.length)]]),
    );
  };
  const pieces = Array.from({ length: pick(6) }, () => {
    switch (pick(7)) {
      case 0:
        return bytes(40);
      case 1:
        return framed(bytes(40), random() < 0.5 ? "+" : "-");
      case 2:
        return framed(sealed(`${word()} ${word()}`));
      case 3:
        return object({ offset: pick(2), crc32: "00000000", code: "aborted" }, random() < 0.7 ? "+" : "-");
      case 4:
        return upload(bytes(2_000), 1 + pick(500));
      default:
        return command(`${word()} ${word()}`, parameters());
    }
  });
  return joined(...pieces);
}

/** Numbers from 0 to 1 that are the same for the same seed (mulberry32). */
function randomNumbers(seed: number): () => number {
  let state = seed;
  return () => {
    state = state + 0x6d2b79f5 | 0;
    let mixed = Math.imul(state ^ state >>> 15, state | 1);
    mixed = mixed + Math.imul(mixed ^ mixed >>> 7, mixed | 61) ^ mixed;
    return ((mixed ^ mixed >>> 14) >>> 0) / 2 ** 32;
  };
}
