/**
 * Tests of the certificates, as another program sees them: what `openssl` says
 * of the authority's and of a server's, and whether one vouches for the other.
 * And of the encoding below them: a length for any contents, and PEM lines.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { X509Certificate } from "node:crypto";
import type { Credentials } from "../../src/secret/certificate.ts";
import { integer, octets, pem, sequence, value } from "../../src/secret/der.ts";
import { generateSecret, Secret } from "../../src/secret/secret.ts";
import { assert, assertEquals, assertMatch, assertNotEquals, assertStringIncludes, fail, fc } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import { derOf } from "./pem.ts";

const NO_OPENSSL = hasOpenssl() ? undefined : "no openssl";

function hasOpenssl(): boolean {
  try {
    return new Deno.Command("openssl", { args: ["version"], stdout: "null", stderr: "null" }).outputSync().success;
  } catch {
    return false;
  }
}

/** The files of a secret and of a server that has it. */
interface Files {
  readonly folder: string;
  readonly secret: Secret;
  readonly credentials: Credentials;
}

/** Registers a test that has `openssl` look at certificates; where there is none it is skipped, and its name says why. */
function opensslTest(name: string, run: (files: Files) => void): void {
  const why = NO_OPENSSL === undefined ? "" : ` (skipped: ${NO_OPENSSL})`;
  Deno.test({
    name: name + why,
    ignore: NO_OPENSSL !== undefined,
    fn() {
      using folder = tempFolder();
      const secret = new Secret(generateSecret());
      const credentials = secret.issueCredentials();
      Deno.writeTextFileSync(`${folder.path}/ca.pem`, secret.authorityCert);
      Deno.writeTextFileSync(`${folder.path}/server.pem`, credentials.cert);
      Deno.writeTextFileSync(`${folder.path}/key.pem`, credentials.key);
      run({ folder: folder.path, secret, credentials });
    },
  });
}

/** Runs it; what it says, and whether it was content. */
function openssl(cwd: string, ...args: string[]): { readonly text: string; readonly ok: boolean } {
  const { stdout, stderr, success } = new Deno.Command("openssl", { args, cwd }).outputSync();
  return { text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr), ok: success };
}

const VERIFY = ["verify", "-x509_strict", "-no-CApath", "-no-CAstore", "-check_ss_sig", "-purpose", "sslserver"];

opensslTest("openssl takes a server's certificate, strictly, for the one name, now and at any time", ({ folder }) => {
  const strictly = [...VERIFY, "-CAfile", "ca.pem", "-verify_hostname", "tandem.invalid"];
  assertEquals(openssl(folder, ...strictly, "server.pem"), { text: "server.pem: OK\n", ok: true });
  for (const year of [2000, 2025, 2049, 2050, 2500, 9999]) {
    const seconds = Date.UTC(year, 5, 1) / 1_000;
    const { ok, text } = openssl(folder, ...strictly, "-attime", String(seconds), "server.pem");
    assert(ok, `${year}: ${text}`);
  }
  const before = openssl(folder, ...strictly, "-attime", String(Date.UTC(1999, 11, 31) / 1_000), "server.pem");
  assertStringIncludes(before.text, "not yet valid");
});

opensslTest("openssl refuses a server's certificate under another name", ({ folder }) => {
  for (const name of ["example.org", "invalid", "a.tandem.invalid", "tandem.invalid.example.org"]) {
    const { ok, text } = openssl(folder, ...VERIFY, "-CAfile", "ca.pem", "-verify_hostname", name, "server.pem");
    assertEquals(ok, false, name);
    assertStringIncludes(text, "hostname mismatch");
  }
});

opensslTest("openssl refuses a server's certificate under the authority of another secret", ({ folder, secret }) => {
  Deno.writeTextFileSync(`${folder}/other.pem`, new Secret(generateSecret()).authorityCert);
  assertEquals(openssl(folder, ...VERIFY, "-CAfile", "other.pem", "server.pem").ok, false);
  // A server of the same secret that was started another time has another one, and both are good.
  Deno.writeTextFileSync(`${folder}/again.pem`, secret.issueCredentials().cert);
  assertEquals(openssl(folder, ...VERIFY, "-CAfile", "ca.pem", "server.pem", "again.pem").ok, true);
});

opensslTest("openssl lets no server's certificate vouch for another one", ({ folder }) => {
  const csr = [
    "req",
    "-new",
    "-newkey",
    "ed25519",
    "-nodes",
    "-keyout",
    "sub.key",
    "-subj",
    "/CN=sub",
    "-out",
    "sub.csr",
  ];
  assert(openssl(folder, ...csr).ok);
  const sign = ["x509", "-req", "-in", "sub.csr", "-CA", "server.pem", "-CAkey", "key.pem", "-set_serial", "5"];
  assert(openssl(folder, ...sign, "-out", "sub.pem").ok);
  const { ok, text } = openssl(folder, ...VERIFY, "-CAfile", "ca.pem", "-untrusted", "server.pem", "sub.pem");
  assertEquals(ok, false);
  assertMatch(text, /invalid CA certificate|keyusage|key usage/i);
});

