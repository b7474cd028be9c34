/**
 * A program for tests: serves a folder as `tandem serve` does, and when the port
 * is open prints what it may do, before and after, as one line of JSON.
 *
 * @module
 */

import { connect } from "../../mod.ts";
import { runServe } from "../../src/cli/serve_command.ts";

const SH = "/bin/sh";

const DESCRIPTORS: Readonly<Record<string, Deno.PermissionDescriptor>> = {
  run: { name: "run", command: SH },
  ffi: { name: "ffi", path: "/lib" },
  env: { name: "env", variable: "HOME" },
  read: { name: "read" },
  write: { name: "write" },
  net: { name: "net", host: "127.0.0.1" },
};

function mayNow(when: string): [string, string][] {
  return Object.entries(DESCRIPTORS).map(([name, descriptor]) => {
    return [`${when} ${name}`, Deno.permissions.querySync(descriptor).state];
  });
}

/** What comes of trying something that takes a right. */
function tried(attempt: () => string): string {
  try {
    return attempt();
  } catch (error) {
    return error instanceof Error ? error.name : String(error);
  }
}

const [folder = "."] = Deno.args;
const found: [string, string][] = mayNow("before");
const secret = tried(() => Deno.env.get("TANDEM_SECRET") ?? "");
const listening = Promise.withResolvers<number>();
const write = Deno.stdout.writeSync.bind(Deno.stdout);
// Its first line says where it listens.
Deno.stdout.writeSync = (bytes) => {
  const port = Number(/^listening 127\.0\.0\.1:([0-9]+)/.exec(new TextDecoder().decode(bytes))?.[1]);
  listening.resolve(port);
  return write(bytes);
};
const serving = runServe(["-q", "-p0", "--host=127.0.0.1", folder]);
serving.catch(listening.reject);
const port = await listening.promise;
const hasSecret = /^\w{4}(-\w{4}){6}$/.test(secret);
const client = await connect({ port, ...(hasSecret ? { secret } : {}) });
const names = (await Array.fromAsync(client.list())).map(({ name }) => name);
await client.close();
found.push(
  ["after served", names.join()],
  [
    "after ran",
    tried(() => new Deno.Command(SH, { args: ["-c", "echo ran"] }).outputSync().success ? "ran" : "failed"),
  ],
  ["after read HOME", tried(() => Deno.env.get("HOME") === undefined ? "none" : "read")],
  ["after TANDEM_SECRET", tried(() => Deno.env.get("TANDEM_SECRET") === undefined ? "none" : "there")],
  ...mayNow("after"),
);
console.log(JSON.stringify(Object.fromEntries(found)));
Deno.exit(0);
