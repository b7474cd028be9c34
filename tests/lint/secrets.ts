/**
 * T12 as lint rules: what is secret is compared in constant time, and no
 * certificate is taken unseen.
 *
 * What is secret is told by its name, so that a name has to be honest. A
 * comparison with a literal, `undefined` or `null` tells an attacker nothing, and
 * neither does a length.
 *
 * @module
 */

/** What holds a secret, if it is the last word of a name: `proof`, `serverProof`, `proofKey`. */
const SECRET_WORDS = ["secret", "proof", "ticket", "key", "seed", "hmac", "mac", "password", "passphrase"];

/** What else a secret can be written as: `secretText`, `ticketHash`. */
const FORMS = ["text", "hash", "digest", "sha", "sha256", "hex", "bytes", "word", "words", "value", "digits"];

/** What makes a name one of a question: `hasSecret`, `isProof`. */
const QUESTIONS = ["is", "has", "had", "wants", "needs", "may"];

/** What of a secret is none: `proof.length`. */
const HARMLESS = ["length", "size", "byteLength"];

const COMPARISONS = ["===", "!==", "==", "!="];

/** Whether a name says that what it names is a secret, a proof, a ticket or a key. */
export function isSecretName(name: string): boolean {
  const words = name.replaceAll(/([a-z0-9])([A-Z])/g, "$1 $2").split(/[^A-Za-z0-9]+/)
    .filter((word) => word !== "").map((word) => word.toLowerCase());
  if (QUESTIONS.includes(words[0] ?? "")) return false;
  const last = words.at(-1) ?? "";
  if (SECRET_WORDS.includes(last)) return true;
  return FORMS.includes(last) && words.slice(0, -1).some((word) => SECRET_WORDS.includes(word));
}

/** The name of a secret that a value is made of, or undefined where it is none. */
function secretIn(node: Deno.lint.Node): string | undefined {
  switch (node.type) {
    case "Identifier":
    case "PrivateIdentifier":
      return isSecretName(node.name) ? node.name : undefined;
    case "MemberExpression": {
      if (node.computed) return secretIn(node.object) ?? literalName(node.property);
      const name = node.property.type === "Identifier" || node.property.type === "PrivateIdentifier"
        ? node.property.name
        : "";
      if (HARMLESS.includes(name)) return undefined;
      return isSecretName(name) ? name : undefined;
    }
    // `proof.slice(1)`, `hexOf(proof)`, `await secret.prove(…)`
    case "CallExpression": {
      const { callee } = node;
      const maker = callee.type === "MemberExpression"
        ? /^prove$/.test(nameOf(callee.property)) ? "prove()" : secretIn(callee.object)
        : /^prove$/.test(nameOf(callee))
        ? "prove()"
        : undefined;
      return maker ?? firstOf(node.arguments);
    }
    case "TemplateLiteral":
      return firstOf(node.expressions);
    case "BinaryExpression":
      return COMPARISONS.includes(node.operator) ? undefined : firstOf([node.left, node.right]);
    case "AwaitExpression":
      return secretIn(node.argument);
    case "ChainExpression":
    case "TSNonNullExpression":
    case "TSAsExpression":
      return secretIn(node.expression);
    case "LogicalExpression":
      return firstOf([node.left, node.right]);
    case "ConditionalExpression":
      return firstOf([node.consequent, node.alternate]);
    default:
      return undefined;
  }
}

function firstOf(nodes: readonly Deno.lint.Node[]): string | undefined {
  for (const node of nodes) {
    const found = secretIn(node);
    if (found !== undefined) return found;
  }
}

function nameOf(node: Deno.lint.Node): string {
  return node.type === "Identifier" ? node.name : "";
}

function literalName(node: Deno.lint.Node): string | undefined {
  return node.type === "Literal" && isSecretName(String(node.value)) ? String(node.value) : undefined;
}

/** What everybody knows: comparing with it tells nothing of the other side. */
function isKnown(node: Deno.lint.Node): boolean {
  return node.type === "Literal" || nameOf(node) === "undefined" ||
    node.type === "TemplateLiteral" && node.expressions.length === 0 ||
    node.type === "UnaryExpression" && node.operator === "typeof";
}

/** What turns the checking of certificates off: an option, a flag, a variable. */
const BLIND = /unsafely-?ignore-?certificate-?errors|NODE_TLS_REJECT_UNAUTHORIZED/i;

/** The rules, which `layers.ts` has in its plugin. `isOurs` tells of a file whether it is the program. */
export function secretRules(isOurs: (filename: string) => boolean): Record<string, Deno.lint.Rule> {
  return {
    "constant-time": {
      create(context) {
        if (!isOurs(context.filename)) return {};
        const report = (node: Deno.lint.Node, name: string) =>
          context.report({ node, message: `"${name}" is compared by equalInConstantTime(), or not at all` });
        return {
          BinaryExpression(node) {
            if (!COMPARISONS.includes(node.operator) || isKnown(node.left) || isKnown(node.right)) return;
            const name = firstOf([node.left, node.right]);
            if (name !== undefined) report(node, name);
          },
          SwitchStatement(node) {
            const known = node.cases.every(({ test }) => test === null || isKnown(test));
            const name = known ? undefined : secretIn(node.discriminant);
            if (name !== undefined) report(node, name);
          },
        };
      },
    },
    "no-blind-trust": {
      create(context) {
        const report = (node: Deno.lint.Node, what: string) =>
          context.report({ node, message: `no certificate is taken unseen: ${what}` });
        return {
          Property(node) {
            const name = node.key.type === "Literal" ? String(node.key.value) : nameOf(node.key);
            const isChecked = node.value.type === "Literal" && node.value.value === true;
            if (name === "rejectUnauthorized" && !isChecked) report(node, name);
          },
          AssignmentExpression(node) {
            const { left, right } = node;
            const name = left.type === "MemberExpression" ? nameOf(left.property) : nameOf(left);
            const isChecked = right.type === "Literal" && right.value === true;
            if (name === "rejectUnauthorized" && !isChecked) report(node, name);
          },
          Identifier(node) {
            if (BLIND.test(node.name)) report(node, node.name);
          },
          Literal(node) {
            if (typeof node.value === "string" && BLIND.test(node.value)) report(node, node.value);
          },
          TemplateElement(node) {
            if (BLIND.test(node.cooked)) report(node, node.cooked);
          },
        };
      },
    },
  };
}
