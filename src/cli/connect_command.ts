/**
 * `tandem connect`: one command, a script, or a prompt, over one session.
 *
 * @module
 */

import {
  type ClientLimits,
  connect,
  type ConnectOptions,
  DEFAULT_PORT,
  type Mode,
  resolveRemotePath,
  ROOT,
  TandemError,
} from "../../mod.ts";
import { pemFile, SECRET_FILE, secretOf, warnOfTrust, warnOfUnseenSecret } from "./credentials.ts";
import { EXIT_CODES, EXIT_HUNG_UP, EXIT_INTERRUPTED, EXIT_TERMINATED } from "./exit_codes.ts";
import {
  type Flag,
  isFromEnvironment,
  oneOf,
  type ParsedArgs,
  parseFlags,
  secondsAsMs,
  usage,
  wholeNumber,
  withEnvironment,
} from "./flags.ts";
import { isLoopback, parseHost } from "./host.ts";
import { Output } from "./output.ts";
import { runLines, terminalLines, textLines } from "./lines.ts";
import { printHelp } from "./print_help.ts";
import { Sessions } from "./sessions.ts";
import { ON_EXIST, Shell } from "./shell.ts";

/** The flags of `connect`. */
export const CONNECT_FLAGS: readonly Flag[] = [
  {
    name: "port",
    short: "p",
    value: "N",
    about: `the server's control port (${DEFAULT_PORT})`,
  },
  {
    name: "timeout",
    value: "S",
    about: "seconds to wait for any answer (30; 60 for data)",
  },
  SECRET_FILE,
  { name: "tls", about: "encrypt; the server has a certificate of its own" },
  { name: "tls-ca", value: "FILE", about: "an authority that may vouch for it (with --tls)" },
  { name: "plain", about: "speak the plain exchange only" },
  { name: "require-tandem", about: "speak the tandem exchange only" },
  {
    name: "zero-is-missing",
    about: "plain: a get of size zero is a missing file",
  },
  {
    name: "on-exist",
    value: "WHAT",
    choices: ON_EXIST,
    about: `where a name is taken: ${ON_EXIST.join(", ")}`,
  },
  {
    name: "parallel",
    short: "P",
    value: "N",
    about: "sessions at one time: for files, or ranges of a large one (1)",
  },
  { name: "retry", value: "N", about: "reconnect and continue, up to N times (0)" },
  { name: "verify", about: "compare SHA-256 as well as CRC-32 (tandem)" },
  { name: "file", short: "f", value: "FILE", about: "read commands from FILE" },
  { name: "json", about: "one JSON object a line on stdout" },
  { name: "no-progress", about: "no progress line" },
  { name: "no-input", about: "never ask" },
  { name: "quiet", short: "q", about: "nothing on stderr but errors" },
  { name: "verbose", short: "v", about: "more on stderr" },
  { name: "help", short: "h", about: "this text" },
];

/** More sessions than this are no help, and a strain on the server. */
const MAX_PARALLEL = 64;

const MAX_RETRIES = 1_000;

/** Runs `connect`; returns the exit code. */
export async function runConnect(args: readonly string[]): Promise<number> {
  // The host, then the command: what follows the command's name is the command's.
  const first = parseFlags(args, CONNECT_FLAGS, { stopAtWord: true });
  const [host, ...afterHost] = first.words;
  if (first.has("help")) return await printHelp("connect");
  if (host === undefined) {
    throw usage("connect to which host?", "tandem connect HOST[:PORT]");
  }
  const second = parseFlags(afterHost, CONNECT_FLAGS, { stopAtWord: true });
  if (second.has("help")) return await printHelp("connect");
  const options = withEnvironment(merge(first, second), CONNECT_FLAGS);
  return await runSession(host, options, second.words);
}

