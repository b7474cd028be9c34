/**
 * T12: the lint rules find each comparison of a secret, and each way to take a
 * certificate unseen, and nothing in what is as it should be; the proof is
 * compared by the one function that takes as long for any.
 *
 * @module
 */

import { assertEquals, assertMatch, assertStringIncludes } from "../deps.ts";
import { tempFolder } from "../helpers.ts";
import plugin from "./layers.ts";
import { isSecretName } from "./secrets.ts";

const OURS = "/p/src/server/authentication.ts";

function found(source: string, filename = OURS): string[] {
  return Deno.lint.runPlugin(plugin, filename, source).map(({ id }) => id);
}

const COMPARED: readonly string[] = [
  "if (proof === expected) {}",
  "if (expected !== proof) {}",
  "if (proof == expected) {}",
  "if (proof != expected) {}",
  "if (command.proof === own) {}",
  "if (this.#proof === own) {}",
  "if (this.#secret === other) {}",
  "if (a.serverProof !== b) {}",
  "if (options?.secret === other) {}",
  "if (command['proof'] === own) {}",
  "if (proof[i] !== other[i]) {}",
  "if (proof.slice(2) === own) {}",
  "if (proof.toLowerCase() === own.toLowerCase()) {}",
  "if (hexOf(proof) === own) {}",
  "if (own === await secret.prove('client', a, b)) {}",
  "if (own === (await secret.prove('client', a, b)).trim()) {}",
  "if (`${ticket}` === other) {}",
  "if ('x' + ticket === other) {}",
  "if (waiting.ticket === ticket) {}",
  "if (secretText !== other) {}",
  "if (ticketHash === sha256) {}",
  "if (proofKey === a) {}",
  "if (privateKey === a) {}",
  "if (PROOF_KEY === a) {}",
  "if ((proof as string) === a) {}",
  "if (proof! === a) {}",
  "if ((a ?? proof) === b) {}",
  "const same = password === typed;",
  "switch (proof) { case own: break; }",
];

for (const source of COMPARED) {
  Deno.test(`T12: constant-time finds ${source}`, () => assertEquals(found(source), ["tandem/constant-time"]));
}

const HARMLESS: readonly string[] = [
  "if (secret === undefined) {}",
  "if (undefined !== secret) {}",
  "if (secret == null) {}",
  "if (typeof options.secret === 'string') {}",
  "if (proof.length !== expected.length) {}",
  "if (tickets.size === limit) {}",
  "if (key === 'event') {}",
  "if (hasSecret !== other) {}",
  "if (isProof === other) {}",
  "if (keyId === other) {}",
  "if (secretFile === other) {}",
  "if (SECRET_VARIABLE === name) {}",
  "if (monkey === turkey) {}",
  "if (crc32 === own.crc32) {}",
  "if (hexOf(before) === command.prefix) {}",
  "if (verb === command.verb) {}",
  "if ((secret === undefined) !== (other === undefined)) {}",
  "if (equalInConstantTime(proof, own) === true) {}",
  "const same = equalInConstantTime(proof, own);",
  "switch (key) { case 'a': break; default: }",
  "if (proof < other) {}",
];

for (const source of HARMLESS) {
  Deno.test(`T12: constant-time has nothing against ${source}`, () => assertEquals(found(source), []));
}

Deno.test("T12: constant-time looks at the program, and not at tests", () => {
  const source = "if (proof === own) {}";
  for (const file of ["/p/src/client/negotiation.ts", "/p/src/secret/secret.ts", "/p/src/cli/a.ts", "/p/mod.ts"]) {
    assertEquals(found(source, file), ["tandem/constant-time"], file);
  }
  assertEquals(found(source, "/p/tests/secret/secret_test.ts"), []);
});

Deno.test("T12: constant-time knows a secret by its name", () => {
  for (const name of ["secret", "SECRET", "newSecret", "proof", "client_proof", "ticket", "apiKey", "hmac", "seed"]) {
    assertEquals(isSecretName(name), true, name);
  }
  for (const name of ["", "secretary", "proofs", "tickets", "keys", "keyboard", "nonce", "wantsSecret", "digest"]) {
    assertEquals(isSecretName(name), false, name);
  }
});

