/**
 * Tests of the client against tandem servers that damage what they send, say
 * less or more than they announce, or break off: K3, K5, K6. After each the
 * session goes on or has ended, as SPEC.md has it.
 *
 * @module
 */

import type { ErrorCode } from "../../mod.ts";
import { assert, assertEquals } from "../deps.ts";
import { assertFails, failureOf } from "../net/failure.ts";
import { closesControl, closesData, sends } from "./scripted_server.ts";
import {
  attemptTandem,
  bodyOf,
  chunk,
  crcOf,
  END,
  errorMessage,
  fileOf,
  finalNames,
  infoOf,
  listingOf,
  object,
  opensWith,
  sealed,
  signed,
  takesNext,
} from "./tandem_script.ts";
import { assertFetched, CONTENT, FETCHES, OPERATIONS, WHOLE_FILE } from "./tandem_operations.ts";
import { list } from "./session.ts";

const SUMS = object({ crc32: crcOf(CONTENT) });

for (const [name, { asked, answer, run }] of Object.entries(OPERATIONS)) {
  Deno.test(`Client.${name} takes the answer of an honest tandem server, whole and byte by byte`, async () => {
    for (const pieces of [answer, [...answer.join("")]]) {
      await attemptTandem([...asked, sends(...pieces)], run);
    }
  });

  Deno.test(`MSG-5 Client.${name} fails with the code that a server tells at any place, and the session goes on`, async () => {
    for (let at = 0; at < answer.length; at++) {
      for (const code of ["not-found", "denied", "changed", "integrity"] as const) {
        const error = errorMessage(code, "the reason", { hint: "the hint", more: 1 });
        await attemptTandem([...asked, sends(...answer.slice(0, at), error)], async (session) => {
          const { message, hint } = await assertFails(run(session), code);
          assertEquals([message, hint], ["the reason", "the hint"]);
          assertEquals([...Deno.readDirSync(session.folder)], []);
        });
      }
    }
  });

  Deno.test(`MSG-5 Client.${name} takes a code that it does not know for internal, and the session goes on`, async () => {
    for (const error of [errorMessage("new-in-2040"), sealed("{}", "-"), errorMessage("toString")]) {
      await attemptTandem([...asked, sends(error)], async (session) => {
        await assertFails(run(session), "internal");
      });
    }
  });

  Deno.test(`MSG-2 Client.${name} ends the session with integrity when a message does not fit its seal`, async () => {
    const last = answer.at(-1) ?? "";
    const before = answer.slice(0, -1);
    const flipped = last.slice(0, 11) + String.fromCharCode(last.charCodeAt(11) ^ 1) + last.slice(12);
    const wrong = last.slice(0, -1) + (last.endsWith("0") ? "1" : "0");
    const upper = sealed("{}", "+", crcOf("{}").toUpperCase());
    for (const damaged of [flipped, wrong, upper, signed(3) + "{}\n", signed(0), sealed("{}", "-", "00000000")]) {
      await attemptTandem([...asked, sends(...before, damaged)], async (session) => {
        await assertFails(run(session), "integrity");
        assertEquals([...Deno.readDirSync(session.folder)], []);
      }, { sessionEnds: "integrity" });
    }
  });

  Deno.test(`MSG-3 Client.${name} ends the session with protocol when a message is no object`, async () => {
    const before = answer.slice(0, -1);
    for (const text of ["", "[]", "null", "1", '"x"', "{", "{}{}", "{'a':1}", "\ufeff{}"]) {
      await attemptTandem([...asked, sends(...before, sealed(text))], async (session) => {
        await assertFails(run(session), "protocol");
        assertEquals(finalNames(session.folder), []);
      }, { sessionEnds: "protocol" });
    }
  });

  Deno.test(`MSG-1 Client.${name} ends the session with protocol when a header is none`, async () => {
    for (const header of ["0000000005", "         5", "+00000005 ", "+0000000a5", "++00000005", "-00000005x"]) {
      for (let at = 0; at < answer.length; at++) {
        await attemptTandem([...asked, sends(...answer.slice(0, at), header)], async (session) => {
          await assertFails(run(session), "protocol");
        }, { sessionEnds: "protocol" });
      }
    }
  });

  Deno.test(`MSG-4 Client.${name} refuses a message of over 65,536 bytes at its header`, async () => {
    for (const header of [signed(65_537), signed(999_999_999)]) {
      await attemptTandem([...asked, sends(...answer.slice(0, -1), header)], async (session) => {
        await assertFails(run(session), "protocol");
      }, { sessionEnds: "protocol" });
    }
    await attemptTandem([...asked, sends(...answer.slice(0, -1), signed(65_537, "-"))], async (session) => {
      await assertFails(run(session), "protocol");
    }, { sessionEnds: "protocol" });
  });

  Deno.test(`MSG-6 Client.${name} waits on for a server that says it is at work`, async () => {
    const before = answer.slice(0, -1);
    // The last message of a body stands behind its end.
    const working = object({ working: true }).repeat(3);
    const more = object({ working: true, percent: 5 });
    await attemptTandem([...asked, sends(...before, working, more, answer.at(-1) ?? "")], run);
  });
}

