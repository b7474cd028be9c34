/**
 * The prompt of `connect` as somebody uses it who types little: Tab, the arrow
 * up the next day, and what stands before the cursor.
 *
 * @module
 */

import { MemoryStore, serve, type ServeOptions, type StoreEntry } from "../../mod.ts";
import { History } from "../../src/cli/history.ts";
import { assertEquals, assertMatch, assertNotMatch, assertStringIncludes } from "../deps.ts";
import { type TempFolder, tempFolder } from "../helpers.ts";
import { assertFiles, type Place, place, textFiles, writeFiles } from "./place.ts";
import { NARROW } from "./program.ts";
import { cleanEnv, secretPlace, WITH_SECRET } from "./secrets.ts";
import { PROMPT, screenOf, tandemAtTerminal, Terminal, terminalTest } from "./terminal.ts";

const CTRL_D = "\x04";
const CTRL_U = "\x15";
const UP = "\x1b[A";

/** A prompt, whatever is spoken. */
// deno-lint-ignore no-control-regex
const ANY_PROMPT = /> \x1b\[[0-9]+G/;

/** How long a test waits for the screen, in milliseconds. */
const SCREEN_MS = 15_000;

/** How long nothing may happen before a test takes it that nothing will, in milliseconds. */
const QUIET_MS = 400;

/** The rights to keep a history. */
const WITH_HISTORY: readonly string[] = [...NARROW, "--allow-env=XDG_STATE_HOME,HOME"];

interface PromptOptions {
  readonly rights?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  readonly prompt?: RegExp;
}

/** Opens a prompt and waits for it. */
async function openPrompt(address: string, cwd: string, options: PromptOptions = {}): Promise<Terminal> {
  const { rights = NARROW, env = {}, prompt = PROMPT } = options;
  const words = tandemAtTerminal(["connect", address], rights);
  const terminal = new Terminal(words, { cwd, columns: 200, ...cleanEnv({ XDG_STATE_HOME: "", ...env }) });
  await terminal.until(prompt);
  return terminal;
}

function open(shared: Place, options?: PromptOptions): Promise<Terminal> {
  return openPrompt(shared.address, shared.here, options);
}

async function leave(terminal: Terminal): Promise<void> {
  await terminal.type(CTRL_D);
  assertEquals((await terminal.ended()).code, 0);
}

/** What stands behind the prompt in the last line of the screen. */
function typedLine(terminal: Terminal): string {
  return /(?:tandem|plain) [^>]*> (.*)$/.exec(screenOf(terminal.text).at(-1) ?? "")?.[1] ?? "";
}

async function pause(ms: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until this stands behind the prompt. */
async function shows(terminal: Terminal, line: string): Promise<void> {
  const end = performance.now() + SCREEN_MS;
  while (typedLine(terminal) !== line && performance.now() < end) await pause(10);
  assertEquals(typedLine(terminal), line);
}

/** Begins a line and presses Tab: what stands there then must be `completed`. */
async function tab(terminal: Terminal, begun: string, completed: string): Promise<void> {
  await terminal.type(begun);
  await shows(terminal, begun);
  // In a piece of its own: a Tab within others was pasted.
  await terminal.type("\t");
  if (begun === completed) await pause(QUIET_MS);
  await shows(terminal, completed);
}

/** The same, and drops the line. */
async function tabOnly(terminal: Terminal, begun: string, completed: string): Promise<void> {
  await tab(terminal, begun, completed);
  await terminal.type(CTRL_U);
  await shows(terminal, "");
  // What was drawn so far is no answer to what comes.
  await terminal.until(/[^]*$/);
}

/** Sends the line that stands there; returns what it says. */
async function send(terminal: Terminal): Promise<string[]> {
  await terminal.until(/[^]*$/);
  return await terminal.ask("");
}

terminalTest("Tab completes commands and their flags", async () => {
  await using shared = place({ a: "" });
  await using terminal = await open(shared);
  await tabOnly(terminal, "pi", "ping ");
  await tabOnly(terminal, "hel", "help ");
  await tabOnly(terminal, "help pi", "help ping ");
  await tabOnly(terminal, "get --re", "get --recursive ");
  await tabOnly(terminal, "sync --de", "sync --delete ");
  await tabOnly(terminal, "ls --lo", "ls --long ");
  await tabOnly(terminal, "dir --lo", "dir --long ");
  // A flag of another command, a command that is none.
  await tabOnly(terminal, "get --del", "get --del");
  await tabOnly(terminal, "frobnicate ", "frobnicate ");
  await tabOnly(terminal, "xyz", "xyz");
  await tab(terminal, "pw", "pwd ");
  assertEquals(await send(terminal), ["/"]);
  await leave(terminal);
});

const NAMES = [
  "plain.txt",
  "with two  spaces",
  "it's",
  'say "hi"',
  "#1",
  "[x]*?",
  "$HOME `x`",
  "üñí 文",
  "-dash",
  ".dot",
];

terminalTest("Tab completes remote names so that the line works, whatever they are called", async (t) => {
  await using shared = place(Object.fromEntries(NAMES.map((name) => [name, `<${name}>`])));
  await using terminal = await open(shared);
  for (const name of NAMES) {
    await t.step(name, async () => {
      const begun = name.startsWith("-") ? "cat ./-" : `cat ${name.charAt(0) === "#" ? "\\#" : name.charAt(0)}`;
      await terminal.type(begun);
      await shows(terminal, begun);
      await terminal.type("\t");
      const end = performance.now() + SCREEN_MS;
      while (!typedLine(terminal).endsWith(" ") && performance.now() < end) await pause(10);
      assertStringIncludes((await send(terminal)).join("\n"), `<${name}>`);
    });
  }
  await leave(terminal);
});

terminalTest("Tab completes a name that begins with a dash so that it is no flag", async () => {
  await using shared = place({ "-rf": "content" });
  await using terminal = await open(shared);
  await terminal.type("cat ");
  await shows(terminal, "cat ");
  await terminal.type("\t");
  await pause(QUIET_MS);
  assertMatch(typedLine(terminal), /rf $/);
  assertStringIncludes((await send(terminal)).join("\n"), "content");
  await leave(terminal);
});

terminalTest("Tab completes local names so that the line works", async () => {
  await using shared = place();
  writeFiles(shared.here, { "a b": "1", "it's": "2", "folder one/in ner": "3" });
  await using terminal = await open(shared);
  await tab(terminal, "put a", "put a\\ b ");
  await send(terminal);
  await tab(terminal, "put i", "put it\\'s ");
  await send(terminal);
  await tab(terminal, "lcd f", "lcd folder\\ one/");
  await send(terminal);
  await tab(terminal, "put i", "put in\\ ner ");
  await send(terminal);
  await leave(terminal);
  assertFiles(shared.root, { "a b": "1", "in ner": "3", "it's": "2" });
});

terminalTest("Tab goes on into folders, on both sides", async () => {
  await using shared = place({ "sub/deep er/file.txt": "deep" });
  writeFiles(shared.here, { "loc/al/x": "" });
  await using terminal = await open(shared);
  await tabOnly(terminal, "ls s", "ls sub/");
  await tabOnly(terminal, "ls sub/", "ls sub/deep\\ er/");
  await tabOnly(terminal, "lls l", "lls loc/");
  await tabOnly(terminal, "lls loc/", "lls loc/al/");
  await tabOnly(terminal, "lls ../he", "lls ../here/");
  await tabOnly(terminal, "ls none/", "ls none/");
  await tab(terminal, "cat /sub/deep\\ er/f", "cat /sub/deep\\ er/file.txt ");
  assertStringIncludes((await send(terminal)).join(), "deep");
  // From the folder that the session is in.
  await terminal.ask("cd sub");
  await tabOnly(terminal, "ls d", "ls deep\\ er/");
  await tabOnly(terminal, "ls ../s", "ls ../sub/");
  await leave(terminal);
});

terminalTest("Tab offers the side of each word", async () => {
  await using shared = place({ "remote/x": "" });
  writeFiles(shared.here, { "local/x": "" });
  await using terminal = await open(shared);
  await tabOnly(terminal, "get r", "get remote/");
  await tabOnly(terminal, "get l", "get l");
  await tabOnly(terminal, "get remote l", "get remote local/");
  await tabOnly(terminal, "get -r r", "get -r remote/");
  await tabOnly(terminal, "put l", "put local/");
  await tabOnly(terminal, "put r", "put r");
  await tabOnly(terminal, "put local r", "put local remote/");
  await tabOnly(terminal, "put -r local r", "put -r local remote/");
  await tabOnly(terminal, "sync l", "sync local/");
  await tabOnly(terminal, "sync r", "sync r");
  await tabOnly(terminal, "sync local r", "sync local remote/");
  await tabOnly(terminal, "sync local l", "sync local l");
  await tabOnly(terminal, "sync --from r", "sync --from remote/");
  await tabOnly(terminal, "sync --from remote l", "sync --from remote local/");
  await tabOnly(terminal, "sync --from remote r", "sync --from remote r");
  await tabOnly(terminal, "lcd r", "lcd r");
  await tabOnly(terminal, "rm l", "rm l");
  await leave(terminal);
});

terminalTest("Tab counts no value of a flag, and a word with a space as one word", async () => {
  await using shared = place({ "remote one/x": "" });
  writeFiles(shared.here, { "local one/x": "" });
  await using terminal = await open(shared);
  await tabOnly(terminal, "put --exclude x l", "put --exclude x local\\ one/");
  await tabOnly(terminal, "put --exclude x r", "put --exclude x r");
  await tabOnly(terminal, "sync local\\ one r", "sync local\\ one remote\\ one/");
  await tabOnly(terminal, "sync 'local one' r", "sync 'local one' remote\\ one/");
  await leave(terminal);
});

terminalTest("Tab within quotes makes no line that is worse than before", async () => {
  await using shared = place({ "a b.txt": "spaced", "x": "" });
  await using terminal = await open(shared);
  for (const begun of ['cat "a ', "cat 'a b", 'cat "a']) {
    await terminal.type(begun);
    await shows(terminal, begun);
    await terminal.type("\t");
    await pause(QUIET_MS);
    // Completed, or left alone.
    const quote = begun.charAt(4);
    const typed = typedLine(terminal);
    assertEquals([begun, `cat ${quote}a b.txt`, `cat ${quote}a b.txt${quote} `].includes(typed), true, typed);
    await terminal.type(CTRL_U);
    await shows(terminal, "");
  }
  await leave(terminal);
});

terminalTest(
  "several that fit: their common beginning, then Tab again lists them; dots only when asked for",
  async () => {
    await using shared = place({ "file a": "", "file b": "", ".hidden": "", other: "" });
    await using terminal = await open(shared);
    await tab(terminal, "get f", "get file\\ ");
    await terminal.type("\t");
    await terminal.until(/file\\ a[^]*file\\ b/);
    await shows(terminal, "get file\\ ");
    await terminal.type(CTRL_U);
    await shows(terminal, "");
    await tabOnly(terminal, "get .", "get .hidden ");
    await tabOnly(terminal, "get o", "get other ");
    assertNotMatch(terminal.text.replaceAll("get .hidden ", ""), /\.hidden/);
    await leave(terminal);
  },
);

/** What would do something to a terminal, or disguise a name on it; all begin with an e. */
const ROGUES = ["e\x1b]0;owned\x07", "e\x1b[2J", "e\u009b2J", "e\rx", "e\bx", "e\x7fx", "e\u202etxt.exe", "e\nquit"];

/** A store that lists what it is told in its shared folder, when it is told; in other folders the rogue of that number. */
class TardyStore extends MemoryStore {
  names: readonly string[] = [];
  until: Promise<void> = Promise.resolve();

  override async list(...[path]: Parameters<MemoryStore["list"]>): Promise<StoreEntry[]> {
    await this.until;
    const rogue = ROGUES[Number(/[0-9]+/.exec(path)?.[0])];
    const names = rogue === undefined ? this.names : path.startsWith("alone") ? [rogue] : [rogue, "east"];
    return names.map((name) => ({ name, kind: "file", sizeBytes: 1 }));
  }
}

/** Serves a store in a mode, and opens a prompt. */
async function withStore(mode: "plain" | "tandem", run: (store: TardyStore, terminal: Terminal) => Promise<void>) {
  using folder = tempFolder();
  const store = new TardyStore();
  const options: ServeOptions = { store, port: 0, ...mode === "plain" ? { mode } : {} };
  await using server = serve(options);
  const prompt = new RegExp(`${mode} [^\\r\\n]*> \\x1b\\[[0-9]+G`);
  await using terminal = await openPrompt(`127.0.0.1:${server.addr.port}`, folder.path, { prompt });
  await run(store, terminal);
}

for (const mode of ["plain", "tandem"] as const) {
  terminalTest(`${mode}: control characters in remote names never reach the terminal`, async (t) => {
    await withStore(mode, async (_store, terminal) => {
      for (const [i, rogue] of ROGUES.entries()) {
        await t.step(JSON.stringify(rogue), async () => {
          for (const folder of [`alone${i}`, `with${i}`]) {
            const before = terminal.text.length;
            await terminal.type(`stat ${folder}/e`);
            await shows(terminal, `stat ${folder}/e`);
            for (let tabs = 0; tabs < 2; tabs++) {
              await terminal.type("\t");
              await pause(QUIET_MS / 4);
            }
            await terminal.type(CTRL_U);
            await shows(terminal, "");
            const drawn = terminal.text.slice(before);
            assertEquals(drawn.includes(rogue), false, JSON.stringify(drawn));
            // deno-lint-ignore no-control-regex
            assertNotMatch(drawn, /\x07|\x1b\]|\x1b\[2J|[\x80-\x9f\u202e]/);
          }
        });
      }
      await leave(terminal);
    });
  });

  terminalTest(`${mode}: Tab completes remote names, also while the server has nothing`, async () => {
    await withStore(mode, async (store, terminal) => {
      await tabOnly(terminal, "cat ", "cat ");
      store.names = ["later on"];
      await terminal.type("\x0c");
      // Longer than a listing is remembered.
      await pause(5_500);
      await tabOnly(terminal, "cat ", "cat later\\ on ");
      await leave(terminal);
    });
  });

  terminalTest(`${mode}: a server that does not answer holds Tab up for some seconds only`, async () => {
    await withStore(mode, async (store, terminal) => {
      const { promise, resolve } = Promise.withResolvers<void>();
      store.until = promise;
      try {
        const startMs = performance.now();
        await terminal.type("pwd ");
        await shows(terminal, "pwd ");
        await terminal.type(`${CTRL_U}cat `);
        await shows(terminal, "cat ");
        await terminal.type("\t");
        await pause(50);
        // What is typed meanwhile is not lost.
        await terminal.type(`${CTRL_U}lpwd`);
        await shows(terminal, "lpwd");
        assertEquals(performance.now() - startMs < 8_000, true);
        assertMatch((await sendLine(terminal, "", mode)).join(), /tandem-test/);
      } finally {
        resolve();
      }
      store.names = ["back"];
      assertStringIncludes((await sendLine(terminal, "ls", mode)).join("\n"), "back");
      await leave(terminal);
    });
  });
}

/** As `ask()` of a terminal does, in any mode. */
async function sendLine(terminal: Terminal, line: string, mode: string): Promise<string[]> {
  await terminal.type(`${line}\r`);
  const text = await terminal.until(new RegExp(`\\r\\n[^]*${mode} [^\\r\\n]*> \\x1b\\[[0-9]+G`));
  return screenOf(text);
}

terminalTest("a server that has gone away does not hold Tab up, and says nothing", async () => {
  using folder = tempFolder();
  const store = new TardyStore();
  const server = serve({ store, port: 0 });
  await using terminal = await openPrompt(`127.0.0.1:${server.addr.port}`, folder.path);
  await server.shutdown();
  const before = terminal.text.length;
  await tabOnly(terminal, "cat e", "cat e");
  assertNotMatch(terminal.text.slice(before), /tandem: /);
  await tabOnly(terminal, "pi", "ping ");
  assertMatch((await terminal.ask("lpwd")).join(), /tandem-test/);
  await leave(terminal);
});

terminalTest("the prompt says what is spoken, whether it is encrypted, and the folder", async () => {
  const first = async (shared: Place, options?: PromptOptions) => {
    await using terminal = await open(shared, { prompt: ANY_PROMPT, ...options });
    const prompts = [screenOf(terminal.text).at(-1)];
    await terminal.type("cd sub\r");
    await terminal.until(/sub> /);
    prompts.push(screenOf(terminal.text).at(-1));
    await leave(terminal);
    return prompts;
  };
  await using tandem = place({ "sub/a": "" });
  assertEquals(await first(tandem), ["tandem 127.0.0.1:/> ", "tandem 127.0.0.1:/sub> "]);
  await using encrypted = secretPlace();
  writeFiles(encrypted.root, { "sub/a": "" });
  const options = { rights: WITH_SECRET, env: { TANDEM_SECRET: encrypted.secret } };
  assertEquals(await first(encrypted, options), [
    "tandem (encrypted) 127.0.0.1:/> ",
    "tandem (encrypted) 127.0.0.1:/sub> ",
  ]);
  await using plain = place({ a: "" }, { mode: "plain" });
  await using terminal = await open(plain, { prompt: ANY_PROMPT });
  assertEquals(screenOf(terminal.text).at(-1), "plain 127.0.0.1:/> ");
  await leave(terminal);
});

/** Where Deno has its cache: elsewhere than below a HOME that a test makes up. */
function denoDir(): string {
  const { stdout } = new Deno.Command(Deno.execPath(), { args: ["info", "--json"] }).outputSync();
  return JSON.parse(new TextDecoder().decode(stdout)).denoDir;
}

/** A place with a folder for what is kept. */
interface HistoryPlace extends AsyncDisposable {
  readonly shared: Place;
  readonly state: string;
  /** Opens a prompt that may keep what is typed. */
  open(rights?: readonly string[], env?: Readonly<Record<string, string>>): Promise<Terminal>;
  /** What is kept. */
  kept(): Record<string, string>;
}

function historyPlace(): HistoryPlace {
  const folder: TempFolder = tempFolder();
  const shared = place({ a: "" });
  const state = `${folder.path}/state`;
  Deno.mkdirSync(state);
  return {
    shared,
    state,
    open: (rights = WITH_HISTORY, env = {}) =>
      open(shared, { rights, env: { XDG_STATE_HOME: state, HOME: "", ...env } }),
    kept: () => textFiles(state),
    async [Symbol.asyncDispose]() {
      using _folder = folder;
      await shared[Symbol.asyncDispose]();
    },
  };
}

terminalTest(
  "what is typed is there the next time, kept for its owner only, without lines that begin with a space",
  async () => {
    await using here = historyPlace();
    {
      await using terminal = await here.open();
      for (const line of ["ls", " lpwd", "pwd", "pwd", "", "frobnicate", "cat 'a"]) await terminal.ask(line);
      await leave(terminal);
    }
    assertEquals(here.kept(), { "tandem/history": "ls\npwd\nfrobnicate\ncat 'a\n" });
    if (Deno.build.os !== "windows") {
      assertEquals((Deno.statSync(`${here.state}/tandem/history`).mode ?? 0) & 0o777, 0o600);
      assertEquals((Deno.statSync(`${here.state}/tandem`).mode ?? 0) & 0o777, 0o700);
    }
    await using terminal = await here.open();
    for (const line of ["cat 'a", "frobnicate", "pwd", "ls"]) {
      await terminal.type(UP);
      await shows(terminal, line);
    }
    assertEquals(await send(terminal), ["a"]);
    await leave(terminal);
    assertEquals(here.kept(), { "tandem/history": "ls\npwd\nfrobnicate\ncat 'a\nls\n" });
  },
);

terminalTest("a line is kept at once, not only when the session ends well", async () => {
  await using here = historyPlace();
  await using terminal = await here.open();
  await terminal.ask("pwd");
  assertEquals(here.kept(), { "tandem/history": "pwd\n" });
});

terminalTest("nothing is kept without the rights to, and nothing is said of it", async () => {
  await using here = historyPlace();
  const some = ["--no-prompt", "--allow-net=127.0.0.1", `--allow-read=${here.shared.here}`];
  for (
    const rights of [
      NARROW,
      [...some, "--allow-env=XDG_STATE_HOME,HOME"],
      [...some, `--allow-read=${here.state}`, "--allow-env=XDG_STATE_HOME,HOME"],
      [...NARROW, `--deny-write=${here.state}`, "--allow-env=XDG_STATE_HOME,HOME"],
    ]
  ) {
    // Deno has each right once.
    const joined = rights.length > 5
      ? rights.filter((one) => !one.startsWith("--allow-read=") || one.endsWith("here"))
      : rights;
    await using terminal = await here.open(joined);
    assertEquals(await terminal.ask("pwd"), ["/"]);
    assertEquals(await terminal.ask(UP), ["/"]);
    await leave(terminal);
  }
  assertEquals(here.kept(), {});
});

terminalTest("without XDG_STATE_HOME it is below .local/state of HOME; a relative one counts as none", async () => {
  await using here = historyPlace();
  for (const XDG_STATE_HOME of ["", "relative"]) {
    await using terminal = await here.open(WITH_HISTORY, { XDG_STATE_HOME, HOME: here.state, DENO_DIR: denoDir() });
    await terminal.ask(XDG_STATE_HOME === "" ? "pwd" : "lpwd");
    await leave(terminal);
  }
  assertEquals(here.kept(), { ".local/state/tandem/history": "pwd\nlpwd\n" });
  assertEquals([...Deno.readDirSync(here.shared.here)], []);
});

terminalTest("a place where nothing can be kept is told of once, and the session goes on", async (t) => {
  const cases: Readonly<Record<string, (state: string) => void>> = {
    "a link that leads nowhere": (state) => Deno.symlinkSync(`${state}/none/none`, `${state}/tandem`),
    "a file in the place of the folder": (state) => Deno.writeTextFileSync(`${state}/tandem`, ""),
    "a folder in the place of the file": (state) => Deno.mkdirSync(`${state}/tandem/history`, { recursive: true }),
    "a folder that is read-only": (state) => Deno.mkdirSync(`${state}/tandem`, { mode: 0o500 }),
  };
  for (const [about, prepare] of Object.entries(cases)) {
    // Nothing is read-only to root.
    const isRoot = Deno.uid() === 0;
    const ignore = isRoot && about.endsWith("read-only");
    await t.step({
      name: about,
      ignore,
      fn: async () => {
        await using here = historyPlace();
        prepare(here.state);
        await using terminal = await here.open();
        await terminal.ask("pwd");
        await terminal.ask("lpwd");
        assertEquals(await terminal.ask(UP + UP), ["/"]);
        await leave(terminal);
        assertEquals(terminal.text.split("not kept").length - 1, 1, terminal.text);
      },
    });
  }
});

Deno.test("at most 1,000 lines are kept, the newest, and the file does not grow without end", () => {
  using folder = tempFolder();
  const before = Deno.env.get("XDG_STATE_HOME");
  try {
    Deno.env.set("XDG_STATE_HOME", folder.path);
    const path = `${folder.path}/tandem/history`;
    for (const count of [999, 1_000, 1_500, 2_001, 5_000]) {
      const lines = Array.from({ length: count }, (_, i) => `get ${i}`);
      writeFiles(folder.path, { "tandem/history": lines.map((line) => `${line}\n`).join("") });
      assertEquals(History.open().newestFirst, lines.slice(-1_000).toReversed());
      const history = History.open();
      for (let i = 0; i < 10; i++) assertEquals(history.add(`put ${i}`), undefined);
      const kept = Deno.readTextFileSync(path).split("\n").slice(0, -1);
      assertEquals(kept.slice(-11), [`get ${count - 1}`, ...Array.from({ length: 10 }, (_, i) => `put ${i}`)]);
      assertEquals(kept.length <= 2_010, true, `${kept.length} lines`);
      assertEquals(History.open().newestFirst.length <= 1_000, true);
    }
    assertEquals([...Deno.readDirSync(`${folder.path}/tandem`)].map(({ name }) => name), ["history"]);
    assertEquals((Deno.statSync(path).mode ?? 0o600) & 0o777, 0o600);
  } finally {
    if (before === undefined) Deno.env.delete("XDG_STATE_HOME");
    else Deno.env.set("XDG_STATE_HOME", before);
  }
});

Deno.test("commands from a pipe are no history", async () => {
  await using here = historyPlace();
  const env = { XDG_STATE_HOME: here.state, HOME: here.state, DENO_DIR: denoDir() };
  assertEquals((await here.shared.connect([], { stdin: "ls\n", env })).code, 0);
  assertEquals(here.kept(), {});
});
