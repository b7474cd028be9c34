/**
 * Tests of the client against tandem servers that go away: K5. Wherever that
 * is, the operation fails as disconnected, nothing has the final name, and the
 * session is over.
 *
 * @module
 */

import { assert, assertEquals, assertStringIncludes } from "../deps.ts";
import { keptName } from "../../src/store/temporary.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { closesControl, closesData, isLeft, resetsData, sends, sendsOnControl } from "./scripted_server.ts";
import { list } from "./session.ts";
import {
  attemptTandem,
  bodyOf,
  chunk,
  errorMessage,
  finalNames,
  infoOf,
  listingOf,
  object,
  opensWith,
  refusesBody,
  takesAbort,
  takesObject,
} from "./tandem_script.ts";
import { OPERATIONS, READY_PUT } from "./tandem_operations.ts";

const LEAVINGS = { FIN: closesData(), RST: resetsData() } as const;

for (const [name, { asked, answer, run }] of Object.entries({ ...OPERATIONS, "put() of a stream": READY_PUT })) {
  for (const leaving of ["FIN", "RST"] as const) {
    Deno.test(`K5 TCM-22 Client.${name} fails when the data connection ends with ${leaving} at any place`, async () => {
      const whole = answer.join("");
      const cut = name === "put() of a stream" ? [0, 1, 9, 10, 11, whole.length - 1, whole.length] : undefined;
      for (const at of cut ?? Array(whole.length).keys()) {
        // Resets are slow to make; every third place will do.
        if (leaving === "RST" && at % 3 !== 0) continue;
        await attemptTandem([...asked, sends(whole.slice(0, at)), LEAVINGS[leaving]], async (session) => {
          const { code, message } = await failureOf(run(session));
          assertEquals(code, "disconnected", `cut after ${at}: ${message}`);
          assertEquals(finalNames(session.folder), []);
        }, { sessionEnds: "disconnected", resets: leaving === "RST" });
      }
    });
  }

  Deno.test(`K5 Client.${name} fails when both connections end`, async () => {
    for (const steps of [[closesData(), closesControl()], [closesControl(), closesData()]]) {
      await attemptTandem([...asked, sends(answer.join("").slice(0, 12)), ...steps], async (session) => {
        await assertFails(run(session), "disconnected");
        assertEquals([...Deno.readDirSync(session.folder)], []);
      }, { sessionEnds: "disconnected" });
    }
  });

  if (name === "put() of a stream") continue;
  Deno.test(`TCM-21 Client.${name} can still end when the control connection has ended, and nothing after it`, async () => {
    const half = answer.join("").slice(0, 20);
    const rest = answer.join("").slice(20);
    await attemptTandem([...asked, sends(half), closesControl(), sends(rest), isLeft()], async (session) => {
      await run(session);
    }, { sessionEnds: "disconnected" });
  });

  Deno.test(`TCM-1 Client.${name} fails with protocol when bytes come on the control connection`, async () => {
    for (const text of ["+000000002{}", "x"]) {
      await attemptTandem([...asked, sendsOnControl(text), isLeft()], async (session) => {
        await assertFails(run(session), "protocol");
        assertEquals([...Deno.readDirSync(session.folder)], []);
      }, { sessionEnds: "protocol" });
    }
  });
}

const LARGE = 4_000_000;
const PART = "x".repeat(2_000_000);

Deno.test("Client.download() keeps a part of a large file when the server goes away, and get() nothing", async () => {
  const script = [...opensWith("get a"), sends(infoOf(LARGE), chunk(PART)), closesData()];
  await attemptTandem(script, async ({ client, folder }) => {
    const { message } = await assertFails(client.download("a", `${folder}/a`), "disconnected");
    assertStringIncludes(message, "incomplete");
    const names = [...Deno.readDirSync(folder)].map(({ name }) => name);
    assertEquals(names, [keptName("a")]);
    const kept = Deno.readTextFileSync(`${folder}/${keptName("a")}`);
    assert(PART.startsWith(kept) && kept.length > 0, `${kept.length} bytes of it`);
    Deno.removeSync(`${folder}/${keptName("a")}`);
  }, { sessionEnds: "disconnected" });
});

const NOT_KEPT = {
  "the server breaks it off": [errorMessage("changed"), "changed"],
  "its checksum does not fit": [chunk(PART) + bodyOf("").slice(0, 10) + object({ crc32: "00000000" }), "integrity"],
} as const;

for (const [why, [rest, code]] of Object.entries(NOT_KEPT)) {
  Deno.test(`Client.download() keeps no part of a large file when ${why}`, async () => {
    await attemptTandem([...opensWith("get a"), sends(infoOf(LARGE), chunk(PART), rest)], async (session) => {
      await assertFails(session.client.download("a", `${session.folder}/a`), code);
      assertEquals([...Deno.readDirSync(session.folder)], []);
    });
  });
}

Deno.test("TCM-19 Client.download() keeps no part of a large file that was aborted, and the session goes on", async () => {
  const script = [
    ...opensWith("get a"),
    sends(infoOf(LARGE), chunk(PART)),
    takesAbort(0),
    sends(chunk(PART.slice(0, 1_000)), errorMessage("aborted")),
  ];
  const controller = new AbortController();
  await attemptTandem(script, async ({ client, folder }) => {
    const failing = assertFails(client.download("a", `${folder}/a`, { signal: controller.signal }), "aborted");
    await failing;
    assertEquals([...Deno.readDirSync(folder)], []);
  }, { onEvent: (event) => event.event === "progress" && event.bytes > 1_000_000 && controller.abort() });
});

Deno.test("TCM-19 Client takes the whole result of what it gave up, if the abort came too late", async () => {
  const script = [...opensWith("get a"), sends(infoOf(PART.length), bodyOf(PART)), takesAbort(0)];
  await attemptTandem(script, async ({ client }) => {
    const download = await client.get("a");
    await download.readable.cancel();
  });
});

Deno.test("TCM-11 Client.put() ends its body when it is refused in the middle, and the session goes on", async () => {
  const script = [
    ...opensWith("put a", { ready: true, size: 50_000_000 }, "put a"),
    sends(object({ offset: 0 })),
    takesObject({ offset: 0 }),
    refusesBody(errorMessage("no-space")),
  ];
  await attemptTandem(script, async ({ client }) => {
    await assertFails(client.put("a", new Uint8Array(50_000_000)), "no-space");
  });
});

Deno.test("K5 Client ends all operations under way when the data connection ends", async () => {
  await attemptTandem(
    [...opensWith("ls"), sends(listingOf("a").slice(0, 5)), closesData()],
    async ({ client, folder }) => {
      const all = [
        list(client),
        client.ping(),
        client.put("b", "x"),
        client.download("a", `${folder}/a`),
        client.get("a"),
        client.mkdir("c"),
      ];
      const codes = await within(
        Promise.all(all.map((one) => one.then(() => "ok", ({ code }) => code))),
        PATIENCE_MS,
        "all of them",
      );
      assertEquals(codes, codes.map(() => "disconnected"));
      assertEquals([...Deno.readDirSync(folder)], []);
    },
    { sessionEnds: "disconnected" },
  );
});
