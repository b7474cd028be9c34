/**
 * The layer rule as a lint plugin: who may import whom, that outside modules are
 * named in `src/deps.ts` alone, and that `src/protocol` is pure. What is secret has
 * rules of its own, in `secrets.ts`.
 *
 * @module
 */

import { secretRules } from "./secrets.ts";

/** What the files of each layer may import, as folders of `src` and files at the top. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  "errors.ts": [],
  "limits.ts": [],
  "deps.ts": [],
  protocol: ["protocol", "errors.ts", "limits.ts"],
  secret: ["secret", "errors.ts"],
  store: ["store", "protocol", "errors.ts", "limits.ts"],
  net: ["net", "protocol", "secret", "errors.ts", "limits.ts"],
  server: ["server", "net", "secret", "store", "protocol", "errors.ts", "limits.ts"],
  client: ["client", "net", "secret", "store", "protocol", "errors.ts", "limits.ts"],
  cli: ["cli", "deps.ts", "/mod.ts"],
  "/main.ts": ["cli", "/mod.ts"],
  "/mod.ts": [
    "client",
    "server",
    "store",
    "protocol",
    "secret",
    "net",
    "errors.ts",
    "limits.ts",
  ],
};

/** Layers that may use what Deno and Node have built in. */
const MAY_USE_BUILT_INS = ["secret", "store", "net", "server", "client", "cli"];

/** What is pure computation in spite of its name, so that `protocol` may use it too. */
const PURE_BUILT_INS = ["node:zlib"];

/** The layer of a file: a folder or file of `src`, or `/main.ts`, `/mod.ts`; undefined for all else. */
export function layerOf(path: string): string | undefined {
  const src = /(?:^|\/)src\/([^/]+)/.exec(path);
  if (src !== null) return src[1];
  return /(?:^|[^/]\/|^\/)(main|mod)\.ts$/.test(path) &&
      !path.includes("/tests/")
    ? `/${path.slice(path.lastIndexOf("/") + 1)}`
    : undefined;
}

/** Why the file at `from` may not import `specifier`, or undefined if it may. */
export function importFault(
  from: string,
  specifier: string,
): string | undefined {
  const layer = layerOf(from);
  if (layer === undefined) return undefined;
  if (specifier.startsWith("node:")) {
    const pure = layer === "protocol" && PURE_BUILT_INS.includes(specifier);
    return pure || MAY_USE_BUILT_INS.includes(layer) ? undefined : `${layer} may not use ${specifier}`;
  }
  if (!specifier.startsWith(".")) {
    return layer === "deps.ts" && specifier.startsWith("npm:")
      ? undefined
      : `outside modules are named in src/deps.ts alone, not "${specifier}"`;
  }
  const target = layerOf(
    new URL(specifier, `file://${from.startsWith("/") ? "" : "/"}${from}`)
      .pathname,
  );
  if (target === undefined) return `"${specifier}" is no part of the program`;
  return MAY_IMPORT[layer]?.includes(target) ? undefined : `${layer} may not import ${target}: see src/README.md`;
}

const plugin: Deno.lint.Plugin = {
  name: "tandem",
  rules: {
    ...secretRules((filename) => layerOf(filename) !== undefined),
    layers: {
      create(context) {
        const check = (
          node: Deno.lint.Node,
          source: Deno.lint.Node | null | undefined,
        ) => {
          if (source?.type !== "Literal") return;
          const fault = importFault(context.filename, String(source.value));
          if (fault !== undefined) context.report({ node, message: fault });
        };
        return {
          ImportDeclaration: (node) => check(node, node.source),
          ImportExpression: (node) => check(node, node.source),
          ExportNamedDeclaration: (node) => check(node, node.source),
          ExportAllDeclaration: (node) => check(node, node.source),
        };
      },
    },
    "pure-protocol": {
      create(context) {
        if (layerOf(context.filename) !== "protocol") return {};
        const impure = (node: Deno.lint.Node, what: string) =>
          context.report({
            node,
            message: `src/protocol is pure: no ${what}`,
          });
        return {
          AwaitExpression: (node) => impure(node, "await"),
          Identifier(node) {
            if (/^(Deno|fetch|set(Timeout|Interval))$/.test(node.name)) {
              impure(node, node.name);
            }
          },
        };
      },
    },
  },
};

export default plugin;
