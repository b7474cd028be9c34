/**
 * A server as a process of its own, so that it can be killed: serves the folder
 * in its first argument on the port in its second, and says on which one.
 *
 * @module
 */

import { serve } from "../../mod.ts";

const [root = ".", port = "0"] = Deno.args;

await using server = serve({ root, port: Number(port), overwrite: true });
console.log(server.addr.port);
await server.finished;
