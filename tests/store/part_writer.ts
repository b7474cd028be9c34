/**
 * A program for `kept_parts_test.ts`: in the folder of its first argument it
 * begins a file of the second one's name, writes the third one into it, and goes
 * no further until it is ended.
 *
 * @module
 */

import { DiskStore } from "../../src/store/disk_store.ts";
import { RESUME } from "./resuming_cases.ts";
import { at, bytesOf } from "./store_case.ts";

const [folder = "", name = "", text = ""] = Deno.args;

const landing = await new DiskStore(folder).create(at(name), RESUME);
while (await landing.kept?.read(new Uint8Array(1024)));
await landing.write(bytesOf(text));
console.log(JSON.stringify("ready"));
await Deno.stdin.read(new Uint8Array(1));
