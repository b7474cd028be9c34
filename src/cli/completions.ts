/**
 * Completion for shells, made of the same tables as `help`.
 *
 * @module
 */

import { COMMANDS } from "./commands.ts";
import { CONNECT_FLAGS } from "./connect_command.ts";
import { type Flag, nearMiss, usage } from "./flags.ts";
import { SERVE_FLAGS } from "./serve_command.ts";

/** The shells that are known. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell. */
export type ShellName = typeof SHELLS[number];

const SUBCOMMANDS: readonly (readonly [name: string, about: string])[] = [
  ["serve", "share a folder"],
  ["connect", "work with a shared folder"],
  ["secret", "make a secret"],
  ["completions", "completion for a shell"],
  ["help", "what there is"],
];

const SCRIPTS: Readonly<Record<ShellName, () => string>> = { bash, zsh, fish };

/**
 * The script that completes `tandem` in a shell.
 *
 * @throws {TandemError} `usage` if the shell is none of {@linkcode SHELLS}.
 */
export function completionScript(shell: string | undefined): string {
  const known = SHELLS.find((one) => one === shell);
  if (known !== undefined) return SCRIPTS[known]();
  throw usage(
    `completions for which shell? ${SHELLS.join(", ")}`,
    shell === undefined ? 'eval "$(tandem completions bash)"' : nearMiss(shell, SHELLS),
  );
}

function words(flags: readonly Flag[]): string {
  return flags.flatMap(({ name, short }) => short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`]).join(" ");
}

/** The flags that take a file, and those that take a value that cannot be guessed. */
function valued(flags: readonly Flag[]): { readonly files: string[]; readonly others: string[] } {
  const spelled = (takes: (flag: Flag) => boolean) =>
    flags.filter(takes).flatMap(({ name, short }) => short === undefined ? [`--${name}`] : [`-${short}`, `--${name}`]);
  return {
    files: spelled(({ value }) => value === "FILE"),
    others: spelled(({ value }) => value !== undefined && value !== "FILE"),
  };
}

/** Words that a flag takes, where they are a closed list: `text|json`. */
function choices(flag: Flag): string[] {
  return flag.choices === undefined ? [] : [...flag.choices];
}

function bash(): string {
  const all = [...SERVE_FLAGS, ...CONNECT_FLAGS];
  const { files, others } = valued(all);
  const closed = all.filter((flag) => choices(flag).length > 0);
  return `# tandem completions bash: eval "$(tandem completions bash)" in ~/.bashrc
_tandem_names() {
  local name
  while IFS= read -r name; do COMPREPLY+=("$name"); done < <(compgen "$1" -- "$2")
}
_tandem() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} sub=\${COMP_WORDS[1]} word n=0 i
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${SUBCOMMANDS.map(([name]) => name).join(" ")} --help --version" -- "$cur")); return
  fi
  # Bash has the = of --flag=value, and the : of HOST:PORT, as words.
  if [ "$cur" = "=" ]; then cur=; elif [ "$prev" = "=" ]; then prev=\${COMP_WORDS[COMP_CWORD-2]}; fi
  case $cur$prev in :*|*:) return ;; esac
  case $prev in
