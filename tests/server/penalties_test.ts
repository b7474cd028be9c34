/**
 * Unit tests of what failing to show the secret costs an address (SEC-8, R10),
 * with a clock that the tests move.
 *
 * @module
 */

import { assert, assertEquals, assertGreater, assertLess, assertLessOrEqual, assertNotEquals } from "../deps.ts";
import { MAX_PENALTY_HOLD_MS } from "../../src/limits.ts";
import { network, Penalties } from "../../src/server/penalties.ts";

/** Penalties, and their clock. */
function withClock(): { readonly penalties: Penalties; readonly clock: { nowMs: number } } {
  const clock = { nowMs: 1_000_000 };
  return { penalties: new Penalties(() => clock.nowMs), clock };
}

const MINUTE_MS = 60_000;
const BAD = "192.0.2.1";
const GOOD = "192.0.2.2";

Deno.test("Penalties: who has not failed need not wait", () => {
  assertEquals(withClock().penalties.waitMs(GOOD), 0);
});

Deno.test("Penalties: each failure makes the wait longer, up to a bound, and nobody else's", () => {
  const { penalties } = withClock();
  const waits = Array.from({ length: 40 }, () => {
    penalties.fail(BAD);
    return penalties.waitMs(BAD);
  });
  const [first = 0] = waits;
  assertGreater(first, 0);
  assertLess(first, 1_000, "the first failure, a slip, costs less than a person notices");
  const longest = waits.at(-1) ?? 0;
  for (const [i, waitMs] of waits.entries()) {
    const before = waits[i - 1] ?? 0;
    if (before < longest) assertGreater(waitMs, before, `failure ${i + 1}`);
    else assertEquals(waitMs, longest);
  }
  assertLessOrEqual(longest, 60 * MINUTE_MS, "nobody is kept out for long by somebody else at the same address");
  assertGreater(longest, MINUTE_MS);
  assert(waits.indexOf(longest) < 20);
  assertEquals(penalties.waitMs(GOOD), 0);
});

Deno.test("Penalties: many thousand failures are no number that overflows", () => {
  const { penalties } = withClock();
  for (let i = 0; i < 5_000; i++) penalties.fail(BAD);
  const waitMs = penalties.waitMs(BAD);
  assert(Number.isFinite(waitMs) && waitMs > MINUTE_MS && waitMs <= 60 * MINUTE_MS, `${waitMs} ms`);
});

Deno.test("Penalties: the wait runs from the last failure, and has an end", () => {
  const { penalties, clock } = withClock();
  for (let i = 0; i < 3; i++) penalties.fail(BAD);
  const waitMs = penalties.waitMs(BAD);
  clock.nowMs += waitMs / 2;
  assertEquals(penalties.waitMs(BAD), waitMs / 2);
  penalties.fail(BAD);
  assertGreater(penalties.waitMs(BAD), waitMs);
  clock.nowMs += penalties.waitMs(BAD);
  assertEquals(penalties.waitMs(BAD), 0);
});

Deno.test("Penalties: who has waited and fails again waits longer still", () => {
  const { penalties, clock } = withClock();
  let before = 0;
  for (let i = 0; i < 8; i++) {
    penalties.fail(BAD);
    const waitMs = penalties.waitMs(BAD);
    assertGreater(waitMs, before);
    before = waitMs;
    clock.nowMs += waitMs + 1;
  }
});

Deno.test("Penalties: failures are forgotten after a while without one, and not sooner than the wait is over", () => {
  const { penalties, clock } = withClock();
  penalties.fail(BAD);
  const first = penalties.waitMs(BAD);
  for (let i = 0; i < 30; i++) penalties.fail(BAD);
  clock.nowMs += penalties.waitMs(BAD) - 1;
  assertEquals(penalties.waitMs(BAD), 1);
  penalties.fail(BAD);
  assertGreater(penalties.waitMs(BAD), first, "what it failed before still counts");
  clock.nowMs += 24 * 60 * MINUTE_MS;
  assertEquals(penalties.waitMs(BAD), 0);
  penalties.fail(BAD);
  assertEquals(penalties.waitMs(BAD), first);
});

Deno.test("Penalties: a success forgives, that address alone", () => {
  const { penalties } = withClock();
  penalties.fail(BAD);
  const first = penalties.waitMs(BAD);
  for (let i = 0; i < 10; i++) for (const address of [BAD, GOOD]) penalties.fail(address);
  const before = penalties.waitMs(GOOD);
  penalties.forgive(BAD);
  assertEquals(penalties.waitMs(BAD), 0);
  assertEquals(penalties.waitMs(GOOD), before);
  penalties.fail(BAD);
  assertEquals(penalties.waitMs(BAD), first);
});

Deno.test("Penalties: a clock that stands still or jumps back, which a monotonic one never does, keeps nobody out for ever", () => {
  const { penalties, clock } = withClock();
  penalties.fail(BAD);
  const waitMs = penalties.waitMs(BAD);
  assertEquals(penalties.waitMs(BAD), waitMs);
  clock.nowMs += waitMs;
  assertEquals(penalties.waitMs(BAD), 0);
});

