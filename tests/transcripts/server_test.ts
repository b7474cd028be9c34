/**
 * The transcripts of `tests/vectors/server.json` and `tandem_server.json`, each
 * in every way to send it.
 *
 * @module
 */

import { readVectors } from "../protocol/vectors.ts";
import { runServerTranscript, SERVER_MEMBERS, type ServerTranscript } from "./server_run.ts";
import { transcriptTest } from "./transcript.ts";

for (const file of ["server.json", "tandem_server.json"]) {
  for (const transcript of readVectors<ServerTranscript>(file, SERVER_MEMBERS)) {
    transcriptTest(transcript, "serve() answers", "<", (way) => runServerTranscript(transcript, way));
  }
}
