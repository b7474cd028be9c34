/**
 * T9: a connection with TLS that is cut, at whatever record and wherever inside
 * of one, is a lost connection and no end of a file: nothing gets its name that
 * is not whole, nothing that is not there is said to be, and both ends go on.
 *
 * @module
 */

import { type Client, TandemError } from "../../mod.ts";
import { assert, assertEquals, assertGreater } from "../deps.ts";
import { openDescriptors } from "../helpers.ts";
import { sameBytes } from "../net/bytes.ts";
import { forAll, PATIENCE_MS, within } from "../net/deadline.ts";
import { SECRET } from "../net/secrets.ts";
import { recordsOf } from "../net/tls_records.ts";
import { eventually } from "../server/deadline.ts";
import { pattern, SOAK } from "../server/test_bed.ts";
import { quickFolder } from "../store/places.ts";
import { type Bed, connectTo, openBed, tell } from "./bed.ts";
import { type Cut, Proxy, type ProxyOptions } from "./proxy.ts";

/** Trials at a time. */
const AT_ONCE = 8;

const OLD = new TextEncoder().encode("old");
const SMALL = pattern(20_000, 5);
const LARGE = pattern(290_000, 7);

/** One transfer of a session. */
interface Transfer {
  readonly name: string;
  readonly content: Uint8Array;
  /** Whether there is a file of that name where it goes. */
  readonly isOld: boolean;
  run(client: Client, folder: string): Promise<{ readonly outcome: string }>;
}

/** What a session does, one after the other. */
type Script = (trial: string) => readonly Transfer[];

const get: Script = () => [
  {
    name: "small",
    content: SMALL,
    isOld: true,
    run: (client, folder) => client.download("small", `${folder}/small`, { overwrite: true }),
  },
  {
    name: "large",
    content: LARGE,
    isOld: false,
    run: (client, folder) => client.download("large", `${folder}/large`),
  },
];

const put: Script = (trial) => [
  {
    name: `${trial} small`,
    content: SMALL,
    isOld: true,
    run: (client) => client.put(`${trial} small`, SMALL, { onExist: "overwrite" }),
  },
  {
    name: `${trial} large`,
    content: LARGE,
    isOld: false,
    run: (client, folder) => client.upload(`${folder}/from`, `${trial} large`),
  },
];

/** What came of a session. */
interface Outcome {
  /** How each transfer ended: `ok`, or a code. */
  readonly ends: readonly string[];
  /** What went through the proxy. */
  readonly proxy: Proxy;
}

/** Runs a session through a proxy of its own, and checks what is on both sides afterwards. */
async function runSession(bed: Bed, verb: "get" | "put", trial: string, how: ProxyOptions): Promise<Outcome> {
  const folder = `${bed.folder}/${trial}`;
  Deno.mkdirSync(folder);
  const to = verb === "get" ? `${folder}/` : `${bed.root}/`;
  const transfers = (verb === "get" ? get : put)(trial);
  for (const { name, isOld } of transfers) if (isOld) Deno.writeFileSync(to + name, OLD);
  Deno.writeFileSync(`${folder}/from`, LARGE);
  await using proxy = await Proxy.open(bed.server.addr.port, how);
  const ends: string[] = [];
  const codeOf = (error: unknown) => {
    if (error instanceof TandemError) return error.code;
    throw error;
  };
  const client = await within(connectTo(proxy.port, { secret: SECRET }), PATIENCE_MS, "connect()").catch(codeOf);
  for (const { run } of transfers) {
    if (typeof client === "string") ends.push(client);
    else {
      const running = run(client, folder).then(({ outcome }) => {
        assertEquals(outcome, verb === "get" ? "fetched" : "stored");
        return "ok";
      });
      ends.push(await within(running, PATIENCE_MS, `a ${verb}`).catch(codeOf));
    }
  }
  if (typeof client !== "string") await within(client.close(), PATIENCE_MS, "close()");
  // What the server has begun may still land, but never in part.
  for (const [i, { name, content, isOld }] of transfers.entries()) {
    const there = readIfThere(to + name);
    const isNew = there !== undefined && sameBytes(there, content);
    const untouched = isOld ? there !== undefined && sameBytes(there, OLD) : there === undefined;
    const shown = JSON.stringify({ verb, name, cut: how.cut, ends });
    assert(isNew || untouched, `${there?.length} bytes that are not whole: ${shown}`);
    assert(isNew || ends[i] !== "ok", `it is said to be there, and is not: ${shown}`);
    if (verb === "get") assertEquals(isNew, ends[i] === "ok", shown);
  }
  return { ends, proxy };
}

