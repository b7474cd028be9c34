/**
 * `tandem serve`: the command line around `serve()`.
 *
 * @module
 */

import {
  type Credentials,
  DEFAULT_PORT,
  DiskStore,
  generateSecret,
  type PortRange,
  Secret,
  serve,
  type ServerEvent,
  type ServerLimits,
  type TandemServer,
} from "../../mod.ts";
import { pemFile, SECRET_FILE, SECRET_VARIABLE, secretOf, warnOfUnseenSecret } from "./credentials.ts";
import { EXIT_INTERRUPTED } from "./exit_codes.ts";
import {
  byteCount,
  type Flag,
  oneOf,
  type ParsedArgs,
  parseFlags,
  secondsAsMs,
  spelled,
  usage,
  wholeNumber,
  withEnvironment,
} from "./flags.ts";
import { isLoopback } from "./host.ts";
import { printHelp } from "./print_help.ts";
import { serverLogLine } from "./server_log.ts";
import { printable, writeStderr, writeStdout } from "./terminal.ts";

const LOG_FORMATS = ["text", "json"] as const;

/** The flags of `serve`. */
export const SERVE_FLAGS: readonly Flag[] = [
  {
    name: "port",
    short: "p",
    value: "N",
    about: `control port; 0 takes a free one (${DEFAULT_PORT})`,
  },
  { name: "host", value: "ADDR", about: "address to listen on (127.0.0.1; with a secret, all)" },
  {
    name: "write",
    about: "clients may add files, but nothing that exists is lost",
  },
  {
    name: "overwrite",
    about: "clients may also replace, remove and rename (includes --write)",
  },
  {
    name: "allow-anonymous-write",
    about: "permit --write without a secret on an address that others reach",
  },
  SECRET_FILE,
  { name: "new-secret", about: "the same with a fresh secret, and the command for the other machine" },
  { name: "tls-cert", value: "FILE", about: "encrypt with a certificate of your own" },
  { name: "tls-key", value: "FILE", about: "its private key" },
  {
    name: "data-ports",
    value: "A-B",
    about: "range for data connections (any free port)",
  },
  { name: "max-sessions", value: "N", about: "sessions at one time (1024)" },
  {
    name: "max-per-ip",
    value: "N",
    about: "sessions at one time from one address (256)",
  },
  {
    name: "max-file",
    value: "BYTES",
    about: "the largest file that may be put (no limit)",
  },
  {
    name: "min-free",
    value: "BYTES",
    about: "disk space that must remain (64M or 1 %)",
  },
  {
    name: "idle-timeout",
    value: "S",
    about: "seconds between two commands (300)",
  },
  {
    name: "stall-timeout",
    value: "S",
    about: "seconds without data in a transfer (60)",
  },
  {
    name: "rate",
    value: "BYTES",
    about: "bytes per second of each transfer (no limit)",
  },
  { name: "plain-only", about: "speak the plain exchange only" },
  { name: "require-tandem", about: "speak the tandem exchange only" },
  {
    name: "log",
    value: "text|json",
    choices: LOG_FORMATS,
    about: "how events are written to stderr (text)",
  },
  { name: "json", about: "the first line of stdout as JSON" },
  { name: "quiet", short: "q", about: "no log and no greeting" },
  { name: "verbose", short: "v", about: "log sessions too, not only commands" },
  { name: "help", short: "h", about: "this text" },
];

const MAX_COUNT = 1_000_000;

