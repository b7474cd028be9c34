/**
 * Tests that commands may be asked for at any moment, also at one at which
 * another is just being sent.
 *
 * @module
 */

import type { Client } from "../../mod.ts";
import { assertEquals } from "../deps.ts";
import { PATIENCE_MS, within } from "../net/deadline.ts";
import { SOAK } from "../server/test_bed.ts";
import { openBed } from "./bed.ts";

/** Has `hook` called whenever a write to a connection that this process opens has ended, before the writer knows. */
function spyOnWrites(hook: () => void): Disposable {
  const original = Deno.connect;
  const watched = async (options: Deno.ConnectOptions) => {
    const conn = await original(options);
    const write = conn.write.bind(conn);
    conn.write = async (bytes) => {
      const count = await write(bytes);
      hook();
      return count;
    };
    return conn;
  };
  Object.assign(Deno, { connect: watched });
  return { [Symbol.dispose]: () => void Object.assign(Deno, { connect: original }) };
}

/** Resolved when so many steps of promises have been taken. */
async function steps(count: number): Promise<void> {
  for (let i = 0; i < count; i++) await null;
}

Deno.test("Client sends a command that is asked for at any step of the end of another one's sending", async () => {
  await using bed = await openBed();
  let onWritten = () => {};
  using _spy = spyOnWrites(() => onWritten());
  const client: Client = await bed.connect();
  await client.ping();
  for (let count = 0; count < 30; count++) {
    const later = Promise.withResolvers<number>();
    onWritten = () => {
      onWritten = () => {};
      void steps(count).then(() => later.resolve(client.ping()));
    };
    await within(client.ping(), PATIENCE_MS, "an answer");
    await within(later.promise, PATIENCE_MS, `the answer to what was asked for after ${count} steps`);
  }
});

Deno.test("Client sends a command that is asked for at any step of the end of the first one's sending", async () => {
  for (let count = 0; count < 30; count++) {
    await using bed = await openBed();
    let onWritten = () => {};
    using _spy = spyOnWrites(() => onWritten());
    const client = await bed.connect();
    // The writes of the opening: the first command, and then the ticket.
    const answers: Promise<unknown>[] = [];
    onWritten = () => void steps(count).then(() => answers.push(client.ping()));
    await within(client.ping(), PATIENCE_MS, "an answer");
    onWritten = () => {};
    await within(Promise.all(answers), PATIENCE_MS, `the answers to what was asked for after ${count} steps`);
  }
});

Deno.test("Client has every answer in sessions of commands that overlap at random", async () => {
  await using bed = await openBed();
  const texts = ["a", "b".repeat(30_000), "c".repeat(300_000)];
  for (const [i, text] of texts.entries()) Deno.writeTextFileSync(`${bed.root}/${i}`, text);
  for (let session = 0; session < (SOAK ? 2_000 : 60); session++) {
    const client = await bed.connect();
    const reading = texts.map(async (text, i) => {
      await steps((session * 7 + i * 3) % 20);
      await using download = await client.get(String(i));
      let bytes = 0;
      for await (const chunk of download.readable) bytes += chunk.length;
      assertEquals(bytes, text.length);
      return await client.stat(String(i));
    });
    await within(Promise.all(reading), PATIENCE_MS, `the answers in session ${session}`);
    await client.close();
  }
});