function readIfThere(path: string): Uint8Array | undefined {
  try {
    return Deno.readFileSync(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

/** A server in memory with what there is to get. */
async function openSecretBed(): Promise<Bed> {
  const bed = await openBed({ secret: SECRET, makeFolder: quickFolder });
  Deno.writeFileSync(`${bed.root}/small`, SMALL);
  Deno.writeFileSync(`${bed.root}/large`, LARGE);
  return bed;
}

/** Cuts at every record of every stream: before it, in its header and in what it holds, both ways each. */
function cutsFor({ connections }: Proxy): Cut[] {
  return connections.flatMap(({ up, down }, connection) =>
    ([["up", up], ["down", down]] as const).flatMap(([direction, stream]) =>
      recordsOf(stream.recorded()).flatMap(({ bytes }, record) =>
        [0, 1, 5, Math.floor(bytes.length / 2), bytes.length - 1].flatMap((offset, i) =>
          // Resets are as likely as ends, but every boundary has both.
          (["fin", "rst"] as const).filter((_, j) => SOAK || offset === 0 || (i + j + record) % 2 === 0)
            .map((how): Cut => ({ connection, direction, record, offset, how }))
        )
      )
    )
  );
}

for (const verb of ["get", "put"] as const) {
  Deno.test(`T9: a session of ${verb}s that is cut at any record of TLS, or inside of one, leaves nothing torn`, async () => {
    await using bed = await openSecretBed();
    const whole = await runSession(bed, verb, "whole", { record: true });
    assertEquals([whole.ends, whole.proxy.connections.length], [["ok", "ok"], 2]);
    const base = await settled(openDescriptors());
    const cuts = cutsFor(whole.proxy);
    const seen: Record<string, number> = {};
    const queue = cuts.entries();
    const work = async () => {
      for (const [trial, cut] of queue) {
        const { ends } = await runSession(bed, verb, String(trial), { cut });
        // A cut is a lost connection: neither a wrong secret nor a server of another kind.
        for (const end of ends) assert(["ok", "disconnected"].includes(end), `${ends} at ${JSON.stringify(cut)}`);
        const key = `${cut.how}: ${ends.join(", ")}`;
        seen[key] = (seen[key] ?? 0) + 1;
      }
    };
    await forAll(Array.from({ length: AT_ONCE }, () => work), (work) => work());
    tell(`T9 ${verb}: ${cuts.length} cuts, ${JSON.stringify(seen)}`);
    for (const how of ["fin", "rst"]) {
      // At the beginning, between the two, and at the end.
      for (const ends of ["disconnected, disconnected", "ok, disconnected", "ok, ok"]) {
        assertGreater(seen[`${how}: ${ends}`] ?? 0, 0, `${how}: ${ends}`);
      }
    }
    assertEquals(bed.log.internalErrors(), []);
    const { ends } = await within(runSession(bed, verb, "last", {}), 1_000, "a session after all that");
    assertEquals(ends, ["ok", "ok"]);
    await eventually("the descriptors are back", () => openDescriptors() <= base);
  });
}

/** The number of open descriptors once sockets that are closing have closed. */
async function settled(first: number): Promise<number> {
  let [last, same] = [first, 0];
  while (same < 5) {
    await new Promise((resolve) => setTimeout(resolve, 20));
    const now = openDescriptors();
    same = now === last ? same + 1 : 0;
    last = now;
  }
  return last;
}