const BAD_BODIES: Readonly<Record<string, readonly [string, readonly ErrorCode[]]>> = {
  "has another checksum": [infoOf(5) + chunk(CONTENT) + END + object({ crc32: crcOf("hellO") }), ["integrity"]],
  "has other bytes": [infoOf(5) + chunk("hellO") + END + SUMS, ["integrity"]],
  "has a byte less": [infoOf(5) + bodyOf("hell"), ["integrity", "changed"]],
  "has nothing": [infoOf(5) + bodyOf(), ["integrity", "changed"]],
  "has a byte more": [infoOf(5) + bodyOf("hello!"), ["integrity", "changed"]],
  "has a byte more in a chunk of its own": [infoOf(5) + bodyOf("hello", "!"), ["integrity", "changed"]],
  "has far more": [infoOf(5) + bodyOf("hello", "x".repeat(1_000_000), "y"), ["integrity", "changed"]],
  "has something, and nothing was announced": [infoOf(0) + bodyOf("x"), ["integrity", "changed"]],
};

for (const [name, { asked, run }] of Object.entries(FETCHES)) {
  for (const [how, [answer, codes]] of Object.entries(BAD_BODIES)) {
    Deno.test(`K6 BDY-3 Client.${name} stores nothing when a body ${how}, and the session goes on`, async () => {
      await attemptTandem([...asked, sends(answer)], async (session) => {
        const { code, message } = await failureOf(run(session));
        assert(codes.includes(code), `${code}: ${message}`);
        assertEquals([...Deno.readDirSync(session.folder)], []);
      });
    });
  }

  Deno.test(`BDY-4 Client.${name} takes a body however it was cut`, async () => {
    for (const chunks of [[CONTENT], [..."hello"], ["hell", "o"], ["h", "ello"]]) {
      await attemptTandem([...asked, sends(infoOf(5), bodyOf(...chunks))], async (session) => {
        assertFetched(session, await run(session));
      });
    }
  });

  Deno.test(`BDY-4 Client.${name} refuses a chunk of over 67,108,864 bytes at its header`, async () => {
    for (const size of [67_108_865, 999_999_999]) {
      await attemptTandem([...asked, sends(infoOf(size), signed(size))], async (session) => {
        await assertFails(run(session), "protocol");
        assertEquals(finalNames(session.folder), []);
      }, { sessionEnds: "protocol" });
    }
  });

  Deno.test(`TCM-6 Client.${name} ends the session with protocol when what precedes a body makes no sense`, async () => {
    const good = { size: 5, offset: 0, length: 5, version: "1" };
    const bad: readonly Record<string, unknown>[] = [
      ...[-1, 1.5, "5", null, 2 ** 60, [5], true].flatMap((size) => [{ size }, { length: size }, { offset: size }]),
      ...[{ size: undefined }, { length: undefined }, { offset: undefined }, { offset: 1 }],
      ...[{ mtime: "now" }, { mtime: {} }, { mode: -1 }, { mode: "rw" }],
    ];
    for (const fields of bad) {
      await attemptTandem([...asked, sends(object({ ...good, ...fields }))], async (session) => {
        const { code } = await failureOf(run(session));
        assertEquals(code, "protocol", JSON.stringify(fields));
      }, { sessionEnds: "protocol" });
    }
  });

  Deno.test(`MSG-3 Client.${name} does not look at fields that it does not know`, async () => {
    const answer = infoOf(5, { working: false, ["__proto__"]: 1, more: { deep: [] } }) + bodyOf(CONTENT);
    await attemptTandem([...asked, sends(answer)], async (session) => {
      assertFetched(session, await run(session));
    });
  });
}

Deno.test("BDY-2 Client.download() compares SHA-256 where it asked for it, and the session goes on", async () => {
  const asked = opensWith("get a", { digest: true }, "get a");
  const right = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";
  const wrong = `${right.slice(0, -1)}5`;
  for (const sums of [{ sha256: wrong }, {}]) {
    const answer = infoOf(5) + chunk(CONTENT) + END + object({ crc32: crcOf(CONTENT), ...sums });
    await attemptTandem([...asked, sends(answer)], async ({ client, folder }) => {
      await assertFails(client.download("a", `${folder}/a`, { verify: true }), "integrity");
      assertEquals([...Deno.readDirSync(folder)], []);
    });
  }
  const answer = infoOf(5) + chunk(CONTENT) + END + object({ crc32: crcOf(CONTENT), sha256: right });
  await attemptTandem([...asked, sends(answer)], async ({ client, folder }) => {
    await client.download("a", `${folder}/a`, { verify: true });
  });
});

Deno.test("Client.download() keeps the old file when the new one is damaged", async () => {
  const asked = opensWith("get a");
  await attemptTandem([...asked, sends(infoOf(5), bodyOf("hell"))], async ({ client, folder }) => {
    Deno.writeTextFileSync(`${folder}/a`, "old");
    await assertFails(client.download("a", `${folder}/a`, { overwrite: true }), "integrity");
    assertEquals(Deno.readTextFileSync(`${folder}/a`), "old");
  });
});

Deno.test("Client stores nothing of an answer that nobody asked for", async () => {
  const script = [
    ...opensWith("get a"),
    sends(WHOLE_FILE + fileOf("unasked")),
    takesNext("ls"),
    sends(listingOf("b")),
    closesData(),
    closesControl(),
  ];
  await attemptTandem(script, async ({ client, folder }) => {
    await client.download("a", `${folder}/a`);
    // What nobody asked for is taken for the listing, which it is not.
    const { code } = await failureOf(list(client));
    assert(code === "protocol" || code === "integrity", code);
    await failureOf(client.download("b", `${folder}/b`));
    assertEquals(finalNames(folder), ["a"]);
  }, { sessionEnds: "disconnected" });
});
