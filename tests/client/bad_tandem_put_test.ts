/**
 * Tests of the client that sends a file to tandem servers which say that they
 * have stored or have got what they cannot have.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { assertEquals } from "../deps.ts";
import { assertFails } from "../net/failure.ts";
import { sends } from "./scripted_server.ts";
import { attemptTandem, crcOf, object, opensWith, type Parameters, takesBody, takesObject } from "./tandem_script.ts";

const CONTENT = "hello";
const SUM = crcOf(CONTENT);

const NOT_STORED: Readonly<Record<string, Parameters>> = {
  "another checksum": { size: 5, crc32: "00000000" },
  "another size": { size: 4, crc32: SUM },
  "no checksum": { size: 5 },
  "no size": { crc32: SUM },
  "a checksum in capitals": { size: 5, crc32: SUM.toUpperCase() },
  "nothing": {},
};

for (const [what, stored] of Object.entries(NOT_STORED)) {
  Deno.test(`TCM-9 Client.put() fails when the server has stored ${what}`, async () => {
    const script = [...opensWith("put a", { size: 5 }, "put a"), takesBody(CONTENT), sends(object(stored))];
    await attemptTandem(script, async ({ client }) => {
      await assertFails(client.put("a", CONTENT), "protocol");
    }, { sessionEnds: "protocol" });
  });
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}

/** What a server says that it has of the file, and where the client must begin. */
const READY: Readonly<Record<string, readonly [Parameters, number]>> = {
  "the beginning": [{ offset: 2, sha256: sha256("he") }, 2],
  "all of it": [{ offset: 5, sha256: sha256(CONTENT) }, 5],
  "something else": [{ offset: 2, sha256: sha256("hE") }, 0],
  "more than all": [{ offset: 6, sha256: sha256("hello!") }, 0],
  "something without its hash": [{ offset: 2 }, 0],
  "nothing, with a hash": [{ offset: 0, sha256: sha256("he") }, 0],
};

for (const [what, [ready, offset]] of Object.entries(READY)) {
  Deno.test(`TCM-10 Client.upload() begins at ${offset} when the server says that it has ${what}`, async () => {
    const rest = CONTENT.slice(offset);
    const script = [
      ...opensWith("put a", { size: 5, ready: true, resume: true }, "put a"),
      sends(object(ready)),
      takesObject({ offset }),
      takesBody(rest),
      sends(object({ size: 5, crc32: crcOf(rest) })),
    ];
    await attemptTandem(script, async ({ client, folder }) => {
      Deno.writeTextFileSync(`${folder}/local`, CONTENT);
      const { resumedBytes, outcome } = await client.upload(`${folder}/local`, "a", { resume: true });
      assertEquals([resumedBytes, outcome], [offset, "stored"]);
    });
  });
}
