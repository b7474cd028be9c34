/**
 * `deno task demo`: the main job on real files, for a person to watch.
 *
 * Makes a folder of varied files, serves it with the real program, and works
 * with it through the real program, as two people on two machines would: lists,
 * fetches, stores, and compares every byte, in both exchanges and encrypted.
 * Exits with 0 only if all of it is right.
 *
 * @module
 */

import { createHash } from "node:crypto";

const PROJECT = new URL("..", import.meta.url).pathname;
const BINARY_BYTES = 48 * 1024 * 1024;

interface DemoFile {
  readonly name: string;
  readonly bytes: Uint8Array;
}

/** Text of this project, something large, something empty, and names that shells and terminals dislike. */
function demoFiles(): DemoFile[] {
  const text = (line: string) => new TextEncoder().encode(line);
  return [
    { name: "README.md", bytes: Deno.readFileSync(`${PROJECT}README.md`) },
    { name: "large.bin", bytes: randomBytes(BINARY_BYTES) },
    { name: "empty", bytes: new Uint8Array() },
    { name: "with space and 'quotes'.txt", bytes: text("spaces\n") },
    { name: "-rf", bytes: text("a leading dash\n") },
    { name: "007", bytes: text("not a number\n") },
    { name: "übergrößenträger 日本語 🚲.txt", bytes: text("UTF-8\n") },
    { name: `${"n".repeat(251)}.txt`, bytes: text("255 bytes of name\n") },
  ];
}

function randomBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(count);
  const piece = 65_536;
  for (let i = 0; i < count; i += piece) {
    crypto.getRandomValues(bytes.subarray(i, i + piece));
  }
  return bytes;
}

/** Runs the program; its stderr goes to the person who watches. */
function program(args: readonly string[], cwd: string): Deno.Command {
  return new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", `${PROJECT}main.ts`, ...args],
    cwd,
    stdin: "null",
    stdout: "piped",
    stderr: "inherit",
  });
}

async function firstLine(stream: ReadableStream<Uint8Array>): Promise<string> {
  const reader = stream.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!text.includes("\n")) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`the server ended early: ${text}`);
    text += value;
  }
  await reader.cancel();
  return text.slice(0, text.indexOf("\n"));
}

function sha256(path: string): string {
  return createHash("sha256").update(Deno.readFileSync(path)).digest("hex");
}

/** Compares two folders byte by byte; returns how many files were the same. */
function compare(
  files: readonly DemoFile[],
  ours: string,
  theirs: string,
): number {
  let same = 0;
  for (const { name, bytes } of files) {
    const equal = sha256(`${ours}/${name}`) === sha256(`${theirs}/${name}`) &&
      Deno.statSync(`${theirs}/${name}`).size === bytes.length;
    const shown = name.length > 40 ? `${name.slice(0, 37)}...` : name;
    console.log(
      `  ${equal ? "same " : "DIFFERS"} ${shown} (${bytes.length} bytes)`,
    );
    if (equal) same++;
  }
  return same;
}

/** How the same job is done in each exchange. */
interface Round {
  /** What it is called. */
  readonly title: string;
  /** The flags of `connect`. */
  readonly flags: readonly string[];
  /** Whether both sides have a secret, in a file of this name. */
  readonly secretFile?: string;
  /** What fetches everything that is shared, and what sends everything that is here. */
  readonly commands: (names: readonly string[]) => readonly (readonly string[])[];
}

const TANDEM_COMMANDS: readonly (readonly string[])[] = [
  ["ls", "-lR"],
  ["--verify", "get", "-r", "/", "."],
  ["--verify", "put", "-r", ".", "inbox"],
  ["hash", "large.bin", "inbox/large.bin"],
];

const ROUNDS: readonly Round[] = [
  {
    title: "The plain exchange: what any program of this family speaks",
    flags: ["--plain"],
    commands: (names) => [
      ["ls"],
      ["get", "--", ...names, "."],
      ["put", "--", ...names, "inbox/"],
    ],
  },
  {
    title: "The tandem exchange: what two copies of this program speak",
    flags: ["--require-tandem"],
    commands: () => TANDEM_COMMANDS,
  },
  {
    title: "The tandem exchange with a secret: encrypted, and each side sure of the other",
    flags: [],
    secretFile: "secret",
    commands: () => TANDEM_COMMANDS,
  },
];

/** Does the job in one exchange, in a new folder; returns whether every byte is right. */
async function play(
  { title, flags, secretFile, commands }: Round,
  workFolder: string,
  files: readonly DemoFile[],
): Promise<boolean> {
  console.log(`\n== ${title}`);
  const [shared, here] = ["shared", "here"].map((name) => {
    Deno.mkdirSync(`${workFolder}/${name}`, { recursive: true });
    return `${workFolder}/${name}`;
  }) as [string, string];
  for (const { name, bytes } of files) {
    Deno.writeFileSync(`${shared}/${name}`, bytes);
  }
  if (flags.includes("--plain")) Deno.mkdirSync(`${shared}/inbox`);

  const security = secretFile === undefined ? [] : ["--secret-file", `${workFolder}/${secretFile}`];
  if (secretFile !== undefined) {
    console.log(`\n$ tandem secret > ${secretFile}`);
    const { stdout } = await program(["secret"], workFolder).output();
    Deno.writeFileSync(`${workFolder}/${secretFile}`, stdout, { mode: 0o600 });
  }
  // With a secret it would listen on all addresses; a demo stays on this machine.
  const serving = ["serve", "--write", "--port", "0", "--host", "127.0.0.1", ...security, shared];
  console.log(`\n$ tandem ${serving.map(quoted).join(" ")}`);
  const server = program([...serving, "--quiet"], workFolder).spawn();
  try {
    const address = (await firstLine(server.stdout)).replace("listening ", "");
    console.log(`listening ${address}`);
    for (const words of commands(files.map(({ name }) => name))) {
      const all = [address, ...security, ...flags, ...words];
      console.log(`\n$ tandem connect ${all.map(quoted).join(" ")}`);
      const { code, stdout } = await program(["connect", ...all], here).output();
      if (code !== 0) throw new Error(`exit code ${code}`);
      if (stdout.length > 0) console.log(new TextDecoder().decode(stdout).trimEnd());
    }
    console.log("\nfetched, compared with what is shared:");
    const fetched = compare(files, shared, here);
    console.log("\nsent, compared with what was fetched:");
    const sent = compare(files, here, `${shared}/inbox`);
    return fetched === files.length && sent === files.length;
  } finally {
    server.kill("SIGTERM");
    await server.status;
  }
}

function quoted(word: string): string {
  const short = word.length > 40 ? `${word.slice(0, 37)}...` : word;
  return /^[\w./:-]+$/.test(short) ? short : JSON.stringify(short);
}

const startedMs = performance.now();
let ok = true;
for (const round of ROUNDS) {
  const workFolder = Deno.makeTempDirSync({ prefix: "tandem-demo-" });
  try {
    ok = await play(round, workFolder, demoFiles()) && ok;
  } finally {
    Deno.removeSync(workFolder, { recursive: true });
  }
}
const seconds = ((performance.now() - startedMs) / 1_000).toFixed(1);
console.log(
  ok
    ? `\nEvery byte is right, both ways, in both modes and encrypted, in ${seconds} s.`
    : `\nSomething differs (${seconds} s).`,
);
Deno.exit(ok ? 0 : 1);
