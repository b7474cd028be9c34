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
_tandem() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} sub=\${COMP_WORDS[1]} word n=0 i
  COMPREPLY=()
  if [ "$COMP_CWORD" = 1 ]; then
    COMPREPLY=($(compgen -W "${SUBCOMMANDS.map(([name]) => name).join(" ")} --help --version" -- "$cur")); return
  fi
  case $prev in
${
    closed.map((flag) =>
      `    --${flag.name}) COMPREPLY=($(compgen -W "${choices(flag).join(" ")}" -- "$cur")); return ;;`
    ).join("\n")
  }
    ${files.join("|")}) COMPREPLY=($(compgen -f -- "$cur")); return ;;
    ${[...new Set(others)].join("|")}) return ;;
  esac
  case $sub in
    serve)
      case $cur in
        -*) COMPREPLY=($(compgen -W "${words(SERVE_FLAGS)}" -- "$cur")) ;;
        *) COMPREPLY=($(compgen -d -- "$cur")) ;;
      esac ;;
    connect)
      for ((i = 2; i < COMP_CWORD; i++)); do
        word=\${COMP_WORDS[i]}
        case $word in
          ${[...new Set([...files, ...others])].join("|")}) i=$((i + 1)) ;;
          -*|:) ;;
          *) [ "\${COMP_WORDS[i-1]}" = : ] || n=$((n + 1)) ;;
        esac
      done
      case $cur in
        -*) COMPREPLY=($(compgen -W "${words(CONNECT_FLAGS)}" -- "$cur")) ;;
        *) if [ "$n" = 1 ]; then COMPREPLY=($(compgen -W "${COMMANDS.map(({ name }) => name).join(" ")}" -- "$cur"))
           elif [ "$n" -gt 1 ]; then COMPREPLY=($(compgen -f -- "$cur")); fi ;;
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
    const names = short === undefined ? `'--${name}` : `'(-${short} --${name})'{-${short},--${name}}'`;
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
      return `complete -c tandem -n '__fish_seen_subcommand_from ${sub}'${
        short === undefined ? "" : ` -s ${short}`
      } -l ${name}${takes} -d ${quoted(about)}`;
    }).join("\n");
  return `# tandem completions fish: tandem completions fish > ~/.config/fish/completions/tandem.fish
complete -c tandem -f
${
    SUBCOMMANDS.map(([name, about]) => `complete -c tandem -n __fish_use_subcommand -a ${name} -d ${quoted(about)}`)
      .join("\n")
  }
complete -c tandem -n '__fish_seen_subcommand_from serve' -a '(__fish_complete_directories)'
complete -c tandem -n '__fish_seen_subcommand_from completions' -a ${quoted(SHELLS.join(" "))}
complete -c tandem -n '__fish_seen_subcommand_from help' -a 'serve connect'
${rows("serve", SERVE_FLAGS)}
${rows("connect", CONNECT_FLAGS)}
${
    COMMANDS.map(({ name, about }) =>
      `complete -c tandem -n '__fish_seen_subcommand_from connect; and test (count (commandline -opc)) -ge 3' -a ${name} -d ${
        quoted(about)
      }`
    ).join("\n")
  }
complete -c tandem -n '__fish_seen_subcommand_from connect; and test (count (commandline -opc)) -ge 4' -F
`;
}