/** Flags before and behind the host. */
function merge(first: ParsedArgs, second: ParsedArgs): ParsedArgs {
  for (const { name } of CONNECT_FLAGS) {
    if (first.has(name) && second.has(name)) {
      throw usage(`--${name} was given twice`);
    }
  }
  return {
    words: second.words,
    has: (name) => first.has(name) || second.has(name),
    text: (name) => first.text(name) ?? second.text(name),
    texts: (name) => [...first.texts(name), ...second.texts(name)],
  };
}

async function runSession(
  host: string,
  options: ParsedArgs,
  words: readonly string[],
): Promise<number> {
  // What is typed is stronger than the environment: the port behind the host, and a command.
  const port = wholeNumber(options, "port", 1, 65_535);
  const target = isFromEnvironment(options, "port") ? parseHost(host, undefined, port) : parseHost(host, port);
  const script = words.length > 0 && isFromEnvironment(options, "file") ? undefined : options.text("file");
  if (script !== undefined && words.length > 0) {
    throw usage("give a command or --file, not both");
  }
  const onExist = oneOf(options, "on-exist", ON_EXIST);
  const limits = limitsOf(options);
  const mode = modeOf(options);
  const parallel = wholeNumber(options, "parallel", 1, MAX_PARALLEL) ?? 1;
  const retries = wholeNumber(options, "retry", 0, MAX_RETRIES) ?? 0;
  using output = new Output({
    json: options.has("json"),
    quiet: options.has("quiet"),
    verbose: options.has("verbose"),
    progress: !options.has("no-progress"),
  });
  const report = (error: unknown, command?: string) => reportError(output, error, command);
  let security: ReturnType<typeof securityOf>;
  try {
    // Before signals are waited for: a FIFO may have us wait where they are not heard.
    security = securityOf(options);
  } catch (error) {
    return report(error, words.join(" ") || undefined);
  }
  using interruption = new Interruption();
  try {
    const lines = script === undefined ? undefined : await textLines(script);
    const isClear = security.secret === undefined && security.tls === undefined;
    if (isClear && !isLoopback(target.hostname) && !options.has("quiet")) warnOfUnseenSecret();
    const connection: ConnectOptions = {
      ...target,
      ...security,
      limits,
      ...(mode === undefined ? {} : { mode }),
      zeroIsMissing: options.has("zero-is-missing"),
    };
    let sessionsOpened = 0;
    await using sessions = new Sessions({
      open: (signal) => {
        const first = sessionsOpened++ === 0;
        // One greeting is enough for all.
        return connect({
          ...connection,
          signal,
          onEvent: (event) => first || event.event !== "hello" ? output.event(event) : undefined,
        });
      },
      parallel,
      retries,
      say: (text) => output.say(text),
    });
    const signal = interruption.renew();
    await sessions.main.run(() => Promise.resolve(), signal);
    const interactive = Deno.stdin.isTerminal() && !options.has("no-input");
    const shell = new Shell({
      sessions,
      output,
      verify: options.has("verify"),
      onExist,
      readsStdin: words.length === 0 && lines === undefined,
      ask: interactive && !output.json ? (question) => prompt(question) : undefined,
      encrypted: !isClear,
      folder: target.path === "" ? ROOT : resolveRemotePath(ROOT, target.path),
    });
    if (words.length > 0) {
      shell.signal = interruption.renew();
      await shell.run(words);
      return 0;
    }
    if (lines !== undefined) {
      return await runLines(shell, lines, {
        interruption,
        report,
        stopAtFailure: true,
      });
    }
    // Before somebody thinks about a first command for longer than the server waits for one.
    if (Deno.stdin.isTerminal()) await sessions.main.ready(interruption.renew());
    return await runLines(
      shell,
      Deno.stdin.isTerminal() ? terminalLines(shell, target.hostname) : await textLines("-"),
      { interruption, report, stopAtFailure: !Deno.stdin.isTerminal() },
    );
  } catch (error) {
    return interruption.exitCode ?? report(error, words.join(" ") || undefined);
  }
}

