/**
 * Files between two machines over two connections in tandem: one for commands,
 * one for bytes. This module is the library; `main.ts` is the program.
 *
 * Importing it has no side effects. Every error is a {@linkcode TandemError}
 * with a `code` from one closed list.
 *
 * @example
 * ```ts no-eval
 * import { connect, serve } from "./mod.ts";
 *
 * await using server = serve({ root: "./pub", port: 0, write: true });
 * await using client = await connect({ port: server.addr.port });
 *
 * await client.put("hello.txt", new Blob(["hello"]).stream());
 * for await (const entry of client.list("/")) console.log(entry.name);
 * const download = await client.get("hello.txt", {
 *   signal: AbortSignal.timeout(5_000),
 * });
 * await download.readable.pipeTo(Deno.stdout.writable, { preventClose: true });
 * ```
 *
 * @module
 */

export { connect, type ConnectOptions, type TlsOptions } from "./src/client/connect.ts";
export { Client } from "./src/client/client.ts";
export type {
  CallOptions,
  DownloadOptions,
  GetIntoOptions,
  GetOptions,
  HashOptions,
  PutOptions,
  RecursiveOptions,
  RemoteEntry,
  RenameOptions,
  StoreOptions,
  TransferResult,
  UploadOptions,
  VerifyOptions,
} from "./src/client/options.ts";
export { downloadInRanges, type RangesOptions } from "./src/client/ranges.ts";
export type { ByteSink } from "./src/net/bulk.ts";
export type { OnExistWord } from "./src/protocol/tandem_command.ts";
export { Download } from "./src/client/download.ts";
export type { ClientEvent, FileEvent, HelloEvent, Mode, ProgressEvent } from "./src/client/events.ts";
export type { PutBody } from "./src/client/sources.ts";
export { ERROR_CODES, type ErrorCode, ProtocolError, TandemError, type TandemErrorOptions } from "./src/errors.ts";
export { type ClientLimits, DEFAULT_CLIENT_LIMITS, DEFAULT_SERVER_LIMITS, type ServerLimits } from "./src/limits.ts";
export type { PortRange } from "./src/net/data_port.ts";
export { DEFAULT_PORT } from "./src/protocol/command.ts";
export { type PathRules, type RemotePath, resolveRemotePath, ROOT } from "./src/protocol/path.ts";
export type { Credentials } from "./src/secret/certificate.ts";
export { generateSecret, MIN_SECRET_CHARACTERS, type Prover, Secret } from "./src/secret/secret.ts";
export { serve, type ServeOptions, type TandemServer } from "./src/server/serve.ts";
export type {
  CommandEvent,
  ServerEvent,
  SessionClosedEvent,
  SessionOpenedEvent,
  WarningEvent,
} from "./src/server/events.ts";
export type {
  CreateOptions,
  FileAttributes,
  FileStore,
  KeptPart,
  Landing,
  ListOptions,
  RecursiveOptions as StoreRecursiveOptions,
  StoredFile,
  StoreEntry,
  StoreSpace,
} from "./src/store/file_store.ts";
export { DiskStore } from "./src/store/disk_store.ts";
export { MemoryStore, type MemoryStoreOptions } from "./src/store/memory_store.ts";
