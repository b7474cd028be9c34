/**
 * A host as it is typed.
 *
 * @module
 */

import { parseHost, type Target } from "../../src/cli/host.ts";
import { assertEquals, fc } from "../deps.ts";
import { assertUsage } from "./usage_error.ts";

const TAKEN: readonly (readonly [typed: string, hostname: string, port: number, path?: string])[] = [
  ["localhost", "localhost", 2121],
  ["127.0.0.1", "127.0.0.1", 2121],
  ["127.0.0.1:4000", "127.0.0.1", 4000],
  ["files.example.org:1", "files.example.org", 1],
  ["a-b_c:65535", "a-b_c", 65_535],
  ["::1", "::1", 2121],
  ["2001:db8::7", "2001:db8::7", 2121],
  ["fe80::1%eth0", "fe80::1%eth0", 2121],
  ["[::1]", "::1", 2121],
  ["[::1]:4000", "::1", 4000],
  ["[fe80::1%eth0]:4000", "fe80::1%eth0", 4000],
  ["tandem://localhost", "localhost", 2121],
  ["tandem://localhost/", "localhost", 2121, "/"],
  ["tandem://localhost:4000", "localhost", 4000],
  ["tandem://localhost:4000/", "localhost", 4000, "/"],
  ["tandem://127.0.0.1:4000/a/b", "127.0.0.1", 4000, "/a/b"],
  ["tandem://[::1]:4000/a", "::1", 4000, "/a"],
  ["tandem://[::1]/a", "::1", 2121, "/a"],
  ["tandem://h/with%20space/%C3%BC", "h", 2121, "/with space/ü"],
  ["tandem://h/a:b", "h", 2121, "/a:b"],
  ["tandem://h/100%25", "h", 2121, "/100%"],
];

for (const [typed, hostname, port, path = ""] of TAKEN) {
  Deno.test(`parseHost() takes ${typed}`, () => {
    const expected: Target = { hostname, port, path };
    assertEquals(parseHost(typed, undefined), expected);
  });
}

const REFUSED = [
  "",
  ":4000",
  "[]",
  "[]:4000",
  "[::1",
  "::1]",
  "host:21:22",
  "127.0.0.1:21:22",
  "[::1]4000",
  "[::1]:",
  "host:",
  "host:0",
  "host:65536",
  "host:99999",
  "host:123456",
  "host:abc",
  "host:-1",
  "host:21 ",
  "a b",
  "host/path",
  "user@host",
  "host\n",
  "http://host",
  "http://host:80/",
  "tandem://",
  "tandem:///path",
  "tandem://host:0/",
  "tandem://host:abc/",
  "tandem://user@host/",
  "tandem://host/%zz",
  "tandem://host/%ff",
];

for (const typed of REFUSED) {
  Deno.test(`parseHost() refuses ${JSON.stringify(typed)}`, () => {
    assertUsage(() => parseHost(typed, undefined));
  });
}

Deno.test("parseHost() takes the port of the flag where the host has none", () => {
  assertEquals(parseHost("h", 4000).port, 4000);
  assertEquals(parseHost("::1", 4000), { hostname: "::1", port: 4000, path: "" });
  assertEquals(parseHost("tandem://h/a", 4000).port, 4000);
});

Deno.test("parseHost() takes the same port twice and refuses two different ones", () => {
  assertEquals(parseHost("h:4000", 4000).port, 4000);
  assertUsage(() => parseHost("h:4000", 4001), "4000", "4001");
});

Deno.test("parseHost() gives back any path of a URL", () => {
  fc.assert(fc.property(fc.string({ unit: "grapheme" }), (text) => {
    assertEquals(parseHost(`tandem://h:1/${encodeURIComponent(text)}`, undefined).path, `/${text}`);
  }));
});