${
    closed.map((flag) =>
      `    --${flag.name}) COMPREPLY=($(compgen -W "${choices(flag).join(" ")}" -- "$cur")); return ;;`
    ).join("\n")
  }
    ${files.join("|")}) _tandem_names -f "$cur"; return ;;
    ${[...new Set(others)].join("|")}) return ;;
  esac
  case $sub in
    serve)
      case $cur in
        -*) COMPREPLY=($(compgen -W "${words(SERVE_FLAGS)}" -- "$cur")) ;;
        *) _tandem_names -d "$cur" ;;
      esac ;;
    connect)
      for ((i = 2; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        case $word in
          ${[...new Set([...files, ...others])].join("|")}) 
            [ "\${COMP_WORDS[i+1]}" != "=" ] || i=$((i + 1))
            i=$((i + 1)) ;;
          :*) [ "$n" -gt 0 ] || n=1 ;;
          -*) ;;
          *) case \${COMP_WORDS[i-1]} in :*) ;; *) n=$((n + 1)) ;; esac ;;
        esac
      done
      case $cur in
        -*) if [ "$n" -le 1 ]; then COMPREPLY=($(compgen -W "${words(CONNECT_FLAGS)}" -- "$cur")); fi ;;
        *) if [ "$n" = 1 ]; then COMPREPLY=($(compgen -W "${COMMANDS.map(({ name }) => name).join(" ")}" -- "$cur"))
           elif [ "$n" -gt 1 ]; then _tandem_names -f "$cur"; fi ;;
      esac ;;
    completions) COMPREPLY=($(compgen -W "${SHELLS.join(" ")}" -- "$cur")) ;;
    help) COMPREPLY=($(compgen -W "serve connect" -- "$cur")) ;;
  esac
}
complete -o filenames -F _tandem tandem
`;
}

function zsh(): string {
  const quoted = (text: string) => text.replace(/[[\]:'\\]/g, (c) => c === "'" ? "'\\''" : `\\${c}`);
  const spec = (flag: Flag) => {
    const { name, short, value, about } = flag;
    const takes = value === undefined
      ? ""
      : choices(flag).length > 0
      ? `:${value}:(${choices(flag).join(" ")})`
      : value === "FILE"
      ? ":FILE:_files"
      : `:${quoted(value)}: `;
    const [plus, is] = value === undefined ? ["", ""] : ["+", "="];
    const names = short === undefined ? `'--${name}${is}` : `'(-${short} --${name})'{-${short}${plus},--${name}${is}}'`;
    return `      ${names}[${quoted(about)}]${takes}'`;
  };
  const described = (rows: readonly (readonly [string, string])[]) =>
    rows.map(([name, about]) => `'${name}:${quoted(about)}'`).join(" ");
  return `#compdef tandem
# tandem completions zsh: save it as _tandem in a folder of $fpath, or eval it behind compinit
_tandem() {
  local -a subcommands commands
  subcommands=(${described(SUBCOMMANDS)})
  commands=(${described(COMMANDS.map(({ name, about }) => [name, about] as const))})
  if (( CURRENT == 2 )); then _describe command subcommands; return; fi
  local sub=$words[2]
  shift words; (( CURRENT-- ))
  case $sub in
    serve)
      _arguments -s \\
${SERVE_FLAGS.map(spec).join(" \\\n")} \\
      '1:folder:_directories' ;;
    connect)
      _arguments -s \\
${CONNECT_FLAGS.map(spec).join(" \\\n")} \\
      '1:host:_hosts' '2:command:{_describe command commands}' '*:file:_files' ;;
    completions) _values shell ${SHELLS.join(" ")} ;;
    help) _values topic serve connect ;;
  esac
}
if [ "$funcstack[1]" = _tandem ]; then _tandem "$@"; else compdef _tandem tandem; fi
`;
}

function fish(): string {
  const quoted = (text: string) => `'${text.replace(/[\\']/g, "\\$&")}'`;
  const rows = (sub: string, flags: readonly Flag[]) =>
    flags.map((flag) => {
      const { name, short, value, about } = flag;
      const takes = value === undefined
        ? ""
        : choices(flag).length > 0
        ? ` -x -a ${quoted(choices(flag).join(" "))}`
        : value === "FILE"
        ? " -r -F"
        : " -x";
      return `complete -c tandem -n '__tandem_at ${sub} 0 1'${
        short === undefined ? "" : ` -s ${short}`
      } -l ${name}${takes} -d ${quoted(about)}`;
    }).join("\n");
  return `# tandem completions fish: tandem completions fish > ~/.config/fish/completions/tandem.fish
function __tandem_at -d 'whether a subcommand has so many words that are no flags'
  set -l words (commandline -opc)
  test "$words[2]" = $argv[1]; or return 1
  set -l count 0
  set -l skip 0
  for word in $words[3..-1]
    if test $skip = 1
      set skip 0
      continue
    end
    switch $word
      case ${
    [
      ...new Set([
        ...valued([...SERVE_FLAGS, ...CONNECT_FLAGS]).files,
        ...valued([...SERVE_FLAGS, ...CONNECT_FLAGS]).others,
      ]),
    ].join(" ")
  }
        set skip 1
      case '-*'
      case '*'
        set count (math $count + 1)
    end
  end
  test $count -ge $argv[2] -a $count -le $argv[3]
end
complete -c tandem -f
${
    SUBCOMMANDS.map(([name, about]) =>
      `complete -c tandem -n 'test (count (commandline -opc)) = 1' -a ${name} -d ${quoted(about)}`
    )
      .join("\n")
  }
complete -c tandem -n '__tandem_at serve 0 0' -a '(__fish_complete_directories)'
complete -c tandem -n '__tandem_at completions 0 0' -a ${quoted(SHELLS.join(" "))}
complete -c tandem -n '__tandem_at help 0 0' -a 'serve connect'
${rows("serve", SERVE_FLAGS)}
${rows("connect", CONNECT_FLAGS)}
${
    COMMANDS.map(({ name, about }) => `complete -c tandem -n '__tandem_at connect 1 1' -a ${name} -d ${quoted(about)}`)
      .join("\n")
  }
complete -c tandem -n '__tandem_at connect 2 999' -F
`;
}