// In parts, or the rule would find them here.
const FLAG = ["unsafely", "ignore", "certificate", "errors"];
const CAMEL = FLAG.map((word, i) => i === 0 ? word : `${word[0]?.toUpperCase()}${word.slice(1)}`).join("");
const VARIABLE = ["NODE", "TLS", "REJECT", "UNAUTHORIZED"].join("_");

const BLIND: readonly string[] = [
  "connect({ rejectUnauthorized: false });",
  "connect({ 'rejectUnauthorized': false });",
  "connect({ rejectUnauthorized: 0 });",
  "connect({ rejectUnauthorized: !strict });",
  "connect({ rejectUnauthorized });",
  "options.rejectUnauthorized = false;",
  `Deno.connectTls({ ${CAMEL}: ['tandem.invalid'] });`,
  `const ${CAMEL} = [];`,
  `const flags = ['--${FLAG.join("-")}'];`,
  `const flags = ['--${FLAG.join("-")}=tandem.invalid'];`,
  "const flag = `--" + FLAG.join("-") + "=${name}`;",
  `Deno.env.set('${VARIABLE}', '0');`,
];

for (const source of BLIND) {
  Deno.test(`T12: no-blind-trust finds ${source}`, () => {
    for (const file of [OURS, "/p/main.ts", "/p/tests/net/wire.ts"]) {
      const ids = new Set(found(source, file));
      assertEquals([...ids], ["tandem/no-blind-trust"], file);
    }
  });
}

Deno.test("T12: no-blind-trust has nothing against what is checked", () => {
  for (const source of ["connect({ rejectUnauthorized: true });", "connect({ caCerts: [cert], hostname: name });"]) {
    assertEquals(found(source), []);
  }
});

const PROJECT = new URL("../..", import.meta.url).pathname;

/** Runs `deno lint` in the project. */
async function denoLint(...args: string[]): Promise<{ code: number; text: string }> {
  const command = new Deno.Command(Deno.execPath(), { args: ["lint", ...args], cwd: PROJECT, env: { NO_COLOR: "1" } });
  const { code, stdout, stderr } = await command.output();
  return { code, text: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

Deno.test("T12: `deno lint` has these rules, and the program keeps them", async () => {
  const { text } = await denoLint("--json", "src", "main.ts", "mod.ts");
  const report: { readonly diagnostics: readonly { readonly code: string }[] } = JSON.parse(text);
  assertEquals(report.diagnostics.filter(({ code }) => code.startsWith("tandem/")), []);
  // What breaks a rule is told by the same command, with the same settings.
  using folder = tempFolder();
  Deno.mkdirSync(`${folder.path}/src/net`, { recursive: true });
  const file = `${folder.path}/src/net/a.ts`;
  Deno.writeTextFileSync(file, "export const same = (proof: string, own: string) => proof === own;\n");
  const { code, text: told } = await denoLint("--config", `${PROJECT}deno.json`, file);
  assertEquals(code, 1, told);
  assertStringIncludes(told, "tandem/constant-time");
});

const SECRET = Deno.readTextFileSync(new URL("../../src/secret/secret.ts", import.meta.url));

Deno.test("T12: the proof is compared by equalInConstantTime(), on both sides, and that by timingSafeEqual()", () => {
  const bodyOf = (head: RegExp) => SECRET.slice(SECRET.search(head)).split(/\n {0,2}\}\n/)[0] ?? "";
  assertMatch(bodyOf(/async verify\(/), /return equalInConstantTime\(proof, await this\.prove\(/);
  assertMatch(bodyOf(/function equalInConstantTime\(/), /return timingSafeEqual\(/);
  for (const side of ["server/authentication.ts", "client/negotiation.ts"]) {
    const source = Deno.readTextFileSync(new URL(`../../src/${side}`, import.meta.url));
    assertMatch(source, /await secret\.verify\(/, side);
    const comparisons = Deno.lint.runPlugin(plugin, `/p/src/${side}`, source);
    assertEquals(comparisons.filter(({ id }) => id === "tandem/constant-time"), []);
  }
  assertMatch(SECRET, /^import \{[^}]*\btimingSafeEqual\b[^}]*\} from "node:crypto";$/m);
});
