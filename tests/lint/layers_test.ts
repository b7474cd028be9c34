/** The lint plugin finds what breaks the layer rule, and nothing in what keeps it. */

import { assertEquals } from "../deps.ts";
import plugin, { importFault } from "./layers.ts";

const BROKEN: readonly [from: string, specifier: string][] = [
  ["/p/src/server/serve.ts", "../client/connect.ts"],
  ["/p/src/client/client.ts", "../server/serve.ts"],
  ["/p/src/protocol/header.ts", "../net/channel.ts"],
  ["/p/src/protocol/header.ts", "node:fs"],
  ["/p/src/protocol/sealed.ts", "node:crypto"],
  ["/p/src/protocol/sealed.ts", "node:zlib/promises"],
  ["/p/src/protocol/sealed.ts", "npm:pako@2.1.0"],
  ["/p/src/errors.ts", "node:zlib"],
  ["/p/src/limits.ts", "node:zlib"],
  ["/p/src/deps.ts", "node:zlib"],
  ["/p/main.ts", "node:zlib"],
  ["/p/src/store/jail.ts", "../net/channel.ts"],
  ["/p/src/net/bulk.ts", "../store/landing.ts"],
  ["/p/src/cli/output.ts", "../client/client.ts"],
  ["/p/src/cli/output.ts", "npm:deno-std@1.4.0/fmt/bytes.js"],
  ["/p/src/cli/output.ts", "@std/assert"],
  ["/p/src/net/bulk.ts", "../../tests/helpers.ts"],
  ["/p/main.ts", "./src/server/serve.ts"],
  ["/p/src/secret/secret.ts", "../protocol/sealed.ts"],
  ["/p/src/secret/secret.ts", "../limits.ts"],
  ["/p/src/secret/secret.ts", "../net/tls.ts"],
  ["/p/src/secret/certificate.ts", "../deps.ts"],
  ["/p/src/secret/certificate.ts", "npm:@peculiar/x509@1.14.0"],
  ["/p/src/secret/secret.ts", "../../mod.ts"],
  ["/p/src/protocol/tandem_command.ts", "../secret/secret.ts"],
  ["/p/src/store/jail.ts", "../secret/secret.ts"],
  ["/p/src/cli/credentials.ts", "../secret/secret.ts"],
  ["/p/src/errors.ts", "./secret/secret.ts"],
  ["/p/main.ts", "./src/secret/secret.ts"],
];

const KEPT: readonly [from: string, specifier: string][] = [
  ["/p/src/server/serve.ts", "../net/channel.ts"],
  ["/p/src/server/serve.ts", "./session.ts"],
  ["/p/src/protocol/command.ts", "../limits.ts"],
  ["/p/src/protocol/sealed.ts", "node:zlib"],
  ["/p/src/store/jail.ts", "node:fs"],
  ["/p/src/net/checksum.ts", "node:zlib"],
  ["/p/src/cli/output.ts", "../../mod.ts"],
  ["/p/src/cli/flags.ts", "../deps.ts"],
  ["/p/src/deps.ts", "npm:deno-std@1.4.0/fmt/bytes.js"],
  ["/p/mod.ts", "./src/client/connect.ts"],
  ["/p/main.ts", "./src/cli/flags.ts"],
  ["/p/tests/helpers.ts", "../src/protocol/header.ts"],
  ["/p/src/secret/secret.ts", "./certificate.ts"],
  ["/p/src/secret/secret.ts", "../errors.ts"],
  ["/p/src/secret/secret.ts", "node:crypto"],
  ["/p/src/net/tls.ts", "../secret/secret.ts"],
  ["/p/src/server/authentication.ts", "../secret/secret.ts"],
  ["/p/src/client/negotiation.ts", "../secret/secret.ts"],
  ["/p/mod.ts", "./src/secret/secret.ts"],
];

for (const [from, specifier] of BROKEN) {
  Deno.test(`importFault() refuses "${specifier}" when ${from} imports it`, () => {
    assertEquals(typeof importFault(from, specifier), "string");
  });
}

for (const [from, specifier] of KEPT) {
  Deno.test(`importFault() takes "${specifier}" when ${from} imports it`, () => {
    assertEquals(importFault(from, specifier), undefined);
  });
}

Deno.test("the plugin reports impure code when it stands in src/protocol", () => {
  const impure = "const x = await Deno.readTextFile('a'); setTimeout(() => {}, 1);";
  const found = Deno.lint.runPlugin(
    plugin,
    "/p/src/protocol/header.ts",
    impure,
  );
  assertEquals(
    found.map(({ id }) => id),
    Array(3).fill("tandem/pure-protocol"),
  );
  assertEquals(Deno.lint.runPlugin(plugin, "/p/src/net/bulk.ts", impure), []);
});

Deno.test("the plugin reports an import of what is not pure when it stands in src/protocol", () => {
  const source = `import { crc32 } from "node:zlib"; import { createHash } from "node:crypto";`;
  const found = Deno.lint.runPlugin(plugin, "/p/src/protocol/sealed.ts", source);
  assertEquals(found.map(({ id }) => id), ["tandem/layers"]);
});

Deno.test("the plugin reports an import when it breaks the layer rule", () => {
  const source = `import { serve } from "../server/serve.ts"; export * from "./a.ts"; await import("../net/b.ts");`;
  const found = Deno.lint.runPlugin(plugin, "/p/src/client/client.ts", source);
  assertEquals(found.map(({ id }) => id), ["tandem/layers"]);
});