/** Runs `serve` until it is stopped; returns the exit code. */
export async function runServe(args: readonly string[]): Promise<number> {
  const parsed = withEnvironment(parseFlags(args, SERVE_FLAGS), SERVE_FLAGS);
  if (parsed.has("help")) return await printHelp("serve");
  if (parsed.words.length > 1) {
    throw usage(`serve shares one folder, not ${parsed.words.length}`);
  }
  const access = accessOf(parsed);
  const hostname = parsed.text("host");
  assertSafe(parsed, access, hostname);
  if (parsed.has("plain-only") && parsed.has("require-tandem")) {
    throw usage("--plain-only and --require-tandem exclude each other");
  }
  const dataPorts = portRange(parsed);
  const store = new DiskStore(parsed.words[0] ?? ".");
  const isOpen = access.secret === undefined && access.tls === undefined && !isLoopback(hostname ?? "127.0.0.1");
  if (isOpen && !parsed.has("quiet") && oneOf(parsed, "log", ["text", "json"]) !== "json") warnOfUnseenSecret();
  if (!store.needsAllPermissions) dropPermissions();
  await using server = serve({
    store,
    ...(hostname === undefined ? {} : { hostname }),
    ...(access.secret === undefined ? {} : { secret: access.secret }),
    ...(access.tls === undefined ? {} : { tls: access.tls }),
    port: wholeNumber(parsed, "port", 0, 65_535) ?? DEFAULT_PORT,
    write: parsed.has("write"),
    overwrite: parsed.has("overwrite"),
    ...(parsed.has("plain-only") ? { mode: "plain" } : {}),
    ...(parsed.has("require-tandem") ? { mode: "tandem" } : {}),
    ...(dataPorts === undefined ? {} : { dataPorts }),
    limits: limitsOf(parsed),
    onEvent: eventWriter(parsed),
  });
  greet(server, parsed, access);
  return await untilStopped(server);
}

/** Who is let in, and how that is protected. */
interface Access {
  readonly secret: Secret | undefined;
  /** The text of a secret that was made for this run, for the one message that tells it. */
  readonly newSecret: string | undefined;
  readonly tls: Credentials | undefined;
}

function accessOf(args: ParsedArgs): Access {
  const given = secretOf(args);
  const newSecret = args.has("new-secret") ? generateSecret() : undefined;
  if (given !== undefined && newSecret !== undefined) {
    throw usage(`--new-secret excludes --secret-file and ${SECRET_VARIABLE}`);
  }
  const cert = pemFile(args, "tls-cert");
  const key = pemFile(args, "tls-key");
  if ((cert === undefined) !== (key === undefined)) {
    throw usage("--tls-cert and --tls-key go together");
  }
  const secret = newSecret === undefined ? given : new Secret(newSecret);
  const tls = cert === undefined || key === undefined ? undefined : { cert, key };
  if ((secret !== undefined || tls !== undefined) && args.has("plain-only")) {
    throw usage("--plain-only cannot be encrypted", "leave it out, or the secret and the certificate");
  }
  return { secret, newSecret, tls };
}

/**
 * Gives up what is not needed to serve any more. Not where paths are walked by
 * descriptors: Deno allows that under all permissions only, and it is the better
 * wall.
 */
function dropPermissions(): void {
  for (const name of ["run", "ffi", "env"] as const) Deno.permissions.revokeSync({ name });
}

/** Whoever reaches an open port could fill the disk, so that must be wanted. */
function assertSafe(args: ParsedArgs, { secret }: Access, hostname = "127.0.0.1"): void {
  const writes = args.has("write") || args.has("overwrite");
  if (!writes || secret !== undefined || isLoopback(hostname) || args.has("allow-anonymous-write")) {
    return;
  }
  throw usage(
    `--${args.has("overwrite") ? "overwrite" : "write"} on ${hostname} would let anybody write who reaches it`,
    "ask for a secret with --secret-file, keep it on this machine with --host 127.0.0.1, or say --allow-anonymous-write",
  );
}

function portRange(args: ParsedArgs): PortRange | undefined {
  const text = args.text("data-ports");
  if (text === undefined) return undefined;
  const match = /^([0-9]{1,5})-([0-9]{1,5})$/.exec(text);
  const from = Number(match?.[1]);
  const to = Number(match?.[2]);
  if (from >= 1 && from <= to && to <= 65_535) return { from, to };
  throw usage(
    `${spelled(args, "data-ports")}: expected a range of ports, as in 50000-50100`,
  );
}