/** How the connections are encrypted, if they are. */
function securityOf(options: ParsedArgs): Pick<ConnectOptions, "secret" | "tls"> {
  const secret = secretOf(options);
  const caCert = pemFile(options, "tls-ca");
  const encrypts = secret !== undefined || caCert !== undefined || options.has("tls");
  if (encrypts && options.has("plain")) {
    throw usage(
      "--plain cannot be encrypted",
      secret === undefined
        ? "leave out --tls"
        : "leave out the secret: --secret-file, or TANDEM_SECRET in the environment",
    );
  }
  if (secret !== undefined && !options.has("quiet")) warnOfTrust();
  return {
    ...(secret === undefined ? {} : { secret }),
    ...(caCert !== undefined || options.has("tls") ? { tls: { caCerts: caCert === undefined ? [] : [caCert] } } : {}),
  };
}

function modeOf(options: ParsedArgs): Mode | undefined {
  if (options.has("plain") && options.has("require-tandem")) {
    throw usage("--plain and --require-tandem exclude each other");
  }
  return options.has("plain") ? "plain" : options.has("require-tandem") ? "tandem" : undefined;
}

/** Tells an error; returns its exit code. */
function reportError(output: Output, error: unknown, command?: string): number {
  if (!(error instanceof TandemError)) throw error;
  output.error(error, command);
  return EXIT_CODES[error.code];
}

function limitsOf(options: ParsedArgs): Partial<ClientLimits> {
  const timeoutMs = secondsAsMs(options, "timeout");
  if (timeoutMs === undefined) return {};
  return { timeoutMs, stallTimeoutMs: timeoutMs, putCloseTimeoutMs: timeoutMs };
}

/** How late a signal may come that another process has had as well, in milliseconds. */
const LATE_SIGNAL_MS = 100;

/** Ctrl-C, SIGTERM and a closed terminal: the first ends what runs, a second one the program. */
export class Interruption implements Disposable {
  #controller = new AbortController();
  #signalled = false;
  #exitCode: number | undefined;
  #leaving = 0;
  readonly #onInterrupt = () => {
    if (this.#leaving === 0) this.#end(EXIT_INTERRUPTED);
  };
  readonly #onTerminate = () => this.#end(EXIT_TERMINATED);
  readonly #onHangup = () => this.#end(EXIT_HUNG_UP);

  /** Begins to listen for signals. */
  constructor() {
    Deno.addSignalListener("SIGINT", this.#onInterrupt);
    if (Deno.build.os !== "windows") {
      Deno.addSignalListener("SIGTERM", this.#onTerminate);
      Deno.addSignalListener("SIGHUP", this.#onHangup);
    }
  }

  /** The exit code of a program that was ended by a signal, once there was one. */
  get exitCode(): number | undefined {
    return this.#exitCode;
  }

  /** A signal for what runs next. */
  renew(): AbortSignal {
    this.#controller = new AbortController();
    this.#signalled = false;
    return this.#controller.signal;
  }

  /** Forgets a Ctrl-C that only ended a command of the prompt. */
  forgive(): void {
    if (this.#exitCode === EXIT_INTERRUPTED) this.#exitCode = undefined;
  }

  /**
   * Leaves Ctrl-C to somebody else, until a moment after what it returns is
   * disposed of: the one that ended that somebody may still be on its way here.
   */
  leaveInterrupts(): Disposable {
    this.#leaving++;
    return { [Symbol.dispose]: () => void setTimeout(() => this.#leaving--, LATE_SIGNAL_MS) };
  }

  #end(exitCode: number): void {
    if (this.#signalled) Deno.exit(exitCode);
    this.#signalled = true;
    this.#exitCode = exitCode;
    this.#controller.abort(new TandemError("aborted", "interrupted"));
  }

  /** Stops listening. */
  [Symbol.dispose](): void {
    Deno.removeSignalListener("SIGINT", this.#onInterrupt);
    if (Deno.build.os !== "windows") {
      Deno.removeSignalListener("SIGTERM", this.#onTerminate);
      Deno.removeSignalListener("SIGHUP", this.#onHangup);
    }
  }
}