opensslTest("openssl reads the authority's certificate as SEC-4 has it", ({ folder }) => {
  const { text } = openssl(folder, "x509", "-in", "ca.pem", "-noout", "-text");
  const read = text.replaceAll(/ +/g, " ");
  for (
    const part of [
      "Version: 3 (0x2)",
      "Serial Number: 1 (0x1)",
      "Signature Algorithm: ED25519",
      "Issuer: CN = tandem secret\n",
      "Subject: CN = tandem secret\n",
      "Not Before: Jan 1 00:00:00 2000 GMT",
      "Not After : Dec 31 23:59:59 9999 GMT",
    ]
  ) assertStringIncludes(read, part);
  // In this order, the first two critical, and no others.
  assertMatch(
    read,
    /X509v3 extensions:\s+X509v3 Basic Constraints: critical\s+CA:TRUE\s+X509v3 Key Usage: critical\s+Certificate Sign\s+X509v3 Subject Key Identifier: ?\s+(?:[0-9A-F]{2}:){19}[0-9A-F]{2}\s+Signature Algorithm/,
  );
});

opensslTest("openssl reads a server's certificate as one that can only be a server's", ({ folder }) => {
  const { text } = openssl(folder, "x509", "-in", "server.pem", "-noout", "-text");
  const read = text.replaceAll(/\s+/g, " ");
  for (
    const part of [
      "Version: 3 (0x2)",
      "Issuer: CN = tandem secret",
      "Public Key Algorithm: ED25519",
      "X509v3 Basic Constraints: critical CA:FALSE",
      "X509v3 Key Usage: critical Digital Signature X509v3",
      "X509v3 Extended Key Usage: TLS Web Server Authentication X509v3",
      "X509v3 Subject Alternative Name: DNS:tandem.invalid X509v3",
    ]
  ) assertStringIncludes(read, part);
  const keyId = (file: string, what: string) => {
    const { text } = openssl(folder, "x509", "-in", file, "-noout", "-ext", what);
    return /(?:[0-9A-F]{2}:){19}[0-9A-F]{2}/.exec(text)?.[0] ?? fail(text);
  };
  assertEquals(keyId("server.pem", "authorityKeyIdentifier"), keyId("ca.pem", "subjectKeyIdentifier"));
  assertNotEquals(keyId("server.pem", "subjectKeyIdentifier"), keyId("ca.pem", "subjectKeyIdentifier"));
});

opensslTest("openssl finds the key of a server's certificate in its key file", ({ folder }) => {
  const inCert = openssl(folder, "x509", "-in", "server.pem", "-noout", "-pubkey");
  assertEquals(openssl(folder, "pkey", "-in", "key.pem", "-pubout"), inCert);
  assert(inCert.ok);
});

opensslTest("openssl finds the validity in the types that RFC 5280 wants: UTCTime up to 2049", ({ folder }) => {
  for (const file of ["ca.pem", "server.pem"]) {
    const { text } = openssl(folder, "asn1parse", "-in", file);
    const times = [...text.matchAll(/prim: (UTCTIME|GENERALIZEDTIME) +:(\w+)/g)].map(([, type, time]) => [type, time]);
    assertEquals(times, [["UTCTIME", "000101000000Z"], ["GENERALIZEDTIME", "99991231235959Z"]], file);
  }
});

Deno.test("serial numbers of servers' certificates are positive, of 16 bytes, and their own", () => {
  const secret = new Secret(generateSecret());
  const serials = Array.from({ length: 200 }, () => {
    const { cert } = secret.issueCredentials();
    // Tag and length of INTEGER, and a first byte that makes it neither negative nor shorter.
    assertMatch(derOf(cert), /^308201[0-9a-f]{2}3082?[0-9a-f]{2,6}a0030201020210(0[1-9a-f]|[1-7][0-9a-f])/);
    return new X509Certificate(cert).serialNumber;
  });
  assertEquals(new Set(serials).size, serials.length);
});

Deno.test("value() writes the length of any contents as DER wants it, shortest first", () => {
  const heads: readonly [length: number, head: string][] = [
    [0, "0400"],
    [1, "0401"],
    [0x7f, "047f"],
    [0x80, "048180"],
    [0xff, "0481ff"],
    [0x100, "04820100"],
    [0xffff, "0482ffff"],
  ];
  for (const [length, head] of heads) {
    const contents = new Uint8Array(length).fill(7);
    const bytes = Buffer.from(octets(contents));
    assertEquals(bytes.subarray(0, head.length / 2).toString("hex"), head);
    assertEquals(bytes.subarray(head.length / 2).equals(contents), true);
  }
});

Deno.test("sequence() holds its parts one after the other", () => {
  const part = fc.uint8Array({ maxLength: 100 });
  fc.assert(fc.property(fc.array(part, { maxLength: 8 }), (parts) => {
    const inside = Buffer.concat(parts.map((one) => value(0x04, one)));
    const whole = Buffer.from(sequence(...parts.map((one) => octets(one))));
    assertEquals(whole.subarray(whole.length - inside.length).equals(inside), true);
    assertEquals(whole[0], 0x30);
  }));
});

Deno.test("integer() is what openssl reads", () => {
  assertEquals(Buffer.from(integer(Uint8Array.of(1))).toString("hex"), "020101");
});

Deno.test("pem() writes lines of 64, the last one shorter or whole", () => {
  for (const length of [1, 2, 3, 47, 48, 49, 95, 96, 97, 300]) {
    const bytes = Buffer.alloc(length, 0xa5);
    assertEquals(derOf(pem("CERTIFICATE", bytes)), bytes.toString("hex"));
  }
});
