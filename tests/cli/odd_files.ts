/**
 * Names that shells, parsers and terminals dislike.
 *
 * @module
 */

/** A file of each such name. */
export const ODD_FILES: Readonly<Record<string, string>> = {
  "007": "not a number\n",
  "-rf": "a leading dash\n",
  "--": "two dashes\n",
  "with space and 'quotes'.txt": "spaces\n",
  "übergrößenträger 日本語 🚲.txt": "UTF-8\n",
  "*.txt": "no glob\n",
  "#hash": "no comment\n",
  [`${"n".repeat(251)}.txt`]: "255 bytes of name\n",
  "empty": "",
};