function limitsOf(args: ParsedArgs): Partial<ServerLimits> {
  const given: { [K in keyof ServerLimits]?: number | undefined } = {
    maxSessions: wholeNumber(args, "max-sessions", 1, MAX_COUNT),
    maxSessionsPerAddress: wholeNumber(args, "max-per-ip", 1, MAX_COUNT),
    maxFileBytes: byteCount(args, "max-file"),
    minFreeBytes: byteCount(args, "min-free"),
    idleTimeoutMs: secondsAsMs(args, "idle-timeout"),
    stallTimeoutMs: secondsAsMs(args, "stall-timeout"),
    bytesPerSecond: byteCount(args, "rate"),
  };
  if (given.bytesPerSecond === 0) throw usage(`${spelled(args, "rate")} would never end`);
  return Object.fromEntries(
    Object.entries(given).filter(([, value]) => value !== undefined),
  );
}

function eventWriter(args: ParsedArgs): (event: ServerEvent) => void {
  const format = oneOf(args, "log", LOG_FORMATS) ?? "text";
  if (args.has("quiet")) return () => {};
  const verbose = args.has("verbose");
  return (event) => {
    const isSession = event.event.startsWith("session-");
    if (isSession && format === "text" && !verbose) return;
    writeStderr(serverLogLine(event, format, new Date()));
  };
}

/** The machine-readable first line on stdout, and on stderr what to type on the other side. */
function greet(server: TandemServer, args: ParsedArgs, { secret, newSecret, tls }: Access): void {
  const { hostname, port } = server.addr;
  const shown = hostname.includes(":") ? `[${hostname}]` : hostname;
  writeStdout(
    args.has("json") ? JSON.stringify({ event: "listening", hostname, port }) : `listening ${shown}:${port}`,
  );
  const reach = hostname === "0.0.0.0" || hostname === "::" ? ownAddress() ?? "THIS-HOST" : shown;
  const flags = `${tls === undefined ? "" : "--tls "}${
    secret === undefined || newSecret !== undefined ? "" : "--secret-file FILE "
  }`;
  const command = `tandem connect ${flags}${reach}:${port} ls`;
  const asJson = args.text("log") === "json";
  if (newSecret !== undefined) {
    // Told however quiet it is to be: nobody could else connect.
    const line = `${SECRET_VARIABLE}=${newSecret} ${command}`;
    writeStderr(asJson ? JSON.stringify({ event: "new-secret", command: line }) : `on the other machine:\n  ${line}`);
  }
  if (args.has("quiet") || asJson) return;
  const rights = args.has("overwrite")
    ? "clients may change everything"
    : args.has("write")
    ? "clients may add files"
    : "read-only";
  const who = secret !== undefined
    ? ", encrypted, to whoever has the secret"
    : isLoopback(hostname)
    ? ""
    : `, ${tls === undefined ? "unencrypted" : "encrypted"}, to anybody who gets here`;
  writeStderr(
    `sharing ${printable(args.words[0] ?? ".")}, ${rights}${who}.${
      newSecret === undefined ? " To fetch from it:" : ""
    }`,
  );
  if (newSecret === undefined) writeStderr(`  ${command}`);
}

/** An address of this machine that others may know; undefined where there is none, or this program may not look. */
function ownAddress(): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "sys", kind: "networkInterfaces" });
  if (state !== "granted") return undefined;
  return Deno.networkInterfaces().find(({ family, address }) => family === "IPv4" && !isLoopback(address))?.address;
}

/** Waits for the server to end; a first signal asks it to, a second one insists. */
async function untilStopped(server: TandemServer): Promise<number> {
  let asked = false;
  const stop = () => {
    if (asked) Deno.exit(EXIT_INTERRUPTED);
    asked = true;
    server.shutdown();
  };
  const signals: Deno.Signal[] = Deno.build.os === "windows" ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM", "SIGHUP"];
  for (const signal of signals) Deno.addSignalListener(signal, stop);
  const onRejection = (event: PromiseRejectionEvent) => {
    event.preventDefault();
    writeStderr(`tandem: internal error: ${String(event.reason)}`);
  };
  const onError = (event: ErrorEvent) => {
    event.preventDefault();
    writeStderr(`tandem: internal error: ${event.message}`);
  };
  addEventListener("unhandledrejection", onRejection);
  addEventListener("error", onError);
  try {
    await server.finished;
  } finally {
    for (const signal of signals) Deno.removeSignalListener(signal, stop);
    removeEventListener("unhandledrejection", onRejection);
    removeEventListener("error", onError);
  }
  return 0;
}