Deno.test("Penalties: no more than so many addresses are remembered, and of too many the one that failed longest ago is not", () => {
  const { penalties, clock } = withClock();
  const addressOf = (i: number) => `10.${i >> 16}.${i >> 8 & 255}.${i & 255}`;
  const COUNT = 50_000;
  for (let i = 0; i < COUNT; i++) {
    clock.nowMs += 0.001;
    penalties.fail(addressOf(i));
    // It goes on failing now and then, and must not be washed out by the others.
    for (let n = i === 0 ? 20 : 1; n > 0 && i % 5_000 === 0; n--) penalties.fail(BAD);
  }
  const isKnown = (address: string) => penalties.waitMs(address) > 0;
  const known = Array.from({ length: COUNT }, (_, i) => addressOf(i)).filter(isKnown);
  assertLessOrEqual(known.length, 20_000);
  assertGreater(known.length, 1_000);
  assertEquals(known, Array.from({ length: known.length }, (_, i) => addressOf(COUNT - known.length + i)));
  assertGreater(penalties.waitMs(BAD), MINUTE_MS);
});

Deno.test("Penalties.hold() waits as long as the address has to, and no longer than its bound", async () => {
  const penalties = new Penalties();
  const timed = async (work: Promise<void>) => {
    const startedMs = performance.now();
    await work;
    return performance.now() - startedMs;
  };
  penalties.fail(BAD);
  const waitMs = penalties.waitMs(BAD);
  const held = timed(penalties.hold(BAD));
  assertLess(await timed(penalties.hold(GOOD)), waitMs * 0.8);
  assertGreater(await held, waitMs * 0.8);
  for (let i = 0; i < 20; i++) penalties.fail(BAD);
  const most = await timed(penalties.hold(BAD));
  assertGreater(most, MAX_PENALTY_HOLD_MS * 0.9);
  assertLess(most, MAX_PENALTY_HOLD_MS * 2);
});

Deno.test("Penalties.punish() counts the failure before it waits", async () => {
  const penalties = new Penalties();
  const punished = penalties.punish(BAD);
  assertGreater(penalties.waitMs(BAD), 0);
  await punished;
  // A timer may be a fraction of a millisecond early.
  assertLess(penalties.waitMs(BAD), 5);
});

Deno.test("Penalties: a machine with a whole /64 network cannot choose another address of it", () => {
  const { penalties } = withClock();
  for (let i = 1; i <= 12; i++) penalties.fail(`2001:db8:1:2::${i.toString(16)}`);
  assertGreater(penalties.waitMs("2001:db8:1:2:ffff:ffff:ffff:ffff"), MINUTE_MS);
  assertEquals(penalties.waitMs("2001:db8:1:3::1"), 0);
  penalties.forgive("2001:db8:1:2:a:b:c:d");
  assertEquals(penalties.waitMs("2001:db8:1:2::1"), 0);
});

Deno.test("network() of an IPv4 address is that address", () => {
  for (const address of ["192.0.2.1", "127.0.0.1", "0.0.0.0", "255.255.255.255"]) {
    assertEquals(network(address), address);
  }
});

Deno.test("network() of an IPv6 address is its /64, however it is spelt", () => {
  const NETWORKS = [
    [
      "2001:db8:0:1::1",
      "2001:db8:0:1::",
      "2001:0db8:0000:0001:0000:0000:0000:0001",
      "2001:DB8:0:1:8:9:A:b",
      "2001:db8::1:0:0:0:1",
    ],
    ["2001:db8::1", "2001:db8:0:0::1", "2001:db8:0:0:0:0:0:1", "2001:db8::", "2001:db8::a:b:c:d"],
    ["2001:db8:0:2::1"],
    ["2001:db8:1:1::1"],
    ["::1", "::", "0:0:0:0:0:0:0:1", "::a:b:c:d", "0::1", "::0"],
    ["1::", "1::1", "1:0:0:0:0:0:0:0"],
    ["::1:0:0:0:0", "0:0:0:1::", "0:0:0:1:0:0:0:0"],
    ["1:2:3:4:5:6:7:8", "1:2:3:4::", "1:2:3:4::8", "1:2:3:4:5:6:7::", "01:02:03:04::8"],
    ["1:2:3::", "1:2:3::8", "1:2:3:0::"],
    ["fe80::1%eth0", "fe80::2%eth0", "fe80::1"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff::"],
  ];
  const seen = new Set<string>();
  for (const spellings of NETWORKS) {
    const [first = ""] = spellings.map(network);
    for (const spelling of spellings) assertEquals(network(spelling), first, spelling);
    assert(!seen.has(first), `${spellings[0]} is another network`);
    seen.add(first);
  }
});

Deno.test("network() of an IPv4 address in IPv6 clothes is not that of all the others", () => {
  assertNotEquals(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
  assertNotEquals(network("::ffff:192.0.2.1"), network("::1"));
});
