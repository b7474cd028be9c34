/**
 * A line of a script or of the prompt, as words: single and double quotes and
 * backslashes as in a POSIX shell, a `#` at the start of a word as a comment.
 * Nothing else of a shell is there: no variables, no substitution.
 *
 * @module
 */

import { usage } from "./flags.ts";

/**
 * Splits a line into words.
 *
 * @throws {TandemError} `usage` if a quote is not closed or a backslash ends the line.
 */
export function splitWords(line: string): string[] {
  const words: string[] = [];
  let word: string | undefined;
  let quote = "";
  for (let i = 0; i < line.length; i++) {
    const c = line.charAt(i);
    if (quote === "'") {
      if (c === "'") quote = "";
      else word += c;
    } else if (c === "\\") {
      const next = line.charAt(++i);
      if (next === "") throw usage("a backslash ends the line");
      // Between double quotes a backslash escapes only what has a meaning there.
      const literal = quote === '"' && !'"\\$`'.includes(next);
      word = (word ?? "") + (literal ? `\\${next}` : next);
    } else if (quote === '"') {
      if (c === '"') quote = "";
      else word += c;
    } else if (c === "'" || c === '"') {
      quote = c;
      word ??= "";
    } else if (c === " " || c === "\t") {
      if (word !== undefined) words.push(word);
      word = undefined;
    } else if (c === "#" && word === undefined) {
      return words;
    } else {
      word = (word ?? "") + c;
    }
  }
  if (quote !== "") throw usage(`the quote ${quote} is not closed`);
  if (word !== undefined) words.push(word);
  return words;
}
