/**
 * Every outside module of the program, named in full because a URL knows no
 * import map, and nowhere else. The npm build of the Deno standard library has
 * no types; `deps_std.d.ts` gives the functions in use theirs.
 *
 * @module
 */

// @ts-types="./deps_std.d.ts"
export { format as formatBytes } from "npm:deno-std@1.4.0/fmt/bytes.js";
// @ts-types="./deps_std.d.ts"
export { closestString } from "npm:deno-std@1.4.0/text/closest_string.js";
export { eastAsianWidth } from "npm:get-east-asian-width@1.7.0";
// @ts-types="./deps_std.d.ts"
export { globToRegExp } from "npm:deno-std@1.4.0/path/glob_to_regexp.js";
// @ts-types="./deps_std.d.ts"
export { levenshteinDistance } from "npm:deno-std@1.4.0/text/levenshtein_distance.js";
