/**
 * The transcripts of `server.json`, `tandem_server.json` and `secret_server.json` in
 * `tests/vectors/`, each in every way to send it.
 *
 * @module
 */

import { readVectors } from "../protocol/vectors.ts";
import { runServerTranscript, SERVER_MEMBERS, type ServerTranscript } from "./server_run.ts";
import { transcriptTest } from "./transcript.ts";

for (const file of ["server.json", "tandem_server.json", "secret_server.json"]) {
  for (const transcript of readVectors<ServerTranscript>(file, SERVER_MEMBERS)) {
    transcriptTest(transcript, "serve() answers", "<", (way) => runServerTranscript(transcript, way));
  }
}
