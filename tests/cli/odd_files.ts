/**
 * Names that shells, parsers and terminals dislike.
 *
 * @module
 */

import { IS_UNIX } from "./program.ts";

/** Names that Windows does not hold, or only in a short path. */
const UNIX_ONLY: Readonly<Record<string, string>> = {
  "*.txt": "no glob\n",
  [`${"n".repeat(251)}.txt`]: "255 bytes of name\n",
};

/** A file of each such name. */
export const ODD_FILES: Readonly<Record<string, string>> = {
  "007": "not a number\n",
  "-rf": "a leading dash\n",
  "--": "two dashes\n",
  "with space and 'quotes'.txt": "spaces\n",
  "übergrößenträger 日本語 🚲.txt": "UTF-8\n",
  "#hash": "no comment\n",
  "empty": "",
  ...IS_UNIX ? UNIX_ONLY : {},
};
